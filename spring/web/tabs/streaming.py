"""A streaming action: started by a click, queued, streamed to the page, stopped; wired once for all tabs."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from spring.errors import SpringError
from spring.web.html.status import status
from spring.web.shared import RequestStopped, Shared
from spring.web.tabs.wiring import Components, Updates, connect, parameters
from spring.web.visitors.documents import OWN
from spring.web.visitors.request_queue import QueuedRequest, RequestQueue
from spring.web.visitors.requests import visitor_of

REMOVED = "Your documents are removed, and with them what quoted them."
SHOW_EVERY = 0.05  # seconds from one snapshot to the next: a page that draws 20 a second is read as one that flows


class Pace:
    """When to show a snapshot: the model may write faster than a browser draws.

    Who leaves snapshots out shows the last one in the end.
    """

    def __init__(self) -> None:
        self._next = 0.0

    def is_due(self) -> bool:
        """Whether none was shown for a while."""
        if (now := time.monotonic()) < self._next:
            return False
        self._next = now + SHOW_EVERY
        return True


@dataclass(kw_only=True)
class StreamingAction:
    """Work that is started by a button, waits in a request queue, streams its results, and can be stopped.

    Args:
        name: unique; handlers are called `{name}_begin`, `{name}_stream`, `{name}_stop` and `{name}_fail`.
        shared: the model.
        queue: where it waits; a visitor has one request in each queue, a newer one ends the one before.
        run: called with the queued request and its inputs by name; yields `Updates`. It may raise a `SpringError`,
            which is shown as the status. It ends when `request.over`.
        starting: status shown at once.
        failure: status shown after an error that nobody expected.
        cleared: further updates at the start.
        removed: what is shown once the visitor's documents are removed.
        replaced_by: other actions that, begun since, take the place of its results on the page.

    """

    name: str
    shared: Shared
    queue: RequestQueue
    run: Callable[..., Iterator[Updates]]
    starting: str = "Asking …"
    failure: str = "Something went wrong with this question; please ask again."
    cleared: Updates = field(default_factory=dict)
    removed: Updates = field(default_factory=dict)
    replaced_by: Sequence[str] = ()

    def begin(self, request: gr.Request) -> Updates:
        """End what the visitor has in the queue, and show at once that the click was noticed."""
        ticket = self.queue.begin(*visitor_of(request), self.name)
        return {"ticket": ticket, "status": status(self.starting), **buttons(True), **self.cleared}

    def stream(self, request: gr.Request, ticket: float, **inputs: Any) -> Iterator[Updates]:
        """Show what `run` yields, until a newer request of the same action takes its place on the page."""
        visitor, _ = visitor_of(request)
        queued = self.queue.take(visitor, ticket, self._is_own(visitor, inputs))
        if queued is None:  # never begun, or ended while it waited in Gradio's own queue
            yield _ended("Stopped.") if ticket and not self._is_superseded(visitor, ticket) else {}
            return
        try:
            for updates in self._steps(queued, inputs):
                if self._is_superseded(visitor, ticket):
                    return
                if queued.discarded:
                    break
                yield updates
            if queued.discarded and not self._is_superseded(visitor, ticket):
                yield self.remove()  # what was sent in the moment before arrives before this
        finally:
            self.queue.finish(queued)

    def _is_superseded(self, visitor: str, ticket: float) -> bool:
        names = (self.name, *self.replaced_by)
        return any(self.queue.is_superseded(visitor, name, ticket) for name in names)

    def _is_own(self, visitor: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the visitor's own documents are read."""
        # What is explained or asked again may be about other documents than those chosen now.
        earlier = inputs.get("explained" if inputs.get("edits") is None else "base")
        if earlier is None:
            return bool(inputs.get("collection") == OWN)
        kept = self.shared.history.find(visitor, earlier)
        return kept is None or kept.is_own

    def _steps(self, queued: QueuedRequest, inputs: Mapping[str, Any]) -> Iterator[Updates]:
        quotes = {"quotes": queued.is_own} if "collection" in inputs else {}
        try:
            for line in self.shared.wait(queued, self.queue):
                yield {"status": status(line)}
            for updates in self.run(queued, **inputs):
                yield {**updates, **quotes}
        except SpringError as error:
            yield _ended(str(error), "" if isinstance(error, RequestStopped) else "error")

    def stop(self, request: gr.Request) -> Updates:
        """End the visitor's request, running or waiting; what is shown stays, and `stream` says how it ended."""
        self.queue.end(visitor_of(request)[0], self.name)
        return buttons(False)

    def remove(self, quotes: bool = True) -> Updates:
        """Show nothing of documents that were removed; `quotes` says whether anything of them is shown."""
        return {**_ended(REMOVED), **self.removed} if quotes else {}

    def fail(self) -> Updates:
        """Say that something unexpected went wrong."""
        return _ended(self.failure, "error")

    def connect(
        self,
        triggers: Sequence[Any],
        inputs: Components,
        outputs: Components,
        begin: Callable[..., Updates] | None = None,
        begin_outputs: Components | None = None,
        begin_js: str | None = None,
        removed: Any = None,
    ) -> None:
        """Wire the action; call it inside `gr.Blocks`.

        Args:
            triggers: events that start it.
            inputs: components that `run` and `begin` may have parameters for.
            outputs: what changes, by name: `status`, `run` (the button that starts), `stop`, and the action's own.
            begin: in the place of `self.begin`; it returns an update of `ticket`, 0 to start nothing.
            begin_outputs: further outputs of `begin`.
            begin_js: a JavaScript function that makes the inputs of `begin`, in the order of its parameters.
            removed: event after which the visitor's documents are removed; `run` has a parameter `collection`.

        """
        ticket = gr.Number(0, visible=False, elem_id=f"{self.name}_ticket")
        if removed is not None:
            outputs = {**outputs, "quotes": gr.Checkbox(visible=False, elem_id=f"{self.name}_quotes")}
        begun = connect(
            triggers,
            begin or self.begin,
            name=f"{self.name}_begin",
            inputs=inputs,
            outputs={"ticket": ticket, **outputs, **(begin_outputs or {})},
            trigger_mode="multiple",
            js=begin_js,
        )
        streamed = connect(
            begun.then,
            self.stream,
            name=f"{self.name}_stream",
            inputs={"ticket": ticket, **parameters(self.run, inputs)},
            outputs=outputs,
            queue=True,
            concurrency_limit=None,  # the request queue decides who waits
            trigger_mode="multiple",
            show_progress="minimal",
            show_progress_on=[outputs["status"]],
        )
        if removed is not None:
            # Through Gradio's queue, so that it arrives after all that was sent before.
            connect(
                removed.then,
                self.remove,
                name=f"{self.name}_removed",
                inputs={"quotes": outputs["quotes"]},
                outputs=outputs,
                queue=True,
                concurrency_limit=None,
            )
        both = {name: outputs[name] for name in ("run", "stop")}
        connect(streamed.failure, self.fail, name=f"{self.name}_fail", outputs={"status": outputs["status"], **both})
        # Said by the browser itself: the server's answer may come after the last that is streamed.
        said = f"() => {json.dumps(status('Stopped.'))}"
        outputs["stop"].click(None, None, outputs["status"], js=said, api_visibility="private")
        connect(outputs["stop"].click, self.stop, name=f"{self.name}_stop", outputs=both)


def _ended(line: str, kind: str = "") -> Updates:
    return {"status": status(line, kind=kind), **buttons(False)}


def buttons(running: bool) -> Updates:
    """What the button that starts and the one that stops look like."""
    return {"run": gr.update(interactive=not running), "stop": gr.update(interactive=running)}
