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
from spring.web.visitors.requests import is_same_origin, visitor_of
from spring.web.visitors.sessions import KEY, LEFT, PAGES, Sessions
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
    kept.keep_questions("me", {"/a.csv": given})
    assert kept.questions("me", "/a.csv") is given
    assert kept.questions("you", "/a.csv") is None
    assert kept.documents("me") is not None
    assert kept.nbytes > library().nbytes


def test_a_browser_finds_its_documents_again_by_a_key_and_nobody_does_without(clock) -> None:
    kept = Sessions()
    assert kept.new_key("first") == ""  # there are no documents
    kept.keep("first", mine := library())
    key = kept.new_key("first")
    assert KEY.fullmatch(key)
    assert kept.new_key("first", key) == ""
    assert kept.resume("second", key) is mine
    kept.keep("second", more := library("more"))  # in the place of the first, for both
    assert kept.documents("first") is kept.documents("second") is more
    assert kept.nbytes == more.nbytes
    assert kept.new_key("second", key) == ""
    for wrong in (
        "",
        None,
        7,
        [key],
        {"key": key},
        key[:-1],
        key + "A",
        "é" * 43,
        "A" * 43,
        "x" * 10**6,
        "\ud800" * 43,
    ):
        assert kept.resume("thief", wrong) is None
    assert kept.documents("thief") is None
    kept.keep("other", theirs := library("theirs"))
    assert kept.resume("other", key) is theirs  # whoever has documents keeps them
    assert kept.resume("", key) is None
    assert kept.documents("") is None


def test_a_key_is_good_for_as_long_as_the_documents_are_kept(clock) -> None:
    kept = Sessions()
    kept.keep("first", mine := library())
    key = kept.new_key("first")
    assert kept.resume("second", key) is mine
    kept.leave("first")  # a browser may say so after the page is loaded again
    clock[0] += LEFT
    assert kept.resume("third", key) is mine
    for page in ("second", "third"):
        kept.leave(page)
    clock[0] += LEFT
    assert kept.resume("fourth", key) is None
    for page in ("first", "third"):
        with pytest.raises(PromptError, match="no longer here"):
            kept.documents(page)
    assert Sessions().resume("first", key) is None  # after a restart
    assert [*kept._resumed, *kept._keys, *kept._sessions] == []


def test_documents_that_are_removed_are_so_for_every_page_and_the_key(clock) -> None:
    kept = Sessions()
    kept.keep("first", library())
    key = kept.new_key("first")
    kept.resume("second", key)
    assert kept.pages("second") == ["second", "first"]
    kept.forget("second")
    assert kept.documents("first") is kept.documents("second") is kept.resume("third", key) is None
    assert [*kept._resumed, *kept._keys, *kept._sessions] == []
    kept.keep("first", library())
    lost, new = kept.new_key("first"), kept.new_key("first", "lost")
    assert kept.resume("second", lost) is None
    assert kept.resume("second", new) is not None


def test_the_pages_of_one_key_are_bounded(clock) -> None:
    kept = Sessions()
    kept.keep("first", mine := library())
    key = kept.new_key("first")
    kept.resume("open", key)
    for number in range(3 * PAGES):
        assert kept.resume(f"page {number}", key) is mine
        kept.leave(f"page {number}")
    assert len(kept._resumed) <= PAGES
    assert len(kept.pages("first")) <= PAGES + 1
    assert kept.documents("open") is mine  # closed pages are forgotten first


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
    assert not uploads.owns(uploads.received)
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
    ("headers", "same"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "https://spring.example", "host": "inner:7860"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://spring.example", "host": "spring.example"}, False),
        ({"origin": "http://192.168.0.7:7860", "host": "192.168.0.7:7860"}, True),
        ({"origin": "http://192.168.0.7:8000", "host": "192.168.0.7:7860"}, False),
        ({"origin": "https://spring.example", "host": "inner:7860", "x-forwarded-host": "spring.example"}, True),
        ({"origin": "null", "host": "spring.example"}, False),
        ({"origin": "http://[", "host": "spring.example"}, False),
        ({"host": "spring.example"}, True),  # a program
        ({}, True),
    ],
)
def test_another_sites_page_is_told_from_ours(headers, same) -> None:
    assert is_same_origin(SimpleNamespace(headers=headers)) is same


@pytest.mark.parametrize(
    ("host", "forwarded", "address"),
    [
        ("93.184.216.34", "8.8.8.8", "93.184.216.34"),  # a visitor who claims to be another
        ("10.0.0.7", "1.1.1.1, 8.8.8.8, 10.1.2.3", "8.8.8.8"),
        ("10.0.0.7", "", "10.0.0.7"),
        ("10.0.0.7", "nonsense", "10.0.0.7"),
        ("10.0.0.7", "8.8.8.8, unknown, ", "8.8.8.8"),
        ("10.0.0.7", "8.8.8.8:5555", "8.8.8.8"),
        ("10.0.0.7", "[2a00:1450:4001:81b::200e]:80", "2a00:1450:4001:81b::"),
        ("10.0.0.7", "[2a00:1450:4001:81b::200e]", "2a00:1450:4001:81b::"),
        ("10.0.0.7", "::ffff:8.8.8.8", "8.8.8.8"),
        ("::ffff:8.8.8.8", "9.9.9.9", "8.8.8.8"),
        ("::ffff:10.0.0.7", "8.8.8.8", "8.8.8.8"),
        ("100.64.0.5", "8.8.8.8", "8.8.8.8"),
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
