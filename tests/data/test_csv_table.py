"""CSV and TSV files."""

from pathlib import Path

import pytest

from spring.data.loaders.registry import read_file
from spring.data.types import Page
from tests.support.files import only_page, write


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "post", ""], ['Ada "A."', "cook\nand baker", "x"], ["", "", ""], ["Bo", "", ""]]
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    pages, warnings, _ = read_file(write(tmp_path / "a.csv", "\n".join(lines)))
    assert pages == [Page('name: Ada "A."; post: cook and baker; x\nname: Bo')]
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
