"""What is made of the lines of a PDF: paragraphs, lists, tables, headings; what repeats on its pages goes."""

import io
import re
import textwrap
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from spring.data.chunking import split_passages
from spring.data.collection import read_document
from spring.data.loaders.pdf import load_pdf
from spring.data.loaders.pdf_layout import joined
from spring.data.types import Page
from tests.support.files import write
from tests.support.hostile import long_pdf, raw_pdf

Drawn = tuple[float, float, float, str]  # x, y from above, size, text; a text that begins with ** is bold


def drawn(*pages: list[Drawn], title: str = "", bookmarks: tuple[str, ...] = ()) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, (595, 842))
    canvas.setTitle(title)
    for number, page in enumerate(pages):
        for x, y, size, text in page:
            canvas.setFont("Helvetica-Bold" if text.startswith("**") else "Helvetica", size)
            canvas.drawString(x, 842 - y, text.removeprefix("**"))
        for name in bookmarks if number == 0 else ():
            canvas.bookmarkPage(name)
            canvas.addOutlineEntry(name, name)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def lines(*texts: str, y: float = 100, x: float = 72, size: float = 11, step: float = 14) -> list[Drawn]:
    return [(x, y + step * number, size, text) for number, text in enumerate(texts)]


def pages_of(*pages: list[Drawn]) -> list[Page]:
    return load_pdf(drawn(*pages), 1_000).pages


BODY = [f"The keeper of lamp number {n} fills it with oil before the bell of the tower rings" for n in range(30)]


def test_paragraphs_lists_and_tables() -> None:
    wrapped = ["Wear a hat at all times in the hall of the tower, and leave it on until you are back", "in the yard."]
    page = [
        *lines("The lamp burns whale oil, of which there are two barrels in the cellar below the", "stairs."),
        *lines("● " + wrapped[0], wrapped[1], "• Sign the book", "• Close the gate", "1. Ring", "(b) Wait", y=140),
        *[(72 + 120 * i, 250 + 16 * j, 11, f"{cell}{j}") for j in range(3) for i, cell in enumerate("abc")],
        *lines("Opening hours:", "Monday 9 to 12", "Tuesday closed", y=400),
    ]
    (read,) = pages_of(page)
    assert read.text.split("\n") == [
        "The lamp burns whale oil, of which there are two barrels in the cellar below the stairs.",
        f"● {' '.join(wrapped)}", "• Sign the book", "• Close the gate", "1. Ring", "(b) Wait",
        "a0 | b0 | c0", "a1 | b1 | c1", "a2 | b2 | c2", "Opening hours:", "Monday 9 to 12", "Tuesday closed",
    ]  # fmt: skip


def with_marks(y: float, text: str) -> list[Drawn]:
    """A line in which `^` raises the word behind it, to the next `~`, and `_` lowers it."""
    drawn, x = list[Drawn](), 72.0
    for part in re.split("(?=[\\^_])|~", text):
        size, up = (7, 4 if part[0] == "^" else -2) if part[0] in "^_" else (11, 0)
        part = part.lstrip("^_")
        drawn.append((x, y - up, size, part))
        x += stringWidth(part, "Helvetica", size)
    return drawn


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("It holds 10^6~ litres since 1932^4~, says Anna.", "It holds 10^6 litres since 1932 [4], says Anna."),
        ("H_2~O flows over 5 m^2~ at 10^-6~ a day", "H2O flows over 5 m^2 at 10^-6 a day"),
        ("Anna Bell^1,2~, Carl Dorn^12~ and others", "Anna Bell 1,2, Carl Dorn [12] and others"),
        ("The bill of 2024 has 19 lines and 1906 cells", "The bill of 2024 has 19 lines and 1906 cells"),
    ],
)
def test_raised_digits_are_no_part_of_a_number(text: str, read: str) -> None:
    (page,) = pages_of(with_marks(100, text))
    assert page.text == read


@pytest.mark.parametrize("count", [2, 3, 5])
def test_headers_footers_and_page_numbers_go(count: int) -> None:
    pages = [
        [
            (72, 40, 9, f"Harbour office, page {n}"),
            *lines(f"Quarter {n} was kind.", BODY[n], y=100),
            (290, 815, 8, f"{n}"),
        ]
        for n in range(1, count + 1)
    ]
    assert [page.text.replace("\n", " ") for page in pages_of(*pages)] == [
        f"Quarter {n} was kind. {BODY[n]}" for n in range(1, count + 1)
    ]


def test_what_repeats_within_the_text_stays() -> None:
    own = ["One lamp.", "Two boats.", "A tower.", "The gate."]
    same = [[(72, 40, 9, "Header"), *lines(text, "This is said on every page.", y=60)] for text in own]
    assert all("This is said on every page." in page.text and "Header" not in page.text for page in pages_of(*same))
    assert "Invoice" in pages_of(*[[(72, 40, 9, "Invoice"), *lines(BODY[n])] for n in range(2)])[0].text


