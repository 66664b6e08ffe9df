"""Word files: what a reader sees of them, in order."""

import io
import zipfile
from pathlib import Path

import docx
import pytest

from spring.data.loaders.content import Content
from spring.data.loaders.docx import load_docx
from spring.errors import DocumentError
from tests.support.files import error_of, only_page, saved, word_file, write
from tests.support.word import (
    STRICT,
    cited,
    item,
    notes,
    paragraph,
    raised,
    run,
    style,
    table,
    word_package,
)

HEADINGS = (
    style("Normal") + style("Title") + style("heading 1", "Normal", '<w:outlineLvl w:val="0"/>') + style("heading 2")
)
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_MACROS = "application/vnd.ms-word."


def read(body: str, title: str = "", **parts: str) -> Content:
    return load_docx(word_package(body, parts, title))


def lines(body: str, **parts: str) -> list[str]:
    return read(body, **parts).pages[0].text.split("\n")


def test_paragraphs_and_tables_in_order(tmp_path: Path) -> None:
    page = only_page(write(tmp_path / "a.docx", saved(word_file())))
    assert page.text.split("\n") == [
        "Before the heading.",
        "Winch House",
        "First paragraph.",
        "Car | Weight in kg",
        "No. 2 | 1,900",
        "Both cars",
        "Last paragraph.",
        "After the break.",
    ]
    assert [(heading.text, heading.level) for heading in page.headings] == [("Winch House", 1)]


# --- title and headings ---


def title_of(*styled: tuple[str, str], named: str = "") -> str:
    return read("".join(paragraph(text, name) for text, name in styled), named, styles=HEADINGS).title


def test_the_title_is_in_its_style_or_in_the_properties() -> None:
    tools, visitors, text = ("Tools", "heading 1"), ("Visitors", "heading 1"), ("Text.", "")
    assert title_of(("Rules", "Title"), tools, text, named="Template") == "Rules"
    assert title_of(("Rules of", "Title"), ("the Guild", "Title"), text) == "Rules of the Guild"
    assert title_of(tools, text, visitors, named="Rules") == "Rules"
    assert title_of(tools, text, visitors) == ""
    assert title_of(tools, text) == "Tools"
    assert title_of(text, tools) == ""
    assert title_of(("One", "Title"), text, ("Two", "Title"), text, named="Rules") == "Rules"
    assert title_of(("One", "Title"), text, ("Two", "Title"), text) == "One"


@pytest.mark.parametrize("name", ["Word Document", "report_v3.doc", "Untitled", "Microsoft Word - draft", "Document1"])
def test_a_title_that_a_program_made_up_is_none(name: str) -> None:
    assert title_of(("Text.", ""), named=name) == ""


def test_headings_by_their_own_style_or_one_it_is_based_on() -> None:
    styles = HEADINGS + style("Chapter", "heading 1") + style("TOC Heading", "heading 1")
    body = paragraph("Rules", "Title") + paragraph("One", "Chapter") + paragraph("Two", "heading 2")
    body += paragraph("Three", properties='<w:outlineLvl w:val="2"/>') + paragraph("Contents", "TOC Heading")
    body += paragraph("long " * 50, "heading 1") + table([paragraph("In a cell", "heading 1"), "b"])
    page = read(body, styles=styles).pages[0]
    assert [(heading.text, heading.level) for heading in page.headings] == [
        ("Rules", 1),
        ("One", 1),
        ("Two", 2),
        ("Three", 3),
    ]
    assert all(page.text[heading.start :].startswith(heading.text) for heading in page.headings)


# --- text ---


def test_text_in_controls_and_tracked_changes() -> None:
    gone = "<w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del>"
    body = paragraph(f"<w:ins>{run('Inserted.')}</w:ins>{gone}")
    body += f"<w:sdt><w:sdtContent>{paragraph('In a control.')}</w:sdtContent></w:sdt>"
    body += paragraph(f"<w:moveFrom>{run('Moved away.')}</w:moveFrom><w:hyperlink>{run('Linked.')}</w:hyperlink>")
    body += paragraph("<w:r><w:t>non</w:t><w:noBreakHyphen/><w:t>stick</w:t><w:tab/><w:t>pan</w:t></w:r>")
    assert lines(body) == ["Inserted.", "In a control.", "Linked.", "non-stick pan"]


