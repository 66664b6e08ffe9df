"""Word files and HTML pages: what a reader sees of them, in order."""

import io
import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from spring.data.cleaning import clean_text
from spring.data.loaders.html import html_text
from spring.data.types import Page
from tests.support.files import error_of, only_page, saved, word_file, write

# --- Word ---


def test_docx_paragraphs_and_tables_in_order(tmp_path: Path) -> None:
    page = only_page(write(tmp_path / "a.docx", saved(word_file())))
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


def test_docx_title_from_the_properties_or_none(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Text.")
    document.core_properties.title = "From the properties"
    assert only_page(write(tmp_path / "a.docx", saved(document))) == Page("Text.", "From the properties")
    document.core_properties.title = "Word Document"
    assert only_page(write(tmp_path / "a.docx", saved(document))) == Page("Text.")


def test_docx_text_that_python_docx_leaves_out(tmp_path: Path) -> None:
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
    assert only_page(write(tmp_path / "a.docx", saved(document))).text.split("\n") == [
        "Inserted.",
        "In a control.",
        "Outer inner",
    ]


def test_damaged_docx(tmp_path: Path) -> None:
    data = saved(word_file())
    assert "it could not be read" in error_of(write(tmp_path / "cut.docx", data[: len(data) // 2]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "it could not be read" in error_of(write(tmp_path / "zip.docx", buffer.getvalue()))
    assert "encrypted Office file" in error_of(write(tmp_path / "old.docx", b"\xd0\xcf\x11\xe0" + bytes(600)))


# --- HTML ---


def test_html(tmp_path: Path) -> None:
    page = only_page(
        write(
            tmp_path / "a.html",
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


def test_html_title_and_layout_tables(tmp_path: Path) -> None:
    page = only_page(
        write(
            tmp_path / "a.htm",
            "<title>In the tab</title><h1><img></h1><table><tr><td><p>Left</p>"
            "<table><tr><td>a</td><td>b</td></tr></table></td><td>Right</td></tr></table>",
        )
    )
    assert (page.title, page.text) == ("In the tab", "Left\na | b\nRight")


def test_html_that_looks_like_a_file_name_or_nests_deeply(tmp_path: Path) -> None:
    assert only_page(write(tmp_path / "a.html", "lamp.txt")).text == "lamp.txt"
    assert "deep" in only_page(write(tmp_path / "b.html", "<div>" * 5_000 + "deep" + "</div>" * 5_000)).text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr><td>H<sub>2</sub>O, <a>a link</a>.<td>x &lt; y</table>", "H2O, a link. | x < y"),
        ("<table><tr><td>a<br>b<td><img><td>c<tr><td></table>after", "a b | c\nafter"),
        ("<table><tr><td>1<td>2<tr><td><table><tr><td>a<td>b</table>c</table>", "1 | 2\na | b\nc"),
        ("one<p></p>two <b>three</b>", "one\ntwo three"),
        ("<ruby>漢<rt>kan</rt></ruby>字", "漢字"),
        ("<p>a<svg><title>b</title></svg>", "ab"),
        ("<!-- only a comment -->", ""),
    ],
)
def test_html_pieces(html: str, text: str) -> None:
    assert clean_text(html_text(html)[1]) == text


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>tab</title><h1> </h1><h1>The <i>fir</i>st</h1><h1>second</h1>", "The first"),
        ("<title>R&amp;D</title><title>other</title>", "R&D"),
        ("<p>no title", ""),
    ],
)
def test_html_titles(html: str, title: str) -> None:
    assert html_text(html)[0] == title


def test_many_tables_are_read_row_by_row() -> None:
    row = "<tr><td><a href='/x'>12</a></td><td>34</td></tr>"
    html = f"<p>Some <b>bold</b> text.</p><table>{row * 10}</table>" * 200
    assert html_text(html)[1].count("12 | 34") == 2_000