@pytest.mark.parametrize(
    ("size", "text", "stays"),
    [
        (18, "Week {}", True), (11, "Week {}", True), (18, "Page {}", False), (11, "Office          {}", False),
        (8, "Harbour office {}", False), (11, "Harbour office, p. {}", False),
    ],
)  # fmt: skip
def test_headings_that_count_the_pages_stay(size: float, text: str, stays: bool) -> None:
    pages = [[(72, 60, size, text.format(n)), (72, 100, 11, BODY[n]), (72, 114, 11, BODY[n + 9])] for n in range(1, 6)]
    assert [text.format(n) in page.text for n, page in enumerate(pages_of(*pages), 1)] == [stays] * 5


@pytest.mark.parametrize(("every", "first", "beside"), [(1, 1, True), (5, 1, True), (5, 1, False), (1, 971, True)])
def test_line_numbers_go(every: int, first: int, beside: bool) -> None:
    story = textwrap.wrap(
        "The keeper fills the lamp with oil, which burns all night. In spring it is cleaned. " * 44, 70
    )
    pages = []
    for begin in (0, 25):
        texts = [(72.0, 100 + 14.0 * place, 11.0, text) for place, text in enumerate(story[begin : begin + 25])]
        counted = [(40, y, 8, str(n)) for n, (_, y, _, _) in enumerate(texts, begin + first) if n % every == 0]
        pages.append(sorted(counted + texts, key=lambda line: (line[1], line[0])) if beside else counted + texts)
    assert " ".join(" ".join(page.text for page in pages_of(*pages)).split()) == " ".join(story[:50])


@pytest.mark.parametrize(
    ("first", "step", "cells", "paragraphs"),
    [
        (1990, 1, ["litres"], 12), (10, 1, ["oak tree", "wide"], 12), (5, 5, ["litres", "oil"], 12),
        (1, 1, ["The rule about the boat must be kept by all who live here."], 12),
        (1990, 1, ["saw the lamp of the tower lit again by the keeper and his children"], 1),
    ],
)  # fmt: skip
def test_first_columns_that_count_stay(first: int, step: int, cells: list[str], paragraphs: int) -> None:
    numbers = [str(first + step * n) for n in range(12)]
    (read,) = pages_of(
        [
            (72 + 80 * column, 100 + 14 * place, 11, cell)
            for place, number in enumerate(numbers)
            for column, cell in enumerate([number, *cells])
        ]
    )
    assert [word for word in read.text.split() if word in numbers] == numbers
    assert len(read.text.split("\n")) == paragraphs


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("shown_upright", [True, False])
def test_turned_pages_read_as_others(turn: int, shown_upright: bool) -> None:
    file = io.BytesIO()
    canvas = Canvas(file, (595, 842))
    for n in range(3):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(72, 810, f"Office, page {n}")
        canvas.setPageRotation(turn if shown_upright else 0)
        canvas.translate(*{90: (595, 0), 180: (595, 842), 270: (0, 842)}[turn])
        canvas.rotate(turn)
        for x, y, size, text in [
            (72, 540, 18, f"Wicks {n}"), (72, 500, 11, BODY[n]), (72, 486, 11, BODY[n + 3]),
            (72, 400, 11, "a0"), (172, 400, 11, "b0"), (72, 384, 11, "a1"), (172, 384, 11, "b1"),
        ]:  # fmt: skip
            canvas.setFont("Helvetica", size)
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    pages = load_pdf(file.getvalue(), 10).pages
    assert [page.text.split("\n") for page in pages] == [
        [f"Wicks {n}", f"{BODY[n]} {BODY[n + 3]}", "a0 | b0", "a1 | b1"] for n in range(3)
    ]
    assert [heading.text for page in pages for heading in page.headings] == ["Wicks 0", "Wicks 1", "Wicks 2"]


def test_letters_that_are_turned_back_by_their_size_are_upright() -> None:
    file = io.BytesIO()
    canvas = Canvas(file, (595, 842))
    for n, text in enumerate(["Oil burns in the lamp. Every night", "The keeper fills it again."]):
        line = canvas.beginText()
        line.setTextTransform(-1, 0, 0, -1, 72, 700 - 14 * n)
        line.setFont("Helvetica", -11)
        line.textOut(text)
        canvas.drawText(line)
    canvas.save()
    (page,) = load_pdf(file.getvalue(), 10).pages
    assert page.text == "Oil burns in the lamp. Every night The keeper fills it again."


