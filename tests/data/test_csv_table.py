"""CSV and TSV files."""

from pathlib import Path

import pytest

from spring.data.loaders.registry import read_file
from spring.data.types import Page
from tests.support.files import only_page, write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "post", ""], ['Ada "A."', "cook\nand baker", "x"], ["", "", ""], ["Bo", "", ""]]
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    pages, warnings, _ = read_file(write(tmp_path / "a.csv", "\n".join(lines)))
    assert pages == [Page('name: Ada "A."; post: cook and baker; x\nname: Bo', rows=True)]
    assert warnings == []


def test_csv_uneven_rows_and_one_column(tmp_path: Path) -> None:
    pages, warnings, _ = read_file(write(tmp_path / "a.csv", "a,b\n1,2\n3\n\n4,5,6\n"))
    assert pages[0].text == "a: 1; b: 2\na: 3\na: 4; b: 5; 6"
    assert warnings == ["rows 3 and 5 have more or fewer cells than the header"]
    assert only_page(write(tmp_path / "b.csv", "lamp\noil\nwax\n")).text == "lamp: oil\nlamp: wax"
    assert only_page(write(tmp_path / "c.tsv", "a\tb\n")).text == "a; b"


def test_csv_with_an_open_quote_and_a_huge_field(tmp_path: Path) -> None:
    pages, warnings, _ = read_file(write(tmp_path / "a.csv", 'a,b\n1,2\n3,"four\n5,6\n'))
    assert pages[0].text == "a: 1; b: 2\na: 3; b: four 5,6"
    assert warnings == ["a quotation mark in row 3 is never closed, the rest was read as one cell"]
    assert len(only_page(write(tmp_path / "b.csv", "a,b\n1," + "lamp " * 100_000)).text) > 400_000


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("sep=;\nname;fee\nAnna;12,50\n", "name: Anna; fee: 12,50"),
        ('"sep=\t"\r\nname\tfee\r\nAnna\t1\r\n', "name: Anna; fee: 1"),
        ("name;fee\nAnna;12,50\nBert, the porter;7,25\n", "name: Anna; fee: 12,50\nname: Bert, the porter; fee: 7,25"),
        ("name|town\nAnna|a, b, c, d\n", "name: Anna; town: a, b, c, d"),
        (
            "Fees of the month,,\n,,\nname,year,fee\nAnna,1932,12\n",
            "Fees of the month\nname: Anna; year: 1932; fee: 12",
        ),
        (",price\n2020,12\n2021,13\n", "2020; price: 12\n2021; price: 13"),  # pandas' index has no name
        ("note\nlamp, oil\n", "note: lamp; oil"),  # a row of several cells, and nothing below it
    ],
)
def test_delimiters_and_lines_above_the_header(tmp_path: Path, text: str, read: str) -> None:
    assert only_page(write(tmp_path / "a.csv", text)).text == read


def test_the_line_above_the_header_is_the_title(tmp_path: Path) -> None:
    assert read_file(write(tmp_path / "a.csv", "Fees\n\nname,fee\nAnna,12\n")).title == "Fees"
