"""HTML pages: what a reader sees of them, in order."""

from pathlib import Path

import pytest

from spring.data.cleaning import clean_text
from spring.data.loaders.html import html_text
from tests.support.files import only_page, write


@pytest.mark.parametrize(("text", "encoding"), [("Zażółć", "iso-8859-2"), ("Şişli'de güneş", "windows-1254")])
def test_html_in_the_encoding_that_it_declares(tmp_path: Path, text: str, encoding: str) -> None:
    data = f'<meta charset="{encoding}"><p>{text}'.encode(encoding)
    assert only_page(write(tmp_path / "a.html", data)).text == text


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