def test_hidden_text() -> None:
    styles = style("Normal") + style("Secret", "Normal", run_="<w:vanish/>") + style("Below", "Secret")
    styles += style("Comment", run_="<w:vanish/>", kind="character")
    body = paragraph(run("Shown.") + run("Hidden.", "<w:vanish/>")) + paragraph("Hidden.", "Below")
    body += paragraph(run("Hidden.", '<w:rStyle w:val="Comment"/>') + run("Not hidden.", '<w:vanish w:val="false"/>'))
    body += paragraph(run("Not hidden either.", '<w:vanish w:val="0"/>'), "Secret")
    assert lines(body, styles=styles) == ["Shown.", "Not hidden.", "Not hidden either."]


def test_raised_and_lowered_text() -> None:
    body = paragraph(run("It weighs 10") + raised("5") + run(" grams, as of 1874") + raised("12") + run(" or so."))
    body += paragraph(run("The 1") + raised("st") + run(" area is 4 m") + raised("2") + run("."))
    styles = style("Mark", run_='<w:vertAlign w:val="superscript"/>', kind="character")
    body += paragraph(run("In 1871") + run("1", '<w:rStyle w:val="Mark"/>') + run("2", '<w:rStyle w:val="Mark"/>'))
    assert lines(body, styles=styles) == [
        "It weighs 10^5 grams, as of 1874 [12] or so.",
        "The 1st area is 4 m^2.",
        "In 1871 [12]",
    ]


def test_symbols_fields_and_large_initials() -> None:
    symbols = '<w:r><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>'
    marks = (f'<w:r><w:fldChar w:fldCharType="{mark}"/></w:r>' for mark in ("begin", "separate", "end"))
    begin, separate, end = marks
    code = "<w:r><w:instrText>REF x</w:instrText></w:r>"
    initial = paragraph("T", properties='<w:framePr w:dropCap="drop"/>')
    body = (
        paragraph(symbols)
        + paragraph(f"{begin}{code}{separate}{run('Table 3')}{end}")
        + initial
        + paragraph("he bell.")
    )
    assert lines(body) == ["α✓", "Table 3", "The bell."]


def test_text_boxes_stand_once_below_their_paragraph() -> None:
    box = f"<w:txbxContent>{paragraph('In a box.')}{paragraph('Still there.')}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    assert lines(paragraph(f"{run('Before,')}<w:r>{both}</w:r>{run(' after.')}")) == [
        "Before, after.",
        "In a box.",
        "Still there.",
    ]


def test_code_keeps_its_indentation() -> None:
    code = paragraph("<w:r><w:t>for x in y:</w:t><w:br/><w:t xml:space='preserve'>    f(x)</w:t></w:r>", "Source Code")
    assert lines(code, styles=style("Source Code")) == ["for x in y:", "    f(x)"]


# --- notes, headers and footers ---


def test_notes_stand_below_the_line_that_cites_them() -> None:
    body = paragraph(run("Lit in 1871.") + cited(1) + run(" It burned coal.")) + paragraph(
        run("Round.") + cited(7, "endnote")
    )
    body += table(["a", paragraph(run("b") + cited(2))]) + paragraph(run("Again") + cited(1))
    own = '<w:r><w:footnoteReference w:customMarkFollows="1" w:id="3"/></w:r>'
    body += paragraph(run("Marked") + own + raised("*"))
    footnotes = notes({1: "By Hendrika.", 2: paragraph("Or") + paragraph("c."), 3: "* By hand.", 4: "Never cited."})
    assert lines(body, footnotes=footnotes, endnotes=notes({7: "Thick."}, "endnote")) == [
        "Lit in 1871. [1] It burned coal.",
        "[1] By Hendrika.",
        "Round. [i]",
        "[i] Thick.",
        "a | b [2]",
        "[2] Or c.",
        "Again [1]",
        "Marked *",
        "* By hand.",
    ]


def section(*references: tuple[str, str], more: str = "") -> str:
    """The properties of a section: parts such as `header1`, each with the pages it is for."""
    inner = "".join(
        f'<w:{part.rstrip("0123456789")}Reference w:type="{pages}" r:id="{part}"/>' for part, pages in references
    )
    return f"<w:sectPr>{inner}{more}</w:sectPr>"


