"""The patches of Gradio's internals: what they hold, and that Gradio without them still has the fault.

A test under "still needed" that fails means that a patch can go.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import gradio as gr
import pytest
from gradio import route_utils
from gradio.route_utils import FileUploadProgress
from gradio.state_holder import SessionState
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.testclient import TestClient

from spring.settings import READING_LIMITS
from spring.web.gateway import gradio_patches as module
from spring.web.gateway.gradio_patches import MESSAGES, Messages, bound, tidy
from tests.support.servers import in_a_loop

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Gradio leaves its event loops open


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """The loops are collected here, where their warning is let pass, and not during another file's tests."""
    yield
    gc.collect()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, to be set."""
    now = [1000.0]
    monkeypatch.setattr(module, "CLOCK", lambda: now[0])
    return now


@pytest.fixture
def away() -> dict[str, float]:
    """For how long each session has had no connection; whoever is not in it never had one."""
    return {}


@pytest.fixture
def plain(now: list[float]) -> Iterator[gr.Blocks]:
    """A page with a state, a text and a button, not served and not patched."""
    with gr.Blocks(analytics_enabled=False) as demo:
        tab, text, button = gr.State("Compare"), gr.Textbox(), gr.Button()
        button.click(lambda *_: ("Sweep", "answer", gr.Button(interactive=False)), [tab, text], [tab, text, button])
    yield demo
    demo.close(verbose=False)


@pytest.fixture
def demo(plain: gr.Blocks, away: dict[str, float]) -> gr.Blocks:
    """The same, patched."""
    bound(plain, lambda session: away.get(session, float("inf")))
    return plain


def call(demo: gr.Blocks, session: str, text: str = "question") -> SessionState:
    """What is kept after a press of the button."""
    state = demo.app.state_holder[session]
    in_a_loop(demo.process_api(next(iter(demo.fns.values())), [None, text], state, session_hash=session))
    return state


def flood(messages: Messages, count: int = MESSAGES) -> None:
    for number in range(count):
        messages[f"stranger{number}"] = asyncio.Queue()


def test_a_message_to_a_session_that_is_not_there_stops_nothing(demo: gr.Blocks) -> None:
    queue = demo._queue
    lost = SimpleNamespace(alive=True, session_hash="lost", _id="1")
    queue.send_message(lost, SimpleNamespace())  # a KeyError here ended Gradio's loop, and with it the queue
    assert "lost" not in queue.pending_messages_per_session
    del queue.pending_messages_per_session["lost"]


def test_a_flood_of_names_pushes_out_nobody_who_is_connected(demo: gr.Blocks, away: dict[str, float]) -> None:
    messages = demo._queue.pending_messages_per_session
    messages["reader"] = mine = asyncio.Queue()
    away["reader"] = 0.0
    flood(messages)
    assert messages["reader"] is mine
    assert len(messages) == MESSAGES


def test_who_has_just_joined_is_pushed_out_last(demo: gr.Blocks) -> None:
    messages = demo._queue.pending_messages_per_session
    messages["joined"] = mine = asyncio.Queue()
    flood(messages, MESSAGES - 1)
    assert messages["joined"] is mine  # as the queue does for every message to it
    messages["stranger"] = asyncio.Queue()
    assert "joined" in messages
    assert "stranger0" not in messages


def test_if_all_are_connected_the_oldest_goes(now: list[float]) -> None:
    messages = Messages(lambda session: 0.0)
    flood(messages, MESSAGES + 1)
    assert len(messages) == MESSAGES
    assert "stranger0" not in messages


def test_nothing_of_what_was_asked_and_answered_is_kept(demo: gr.Blocks) -> None:
    state = call(demo, "visitor", "the secret word")
    assert state.config_values == {key: {} for key in state.config_values}
    assert list(state.components) == []
    tab, text, button = next(iter(demo.fns.values())).outputs
    assert state[tab._id] == "Sweep"  # what the page needs is there
    assert state[button._id].interactive is False
    assert state[text._id] is text
    assert demo.default_config.config_for_block(text._id, [], text)["type"] == "textbox"


def test_a_session_is_dropped_a_minute_after_its_page_was_closed(demo: gr.Blocks, now: list[float]) -> None:
    states = demo.app.state_holder
    call(demo, "leaver")
    call(demo, "reader")
    states.session_data["leaver"].is_closed = True
    states.delete_all_expired_state()
    call(demo, "leaver")  # the call that the closed page makes
    now[0] += 59
    states.delete_all_expired_state()
    assert set(states.session_data) == {"leaver", "reader"}
    now[0] += 2
    states.delete_all_expired_state()
    assert set(states.session_data) == set(states.time_last_used) == {"reader"}
    now[0] += 3600  # reading takes no calls
    states.delete_all_expired_state()
    assert set(states.session_data) == {"reader"}


def test_who_comes_back_keeps_the_session(demo: gr.Blocks, now: list[float]) -> None:
    states = demo.app.state_holder
    state = call(demo, "visitor")
    state.is_closed = True
    states.delete_all_expired_state()
    now[0] += 30
    assert call(demo, "visitor") is state
    now[0] += 3600
    states.delete_all_expired_state()
    assert states["visitor"] is state


def test_the_events_of_who_is_gone_are_forgotten(demo: gr.Blocks, now: list[float], away: dict[str, float]) -> None:
    queue = demo._queue
    away |= {"reader": 0.0}
    for session in ("gone", "reader", "running"):
        queue.pending_messages_per_session[session] = asyncio.Queue()
        queue.pending_event_ids_session[session] = {f"event of {session}"}
    queue.pending_event_ids_session["pushed out"] = set()
    queue.event_ids_to_events["event of running"] = SimpleNamespace(session_hash="running")
    demo.app.iterators_to_reset |= {"event of running", "event of gone"}
    demo.temp_file_sets[0].add("/tmp/file")
    now[0] += 59
    tidy(demo)
    assert set(queue.pending_messages_per_session) == {"gone", "reader", "running"}
    now[0] += 2
    tidy(demo)
    assert set(queue.pending_messages_per_session) == {"reader", "running"}
    assert set(queue.pending_event_ids_session) == {"reader", "running"}
    assert demo.app.iterators_to_reset == {"event of running"}
    assert not any(demo.temp_file_sets)


# --- still needed: Gradio without the patches ---


class Unread(NamedTuple):
    """An upload as it arrives: what `upload_fn` reads of a request."""

    body: bytes
    headers: Headers = Headers({"Content-Type": "multipart/form-data; boundary=b"})

    async def stream(self) -> AsyncIterator[bytes]:
        yield self.body


def part(head: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="files"{head}\r\n\r\nx\r\n'.encode()


def receive(body: bytes, folder: Path, progress: FileUploadProgress | None = None) -> int:
    """The number of files that are received."""
    paths, *_ = in_a_loop(
        route_utils.upload_fn(Unread(body + b"--b--\r\n"), str(folder), 2**20, "mine", upload_progress=progress)
    )
    return len(paths)


def test_gradio_takes_any_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = part('; filename="a.txt"') * (READING_LIMITS.files + 1)
    with pytest.raises(MultiPartException, match="Too many files"):
        receive(many, tmp_path)
    monkeypatch.setattr(route_utils, "GradioMultiPartParser", module.GradioParser)
    assert receive(many, tmp_path) == READING_LIMITS.files + 1


def test_gradio_fails_on_a_field_that_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MultiPartException, match="Too many fields"):
        receive(part(""), tmp_path, FileUploadProgress())
    monkeypatch.setattr(route_utils, "GradioMultiPartParser", module.GradioParser)
    with pytest.raises(AttributeError):
        receive(part(""), tmp_path, FileUploadProgress())


def test_gradio_remembers_every_upload_that_it_is_asked_for() -> None:
    progress = FileUploadProgress()
    progress.track("mine")
    assert in_a_loop(progress.is_tracked("mine"))
    progress.stop_tracking("mine")
    assert "mine" in progress._signals


def test_gradio_evicts_the_first_session_and_fails_on_messages_to_it(plain: gr.Blocks) -> None:
    messages = plain._queue.pending_messages_per_session
    messages["reader"] = asyncio.Queue()
    flood(messages)
    assert "reader" not in messages
    with pytest.raises(KeyError):
        plain._queue.send_message(SimpleNamespace(alive=True, session_hash="reader", _id="1"), SimpleNamespace())
    with pytest.raises(KeyError):
        del messages["reader"]


def test_gradio_keeps_what_was_asked_and_answered(plain: gr.Blocks) -> None:
    state = call(plain, "visitor", "the secret word")
    assert "answer" in str(state.config_values)


def test_gradio_keeps_closed_sessions(plain: gr.Blocks, now: list[float]) -> None:
    states = plain.app.state_holder
    call(plain, "leaver").is_closed = True
    states.delete_all_expired_state()
    assert "leaver" in states.session_data
    call(plain, "leaver")
    assert states["leaver"].is_closed  # though the visitor is back, so that the state is deleted as of one who left


def test_gradio_keeps_the_events_of_who_is_gone(plain: gr.Blocks) -> None:
    queue = plain._queue
    queue.pending_event_ids_session["gone"] = {"done"}
    in_a_loop(queue.clean_events(session_hash="gone"))
    assert queue.pending_event_ids_session["gone"] == {"done"}


def test_gradio_keeps_the_names_of_stopped_answers_and_of_files(plain: gr.Blocks) -> None:
    async def answer() -> AsyncIterator[str]:
        yield "an answer"

    plain.app.iterators["stopped"] = answer()
    with TestClient(plain.app) as client:
        client.post(
            "/gradio_api/cancel", json={"event_id": "stopped", "session_hash": "me", "fn_index": 0}
        ).raise_for_status()
    plain.temp_file_sets[0].add("/tmp/file")
    plain.app.state_holder.delete_all_expired_state()
    assert plain.app.iterators_to_reset == {"stopped"}
    assert plain.temp_file_sets[0] == {"/tmp/file"}
