"""Files that once took time quadratic in their size, or worse: all are read, each within few seconds of processor."""

from dataclasses import replace

import pytest

from spring.data.sandbox.files import read_each
from spring.data.types import FileResult
from spring.settings import READING_LIMITS

MAIL = "From: Anna <anna@mill.example>\nSubject: The lamp\n"
LINES = "line\n" * 2_000
SPACES = " " * 50_000
PARTS = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(500))
CRAFTED = {
    "addresses.eml": f"{MAIL}To: {'Anna Bell <anna@mill.example>, ' * 10_000}\n\nThe lamp burns.",
    "nested.eml": f"{MAIL}{PARTS}\nThe lamp burns.\n{LINES}",
    "dots.rst": "a." * 100_000,
    "spaces.rst": f"`lamp{SPACES}x` and :a:`lamp{SPACES}x`\n\nlamp\\{SPACES}x{SPACES}y::\n",
    "tables.tex": r"\begin{tabular}{l}" * 20_000,
    "listings.tex": r"\begin{verbatim}" * 20_000,
    "options.tex": r"\begin{verbatim}[\multirow[\\[" * 10_000,
    "formulas.tex": r"\(" * 100_000,
    "macros.tex": "".join(rf"\newcommand{{\a{'a' * (n % 90)}{'b' * (n // 90)}}}{{}}" for n in range(9_000))
    + r"\b " * 90_000,
    "spaces.org": f"* lamp{SPACES}x",
    "brackets.md": "![[" * 20_000,
    "title.md": f"---\ntitle: lamp{' ' * 100_000}x\n---\nThe lamp burns.",
    "comments.md": f"The lamp burns.\n\n{'<!--' * 20_000}",
    "links.rtf": r"{\rtf1 The lamp burns." + r'{\field{\*\fldinst{HYPERLINK "' * 500,
    "fonts.rtf": r"{\rtf1 The lamp burns.{\fonttbl" + r"\f0\fcharset0" * 500,
    "title.rtf": r"{\rtf1 The lamp burns.{\title" + SPACES,
    "notes.rtf": r"{\rtf1 The lamp burns." + r"{\footnote a\b{" * 2_000,
    "columns.csv": "a" + "," * 50_000 + "\nlamp" * 50_000,
    "cues.srt": "lamp\n\n" * 200_000,
    "comments.html": "<!-- a -->" * 60 + "The lamp burns.",
    "mixed.xml": f"<a>{'lamp ' * 100}" * 1_500 + "</a>" * 1_500,
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FileResult]:
    folder = tmp_path_factory.mktemp("crafted")
    for name, text in CRAFTED.items():
        (folder / name).write_text(text if "lamp" in text else f"The lamp burns.\n\n{text}", encoding="utf-8")
    limits = replace(READING_LIMITS, cpu_seconds=3, upload_seconds=600)
    files = [(folder / name, name) for name in CRAFTED]
    return {result.name: result for result, _ in read_each(files, limits)}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_file_takes_time_linear_in_its_size(name: str, results: dict[str, FileResult]) -> None:
    error = results[name].error
    assert error is None or (name == "nested.eml" and "its parts are nested too deeply" in error)
