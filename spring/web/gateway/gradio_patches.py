"""What Gradio remembers of every session: bounded, nothing of what was asked, and let go of once the visitor has left.

Gradio 6.31 takes a session's name from whoever calls and keeps things by it for as long as the server runs.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import gradio as gr
from gradio.blocks import BlocksConfig
from gradio.queueing import Queue
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache

CLOCK = time.monotonic
MESSAGES = 2000  # sessions whose messages are kept, as in Gradio
GONE = 60.0  # seconds after which a visitor without a connection is gone
UNLOADING = 5.0  # seconds that the calls which a closed page still makes may take
TIDY_SECONDS = 5.0

Away = Callable[[str], float]  # seconds for which a session has had no stream of results, as in `Connections.away`


class Messages(LRUCache[str, "asyncio.Queue[Any]"]):
    """What was not yet sent to each session; used in the server's event loop alone.

    In Gradio's own the first to come is the first to go, whoever still waits, and the next message to a session
    that is not there raises a KeyError, which stops the queue for everybody.
    """

    def __init__(self, away: Away) -> None:
        super().__init__(MESSAGES)
        self._away = away
        self._used: dict[str, float] = {}  # by CLOCK

    def __missing__(self, session: str) -> "asyncio.Queue[Any]":
        """Messages to a session that is no longer here are read by nobody."""
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
        """Gradio deletes whoever loses the connection, and does not clean up after it if that fails."""
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
    """The values of `gr.State`, and which components look different, of every session; tidies all else as well.

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
        """As in Gradio; who calls after the page was closed is back."""
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
        """Nothing: there is then no place for a value."""
        return {}


def _like(layout: BlocksConfig, kind: type[BlocksConfig]) -> BlocksConfig:
    new = kind(layout.root_block)
    vars(new).update(vars(layout))
    return new


def bound(demo: gr.Blocks, away: Away) -> None:
    """Have a page that is being served keep little of its visitors.

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
    """Forget the events of sessions that are gone, and what Gradio notes of files and of stopped answers.

    To be called in the event loop of the server.
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
