"""Word files that were made to make the loader run long, run deep or write much."""

from pathlib import Path

import pytest

from spring.data.loaders import docx_body
from spring.data.loaders.docx import load_docx
from tests.support.files import error_of, write
from tests.support.hostile import DAMAGED
from tests.support.word import (
    cited,
    forms,
    item,
    level,
    notes,
    numbers,
    paragraph,
    raised,
    run,
    style,
    table,
    word_package,
)


def text_of(body: str, **parts: str) -> str:
    return load_docx(word_package(body, parts)).pages[0].text


def test_styles_based_on_each_other() -> None:
    styles = style("A", "B", run_='<w:vertAlign w:val="superscript"/>') + style("B", "A") + style("Self", "Self")
    assert text_of(paragraph("One.", "B") + paragraph("Two.", "Self"), styles=styles) == "One.\nTwo."


def test_a_long_chain_of_styles() -> None:
    chain = "".join(style(f"S{number}", f"S{number + 1}") for number in range(5_000))
    body = "".join(paragraph("x", f"S{number}") for number in range(0, 5_000, 10))
    assert text_of(body, styles=chain).count("x") == 500


def test_lists_that_refer_to_each_other() -> None:
    link = '<w:abstractNum w:abstractNumId="{0}"><w:numStyleLink w:val="S{0}"/></w:abstractNum>'
    numbering = link.format(1) + link.format(2) + numbers(1, 1) + numbers(2, 2) + numbers(3, 99)
    styles = "".join(
        style(f"S{a}", paragraph_=f'<w:numPr><w:numId w:val="{b}"/></w:numPr>', kind="numbering")
        for a, b in ((1, 2), (2, 1))
    )
    assert text_of(item("x", 1) + item("y", 2) + item("z", 3), numbering=numbering, styles=styles) == "x\ny\nz"


@pytest.mark.parametrize("start", ["999999999", "9" * 5_000, "-3", "", "x", "٣"])
def test_numbers_stay_short(start: str) -> None:
    first = level(0, "%1" * 10_000, "upperLetter").replace('w:start w:val="1"', f'w:start w:val="{start}"')
    numbering = forms(1, first) + numbers(1, 1)
    longest = max(map(len, text_of(item("x") * 100, numbering=numbering).split("\n")))
    assert longest <= 102


def test_a_level_that_does_not_exist() -> None:
    numbering = forms(1, level(0, "%1."), level(77, "%1.")) + numbers(1, 1)
    assert text_of(item("x", 1, 77) + item("y", 1, 0), numbering=numbering).endswith("y")


def test_notes_that_cite_notes() -> None:
    texts = {number: paragraph(run("n") + cited(number) + cited(number + 1)) for number in range(5_000)}
    assert text_of(paragraph(run("Text") + cited(0)), footnotes=notes(texts)).startswith("Text [1]\n[1] n")


def test_a_large_note_cited_often_stands_once() -> None:
    text = text_of(paragraph(run("x") + cited(1)) * 2_000, footnotes=notes({1: "word " * 100_000}))
    assert text.count("word") == 100_000


def test_a_header_of_each_section_stands_once() -> None:
    section = '<w:sectPr><w:headerReference w:type="default" r:id="header1"/></w:sectPr>'
    body = paragraph("x", properties=section) * 2_000
    assert text_of(body, header1=paragraph("word " * 10_000)).count("word") == 10_000


def test_a_cell_that_spans_many_rows_is_repeated_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_body, "_MOST_REPEATED", 10_000)
    begin = '<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>' + paragraph("y" * 200)
    go_on = "<w:tcPr><w:vMerge/></w:tcPr>" + paragraph("")
    assert text_of(table([begin, "x"], *[[go_on, "x"]] * 100)).count("y") == 10_200
    long = '<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>' + paragraph("y" * 1_000)
    assert text_of(table([long, "x"], *[[go_on, "x"]] * 100)).count("y") == 1_000


def test_cells_that_claim_a_million_columns() -> None:
    wide = '<w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>' + paragraph("x")
    assert text_of(table([wide] * 1_000)).count("x") == 1_000


def test_tables_within_tables() -> None:
    body = paragraph("deep")
    for _ in range(70):  # as deep as the parser of XML goes
        body = table([body, "x"])
    assert text_of(body).startswith("deep | x\nx")


def test_what_is_nested_deeper_is_damaged(tmp_path: Path) -> None:
    body = f"<w:p>{'<w:ins>' * 100_000}{run('x')}{'</w:ins>' * 100_000}</w:p>"
    assert error_of(write(tmp_path / "a.docx", word_package(body))) == DAMAGED


def test_many_raised_marks_in_one_paragraph() -> None:
    assert text_of(paragraph((run("word") + raised("2")) * 5_000)).count("word") == 5_000


def test_fields_that_are_not_closed() -> None:
    begin = '<w:r><w:fldChar w:fldCharType="begin"/><w:instrText>PAGE</w:instrText></w:r>'
    end = '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    assert (
        text_of(paragraph(end + begin * 2_000 + run("Shown.") + "<w:r><w:t>x</w:t></w:r>" * 2_000)).count("x") == 2_000
    )


def test_headers_that_refer_to_the_document_itself() -> None:
    section = '<w:sectPr><w:headerReference w:type="default" r:id="header1"/></w:sectPr>'
    header = paragraph("Head", properties=section) + section
    assert text_of(paragraph("x") + section, header1=header) == "x\nHead"
