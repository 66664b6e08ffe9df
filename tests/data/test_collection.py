"""Files in, named passages out; bad files beside good ones."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spring.data.chunking import split_passages
from spring.data.collection import read_collection, read_document
from spring.data.loaders.file_types import ARCHIVES
from spring.data.loaders.registry import FILE_TYPES
from spring.data.types import Collection, Document, FileResult, Heading, Page, Passage
from spring.errors import DocumentError
from tests.data.test_office import epub, odt, pptx, xlsx
from tests.support.files import CORPORA, pdf, saved, word_file, write


def split(text: str, title: str = "") -> list[str]:
    return [p.text for p in split_passages(Document("file.txt", (Page(text, title),)))]


# --- documents ---


def test_the_name_is_one_clean_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "lamp")
    assert read_document(path, "x\n\n\ud800 y.txt").name == "x \ufffd y.txt"
    assert read_document(path).name == "a.txt"
    assert read_document(path, "bill\u202efdp.exe \u05d0\u200f").name == "bill\ufffdfdp.exe \u05d0\u200f"


def test_the_error_begins_with_the_name(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^a\.txt: it is empty; save it again$"):
        read_document(write(tmp_path / "a.txt", b""))
    with pytest.raises(DocumentError, match=r"^sub/b\.txt: it has no words; "):
        read_document(write(tmp_path / "b.txt", "— … !"), "sub/b.txt")


# --- passages ---


def test_pieces_do_not_cross_pages_and_are_numbered() -> None:
    document = Document("a.pdf", (Page("one " * 250), Page(""), Page("two " * 50)))
    passages = split_passages(document)
    assert [(p.document, p.page, p.index) for p in passages] == [
        ("a.pdf", 1, 0), ("a.pdf", 1, 1), ("a.pdf", 3, 2)
    ]  # fmt: skip
    assert [set(p.text.split()) for p in passages] == [{"one"}, {"one"}, {"two"}]


def test_the_title_stands_once_above_every_piece() -> None:
    def titled(text: str) -> list[str]:
        return [p.titled for p in split_passages(Document("a.txt", (Page(text),), title="The lamp"))]

    assert split("word " * 250) == [("word " * 125).strip()] * 2
    pieces = titled("word " * 250)
    assert len(pieces) == 2
    assert all(piece.startswith("The lamp\nword ") and piece.count("The lamp") == 1 for piece in pieces)
    assert titled("The lamp\nburns.") == ["The lamp\nburns."]
    assert titled("The lamp burns.") == ["The lamp\nThe lamp burns."]


def test_the_title_is_the_row_s_or_the_document_s_own_or_the_name_s() -> None:
    def titles(*pages: Page) -> list[str]:
        return [p.title for p in split_passages(Document("a.jsonl", pages, title="a"))]

    assert titles(Page("one"), Page("two")) == ["a", "a"]
    assert titles(Page("one", "One"), Page("two")) == ["One", ""]
    assert titles(Page("one", id="1"), Page("two", "Two")) == ["", "Two"]


def test_a_passage_is_searched_by_its_headings_title_and_text() -> None:
    assert Passage("a", 1, 0, "text", "Part > Chapter", "Title").searched == "Part\nChapter\nTitle\ntext"
    assert Passage("a", 1, 0, "Chapter\ntext", "Part > Chapter", "Title").searched == "Part\nTitle\nChapter\ntext"
    assert Passage("a", 1, 0, "text").searched == "text"


# --- sections ---


def headed(*lines: str) -> Page:
    """A page of lines, of which those with # are headings."""
    text, headings = "", []
    for line in lines:
        marks = len(line) - len(line.lstrip("#"))
        if marks:
            headings.append(Heading(len(text), marks, line[marks:]))
        text += line[marks:] + "\n"
    return Page(text.strip(), headings=tuple(headings))


def sections(*pages: Page, title: str = "") -> list[tuple[str, str, int]]:
    """Section, first and last word of each passage."""
    passages = split_passages(Document("a.pdf", pages, title=title))
    return [(p.section, f"{p.text.split()[0]} {p.text.split()[-1]}", p.page) for p in passages]


def test_a_passage_has_the_headings_above_its_text() -> None:
    body = "word " * 90 + "end."
    page = headed("#Manual", "##Care", body, body, "###Oil", body, "##Spare parts", body)
    assert sections(page, headed(body), headed("#Index", "one two"), title="Manual") == [
        ("Care", "Manual end.", 1), ("Care", "word end.", 1), ("Care > Oil", "Oil end.", 1),
        ("Spare parts", "Spare end.", 1), ("Spare parts", "word end.", 2), ("Index", "Index two", 3),
    ]  # fmt: skip


def test_a_heading_never_ends_a_passage() -> None:
    for size in range(60, 140):
        page = headed("word " * size + "end.", "#Oil", "word " * 150 + "end.", "##Wax", "word " * 150 + "end.")
        assert not [p.text for p in split_passages(Document("a", (page,))) if p.text.endswith(("Oil", "Wax"))]