def test_pages_may_begin_anywhere() -> None:
    pages = [[(72, 3040, 8, "Office"), *lines(BODY[n], BODY[n + 9], y=3100)] for n in range(3)]
    file = io.BytesIO()
    with pdfium.PdfDocument(drawn(*pages)) as document:
        for page in document:
            page.set_mediabox(0, -3000, 595, -2158)
        document.save(file)
    assert [page.text for page in load_pdf(file.getvalue(), 10).pages] == [f"{BODY[n]} {BODY[n + 9]}" for n in range(3)]


def test_sizes_bold_and_bookmarks_make_headings(tmp_path: Path) -> None:
    page = [
        (72, 60, 20, "Manual"), *lines(*BODY[:8], y=100),
        (72, 230, 15, "Care of the lamp"), *lines(*BODY[8:16], y=250),
        (72, 380, 11, "**Spare parts"), *lines(*BODY[16:20], y=396),
        (72, 470, 11, "2.1 Wicks"), *lines(*BODY[20:24], y=490), (72, 790, 15, "At the end"),
    ]  # fmt: skip
    path = write(tmp_path / "a.pdf", drawn(page, lines(*BODY[24:]), title="Manual", bookmarks=("Wicks",)))
    document = read_document(path)
    assert document.title == "Manual"
    assert [(h.level, h.text) for h in document.pages[0].headings] == [
        (1, "Manual"), (2, "Care of the lamp"), (3, "Spare parts"), (1, "2.1 Wicks"), (2, "At the end"),
    ]  # fmt: skip
    passages = split_passages(document)
    assert not [p for p in passages if p.text.endswith(("lamp", "parts", "Wicks", "end"))]
    assert passages[-1].section == "2.1 Wicks > At the end"


@pytest.mark.parametrize(
    "title",
    ["Microsoft Word - tmp.doc", "untitled", "Untitled Document", "(anonymous)", "report.pdf", "", "...", "1 2"],
)
def test_a_file_name_is_no_title(title: str) -> None:
    assert load_pdf(drawn(lines("The lamp."), title=title), 10).title == ""


def test_sentences_and_words_cross_pages() -> None:
    first, second, third = pages_of(
        lines("Few stayed. In spring the whole nobil-"),
        lines("ity left the town", "by the gate. Their houses stood"),
        lines("Empty houses fall. The nobility knew."),
    )
    assert first.text == "Few stayed. In spring the whole nobility left the town by the gate."
    assert second.text == "Their houses stood"
    assert third.text == "Empty houses fall. The nobility knew."


@pytest.mark.parametrize(
    ("before", "after", "words", "expected"),
    [
        ("an exam-", "ple", {}, "an example"),
        ("a well-", "known man", {"well-known": 1}, "a well-known man"),
        ("the open-", "domain", {"open": 3, "domain": 4}, "the open-domain"),
        ("the IEEE-", "754 norm", {}, "the IEEE-754 norm"),
        ("1914-", "1918", {}, "1914-1918"),
        ("the X-", "Ray", {}, "the X-Ray"),
        ("pre-", "and post-war", {}, "pre- and post-war"),
        ("state-of-the-", "art", {}, "state-of-the-art"),
        ("the coun\u00ad", "cil", {}, "the council"),
        ("a dash -", "and more", {}, "a dash - and more"),
        ("the lamp", "burns", {}, "the lamp burns"),
        ("この橋は", "千九百", {}, "この橋は千九百"),
    ],
)
def test_lines_are_joined(before: str, after: str, words: dict[str, int], expected: str) -> None:
    assert joined(before, after, False, words) == expected


def test_values_of_forms_stand_beside_their_labels() -> None:
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(%s)/V(%s)/Ff %d/Rect[220 %d 420 %d]/P 3 0 R/DA(/F 11 Tf)>>"
    text = b"BT /F 11 Tf 72 740 Td 30 TL (Goods:) Tj T* (Secret:) Tj ET"
    data = raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R 7 0 R]/DA(/F 11 Tf)>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>"
        b"/Annots[6 0 R 7 0 R]>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        field % (b"goods", b"Oak barrels", 0, 732, 750),
        field % (b"secret", b"swordfish", 1 << 13, 702, 720),  # a password
    )
    assert load_pdf(data, 10).pages[0].text == "Goods: | Oak barrels\nSecret:"


def test_pages_read_in_time_are_kept() -> None:
    left = iter([True, True, False])
    content = load_pdf(drawn(*[lines(text) for text in BODY]), 1_000, lambda: next(left))
    assert len(content.pages) == 3
    assert content.warnings == ["only the first 3 of 30 pages were read, more takes too long; split it"]
    assert load_pdf(long_pdf(1, 100_000), 10, lambda: False).pages[0].text.startswith("aaa")
