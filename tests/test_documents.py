"""Real files of every type in, passages out; bad files beside good ones."""

import io
import json
import os
import random
import re
import time
import unicodedata
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from pypdf import PageObject, PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from spring.documents import (
    FILE_TYPES,
    Collection,
    Document,
    FileResult,
    Page,
    Passage,
    clean_text,
    read_collection,
    read_document,
    split_passages,
)
from spring.errors import DocumentError

CORPORA = Path(__file__).parent.parent / "corpora"
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def pdf(*pages: list[str]) -> bytes:
    """A PDF of pages of lines."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 750 - 20 * number, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def encrypted(data: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def saved(document: docx.document.Document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def only_page(path: Path) -> Page:
    (page,) = read_document(path).pages
    return page


def error_of(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        read_document(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def split(text: str, words: int = 100, title: str = "") -> list[str]:
    return [p.text for p in split_passages(Document("file.txt", (Page(text, title),)), words)]


# --- PDF ---


def test_pdf_pages_and_hyphenation(write: Write) -> None:
    path = write("a.pdf", pdf(["The lamp is an exam-", "ple of the X-", "Ray kind."], ["Second page."]))
    assert [page.text for page in read_document(path).pages] == [
        "The lamp is an example of the X- Ray kind.",
        "Second page.",
    ]


def test_pdf_pages_without_text_are_named_and_keep_their_numbers(write: Write) -> None:
    path = write("a.pdf", pdf(["One."], [], ["Three."], []))
    document = read_document(path)
    assert document.warnings == ("pages 2 and 4 have no text",)
    assert [(p.page, p.index, p.text) for p in split_passages(document)] == [(1, 0, "One."), (3, 1, "Three.")]
    assert read_collection([path]).results[0].line == ("a.pdf: 4 pages, 2 passages; pages 2 and 4 have no text")


def test_scanned_pdf(write: Write) -> None:
    assert error_of(write("scan.pdf", pdf([], [], []))) == (
        "scan.pdf: no text found in its 3 pages; it is probably a scan, run OCR first"
    )
    assert "its only page" in error_of(write("scan.pdf", pdf([])))


def test_encrypted_pdf(write: Write) -> None:
    plain = pdf(["Secret lamp."])
    assert "is encrypted" in error_of(write("a.pdf", encrypted(plain, "password")))
    assert only_page(write("b.pdf", encrypted(plain, ""))).text == "Secret lamp."


def test_one_damaged_page_does_not_lose_the_others(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter(["One.", None, "Three.", None])

    def extract(page: PageObject) -> str:
        if (text := next(texts)) is None:
            raise KeyError("/Contents")
        return text

    monkeypatch.setattr(PageObject, "extract_text", extract)
    path = write("a.pdf", pdf(["x"], ["x"], ["x"]))
    document = read_document(path)
    assert [page.text for page in document.pages] == ["One.", "", "Three."]
    assert document.warnings == ("page 2 could not be read",)
    assert "its pages could not be read" in error_of(write("b.pdf", pdf(["x"])))


def test_pdf_with_a_wrong_table_of_contents(write: Write) -> None:
    data = re.sub(rb"startxref\s+\d+", b"startxref\n7", pdf(["The lamp."]))
    assert only_page(write("a.pdf", data)).text == "The lamp."


def test_damaged_pdfs_end_in_one_sentence(write: Write) -> None:
    whole, generator, outcomes = pdf(["The lamp burns."], ["Second."]), random.Random(3), set()
    for number in range(60):
        data = bytearray(whole)
        for _ in range(40):
            data[generator.randrange(9, len(data))] = generator.randrange(256)
        (result,) = read_collection([write(f"{number}.pdf", bytes(data[: generator.randrange(20, len(data))]))]).results
        assert "\n" not in result.line
        outcomes.add(result.error is None)
    assert False in outcomes


# --- Word ---


def word_file() -> docx.document.Document:
    document = docx.Document()
    document.core_properties.title = "From the properties"
    document.add_paragraph("Before the heading.")
    document.add_heading("Winch House", level=1)
    document.add_paragraph("First paragraph.")
    table = document.add_table(rows=3, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Car", "Weight\nin kg"
    table.cell(1, 0).text, table.cell(1, 1).text = "No. 2", "1,900"
    table.cell(2, 0).merge(table.cell(2, 1)).text = "Both cars"
    document.add_paragraph("Last paragraph.\nAfter the break.")
    return document


def test_docx_paragraphs_and_tables_in_order(write: Write) -> None:
    page = only_page(write("a.docx", saved(word_file())))
    assert page.title == "Winch House"
    assert page.text.split("\n") == [
        "Before the heading.",
        "First paragraph.",
        "Car | Weight in kg",
        "No. 2 | 1,900",
        "Both cars",
        "Last paragraph.",
        "After the break.",
    ]


def test_docx_title_from_the_properties_or_none(write: Write) -> None:
    document = docx.Document()
    document.add_paragraph("Text.")
    document.core_properties.title = "From the properties"
    assert only_page(write("a.docx", saved(document))) == Page("Text.", "From the properties")
    document.core_properties.title = "Word Document"
    assert only_page(write("a.docx", saved(document))) == Page("Text.")


def test_docx_text_that_python_docx_leaves_out(write: Write) -> None:
    document = docx.Document()
    run = "<w:r><w:t>{}</w:t></w:r>"
    gone = "<w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del>"
    control = f"<w:sdtContent><w:p>{run.format('In a control.')}</w:p></w:sdtContent>"
    control = f"<w:sdt {nsdecls('w')}>{control}</w:sdt>"
    tracked = f"<w:p {nsdecls('w')}><w:ins>{run.format('Inserted.')}</w:ins>{gone}</w:p>"
    moved = f"<w:p {nsdecls('w')}><w:moveFrom>{run.format('Moved away.')}</w:moveFrom></w:p>"
    for xml in (control, tracked, moved):
        document.element.body.insert(0, parse_xml(xml))
    cell = document.add_table(1, 1).cell(0, 0)
    cell.text = "Outer"
    cell.add_table(1, 1).cell(0, 0).text = "inner"
    assert only_page(write("a.docx", saved(document))).text.split("\n") == [
        "Inserted.",
        "In a control.",
        "Outer inner",
    ]


def test_damaged_docx(write: Write) -> None:
    data = saved(word_file())
    assert "it could not be read" in error_of(write("cut.docx", data[: len(data) // 2]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "it could not be read" in error_of(write("zip.docx", buffer.getvalue()))
    assert "encrypted Office file" in error_of(write("old.docx", b"\xd0\xcf\x11\xe0" + bytes(600)))


# --- HTML ---


def test_html(write: Write) -> None:
    page = only_page(
        write(
            "a.html",
            """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html><head><title>In the tab</title>
            <style>p {color: red}</style></head><body><h1>The  <em>Long Kite</em></h1><!-- hidden -->
            <p>First<br>line &amp; more,
            - wrapped</p><script>alert("x")</script><noscript>No script</noscript><template>T</template>
            <div>Bare <b>bo</b>ld<p>Inside</p>after</div>
            <table><tr><th>Day</th><th>Ship</th></tr><tr><td>Monday</td><td><p>Slow</p><p>Hilda</p></td></tr></table>
            <ul><li>One<li>Two</ul></body></html>""",
        )
    )
    assert page.title == "The Long Kite"
    assert page.text.split("\n") == [
        "First",
        "line & more, - wrapped",
        "Bare bold",
        "Inside",
        "after",
        "Day | Ship",
        "Monday | Slow Hilda",
        "One",
        "Two",
    ]


def test_html_title_and_layout_tables(write: Write) -> None:
    page = only_page(
        write(
            "a.htm",
            "<title>In the tab</title><h1><img></h1><table><tr><td><p>Left</p>"
            "<table><tr><td>a</td><td>b</td></tr></table></td><td>Right</td></tr></table>",
        )
    )
    assert (page.title, page.text) == ("In the tab", "Left\na | b\nRight")


def test_html_that_looks_like_a_file_name_or_nests_deeply(write: Write) -> None:
    assert only_page(write("a.html", "lamp.txt")).text == "lamp.txt"
    assert "deep" in only_page(write("b.html", "<div>" * 5_000 + "deep" + "</div>" * 5_000)).text


# --- text and Markdown ---


def test_markdown(write: Write) -> None:
    table = "| a | b |\n|---|---|\n"
    text = f"# The *lamp* #\nA wrapped\nparagraph.\n\n## Oil\nOf whales.\n- one\n- two\n\n{table}"
    page = only_page(write("a.md", text))
    assert page.title == "The *lamp*"
    assert page.text == "A wrapped paragraph.\n## Oil\nOf whales.\n- one\n- two\n| a | b |\n|---|---|"
    assert split_passages(Document("a.md", (page,)))[0].text == f"{page.title}\n{page.text}"


def test_markdown_without_a_title(write: Write) -> None:
    assert only_page(write("a.markdown", "## Oil\n\n```\n# comment\n```\n")).title == ""
    assert only_page(write("b.md", "# Only a heading")) == Page("Only a heading")
    assert only_page(write("c.md", "# On C#\nText")) == Page("Text", "On C#")


@pytest.mark.parametrize(
    ("data", "warnings"),
    [
        ("\ufeffDas Café: £5 – naïve.".encode(), ()),
        ("Das Café: £5 – naïve.".encode("utf-16"), ()),
        ("Das Café: £5 – naïve.".encode("cp1252"), ("it is not UTF-8 and was read as windows-1252",)),
    ],
)
def test_encodings(write: Write, data: bytes, warnings: tuple[str, ...]) -> None:
    document = read_document(write("a.txt", data))
    assert document.pages == (Page("Das Café: £5 – naïve."),)
    assert document.warnings == warnings


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Le café de l'été est déjà fermé à midi.", "latin-1"),
        ("Der Käse schmeckt über alle Maßen gut. " * 50, "latin-1"),
        ("Temperature 20 °C, 5 µm, © 2020, × 3", "cp1252"),
        ("Zażółć gęślą jaźń, proszę państwa.", "cp1250"),
        ("Московский государственный университет имени Ломоносова.", "cp1251"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", "shift_jis"),
        ("北京是中华人民共和国的首都，是全国的政治中心。", "gb18030"),
    ],
)
def test_older_encodings(write: Write, text: str, encoding: str) -> None:
    assert only_page(write("a.txt", text.encode(encoding))).text == text.strip()


@pytest.mark.parametrize(("text", "encoding"), [("Zażółć", "iso-8859-2"), ("Şişli'de güneş", "windows-1254")])
def test_html_in_the_encoding_that_it_declares(write: Write, text: str, encoding: str) -> None:
    data = f'<meta charset="{encoding}"><p>{text}'.encode(encoding)
    assert only_page(write("a.html", data)).text == text


LIST = "wrapped\n- item\n2. item\n(b) item\n# head\n| row\n* star"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("one\r\ntwo\rthree\n\n\n  four\tfive\u00a0six", "one two three\nfour five six"),
        (LIST, LIST),
        ("a\n-5 degrees\n2024 was", "a -5 degrees 2024 was"),
        ("page one\x0cpage two\u2029three", "page one\npage two\nthree"),
        ("soft\u00adhyphen\x00\x07\ufeff e\u0301", "softhyphen \u00e9"),
        ("东京是\n日本的首都。", "东京是日本的首都。"),
        ("a\ud83d\ude00b \ud800x\udc00", "a😀b \ufffdx\ufffd"),
    ],
)  # fmt: skip
def test_clean_text(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


# --- CSV ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(write: Write, delimiter: str) -> None:
    rows = [["name", "post", ""], ['Ada "A."', "cook\nand baker", "x"], ["", "", ""], ["Bo", "", ""]]
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    document = read_document(write("a.csv", "\n".join(lines)))
    assert document.pages == (Page('name: Ada "A."; post: cook and baker; x\nname: Bo'),)
    assert document.warnings == ()


def test_csv_uneven_rows_and_one_column(write: Write) -> None:
    document = read_document(write("a.csv", "a,b\n1,2\n3\n\n4,5,6\n"))
    assert document.pages[0].text == "a: 1; b: 2\na: 3\na: 4; b: 5; 6"
    assert document.warnings == ("rows 3 and 5 have more or fewer cells than the header",)
    assert only_page(write("b.csv", "lamp\noil\nwax\n")).text == "lamp: oil\nlamp: wax"
    assert only_page(write("c.tsv", "a\tb\n")).text == "a; b"


def test_csv_with_an_open_quote_and_a_huge_field(write: Write) -> None:
    document = read_document(write("a.csv", 'a,b\n1,2\n3,"four\n5,6\n'))
    assert document.pages[0].text == "a: 1; b: 2\na: 3; b: four 5,6"
    assert document.warnings == ("a quotation mark in row 3 is never closed, the rest was read as one cell",)
    assert len(only_page(write("b.csv", "a,b\n1," + "lamp " * 100_000)).text) > 400_000


# --- JSON Lines ---


def test_json_lines(write: Write) -> None:
    rows = [
        '{"id": 0, "contents": "Luna 2\\nIt hit\u2028the Moon.\\ud800"}'.encode(),
        json.dumps({"title": "Luna 3", "text": "The far side. \ud83d"}).encode(),
        json.dumps({"text": "No title."}).encode(),
        b"",
        json.dumps({"contents": "One line"}).encode(),
    ]  # fmt: skip
    document = read_document(write("a.jsonl", b"\r\n".join(rows)))
    assert document.pages == (
        Page("It hit the Moon.\ufffd", "Luna 2"),
        Page("The far side. \ufffd", "Luna 3"),
        Page("No title."),
        Page("One line"),
    )
    assert document.warnings == ()
    passages = split_passages(document)
    assert [(p.page, p.index) for p in passages] == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert passages[0].text == "Luna 2\nIt hit the Moon.\ufffd"


def test_json_lines_bad_rows(write: Write) -> None:
    bad = [
        "[" * 100_000 + "]" * 100_000,
        '{"text": ' + "9" * 5_000 + "}",
        "{oops",
        "[1]",
        '{"text": " "}',
        '{"text": 7}',
        "7",
    ]
    document = read_document(write("a.jsonl", "\n".join([*bad, '{"text": "good"}'])))
    assert document.pages == (Page("good"),)
    assert document.warnings == (
        "row 1 skipped (nested too deeply)",
        "rows 2 and 3 skipped (not valid JSON)",
        "rows 4 and 7 skipped (not an object)",
        'rows 5 and 6 skipped (no text in "contents" or "text")',
    )
    assert error_of(write("b.jsonl", "\n".join(["{oops"] * 20))).startswith(
        "b.jsonl: no row has text (rows 1, 2, 3, 4, 5 and 15 more skipped (not valid JSON)); each must be"
    )


def test_a_title_as_long_as_a_paragraph_is_text(write: Write) -> None:
    title = "word " * 100
    page = only_page(write("a.jsonl", json.dumps({"title": title, "text": "text"})))
    assert page == Page(f"{title.strip()}\ntext")


# --- files that are not what they seem ---


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "it is empty"),
        ("a.pdf", b"", "it is empty"),
        ("a.txt", b" \n\t ", "it has no words"),
        ("a.txt", "— … !".encode(), "it has no words"),
        ("a.txt", b"lamp\0oil", "does not look like text"),
        ("a.txt", bytes(range(1, 256)) * 9, "does not look like text"),
        ("a.txt", "lamp".encode("utf-16-le"), "does not look like text"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "does not look like text"),
        ("a.pdf", b"<html>lamp</html>", "it is not what its name says, a .pdf file"),
        ("a.docx", b"lamp", "it is not what its name says, a .docx file"),
        ("a.txt", b"%PDF-1.7 lamp", "it is not what its name says, a .txt file"),
        ("a.html", b"PK\3\4 lamp", "it is not what its name says, a .html file"),
        ("a.docx", pdf(["lamp"]), "it is not what its name says, a .docx file"),
        ("a.jsonl", b"\n\n", "no row has text (there are none)"),
        ("a.xyz", b"lamp", "skipped, its type is not read; save it as one of .pdf .docx"),
        ("lamp", b"lamp", "skipped, its type is not read"),
    ],
)
def test_wrong_files(write: Write, name: str, data: bytes, message: str) -> None:
    assert error_of(write(name, data)).startswith(f"{name}: ")
    assert message in error_of(write(name, data))


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "does not exist" in error_of(tmp_path / "none.txt")
    assert "does not exist" in error_of(tmp_path / ("long" * 500 + ".txt"))
    assert "does not exist" in error_of(tmp_path / "null\0.txt")
    assert "is a folder" in error_of(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    assert "is not a file" in error_of(tmp_path / "pipe.txt")


def test_a_file_that_may_not_be_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "could not be read" in error_of(write("a.txt", "lamp"))


def test_the_name_is_one_clean_line(write: Write) -> None:
    path = write("a.txt", "lamp")
    assert read_document(path, "x\n\n\ud800 y.txt").name == "x \ufffd y.txt"
    assert read_document(path).name == "a.txt"


# --- collections ---


def test_every_file_type_is_read(write: Write) -> None:
    contents: dict[str, str | bytes] = dict.fromkeys(FILE_TYPES, "lamp,oil\nwax,wick\n")
    contents |= {".pdf": pdf(["lamp"]), ".docx": saved(word_file()), ".jsonl": '{"text": "lamp"}'}
    paths = [write(f"file{suffix.upper()}", contents[suffix]) for suffix in FILE_TYPES]
    assert [result.error for result in read_collection(paths).results] == [None] * len(FILE_TYPES)


def test_folders(write: Write, tmp_path: Path) -> None:
    for name in (
        "docs/b.txt",
        "docs/a.txt",
        "docs/sub/a.txt",
        "docs/.hidden.txt",
        "docs/.git/x.txt",
        "docs/p.png",
    ):
        write(name, "some words here")
    write("docs/bad.pdf", b"%PDF-1.4 nothing in it")
    write("other/a.txt", "some words here")
    (tmp_path / "empty").mkdir()
    read = read_collection([tmp_path / n for n in ("docs", "other", "empty", "none.txt", "docs/b.txt")])
    assert [document.name for document in read.documents] == ["a.txt", "b.txt", "sub/a.txt", "a.txt (2)"]
    assert [result.line.partition(";")[0] for result in read.results] == [
        "a.txt: 1 page, 1 passage",
        "b.txt: 1 page, 1 passage",
        "bad.pdf: it could not be read and is probably damaged",
        "p.png: skipped, its type is not read",
        "sub/a.txt: 1 page, 1 passage",
        "a.txt (2): 1 page, 1 passage",
        "empty: it is a folder without files to read",
        "none.txt: it does not exist or is not a file",
    ]
    assert [passage.document for passage in read.passages] == [document.name for document in read.documents]


def test_one_bad_file_does_not_lose_the_others(write: Write) -> None:
    paths = [write("bad.jsonl", "oops"), write("good.txt", "the lamp"), write("bad.docx", b"PK\3\4")]
    read = read_collection(paths)
    assert [result.error is None for result in read.results] == [False, True, False]
    assert [passage.text for passage in read.passages] == ["the lamp"]


def test_no_files() -> None:
    assert read_collection([]) == Collection((), (), ())


@pytest.mark.parametrize("corpus", ["orlo-station", "everyday-inventions", "space-missions"])
def test_sample_collections(corpus: str) -> None:
    read = read_collection([CORPORA / corpus / "documents"])
    assert [result.line for result in read.results if result.error or result.warnings] == []
    assert len(read.documents) >= 15
    by_name = {document.name: document for document in read.documents}
    for passage in read.passages:
        page = by_name[passage.document].pages[passage.page - 1]
        piece = passage.text.removeprefix(f"{page.title}\n") if page.title else passage.text
        assert piece in page.text
        assert 40 <= len(piece.split()) <= 130
    assert all(d.pages[0].title for d in read.documents if d.name.endswith((".md", ".html", ".docx", ".jsonl")))


def test_answers_of_the_sample_questions_are_in_their_document() -> None:
    missing = []
    for file in CORPORA.glob("*/questions.jsonl"):
        read = read_collection([file.parent / "documents"])
        for row in map(json.loads, file.read_text().splitlines()):
            texts = [p.text for p in read.passages if p.document == row["metadata"]["document"]]
            if not any(answer in text for answer in row["golden_answers"] for text in texts):
                missing.append(row["id"])
    assert missing == []


# --- passages ---


def prose(generator: random.Random, sentences: int) -> str:
    """Sentences of random words, some of them hyphenated, accented or followed by a line break."""
    words = [
        "lamp",
        "oil",
        "so-called",
        "naïve",
        "3.14",
        "e.g.",
        "“quoted”",
        "O'Brien's",
        "(aside)",
        "Żółć",
        "हिन्दी",
        "한국어",
    ]
    text = ""
    for _ in range(sentences):
        chosen = generator.choices(words, k=generator.randint(1, 45))
        text += " ".join(chosen) + generator.choice(".!?…") + generator.choice("   \n")
    return text.strip()


@pytest.mark.parametrize("seed", range(25))
def test_no_word_is_cut_and_nothing_is_lost(seed: int) -> None:
    generator = random.Random(seed)
    text = clean_text(prose(generator, generator.choice([1, 5, 30, 200])).replace("\n", "\n\n"))
    size = generator.choice([20, 100, 150])
    pieces = split(text, size)
    assert " ".join(pieces).split() == text.split()
    assert all(piece in text for piece in pieces)
    lengths = [len(piece.split()) for piece in pieces]
    if len(text.split()) <= 1.2 * size:
        assert len(pieces) == 1
    else:
        assert all(0.6 * size - 1 <= length <= 1.3 * size + 1 for length in lengths)
        assert 0.7 * size <= sum(lengths) / len(lengths) <= 1.25 * size or len(lengths) == 2


def test_up_to_120_words_are_one_passage() -> None:
    assert [len(piece.split()) for piece in split("word " * 120)] == [120]
    assert sorted(len(piece.split()) for piece in split("word " * 121)) == [60, 61]


def test_cuts_are_at_the_nearest_sentence_end() -> None:
    words = ["word"] * 200
    words[94], words[110], words[130] = "end.", 'closed."', "late."
    assert [piece.split()[-1] for piece in split(" ".join(words))] == ["end.", "word"]
    words[94] = "word"
    assert [piece.split()[-1] for piece in split(" ".join(words))] == ['closed."', "word"]
    words[110], words[74] = "word", "far."
    assert [len(piece.split()) for piece in split(" ".join(words))] == [100, 100]
    lines = "\n".join(["word " * 9 + "end"] * 19 + ["x"])
    assert split(lines)[0].split("\n") == ["word " * 9 + "end"] * 10


def test_pieces_do_not_cross_pages_and_are_numbered() -> None:
    document = Document("a.pdf", (Page("one " * 250), Page(""), Page("two " * 50)))
    passages = split_passages(document)
    assert [(p.document, p.page, p.index) for p in passages] == [
        ("a.pdf", 1, 0), ("a.pdf", 1, 1), ("a.pdf", 3, 2)
    ]  # fmt: skip
    assert [set(p.text.split()) for p in passages] == [{"one"}, {"one"}, {"two"}]


def test_the_title_stands_once_above_every_piece() -> None:
    pieces = split("word " * 250, title="The lamp")
    assert len(pieces) == 2
    assert all(piece.startswith("The lamp\nword ") and piece.count("The lamp") == 1 for piece in pieces)
    assert split("The lamp\nburns.", title="The lamp") == ["The lamp\nburns."]
    assert split("The lamp burns.", title="The lamp") == ["The lamp\nThe lamp burns."]


CHINESE = "北京是中华人民共和国的首都，也是「政治」中心！人口有2184万，使用iPhone手机的人很多。"
JAPANESE = "吾輩は猫である。名前はまだ無い。『コンピューター』を使うサーバーで、Tokyoの人々は東京タワーへ行った。"


@pytest.mark.parametrize("text", [CHINESE, JAPANESE])
def test_chinese_and_japanese(text: str) -> None:
    text = text * 40
    pieces = split(text)
    assert "".join(pieces) == text
    weight = len(re.findall("[ぁ-ヿ一-鿿]", text)) / 2 + len(re.findall("[0-9A-Za-z]+", text))
    assert len(pieces) == round(weight / 100)
    assert all(piece.endswith(("。", "！")) for piece in pieces)


@pytest.mark.parametrize("text", [CHINESE, JAPANESE])
def test_chinese_and_japanese_without_sentence_ends(text: str) -> None:
    text = re.sub("[。！]", "，", text) * 40
    for size in range(10, 30):
        pieces = split(text, size)
        assert "".join(pieces) == text
        for left, right in pairwise(pieces):
            assert right[0] not in "，」』々ー"
            assert left[-1] not in "「『"
            assert not (left[-1].isascii() and right[0].isascii())
            assert not (re.match("[ァ-ヺ]", left[-1]) and re.match("[ァ-ヺー]", right[0]))


@pytest.mark.parametrize("word", ["ที่นี่น้ำ", "ພາສາລາວ", "ភាសាខ្មែរ", "မြန်မာစာ"])
def test_thai_lao_khmer_and_burmese(word: str) -> None:
    spaced = " ".join([word * 8] * 60)
    pieces = split(spaced)
    assert " ".join(pieces) == spaced
    assert len(pieces) == pytest.approx(len(spaced) / 500, rel=0.3)
    unspaced = word * 400
    pieces = split(unspaced)
    assert "".join(pieces) == unspaced
    assert len(pieces) == pytest.approx(len(unspaced) / 500, rel=0.3)
    assert not any(unicodedata.category(piece[0]).startswith("M") for piece in pieces)


def test_long_runs_are_no_words() -> None:
    text = "Before. " + "iVBORw0KGgo" * 2_000 + " after."
    pieces = split(text)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    assert max(map(len, pieces)) <= 700
    assert split("word " * 90 + "x" * 500) == ["word " * 90 + "x" * 500]


def test_five_million_characters_take_seconds() -> None:
    text = "The lamp burns whale oil and so on. " * 140_000
    start = time.process_time()
    pieces = split(text)
    assert time.process_time() - start < 10
    assert len(pieces) == pytest.approx(8 * 140_000 / 100, rel=0.1)


# --- types ---


@pytest.mark.parametrize(
    "make",
    [
        lambda: Page("text", "two\nlines"),
        lambda: Document("", (Page("text"),)),
        lambda: Document("a.txt", ()),
        lambda: Passage("a.txt", 0, 0, "text"),
        lambda: Passage("a.txt", 1, -1, "text"),
        lambda: Passage("a.txt", 1, 0, " \n"),
        lambda: split_passages(Document("a.txt", (Page("text"),)), 0),
    ],
)
def test_types_cannot_be_wrong(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        make()


def test_lines_for_the_user() -> None:
    assert FileResult("report.pdf", 12, 31).line == "report.pdf: 12 pages, 31 passages"
    assert FileResult("a.txt", 1, 1, ("w1", "w2")).line == "a.txt: 1 page, 1 passage; w1; w2"
    assert FileResult("x.pdf", error="x.pdf: it is empty").line == "x.pdf: it is empty"
