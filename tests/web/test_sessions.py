"""Visitors' documents in memory and their files on disk."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace

import pytest

from spring.data.questions import Question, QuestionSet
from spring.data.types import Collection, Passage
from spring.errors import BusyError, PromptError
from spring.rag.library import Library
from spring.web.visitors import sessions as module
from spring.web.visitors.connections import REMEMBERED, Connections
from spring.web.visitors.requests import visitor_of
from spring.web.visitors.sessions import LEFT, Sessions
from spring.web.visitors.uploads import Uploads

MINUTE = 60.0


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module, "CLOCK", lambda: now[0])
    return now


def library(word: str = "secret", size: int = 1000) -> Library:
    return Library.build(word, Collection((), (Passage("a.txt", 1, 0, f"{word} " * (size // len(word))),), ()))


def test_documents_expire_and_say_so_but_not_while_they_are_used(clock) -> None:
    kept, mine = Sessions(idle=60 * MINUTE), library()
    kept.keep("me", mine)
    for _ in range(3):
        clock[0] += 59 * MINUTE
        assert kept.documents("me") is mine
    assert kept.documents("you") is None
    clock[0] += 60 * MINUTE
    with pytest.raises(PromptError, match=r"kept for 60 minutes .* please upload them again\.$"):
        kept.documents("me")
    assert kept.nbytes == 0
    kept.keep("me", mine)
    assert kept.documents("me") is mine
    kept.forget("me")
    assert kept.documents("me") is None


def test_a_closed_page_drops_them_soon_unless_the_visitor_comes_back(clock) -> None:
    kept = Sessions()
    kept.keep("me", library())
    kept.leave("me")
    clock[0] += LEFT - 1
    assert kept.documents("me") is not None
    clock[0] += LEFT
    assert kept.has("me")
    kept.leave("me")
    clock[0] += LEFT
    kept.tidy()
    assert len(kept) == 0


def test_a_flood_finds_no_room_and_pushes_nobody_out(clock) -> None:
    size = library().nbytes
    kept = Sessions(per_session=2 * size, total=8 * size)
    kept.keep("me", mine := library(), "mine")
    for number in range(2):
        kept.keep(f"flood {number}", library(), "one address")
    with pytest.raises(BusyError, match=r"^There is no room for more documents now: .*\.$"):
        kept.keep("flood 2", library(), "one address")
    for number in range(5):
        kept.keep(f"many {number}", library(), f"address {number}")
    with pytest.raises(BusyError):
        kept.keep("many 5", library(), "another address")
    assert kept.documents("me") is mine
    kept.keep("me", library("another"), "mine")  # in the place of the first
    with pytest.raises(PromptError, match=r"please upload fewer\.$"):
        kept.keep("me", library(size=10_000), "mine")


def test_questions_are_kept_beside_documents(clock) -> None:
    kept, given = Sessions(), QuestionSet((Question("1", "Who?", ("Ulla",)),))
    kept.keep("me", library())
    kept.keep_questions("me", "/a.csv", given)
    assert kept.questions("me", "/a.csv") is given
    assert kept.questions("you", "/a.csv") is None
    assert kept.documents("me") is not None
    assert kept.nbytes > library().nbytes


# --- files ---


def test_uploads_have_folders_of_their_own_and_leave_one_by_one(tmp_path) -> None:
    uploads = Uploads(tmp_path)
    first, second = uploads.new("me", 100) / "same.txt", uploads.new("you", 100) / "same.txt"
    assert uploads.nbytes == 200  # until it is known how much they are
    for path in (first, second):
        path.write_text("the same")
        uploads.arrived(path.parent)
    assert uploads.nbytes == 16
    uploads.discard([first, tmp_path / "other.txt", uploads.received / ".." / "lock"])
    assert not first.exists()
    assert second.exists()
    assert uploads.nbytes == 8
    assert uploads.owns(second)
    assert not uploads.owns(f"{uploads.received}/../lock")
    made = uploads.folder / "made" / "evaluation.csv"
    made.parent.mkdir()
    made.touch()
    uploads.tidy(age=-1)
    assert not second.exists()
    assert made.exists()
    uploads.tidy(served=-1)
    assert not made.exists()
    assert uploads.nbytes == 0
    uploads.close()


def test_uploads_find_no_room_beyond_the_total_and_a_quarter_for_each_address(tmp_path) -> None:
    uploads = Uploads(tmp_path, total=100)
    mine = uploads.new("me", 20)  # still coming in, as all of them
    with pytest.raises(BusyError, match=r"^Too many files are being uploaded now: "):
        uploads.new("me", 6)
    uploads.arrived(mine)
    assert uploads.nbytes == 0
    theirs = [uploads.new(address, 30) for address in ("you", "her", "him")]  # alone, it may be more than a quarter
    with pytest.raises(BusyError):
        uploads.new("them", 11)
    with pytest.raises(BusyError):
        uploads.new("you", 1)
    uploads.discard(theirs[:1])
    uploads.new("them", 11)
    uploads.close()


def test_uploads_of_nothing_are_not_too_many(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("spring.web.visitors.uploads.FOLDERS", 8)
    uploads = Uploads(tmp_path)
    for number in range(8):
        uploads.new(f"address {number // 2}")
        if number % 2:
            with pytest.raises(BusyError):
                uploads.new(f"address {number // 2}")
    with pytest.raises(BusyError):
        uploads.new("another")
    uploads.close()


def test_uploads_may_go_while_they_are_counted(tmp_path) -> None:
    uploads, over = Uploads(tmp_path), Event()

    def come_and_go() -> None:
        while not over.is_set():
            folder = uploads.new(nbytes=9)
            (folder / "a.txt").write_text("abc")
            uploads.arrived(folder)
            uploads.discard([folder])

    with ThreadPoolExecutor(3) as pool:
        visitors = [pool.submit(come_and_go) for _ in range(3)]
        try:
            sizes = [uploads.nbytes for _ in range(500)]
        finally:
            over.set()
    assert [visitor.result() for visitor in visitors] == [None] * 3
    assert set(sizes) <= {*range(0, 28, 3)}
    assert uploads.nbytes == 0
    uploads.close()


def test_only_folders_that_no_server_holds_are_swept(tmp_path) -> None:
    alive = Uploads(tmp_path)
    dead = tmp_path / "dead"
    (dead / "received").mkdir(parents=True)
    (dead / "lock").touch()
    (tmp_path / "of others").mkdir()
    another = Uploads(tmp_path)
    assert alive.folder.is_dir()
    assert not dead.exists()
    assert (tmp_path / "of others").is_dir()
    alive.close()
    another.close()
    assert [path.name for path in tmp_path.iterdir()] == ["of others"]


# --- who ---


@pytest.mark.parametrize(
    ("host", "forwarded", "address"),
    [
        ("93.184.216.34", "8.8.8.8", "93.184.216.34"),  # a visitor who claims to be another
        ("10.0.0.7", "1.1.1.1, 8.8.8.8, 10.1.2.3", "8.8.8.8"),
        ("10.0.0.7", "", "10.0.0.7"),
        ("10.0.0.7", "nonsense", "10.0.0.7"),
        ("2a00:1450:4001:81b::200e", "", "2a00:1450:4001:81b::"),
        ("testclient", "", "testclient"),
    ],
)
def test_the_address_is_that_of_the_visitor(host, forwarded, address) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = SimpleNamespace(session_hash="me", client=SimpleNamespace(host=host), headers=headers)
    assert visitor_of(request) == ("me", address)


def test_presence_knows_who_is_connected() -> None:
    presence = Connections()
    assert presence.away("me") == float("inf")
    with presence.here("me"), presence.here("me"):
        assert presence.away("me") == 0
    assert 0 <= presence.away("me") < 1


def test_who_comes_back_is_no_longer_remembered_as_the_first_who_left(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("spring.web.visitors.connections.CLOCK", lambda: now[0])
    presence = Connections()
    for name in ("faithful", "gone", "gone too", "faithful"):
        with presence.here(name):
            pass
        now[0] += REMEMBERED / 3
    now[0] += REMEMBERED / 2
    with presence.here("another"):
        pass
    assert list(presence._left) == ["faithful", "another"]