def test_a_heading_at_the_end_of_a_page_goes_to_the_next() -> None:
    pages = headed("One.", "#Oil", "##Lamp oil"), headed(""), headed("Two."), headed("#Wax"), headed("Three.", "#End")
    assert [(p.page, p.section, p.text) for p in split_passages(Document("a", pages))] == [
        (1, "", "One."), (3, "Oil > Lamp oil", "Oil\nLamp oil\nTwo."), (5, "Wax", "Wax\nThree.\nEnd"),
    ]  # fmt: skip
    pages = headed("One."), headed("#Oil"), headed("#Wax")
    assert [(p.page, p.section, p.text) for p in split_passages(Document("a", pages))] == [
        (1, "", "One."), (2, "Oil", "Oil"), (3, "Wax", "Wax"),
    ]  # fmt: skip


def test_sections_are_short_and_hostile_headings_are_text() -> None:
    deep = headed(*(f"{'#' * n}{'heading ' * 20}{n}" for n in range(1, 30)), "word " * 300)
    assert all(len(p.section) <= 200 for p in split_passages(Document("a", (deep,))))
    assert len(split_passages(Document("a", (headed("#" + "long " * 1000, "text"),)))) == 10
    assert split_passages(Document("a", (headed(*["#Heading"] * 2000),)))


def test_rows_are_not_cut() -> None:
    rows = [f"name: Mr. Holm no. {n}; paid: {n} crowns. " + "And more. " * (n % 40) for n in range(300)]
    for page in (Page("\n".join(map(str.strip, rows)), rows=True), Page("\n".join("a | " + r.strip() for r in rows))):
        pieces = split_passages(Document("a.csv", (page,)))
        assert [line for p in pieces for line in p.text.split("\n")] == page.text.split("\n")
        assert len(pieces) > 80
    long = "\n".join(["name: x; text: " + "One more sentence here. " * 100] * 3)
    assert max(len(p.text.split()) for p in split_passages(Document("a.csv", (Page(long, rows=True),)))) <= 130


def test_pages_without_text_keep_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", pdf(["One."], [], ["Three."], []))
    passages = split_passages(read_document(path))
    assert [(p.page, p.index, p.text) for p in passages] == [(1, 0, "One."), (3, 1, "Three.")]
    assert read_collection([path]).results[0].line == "a.pdf: 4 pages, 2 passages; pages 2 and 4 have no text"


# --- collections ---


def test_every_file_type_is_read(tmp_path: Path) -> None:
    contents: dict[str, str | bytes] = dict.fromkeys(FILE_TYPES, "lamp,oil\nwax,wick\n")
    contents |= {".pdf": pdf(["lamp"]), ".docx": saved(word_file()), ".rtf": "{\\rtf1 lamp}", ".xml": "<a>lamp</a>"}
    contents |= dict.fromkeys((".jsonl", ".ndjson", ".json"), '{"text": "lamp"}')
    contents |= {".eml": "Subject: lamp\n\nIt burns.", ".ipynb": '{"cells": [{"source": "lamp"}]}'}
    contents |= {".xlsx": xlsx(), ".pptx": pptx(), ".epub": epub(), ".odt": odt("<text:p>lamp</text:p>")}
    contents |= {other: contents[first] for first, others in ARCHIVES.items() for other in others}
    for suffix in FILE_TYPES:
        assert read_document(write(tmp_path / f"file{suffix.upper()}", contents[suffix])).pages
    assert {".pdf", ".docx", ".potx", ".ott", ".md", ".xml"} < {*FILE_TYPES}


def test_folders(tmp_path: Path) -> None:
    for name in (
        "docs/b.txt",
        "docs/a.txt",
        "docs/sub/a.txt",
        "docs/.hidden.txt",
        "docs/.git/x.txt",
        "docs/p.png",
    ):
        write(tmp_path / name, f"some words in {name}")
    write(tmp_path / "docs/bad.pdf", b"%PDF-1.4 nothing in it")
    write(tmp_path / "other/a.txt", "some words here")
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


def test_one_bad_file_does_not_lose_the_others(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "bad.jsonl", "oops"),
        write(tmp_path / "good.txt", "the lamp"),
        write(tmp_path / "bad.docx", b"PK\3\4"),
    ]
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
        assert passage.text in page.text
        assert 40 <= len(passage.text.split()) <= 130
    assert all(passage.title for passage in read.passages)


def test_answers_of_the_sample_questions_are_in_their_document() -> None:
    missing = []
    for file in CORPORA.glob("*/questions.jsonl"):
        read = read_collection([file.parent / "documents"])
        for row in map(json.loads, file.read_text().splitlines()):
            texts = [p.text for p in read.passages if p.document == row["metadata"]["document"]]
            if not any(answer in text for answer in row["golden_answers"] for text in texts):
                missing.append(row["id"])
    assert missing == []


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