def test_headers_and_footers_stand_once_below_their_section() -> None:
    page = '<w:fldSimple w:instr=" PAGE "><w:r><w:t>7</w:t></w:r></w:fldSimple>'
    body = paragraph("One.", properties=section(("header1", "default"), ("footer1", "default")))
    body += paragraph("Two.") + section(("header2", "default"), ("header1", "default"), ("header3", "first"))
    parts = {
        "header1": paragraph("Contract 7781") + paragraph("_____"),
        "header2": paragraph("Contract 7781") + paragraph("Part B"),
        "header3": paragraph("Not shown"),
        "footer1": paragraph(run("Town clerk, page ") + page) + paragraph(run("Page ") + page + run(" of 12")),
    }
    assert lines(body, **parts) == ["One.", "Contract 7781", "Town clerk,", "Two.", "Part B"]


def test_headers_of_first_and_even_pages_where_they_show() -> None:
    first, even = (("header1", "first"), ("header2", "even"))
    parts = {"header1": paragraph("First"), "header2": paragraph("Even")}
    assert lines(paragraph("Text.") + section(first, even), **parts) == ["Text."]
    settings = "<w:evenAndOddHeaders/>"
    assert lines(paragraph("Text.") + section(first, even, more="<w:titlePg/>"), settings=settings, **parts) == [
        "Text.",
        "First",
        "Even",
    ]


# --- tables ---


def test_cells_that_span_rows_stand_in_each() -> None:
    begin = '<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>' + paragraph("Arnheld")
    wide = '<w:tcPr><w:gridSpan w:val="2"/><w:vMerge w:val="restart"/></w:tcPr>' + paragraph("Both")
    go_on = "<w:tcPr><w:vMerge/></w:tcPr>" + paragraph("")
    wide_on = '<w:tcPr><w:gridSpan w:val="2"/><w:vMerge/></w:tcPr>' + paragraph("")
    body = table([begin, "12 m"], [go_on, "13 m"], ["Betsau", "14 m"], [go_on, "15 m"])
    body += table([wide, "x", begin], [wide_on, "y", go_on])
    assert lines(body) == [
        "Arnheld | 12 m",
        "Arnheld | 13 m",
        "Betsau | 14 m",
        "15 m",
        "Both | x | Arnheld",
        "Both | y | Arnheld",
    ]


def test_tables_that_lay_out_the_page_are_no_rows() -> None:
    long = paragraph("word " * 200) * 2
    body = table([paragraph("One") + paragraph("Two")]) + table([long, "Side"]) + table([table(["a", "b"]), "Outer"])
    assert lines(body) == ["One", "Two", *["word " * 199 + "word"] * 2, "Side", "a | b", "Outer"]


# --- kinds of files ---


@pytest.mark.parametrize(
    "kind",
    [
        f"{_MAIN}template.main+xml",
        f"{_MACROS}document.macroEnabled.main+xml",
        f"{_MACROS}template.macroEnabledTemplate.main+xml",
    ],
)
def test_templates_and_files_with_macros(kind: str) -> None:
    assert load_docx(word_package(paragraph("The ferry."), main_type=kind)).pages[0].text == "The ferry."


def test_strict_files() -> None:
    body = paragraph("Rules", "Title") + item("Sheep.") + paragraph("<m:oMath><m:r><m:t>F=ma</m:t></m:r></m:oMath>")
    content = load_docx(word_package(body, {"styles": HEADINGS}, replaced=STRICT))
    assert content.pages[0].text.split("\n") == ["Rules", "Sheep.", "F=ma"]
    assert content.title == "Rules"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (paragraph("<w:r><w:drawing><a:blip/></w:drawing></w:r>"), "it holds pictures and no text"),
        (paragraph("<w:r><w:pict><v:imagedata/></w:pict></w:r>"), "it holds pictures and no text"),
        ('<w:altChunk r:id="a"/>', "its text is another file within it"),
    ],
)
def test_files_without_text_say_what_they_hold(body: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read(body)


def test_damaged_docx(tmp_path: Path) -> None:
    data = saved(word_file())
    assert "it could not be read" in error_of(write(tmp_path / "cut.docx", data[: len(data) // 2]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "it could not be read" in error_of(write(tmp_path / "zip.docx", buffer.getvalue()))
    assert "encrypted Office file" in error_of(write(tmp_path / "old.docx", b"\xd0\xcf\x11\xe0" + bytes(600)))
    assert "it has no words" in error_of(write(tmp_path / "blank.docx", saved(docx.Document())))
