"""HTML pages: the text that a reader sees of the article, in order, and where its headings are."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from spring.data.loaders.html import load_html
from spring.data.loaders.registry import read_file
from spring.data.loaders.superscripts import superscript
from spring.data.types import Heading
from tests.support.files import only_page, write

SENTENCES = "The bell was cast from old coins. It hangs in the north tower, and the porter rings it at noon. "


def text_of(html: str) -> str:
    (page,) = load_html(html).pages
    return page.text


# --- blocks ---


def test_a_page(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.html",
        """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html><head><title>In the tab</title>
        <style>p {color: red}</style></head><body><h1>The  <em>Long Kite</em></h1><!-- hidden -->
        <p>First<br>line &amp; more,
        - wrapped</p><script>alert("x")</script><noscript>No script</noscript><template>T</template>
        <div>Bare <b>bo</b>ld<p>Inside</p>after</div><h3>Days</h3>
        <table><tr><th>Day</th><th>Ship</th></tr><tr><td>Monday</td><td><p>Slow</p><p>Hilda</p></td></tr></table>
        <ul><li>One<li>Two</ul></body></html>""",
    )
    content = read_file(path)
    (page,) = content.pages
    assert content.title == "The Long Kite"
    assert page.text.split("\n") == [
        "The Long Kite",
        "First",
        "line & more, - wrapped",
        "Bare bold",
        "Inside",
        "after",
        "Days",
        "Day | Ship",
        "Monday | Slow Hilda",
        "One",
        "Two",
    ]
    assert page.headings == (Heading(0, 1, "The Long Kite"), Heading(page.text.index("Days"), 3, "Days"))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr><td>H<sub>2</sub>O, <a>a link</a>.<td>x &lt; y</table>", "H2O, a link. | x < y"),
        ("<table><tr><td>a<br>b<td><img><td>c<tr><td></table>after", "a b | c\nafter"),
        ("<table><tr><td>1<td>2<tr><td><table><tr><td>a<td>b</table>c</table>", "1 | 2\na | b\nc"),
        ("<table><tr><td><p>Left</p><table><tr><td>a<td>b</table><td>Right</table>", "Left\na | b\nRight"),
        ("<table><tr><td rowspan=2>Arnheld<td>12 m<tr><td>13 m</table>", "Arnheld | 12 m\nArnheld | 13 m"),
        (
            "<table><tr><th>A<th colspan=2>B<tr><td rowspan=3>x<td>1<td rowspan=2>y<tr><td>2<tr><td>3<td>4</table>",
            "A | B\nx | 1 | y\nx | 2 | y\nx | 3 | 4",
        ),
        ("<table><tr><td rowspan=0>all<td>1<tr><td>2</table><table><tr><td>3<td>4</table>", "all | 1\nall | 2\n3 | 4"),
        ("<table><tr><td><p>One</p><p>column</p></table>", "One\ncolumn"),
        ("<ol start=7><li>a<li value=9>b<ol><li>c</ol><ul><li>d</ul><li>e</ol>", "7. a\n9. b\n1. c\nd\n10. e"),
        ("<p>Save:<pre>def f():\n\n    return 1<br>f()</pre>end", "Save:\ndef f():\n    return 1\nf()\nend"),
        ("<p><label>Office</label><label>Hall</label><p><span>Price</span><span>12</span>", "Office Hall\nPrice 12"),
        ("<p><span>H</span><span>ILL</span> <b>Mc</b>Adam", "HILL McAdam"),
        ("one<p></p>two <b>three</b>", "one\ntwo three"),
        ("<ruby>漢<rt>kan</rt></ruby>字", "漢字"),
        ("<p>a<svg><title>b</title></svg>", "a"),
        ("<p>x <img class='mwe-math' alt='a^2+b'> y", "x a^2+b y"),
        ("<!-- only a comment -->", ""),
        ("", ""),
    ],
)
def test_blocks(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("lit in 1932<sup>4</sup> at 10<sup>6</sup> crowns", "lit in 1932 [4] at 10^6 crowns"),
        ("45 m<sup>2</sup>, the keeper<sup>a</sup> lives", "45 m^2, the keeper [a] lives"),
        ("E = mc<sup>2</sup>, 5 × 10<sup>−3</sup>, Ca<sup>2+</sup>", "E = mc^2, 5 × 10^−3, Ca^2+"),
        ("1<sup>st</sup>, XIX<sup>e</sup> siècle, M<sup>me</sup>, Vats<sup>TM</sup>", "1st, XIXe siècle, Mme, Vats™"),
        ("so.<sup><a href='#n'>12</a></sup> Next", "so. [12] Next"),
        ("built<a href='#n'><sup>[2]</sup></a>", "built [2]"),
        ("<sup>14</sup>C is old; <sup>3</sup> See below.", "^14C is old; [3] See below."),
        ("x<sub>max</sub> and H<sub>2</sub>O", "x_max and H2O"),
    ],
)
def test_raised_characters(html: str, text: str) -> None:
    assert text_of(f"<p>{html}") == text


def test_a_mark_without_text_is_nothing() -> None:
    assert superscript("word", " \n") == ""


# --- what is not the page's text ---


@pytest.mark.parametrize(
    "part",
    [
        "<p hidden>gone",
        "<p style='color:red; Display : none'>gone</p>",
        "<div aria-hidden=true>gone</div>",
        "<nav>gone</nav>",
        "<div role=navigation>gone</div>",
        "<button>gone</button>",
        "<form><select><option>gone</select></form>",
        "<dialog>gone</dialog>",
        "<div class='cookie-banner'>We use cookies. gone</div>",
        "<aside id=cmp-box>Your privacy. gone</aside>",
        "<div id=cookies>We use cookies. gone <a href='/p'>More</a></div>",
        "<section class=privacy><h2>Your privacy</h2><p>We use cookies. gone</p><button>Accept</button></section>",
        "<h2>Heading<a class=anchor href='#h'>¶</a></h2>",
    ],
)
def test_what_is_left_out(part: str) -> None:
    text = text_of(f"<p>Before.</p>{part}<p>After.</p>")
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.")
    assert "gone" not in text
    assert "¶" not in text


def test_a_page_that_a_script_would_show_is_read() -> None:
    assert text_of("<body style='visibility:hidden'><div style='display:none'>The lamp.</div>") == "The lamp."


@pytest.mark.parametrize(
    "part",
    [
        f"<div class='cookie-recipe cookies'>{'<p>Bake the cookies. <a href=x>More</a></p>' * 100}</div>",
        "<div class=cookie-recipe><p>Bake the cookies.</p></div>",
        "<section id=cookies><h2>Cookies</h2><p>Bake the <a href=x>cookies</a>.</p></section>",
        "<main><div class=section id=privacy-policy><h3>Privacy</h3><p>Bake <a href=x>more</a>.</div></main>",
        "<h2 id=cookies>Bake the cookies</h2>",
        "<dl><dt id=jar.cookies>Bake <a class=ref href=x>cookies</a></dt></dl>",
    ],
)
def test_text_about_cookies_is_kept(part: str) -> None:
    assert "Bake" in text_of(part)


PARAGRAPHS = "".join(f"<p>{SENTENCES * 3}</p>" for _ in range(4))


@pytest.mark.parametrize("before", ["", f"<main><h1>Questions</h1>{PARAGRAPHS}"])
@pytest.mark.parametrize(
    "part",
    [
        "<h2><button>What is the fee?</button></h2><div class=collapse>Nine crowns.</div>",
        "<h3><button aria-expanded=false aria-controls=a>What is the fee?</button></h3><p id=a hidden>Nine crowns.</p>",
        "<h3 role=button>What is the fee?</h3><div role=region aria-hidden=true><p>Nine crowns.</p></div>",
        "<dt><button aria-expanded=false aria-controls=a>What is the fee?</button><dd id=a style='display:none'>"
        "<p>Nine crowns for a person.</p></dd>",
        "<div role=tablist><h4><a role=button>What is the fee?</a></h4><p role=tabpanel hidden>Nine crowns.</p></div>",
    ],
)
def test_questions_that_are_buttons_and_their_folded_answers(before: str, part: str) -> None:
    text = text_of(f"{before}{part}<p>{SENTENCES}</p>")
    assert "What is the fee?\nNine crowns" in text


def test_a_short_answer_between_others_is_kept() -> None:
    asked = "<h2>What is the fee?</h2><div>Nine crowns.</div><h2>Is there a lift?</h2><div>No.</div>"
    text = text_of(f"<main>{PARAGRAPHS}{asked}<h2>Bells</h2>{PARAGRAPHS}")
    assert "What is the fee?\nNine crowns.\nIs there a lift?\nNo.\nBells" in text


def test_buttons_that_are_no_questions() -> None:
    menu = "<header><button aria-expanded=false aria-controls=m>Menu</button><ul id=m hidden><li>Home</ul></header>"
    tabs = "<div role=tablist><button role=tab>Price</button></div><div role=tabpanel hidden>Nine crowns.</div>"
    assert text_of(f"{menu}<h2>Fees <button>Copy</button></h2>{tabs}") == "Fees\nNine crowns."


def test_the_article_without_its_surroundings() -> None:
    more = "".join(f"<li><a href='{n}'>Ten soups for winter {n}</a></li>" for n in range(9))
    paragraphs = "".join(f"<p>{SENTENCES * 2}</p>" for _ in range(4))
    heights = "<table><tr><th>Town</th><th>Height</th></tr><tr><td>Arnheld</td><td>12 m</td></tr></table>"
    content = load_html(
        f"""<title>How the bell was cast | Ostgate Online</title><header>Ostgate Online <h1>Ostgate Online</h1></header>
        <nav>Home Shop</nav><article><h1>How the bell was cast</h1>{paragraphs}<h2>Heights</h2>{heights}
        <p>{SENTENCES}</p></article><aside><h3>Read next</h3><ul>{more}</ul></aside><footer>Imprint</footer>"""
    )
    (page,) = content.pages
    assert content.title == "How the bell was cast"
    assert page.text.startswith("How the bell was cast\nThe bell was cast")
    assert page.text.endswith("at noon.")
    assert "\nHeights\nTown | Height\nArnheld | 12 m\n" in page.text
    assert not any(word in page.text for word in ("Ostgate", "Shop", "Ten soups", "Read next", "Imprint"))


@pytest.mark.parametrize("extracted", ["", "The bell was cast from old coins in the year"])
def test_a_page_of_which_much_would_be_lost_is_read_whole(monkeypatch: pytest.MonkeyPatch, extracted: str) -> None:
    monkeypatch.setattr("trafilatura.bare_extraction", lambda *_, **__: SimpleNamespace(text=extracted))
    bell = "<p>The bell was cast from old coins in the year of the flood.</p>"
    rooms = "".join(f"<p>Room {n} of the east wing has a stove and two chairs by the door.</p>" for n in range(20))
    assert text_of(f"<header>The house</header>{bell}{rooms}<footer>Ask the porter</footer>").count("\n") == 22


@pytest.mark.parametrize(
    ("post", "beside", "count"),
    [
        ("<article>{}</article>", "<article>{}</article>", 3),
        ("<div class=entry-content>{}</div>", "<div class=entry-content>{}</div>", 3),
        ("<article class='post-1 post hentry'>{}</article>", "<article class='post-2 post tea'>{}</article>", 3),
        ("<ul><li><article>{}</article></li></ul>", "<ul><li><article>{}</article></li></ul>", 3),
        ("<article class=post>{}</article>", "<article class=comment>{}</article>", 1),
        ("<article>{}</article>", "<section class=comments><article>{}</article></section>", 1),
        ("<article>{}</article>", "<article><a href=x>{}</a></article>", 1),  # a teaser
    ],
)
def test_several_articles_of_one_shape_are_all_read(post: str, beside: str, count: int) -> None:
    texts = [f"<p>{f'{town} rings the {town} bell and {town} tower at noon. ' * 5}</p>" * 3 for town in "ABC"]
    parts = [part.format(text) for part, text in zip((post, beside, beside), texts, strict=True)]
    text = text_of(f"<main><h1>The town</h1>{''.join(parts)}</main><footer>Imprint</footer>")
    assert [town for town in "ABC" if f"{town} rings" in text] == [*"ABC"[:count]]
    assert "Imprint" not in text


# --- titles ---


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>tab</title><h1> </h1><h1>The <i>fir</i>st</h1><h1>second</h1>", "The first"),
        ("<title>R&amp;D</title><title>other</title>", "R&D"),
        ("<title>Opening the shelter</title><h1>Menu</h1><h2>Keys</h2>", "Opening the shelter"),
        ("<title>The lamp - Lights</title><h1>Lights</h1><p>x", "The lamp"),
        ("<title>The lamp | Lights</title><h2>Lamps</h2><h2>The lamp</h2><p>x", "The lamp"),
        ("<meta property=og:site_name content=Lights><title>The lamp – Lights</title><p>x", "The lamp"),
        ("<meta property=og:title content='The lamp'><svg><title>icon</title></svg><p>x", "The lamp"),
        ("<title>x</title><h1>" + "word " * 100 + "</h1>", "x"),
        ("<p>no title", ""),
    ],
)
def test_titles(html: str, title: str) -> None:
    assert load_html(html).title == title


# --- pages that were not written by hand ---


def test_html_that_looks_like_a_file_name_or_nests_deeply(tmp_path: Path) -> None:
    assert only_page(write(tmp_path / "a.html", "lamp.txt")).text == "lamp.txt"
    deep = "<div>" * 5_000 + "deep" + "</div>" * 5_000 + "<p>after"
    assert only_page(write(tmp_path / "b.html", deep)).text == "deep\nafter"


def test_many_tables_are_read_row_by_row() -> None:
    row = "<tr><td><a href='/x'>12</a></td><td>34</td></tr>"
    html = f"<p>Some <b>bold</b> text.</p><table>{row * 10}</table>" * 200
    assert text_of(html).count("12 | 34") == 2_000


def test_a_cell_that_claims_to_span_everything_is_not_repeated_without_end() -> None:
    html = "<table><tr>" + f"<td rowspan=65534 colspan=1000>{'x' * 20_000}" + "<tr><td>y" * 30_000 + "</table>"
    assert len(text_of(html)) < 5_000_000


def test_trafilatura_is_imported_for_html_alone() -> None:
    code = "import sys, spring.data.loaders.registry; sys.exit('trafilatura' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
