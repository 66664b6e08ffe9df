"""All patches of Gradio's internals, each with its reason.

Gradio 6.31 takes a session's name from the caller and keeps data under it for as long as the server runs. Here that is
bounded, holds nothing of what was asked, and is dropped once the visitor has left. `tests/web/test_gradio_patches.py`
has a test for each patch that fails when Gradio no longer needs it; the version is pinned in requirements.txt.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import gradio as gr
from gradio import route_utils
from gradio.blocks import BlocksConfig
from gradio.queueing import Queue
from gradio.routes import file_upload_statuses
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache

from spring.settings import READING_LIMITS

CLOCK = time.monotonic
MESSAGES = 2000  # sessions whose messages are kept, as in Gradio
GONE = 60.0  # seconds after which a visitor without a connection is gone
UNLOADING = 5.0  # seconds that the calls which a closed page still makes may take
TIDY_SECONDS = 5.0

GradioParser = route_utils.GradioMultiPartParser
Away = Callable[[str], float]  # seconds for which a session has had no stream of results, as in `Connections.away`


class BoundedParser(GradioParser):
    """Parse the body of an upload: files only, and no more than one visitor may have.

    Gradio accepts 1,000 files, each of which stays open until the whole body has arrived; fields that are not files are
    kept in memory without a bound, and its progress reports fail on them with an AttributeError.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings | {"max_files": READING_LIMITS.files, "max_fields": 0})


# `route_utils.upload_fn` takes no bounds from its callers, but looks this name up whenever it is called.
route_utils.GradioMultiPartParser = BoundedParser  # type: ignore[misc]


def forget_progress(upload: str) -> None:
    """Forget the progress of an upload.

    Gradio keeps it until somebody has followed it to the end, and a signal for every name it was asked for, for ever.
    """
    file_upload_statuses.stop_tracking(upload)
    file_upload_statuses._signals.pop(upload, None)


class Messages(LRUCache[str, "asyncio.Queue[Any]"]):
    """What was not yet sent to each session; used in the server's event loop only.

    Gradio evicts the session that came first, even one that is connected, and the next message to an evicted session
    raises a KeyError, which stops the queue for everybody.
    """

    def __init__(self, away: Away) -> None:
        super().__init__(MESSAGES)
        self._away = away
        self._used: dict[str, float] = {}  # by CLOCK

    def __missing__(self, session: str) -> "asyncio.Queue[Any]":
        """Discard messages to a session that is no longer here."""
        return asyncio.Queue()

    def __getitem__(self, session: str) -> "asyncio.Queue[Any]":
        self._touch(session)
        return super().__getitem__(session)

    def __setitem__(self, session: str, messages: "asyncio.Queue[Any]") -> None:
        if session not in self and len(self) >= self.max_size:
            del self[next(filter(self._is_gone, self), next(iter(self)))]
        super().__setitem__(session, messages)
        self._touch(session)

    def __delitem__(self, session: str) -> None:
        """Delete a session that may be gone already: Gradio does not clean up after an error here."""
        if session in self:
            super().__delitem__(session)
            del self._used[session]

    def unused(self, session: str) -> float:
        """Seconds since a message was put or taken, or since the visitor was connected; infinite if never."""
        return min(CLOCK() - self._used.get(session, -math.inf), self._away(session))

    def _is_gone(self, session: str) -> bool:
        return self._away(session) > GONE

    def _touch(self, session: str) -> None:
        if session in self:
            self.move_to_end(session)
            self._used[session] = CLOCK()


class States(StateHolder):
    """The values of `gr.State`, and which components look different, of every session; also calls `tidy`.

    Gradio keeps what a session looked like after its page was closed.

    Args:
        demo: the page, which is being served.
        away: how long a session has had no stream of results.

    """

    def __init__(self, demo: gr.Blocks, away: Away) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._demo, self._away = demo, away
        self._closed: dict[str, float] = {}  # when the page was closed, by CLOCK
        self._tidied = -math.inf
        self.set_blocks(demo)

    def __getitem__(self, session_id: str) -> SessionState:
        """As in Gradio; a call after the page was closed opens the session again."""
        if CLOCK() - self._closed.get(session_id, math.inf) > UNLOADING:
            del self._closed[session_id]
            if session_id in self.session_data:
                self.session_data[session_id].is_closed = False
        return super().__getitem__(session_id)

    def delete_all_expired_state(self) -> None:
        """Gradio calls this in its event loop, once a second."""
        super().delete_all_expired_state()  # type: ignore[no-untyped-call]
        self._drop_closed()
        if CLOCK() - self._tidied >= TIDY_SECONDS:
            self._tidied = CLOCK()
            tidy(self._demo)

    def _drop_closed(self) -> None:
        for session, state in list(self.session_data.items()):
            if state.is_closed:
                self._closed.setdefault(session, CLOCK())
        for session in [name for name, closed in self._closed.items() if CLOCK() - closed > GONE]:
            if self._away(session) > GONE:
                self.session_data.pop(session, None)
                self.time_last_used.pop(session, None)
                del self._closed[session]


class _Layout(BlocksConfig):
    """The page's components; each session has a copy."""

    def __copy__(self) -> BlocksConfig:
        return _like(super().__copy__(), _SessionLayout)  # type: ignore[no-untyped-call]


class _SessionLayout(BlocksConfig):
    """The components as they are for one session.

    Gradio would keep what every call is given and returns in their configuration, for links to a page with all of
    it (`SessionState.config_values`); there are no such links here.
    """

    @staticmethod
    def config_for_block(*_: Any, **__: Any) -> dict[str, Any]:
        """Return an empty configuration, so that there is no place for a value."""
        return {}


def _like(layout: BlocksConfig, kind: type[BlocksConfig]) -> BlocksConfig:
    new = kind(layout.root_block)
    vars(new).update(vars(layout))
    return new


def bound(demo: gr.Blocks, away: Away) -> None:
    """Patch a page that is being served, so that it keeps little of its visitors.

    Args:
        demo: the page.
        away: how long a session has had no stream of results, as in `Connections.away`.

    """
    messages = Messages(away)
    messages.update(demo._queue.pending_messages_per_session)
    demo._queue.pending_messages_per_session = messages
    demo.default_config = _like(demo.default_config, _Layout)
    demo.app.state_holder = States(demo, away)


def tidy(demo: gr.Blocks) -> None:
    """Forget the events of sessions that are gone, and Gradio's records of files and of stopped answers.

    Gradio removes none of these. Call it in the event loop of the server.
    """
    queue: Queue = demo._queue
    running = dict(queue.event_ids_to_events)
    _forget(queue, {event.session_hash for event in running.values()})
    demo.app.iterators_to_reset &= running.keys()
    for paths in demo.temp_file_sets:
        paths.clear()  # only Gradio's own deleting of old files reads them; ours goes by the folders


def _forget(queue: Queue, running: Iterable[str]) -> None:
    """Drop messages and events of the sessions that are gone; those whose events are running stay."""
    messages, events = queue.pending_messages_per_session, queue.pending_event_ids_session
    assert isinstance(messages, Messages)
    for session in {*messages, *events}.difference(running):
        if messages.unused(session) > GONE:
            del messages[session]
            events.pop(session, None)
