"""The index on disk: the same hits as in memory, whole at any moment, and foreign folders refused in one sentence."""

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zstandard

from spring.data.collection import read_collection
from spring.data.corpus import Fields
from spring.data.types import Passage
from spring.errors import DocumentError
from spring.rag import index as index_module
from spring.rag.bm25 import Bm25Retriever
from spring.rag.index import IndexRetriever
from spring.rag.index_build import build_index
from spring.rag.index_folder import MANIFEST, is_index
from spring.rag.library import open_collections
from tests.conftest import ROOT

CORPORA = sorted((ROOT / "corpora").glob("*/documents"))
ROWS = [
    {"id": "a1", "contents": '"The Lamp"\nThe lamp burns whale oil in the tower.'},
    {"_id": "a2", "title": "The Ferry", "text": "Ferries sail on Monday. " + "The harbour is long and grey. " * 40},
    {"id": 3, "text": "Die Kapellen gehören dem Kloster, und sie sind alt."},
    {"id": "bad"},
    "no object",
]


def lines(rows: list[object]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "rows.jsonl"
    path.write_bytes(lines([*ROWS]) + b"{not json\n\n")
    return path


@pytest.fixture(scope="module")
def index(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("index") / "rows"
    built = build_index([corpus], output, processes=1)
    assert (built.passages, built.documents) == (4, 1)
    assert sum(built.skipped.values()) == 3
    return output


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("samples") / "index"
    build_index(CORPORA, output, processes=1)
    return output


def test_rows_are_found_and_named(index: Path) -> None:
    retriever = IndexRetriever(index)
    assert len(retriever) == 4
    (hit,) = retriever.search("Which lamps?", 3)
    assert hit.passage == Passage("rows.jsonl", 1, 0, "The lamp burns whale oil in the tower.", "", "The Lamp", "a1")
    assert (hit.rank, hit.terms) == (1, ("lamps",))
    (german,) = retriever.search("Kapelle", 3)
    assert (german.passage.id, german.passage.page) == ("3", 3)
    assert retriever.search("Who is it?", 3) == []
    assert retriever.search("volcano", 3) == []
    assert retriever.search("lamp", 0) == []


def test_gold_passages_are_looked_up_by_the_row_s_id(index: Path) -> None:
    rows = IndexRetriever(index).rows
    assert [passage.title for passage in rows["a2"]] == ["The Ferry"] * 2
    assert [passage.index for passage in rows["a2"]] == [0, 1]
    assert rows.get("nothing", ()) == ()
    assert rows.get("", ()) == ()


@pytest.mark.parametrize("postings", [1, 100, index_module.POSTINGS])
def test_it_ranks_like_memory(samples: Path, postings: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few terms are asked for at first: what the others might bring in is looked at."""
    monkeypatch.setattr(index_module, "POSTINGS", postings)
    disk, collection = IndexRetriever(samples), read_collection(CORPORA)
    memory = Bm25Retriever(collection.passages)
    assert len(disk) == len(collection.passages)
    for passage in collection.passages[::12]:
        question = " ".join(passage.text.split()[3:11])
        expected = memory.search(question, 3)
        found = disk.search(question, 3)
        assert [hit.passage.text for hit in found] == [hit.passage.text for hit in expected]
        assert [hit.terms for hit in found] == [hit.terms for hit in expected]
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected])


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst", ".JSONL"])
def test_compressed_rows(tmp_path: Path, suffix: str) -> None:
    data = lines(ROWS[:3])
    compress = {".jsonl.gz": gzip.compress, ".jsonl.zst": zstandard.ZstdCompressor().compress}.get(suffix, bytes)
    (tmp_path / f"c{suffix}").write_bytes(compress(data))
    build_index([tmp_path / f"c{suffix}"], tmp_path / "index", processes=1)
    assert len(IndexRetriever(tmp_path / "index")) == 4


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_damaged_compression_changes_nothing(tmp_path: Path, corpus: Path, suffix: str) -> None:
    compress = gzip.compress if suffix.endswith("gz") else zstandard.ZstdCompressor().compress
    data = compress(os.urandom(300_000) + lines(ROWS[:3]) * 3_000)
    (tmp_path / f"cut{suffix}").write_bytes(data[: len(data) // 2])
    output = tmp_path / "index"
    build_index([corpus], output, processes=1)
    before = (output / MANIFEST).read_bytes()
    with pytest.raises(DocumentError, match=rf"^cut{suffix} could not be read to its end: .*\.$"):
        build_index([tmp_path / f"cut{suffix}"], output, processes=1)
    assert (output / MANIFEST).read_bytes() == before
    assert len(list(output.glob("data-*"))) == 1
    assert IndexRetriever(output).search("lamp", 1)


def test_other_field_names(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(lines([{"id": 1, "body": "The lamp burns.", "head": "Light", "text": "none"}]))
    build_index([tmp_path / "c.jsonl"], tmp_path / "index", Fields("head", "body"), processes=1)
    (hit,) = IndexRetriever(tmp_path / "index").search("light", 3)
    assert (hit.passage.title, hit.passage.text) == ("Light", "The lamp burns.")
    with pytest.raises(DocumentError, match='no text in "missing"'):
        build_index([tmp_path / "c.jsonl"], tmp_path / "other", Fields("", "missing"), processes=1)
    assert not is_index(tmp_path / "other")


def test_adding_keeps_what_was_there(tmp_path: Path, corpus: Path) -> None:
    output = tmp_path / "index"
    build_index([corpus], output, processes=1)
    open_before = IndexRetriever(output)
    assert open_before.search("lamp", 3)
    (tmp_path / "more.txt").write_text("Another lamp stands in the cellar.", encoding="utf-8")
    (tmp_path / "same.txt").write_text("Another lamp stands in the cellar.", encoding="utf-8")
    paths = [tmp_path / name for name in ("more.txt", "same.txt", "missing.txt")]
    built = build_index(paths, output, add=True, processes=1)
    assert built.copies == ["same.txt: the same file as more.txt, which is read once"]
    with pytest.raises(DocumentError, match=r"rows\.jsonl: it is there already; more\.txt: it is there already"):
        build_index([tmp_path / "more.txt", corpus], output, add=True, processes=1)
    after = IndexRetriever(output)
    assert (len(after), after.manifest.documents) == (5, 2)
    assert {hit.passage.document for hit in after.search("lamp", 3)} == {"rows.jsonl", "more.txt"}
    assert after.fingerprint() != open_before.fingerprint()
    assert len(open_before.search("lamp", 3)) == 1  # an index that is open stays as it was
    memory = Bm25Retriever([*read_collection([corpus, tmp_path / "more.txt"]).passages])
    assert after.manifest.languages.keys() == memory._languages.keys()


def test_the_same_input_has_the_same_fingerprint(tmp_path: Path, corpus: Path, index: Path) -> None:
    build_index([corpus], tmp_path / "index", processes=2)
    assert IndexRetriever(tmp_path / "index").fingerprint() == IndexRetriever(index).fingerprint()


@pytest.mark.parametrize("add", [False, True])
def test_killed_while_it_writes_the_old_index_is_whole(tmp_path: Path, corpus: Path, add: bool) -> None:
    output = tmp_path / "index"
    build_index([corpus], output, processes=1)
    before = (output / MANIFEST).read_bytes()
    code = (
        "import sys, pathlib\n"
        "from spring.rag.index_build import write_index, Built, Work\n"
        'line = b\'{"text": "the lamp burns oil"}\\n\'\n'
        "def works():\n"
        "    while True: yield Work([line] * 1000, 'endless.jsonl')\n"
        "def report(passages, position):\n"
        "    print(passages, flush=True)\n"
        "if __name__ == '__main__':\n"
        "    output, add = pathlib.Path(sys.argv[1]), bool(sys.argv[2])\n"
        "    write_index(works(), output, Built(), add=add, processes=2, report=report)\n"
    )
    (tmp_path / "build.py").write_text(code, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, tmp_path / "build.py", output, "add" if add else ""]
    build = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True)
    assert build.stdout is not None
    while int(build.stdout.readline()) < 4_000:
        pass
    with pytest.raises(DocumentError, match="is being written by another"):
        build_index([corpus], output, processes=1)
    build.kill()
    build.wait()
    build.stdout.close()
    assert (output / MANIFEST).read_bytes() == before
    assert [hit.passage.id for hit in IndexRetriever(output).search("lamp", 3)] == ["a1"]
    assert len(list(output.glob("data-*"))) == 2
    build_index([corpus], output, processes=1)  # and the next build removes what was left
    assert len(list(output.glob("data-*"))) == 1
    for _ in range(600):  # the processes that made terms end with the one that was killed
        if not _processes_of(build.pid):
            break
        time.sleep(0.1)
    assert not _processes_of(build.pid)


def _processes_of(session: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def write(manifest: Path, **changed: object) -> None:
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changed), encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"format": "lucene"}, "is no index of this program"),
        ({"version": 0}, "was made by an older version"),
        ({"rules": 999}, "was made by a newer version"),
        ({"passages": "many"}, "is no index of this program"),
        ({"passages": 99}, "is damaged or was changed"),
        ({"data": "data-none"}, "is not complete"),
        ({"data": "../../etc"}, "is not complete"),
    ],
)
def test_a_foreign_or_old_index_is_refused(
    tmp_path: Path, corpus: Path, changed: dict[str, object], sentence: str
) -> None:
    build_index([corpus], tmp_path / "index", processes=1)
    write(tmp_path / "index" / MANIFEST, **changed)
    with pytest.raises(DocumentError, match=sentence) as caught:
        IndexRetriever(tmp_path / "index").search("lamp", 3)
    assert str(caught.value).count("\n") == 0


def test_no_index(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(DocumentError, match=r"is no index: it has no manifest\.json"):
        IndexRetriever(tmp_path)
    (tmp_path / "index" / "manifest.json").parent.mkdir()
    (tmp_path / "index" / "manifest.json").write_text("[]")
    with pytest.raises(DocumentError, match="is no index of this program"):
        IndexRetriever(tmp_path / "index")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(DocumentError, match="is no index and not empty"):
        build_index([corpus], tmp_path / "full", processes=1)
    with pytest.raises(DocumentError, match="cannot be used as a folder"):
        build_index([corpus], tmp_path / "full" / "letter.txt", processes=1)
    with pytest.raises(DocumentError, match="is no index"):
        build_index([corpus], tmp_path / "new", add=True, processes=1)


def test_damaged_data_is_one_sentence(tmp_path: Path, corpus: Path) -> None:
    build_index([corpus], tmp_path / "index", processes=1)
    for file in (tmp_path / "index").glob("data-*/*.store"):
        file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.raises(DocumentError, match="is damaged or was changed"):
        IndexRetriever(tmp_path / "index").search("lamp", 3)


def test_a_collection_of_the_page_is_opened_once_and_shared(index: Path) -> None:
    (library,) = open_collections([("Rows", str(index))])
    assert (library.name, library.questions, library.collection.passages) == ("Rows", (), ())
    retriever = library.retriever
    assert isinstance(retriever, IndexRetriever)
    assert retriever._opened is None  # not before it is asked
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(len(retriever.search("lamp", 3)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * 8


def test_a_collection_that_cannot_be_used_says_so_and_leaves_the_others_alone(index: Path, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format":')
    said: list[str] = []
    libraries = open_collections([("Gone", "/nowhere"), ("Cut", str(tmp_path)), ("Rows", str(index))], said.append)
    assert [line.partition(": ")[0] for line in said] == [
        "The collection Gone cannot be used", "The collection Cut cannot be used"
    ]  # fmt: skip
    for library in libraries[:2]:  # what visitors see tells no path
        with pytest.raises(DocumentError, match=rf"^The collection {library.name} cannot be used now: [^/\n]+\.$"):
            library.retriever.search("lamp", 3)
    assert libraries[2].retriever.search("lamp", 3)


def test_a_question_of_very_many_words(index: Path) -> None:
    question = " ".join(f"word{n}" for n in range(5_000)) + " lamp"
    assert [hit.terms for hit in IndexRetriever(index).search(question, 1)] == [("lamp",)]
