"""Workbooks, presentations, books and OpenDocument texts; and what was put together to do harm."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from spring.data.loaders import workbook
from spring.data.loaders.epub import load_epub
from spring.data.loaders.odt import load_odt
from spring.data.loaders.registry import read_file
from spring.data.loaders.slides import load_pptx
from spring.data.loaders.workbook import load_xlsx
from spring.errors import DocumentError
from tests.support.files import write
from tests.support.office import epub, odt, pptx, solid_pie, with_part, xlsx

MOST = 20_000  # pages


# --- what is read of them ---


def test_a_workbook() -> None:
    content = load_xlsx(xlsx(), MOST)
    assert content.title == "The stores"
    assert [page.text for page in content.pages] == [
        "Stores\nStock of May\nitem: Rope; pieces: 14; since: 1932-05-01\npieces: 250%; since: yes",
        "Staff\nname: Anna; seen: 2020-05-04 10:30",
    ]
    assert all(page.rows and page.headings[0].text == page.text.partition("\n")[0] for page in content.pages)
    assert content.warnings == ["hidden sheets were left out (Secret)"]


@pytest.mark.parametrize("make", [pptx, solid_pie])
def test_a_presentation(make: Callable[[], bytes]) -> None:
    content = load_pptx(make(), MOST)
    assert content.title == "The new lock"
    assert [page.text.split("\n") for page in content.pages] == [
        [
            "The new lock",
            "It fills in nine minutes",
            "Second line",
            "Part | Cost",
            "Gate | 40,000",
            "Shares",
            "Cost in 1932",
            "Gates: 0.3",
            "Walls: 40000",
            "In a group",
            "Notes",
            "Mention the flood.",
        ],
        [""],
    ]
    assert [heading.level for heading in content.pages[0].headings] == [1, 2]


@pytest.mark.parametrize("what", ["presentationml.template.main", "presentationml.slideshow.main"])
def test_a_template_and_a_show(what: str) -> None:
    with zipfile.ZipFile(io.BytesIO(pptx())) as archive:
        types = archive.read("[Content_Types].xml").replace(b"presentationml.presentation.main", what.encode())
    assert load_pptx(with_part(pptx(), "[Content_Types].xml", types), 9).pages == load_pptx(pptx(), 9).pages


def test_a_book() -> None:
    content = load_epub(epub(), MOST)
    assert content.title == "The Miller"
    assert [page.text for page in content.pages] == ["One\nThe dam broke.", "Geese."]
    assert content.warnings == ["chapter 3 could not be found"]


def test_a_protected_book() -> None:
    encryption = '<e><CipherReference URI="OPS/c2.xhtml"/></e>'
    with pytest.raises(DocumentError, match="protected against copying"):
        load_epub(epub(**{"META-INF/encryption.xml": encryption}), MOST)


def test_an_opendocument_text() -> None:
    content = load_odt(
        odt(
            """<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>
            <text:p text:style-name="P1">The <text:span>deed</text:span></text:p>
            <text:h text:outline-level="2">Trees</text:h>
            <text:p>Forty<text:s text:c="900000000"/>pear<text:tab/>trees<text:note><text:note-citation>1
            </text:note-citation>
            <text:note-body><text:p>Counted in May.</text:p></text:note-body></text:note>.<text:line-break/>Next
            <office:annotation><text:p>gone</text:p></office:annotation></text:p>
            <table:table><table:table-row table:number-rows-repeated="900000000"><table:table-cell><text:p>a</text:p>
            <text:p>b</text:p></table:table-cell><table:table-cell><text:p>c</text:p></table:table-cell></table:table-row>
            </table:table>
            <text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>
            <text:p>10<text:span text:style-name="T1">6</text:span> m, CO<text:span text:style-name="T2">2</text:span>,
            in 1932<text:span text:style-name="T1">4</text:span></text:p>""",
            """<style:style style:name="P1" style:parent-style-name="Title"/>
            <style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>
            <style:style style:name="T2"><style:text-properties style:text-position="sub 58%"/></style:style>""",
        )
    )
    assert content.title == "The deed"
    text = "The deed\nTrees\nForty pear trees (Counted in May.).\nNext\na b | c\nitem\n10^6 m, CO2, in 1932 [4]"
    assert content.pages[0].text == text
    assert [heading.text for heading in content.pages[0].headings] == ["Trees"]


@pytest.mark.parametrize("make", [xlsx, pptx, epub, lambda: odt("<text:p>x</text:p>")])
def test_they_are_what_they_are_under_any_name(make: Callable[[], bytes], tmp_path: Path) -> None:
    assert read_file(write(tmp_path / "a.txt", make())).pages


# --- what was made to do harm ---


def test_a_cell_at_the_end_of_a_sheet_is_no_million_rows() -> None:
    book = openpyxl.Workbook()
    book.active["XFD1048576"] = "last"
    buffer = io.BytesIO()
    book.save(buffer)
    assert load_xlsx(buffer.getvalue(), MOST).pages[0].text == "Sheet\nlast"


def test_too_many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "_MOST_CELLS", 5)
    with pytest.raises(DocumentError, match="cells; give a smaller part"):
        load_xlsx(xlsx(), MOST)


@pytest.mark.parametrize(("load", "make"), [(load_xlsx, xlsx), (load_pptx, pptx), (load_epub, epub)])
def test_too_many_pages(load: Callable[[bytes, int], object], make: Callable[[], bytes]) -> None:
    with pytest.raises(DocumentError, match="pages or rows; 1 are the most"):
        load(make(), 1)


@pytest.mark.parametrize(
    ("load", "data"),
    [
        (lambda data: load_xlsx(data, MOST), with_part(xlsx(), "xl/workbook.xml", b" " * 20 * 2**20)),
        (lambda data: load_pptx(data, MOST), with_part(pptx(), "ppt/presentation.xml", b" " * 20 * 2**20)),
        (lambda data: load_epub(data, MOST), epub("x" * 20 * 2**20)),
        (load_odt, odt("x" * 20 * 2**20)),
    ],
    ids=["xlsx", "pptx", "epub", "odt"],
)
def test_zip_bombs(load: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(DocumentError, match="it unpacks to far more than a"):
        load(data)


BOMB = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("load", "data"),
    [
        (lambda data: load_xlsx(data, MOST), with_part(xlsx(), "xl/sharedStrings.xml", BOMB)),
        (lambda data: load_pptx(data, MOST), with_part(pptx(), "docProps/core.xml", BOMB)),
        (load_odt, with_part(odt(""), "content.xml", BOMB)),
    ],
    ids=["xlsx", "pptx", "odt"],
)
def test_entity_bombs(load: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(DocumentError, match="it holds a document type definition"):
        load(data)


def test_entities_of_a_book_are_not_resolved(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "the secret word")
    chapter = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY y "expanded">]><p>Dam &x; &y;</p>'
    text = load_epub(with_part(epub(), "OPS/c2.xhtml", chapter.encode()), MOST).pages[0].text
    assert "Dam" in text
    assert "secret word" not in text
    assert "expanded" not in text.partition("Dam")[2]


@pytest.mark.parametrize(
    "data",
    [
        with_part(xlsx(), "xl/workbook.xml", b"<broken"),
        with_part(xlsx(), "xl/worksheets/sheet1.xml", b"<broken"),
        with_part(pptx(), "ppt/presentation.xml", b"<broken"),
        with_part(epub(), "OPS/book.opf", b"<broken"),
        with_part(epub(), "META-INF/container.xml", b"<c/>"),
        with_part(odt(""), "content.xml", b"<broken"),
        with_part(odt(""), "content.xml", b"<no-body/>"),
        xlsx()[:3_000],
    ],
)
def test_damaged_files(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="could not be read and is probably damaged"):
        read_file(write(tmp_path / "a.xlsx", data))
