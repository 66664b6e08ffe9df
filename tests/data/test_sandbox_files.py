"""Uploads through the real child: what hostile files get, and that it costs the others nothing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from spring.data.sandbox import parent as sandbox
from spring.data.sandbox.files import parse_documents, parse_questions
from spring.errors import DocumentError
from spring.settings import MIB, READING_LIMITS
from tests.conftest import one_line
from tests.support.files import pdf, write
from tests.support.hostile import DAMAGED, TOO_BIG, TOO_SLOW, hostile_files, long_pdf, slow_pdf

# Busy machines are slow; a quarter of the memory is full in a quarter of the time.
QUICK = replace(READING_LIMITS, cpu_seconds=2, file_seconds=100, upload_seconds=600, memory=256 * MIB)
GOOD = "good.txt: 1 page, 1 passage"


def lines(paths: Sequence[Path], **limits: float) -> list[str]:
    return [result.line for result in parse_documents(paths, limits=replace(QUICK, **limits)).results]


# --- hostile files ---


@pytest.fixture(scope="module")
def hostile_lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each hostile file, all of them in one upload with a good one at its end."""
    folder = tmp_path_factory.mktemp("hostile")
    files = {what: write(folder / Path(file.name).name, file.data) for what, file in hostile_files().items()}
    files["good"] = write(folder / "good.txt", "This lamp burns.")
    return dict(zip(files, lines([*files.values()]), strict=True))


def readers() -> list[psutil.Process]:
    """The processes that read documents or questions now, zombies too."""
    jobs = {"spring.data.sandbox.jobs:document_job", "spring.data.sandbox.jobs:questions_job"}
    children = psutil.Process().children()
    return [p for p in children if p.status() == psutil.STATUS_ZOMBIE or jobs & {*p.cmdline()}]


@pytest.mark.parametrize("what", hostile_files())
def test_a_hostile_file_gets_its_line(hostile_lines: dict[str, str], what: str) -> None:
    assert hostile_lines[what] == hostile_files()[what].line


def test_they_do_not_cost_the_good_file(hostile_lines: dict[str, str]) -> None:
    assert hostile_lines["good"] == GOOD
    assert not readers()


def test_the_files_that_never_end_are_small() -> None:
    assert len(slow_pdf()) < 2_500
    assert len(hostile_files()["docx: 80 KB for 3.6 GB"].data) < 100_000


# --- limits ---


def test_memory(tmp_path: Path) -> None:
    big = write(tmp_path / "big.html", "<p>lamp</p>" * 200_000)
    good = write(tmp_path / "good.txt", "lamp")
    assert lines([big, good], memory=60 * MIB) == [f"big.html: {TOO_BIG}", GOOD]


def test_a_pdf_on_which_pdfium_aborts_costs_that_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children = list[object]()
    start = sandbox.Sandbox._start
    monkeypatch.setattr(sandbox.Sandbox, "_start", lambda self: children.append(self) or start(self))
    big = write(tmp_path / "big.pdf", long_pdf(1))  # PDFium ends the process where it finds no memory
    good = write(tmp_path / "good.txt", "lamp")
    assert lines([big, good], memory=40 * MIB) == [f"big.pdf: {DAMAGED}", GOOD]
    assert len(children) == 2


def test_pages_and_rows(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.pdf", pdf(["1"], ["2"], ["3"])), write(tmp_path / "b.jsonl", '{"text": "x"}\n' * 3)]
    sentence = "it has 3 pages or rows; 2 are the most, split it"
    assert lines(paths, pages=2) == [f"a.pdf: {sentence}", f"b.jsonl: {sentence}"]


def test_characters_of_all_files_together(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, f"lamp oi{name[0]} ") for name in ("a.txt", "b.txt", "c.txt")]
    assert lines(paths, characters=20) == [
        "a.txt: 1 page, 1 passage",
        "b.txt: 1 page, 1 passage",
        "c.txt: its text has 8 characters, of which this upload may have 4 more; give a smaller part of it",
    ]


def test_bytes_of_all_files_together(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{number}.txt", b"x" * MIB) for number in range(3)]
    with pytest.raises(DocumentError, match=r"have 3 MB together; 2 are the most, upload fewer at once") as error:
        parse_documents(paths, limits=replace(QUICK, bytes=2 * MIB))
    one_line(error)


def test_time_of_all_files_together(tmp_path: Path) -> None:
    paths = [write(tmp_path / "slow.pdf", slow_pdf()), write(tmp_path / "good.txt", "lamp")]
    assert lines(paths, cpu_seconds=30, upload_seconds=1.5) == [
        f"slow.pdf: {TOO_SLOW}",
        "good.txt: there was no time left to read it; upload fewer files at once",
    ]


def test_stop(tmp_path: Path) -> None:
    paths = [write(tmp_path / "slow.pdf", slow_pdf()), write(tmp_path / "good.txt", "lamp")]
    with pytest.raises(DocumentError, match="The files were not read: stopped before it was read") as error:
        parse_documents(paths, stop=lambda: bool(readers()))
    one_line(error)
    assert not readers()


# --- a child that says what is no document ---


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        "9" * 5_000,
        '{"pages": 1, "warnings": [], "passages": 7}',
        '{"pages": 1, "warnings": [], "passages": [[0, "page 0"]]}',
        '{"pages": 1, "warnings": [], "passages": [[1, " "]]}',
        '{"pages": 1, "warnings": [], "passages": [[1]]}',
        '{"pages": "many", "warnings": [], "passages": []}',
        '{"pages": 1, "warnings": null, "passages": []}',
        '{"pages": 1, "warnings": [], "passages": [[1, "\\ud800"]]}',
        '{"pages": Infinity, "warnings": [], "passages": []}',
    ],
)
def test_a_wrong_answer_is_no_document(answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sandbox.Sandbox, "ask", lambda self, request: answer.encode())
    assert lines([write(tmp_path / "a.txt", "lamp")]) == [
        "a.txt: it could not be read and is probably damaged; save it again"
    ]


# --- question files ---


def test_a_question_file_that_takes_too_much(tmp_path: Path) -> None:
    path = write(tmp_path / "q.csv", "question,answer\n" + "q,x\n" * 400_000)
    with pytest.raises(DocumentError, match=f"q.csv: {TOO_BIG}") as error:
        parse_questions(path, replace(QUICK, memory=30 * MIB))
    one_line(error)


def test_a_small_parquet_file_of_16_gigabytes(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    same = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1_000_000, pyarrow.int32()), ["x" * 2_000])
    path = tmp_path / "q.parquet"
    table = pyarrow.table({"question": same, "answer": same})
    with parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(4):
            writer.write_table(table)
    assert path.stat().st_size < 2 * MIB
    with pytest.raises(DocumentError, match=r"q\.parquet: ") as error:
        parse_questions(path, replace(QUICK, memory=400 * MIB))
    one_line(error)
