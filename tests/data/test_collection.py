"""Files in, named passages out; bad files beside good ones."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spring.data.chunking import split_passages
from spring.data.collection import read_collection, read_document
from spring.data.loaders.registry import FILE_TYPES
from spring.data.types import Collection, Document, FileResult, Page, Passage
from spring.errors import DocumentError
from tests.support.files import CORPORA, pdf, saved, word_file, write


def split(text: str, title: str = "") -> list[str]:
    return [p.text for p in split_passages(Document("file.txt", (Page(text, title),)))]


# --- documents ---


def test_the_name_is_one_clean_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "lamp")
    assert read_document(path, "x\n\n\ud800 y.txt").name == "x \ufffd y.txt"
    assert read_document(path).name == "a.txt"


def test_the_error_begins_with_the_name(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"^a\.txt: it is empty; save it again$"):
        read_document(write(tmp_path / "a.txt", b""))
    with pytest.raises(DocumentError, match=r"^sub/b\.txt: it has no words; "):
        read_document(write(tmp_path / "b.txt", "— … !"), "sub/b.txt")


# --- passages ---


def test_pieces_do_not_cross_pages_and_are_numbered() -> None:
    document = Document("a.pdf", (Page("one " * 250), Page(""), Page("two " * 50)))
    passages = split_passages(document)
    assert [(p.document, p.page, p.index) for p in passages] == [
        ("a.pdf", 1, 0), ("a.pdf", 1, 1), ("a.pdf", 3, 2)
    ]  # fmt: skip
    assert [set(p.text.split()) for p in passages] == [{"one"}, {"one"}, {"two"}]


def test_the_title_stands_once_above_every_piece() -> None:
    pieces = split("word " * 250, title="The lamp")
    assert len(pieces) == 2
    assert all(piece.startswith("The lamp\nword ") and piece.count("The lamp") == 1 for piece in pieces)
    assert split("The lamp\nburns.", title="The lamp") == ["The lamp\nburns."]
    assert split("The lamp burns.", title="The lamp") == ["The lamp\nThe lamp burns."]


def test_pages_without_text_keep_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", pdf(["One."], [], ["Three."], []))
    passages = split_passages(read_document(path))
    assert [(p.page, p.index, p.text) for p in passages] == [(1, 0, "One."), (3, 1, "Three.")]
    assert read_collection([path]).results[0].line == "a.pdf: 4 pages, 2 passages; pages 2 and 4 have no text"


# --- collections ---


def test_every_file_type_is_read(tmp_path: Path) -> None:
    contents: dict[str, str | bytes] = dict.fromkeys(FILE_TYPES, "lamp,oil\nwax,wick\n")
    contents |= {".pdf": pdf(["lamp"]), ".docx": saved(word_file()), ".jsonl": '{"text": "lamp"}'}
    paths = [write(tmp_path / f"file{suffix.upper()}", contents[suffix]) for suffix in FILE_TYPES]
    assert [result.error for result in read_collection(paths).results] == [None] * len(FILE_TYPES)


def test_folders(tmp_path: Path) -> None:
    for name in (
        "docs/b.txt",
        "docs/a.txt",
        "docs/sub/a.txt",
        "docs/.hidden.txt",
        "docs/.git/x.txt",
        "docs/p.png",
    ):
        write(tmp_path / name, "some words here")
    write(tmp_path / "docs/bad.pdf", b"%PDF-1.4 nothing in it")
    write(tmp_path / "other/a.txt", "some words here")
    (tmp_path / "empty").mkdir()
    read = read_collection([tmp_path / n for n in ("docs", "other", "empty", "none.txt", "docs/b.txt")])
    assert [document.name for document in read.documents] == ["a.txt", "b.txt", "sub/a.txt", "a.txt (2)"]
    assert [result.line.partition(";")[0] for result in read.results] == [
        "a.txt: 1 page, 1 passage",
        "b.txt: 1 page, 1 passage",
        "bad.pdf: it could not be read and is probably damaged",
        "p.png: skipped, its type is not read",
        "sub/a.txt: 1 page, 1 passage",
        "a.txt (2): 1 page, 1 passage",
        "empty: it is a folder without files to read",
        "none.txt: it does not exist or is not a file",
    ]
    assert [passage.document for passage in read.passages] == [document.name for document in read.documents]


def test_one_bad_file_does_not_lose_the_others(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "bad.jsonl", "oops"),
        write(tmp_path / "good.txt", "the lamp"),
        write(tmp_path / "bad.docx", b"PK\3\4"),
    ]
    read = read_collection(paths)
    assert [result.error is None for result in read.results] == [False, True, False]
    assert [passage.text for passage in read.passages] == ["the lamp"]


def test_no_files() -> None:
    assert read_collection([]) == Collection((), (), ())


@pytest.mark.parametrize("corpus", ["orlo-station", "everyday-inventions", "space-missions"])
def test_sample_collections(corpus: str) -> None:
    read = read_collection([CORPORA / corpus / "documents"])
    assert [result.line for result in read.results if result.error or result.warnings] == []
    assert len(read.documents) >= 15
    by_name = {document.name: document for document in read.documents}
    for passage in read.passages:
        page = by_name[passage.document].pages[passage.page - 1]
        piece = passage.text.removeprefix(f"{page.title}\n") if page.title else passage.text
        assert piece in page.text
        assert 40 <= len(piece.split()) <= 130
    assert all(d.pages[0].title for d in read.documents if d.name.endswith((".md", ".html", ".docx", ".jsonl")))


def test_answers_of_the_sample_questions_are_in_their_document() -> None:
    missing = []
    for file in CORPORA.glob("*/questions.jsonl"):
        read = read_collection([file.parent / "documents"])
        for row in map(json.loads, file.read_text().splitlines()):
            texts = [p.text for p in read.passages if p.document == row["metadata"]["document"]]
            if not any(answer in text for answer in row["golden_answers"] for text in texts):
                missing.append(row["id"])
    assert missing == []


# --- types ---


@pytest.mark.parametrize(
    "make",
    [
        lambda: Page("text", "two\nlines"),
        lambda: Document("", (Page("text"),)),
        lambda: Document("a.txt", ()),
        lambda: Passage("a.txt", 0, 0, "text"),
        lambda: Passage("a.txt", 1, -1, "text"),
        lambda: Passage("a.txt", 1, 0, " \n"),
        lambda: split_passages(Document("a.txt", (Page("text"),)), 0),
    ],
)
def test_types_cannot_be_wrong(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        make()


def test_lines_for_the_user() -> None:
    assert FileResult("report.pdf", 12, 31).line == "report.pdf: 12 pages, 31 passages"
    assert FileResult("a.txt", 1, 1, ("w1", "w2")).line == "a.txt: 1 page, 1 passage; w1; w2"
    assert FileResult("x.pdf", error="x.pdf: it is empty").line == "x.pdf: it is empty"
