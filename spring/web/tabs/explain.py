"""Why this answer? The section below the answers that attributes them to the passages, on demand."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from spring.errors import PromptError
from spring.generation.attribution import attribute
from spring.web.html import explanation as html
from spring.web.html.status import status
from spring.web.shared import Shared
from spring.web.tabs.streaming import StreamingAction, buttons
from spring.web.tabs.wiring import Updates
from spring.web.visitors.request_queue import QueuedRequest

GONE = "There is no answer of yours to explain: ask a question, wait for its answers, then ask why."
# Until the answers of a comparison are complete.
CLEARED: Updates = {
    "explained": 0,
    "explain": gr.update(interactive=False),
    "explain_stop": gr.update(interactive=False),
    "explain_status": "",
    "bars": "",
    "ribbon": "",
}


class Explanation:
    """Layout and handlers; it waits in the model's queue, and a newer comparison ends it."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.action = StreamingAction(
            name="explain",
            shared=shared,
            queue=shared.queue,
            run=self.run,
            starting="Asking why …",
            failure="Something went wrong with this explanation; please ask again.",
            cleared={"bars": "", "ribbon": ""},
            removed={"status": "", "bars": "", "ribbon": "", "run": gr.update(interactive=False)},
            replaced_by=("compare",),
        )

    def lay_out(self) -> dict[str, Any]:
        """Button, status, bars and ribbon.

        Returns:
            The components that a comparison changes, as in `CLEARED`.

        """
        number = gr.Number(0, visible=False, elem_id="explained")
        with gr.Row():
            run = gr.Button("Why this answer?", interactive=False, size="sm", elem_id="explain")
            stop = gr.Button("Stop", interactive=False, size="sm", scale=0, min_width=90, elem_id="explain-stop")
        line = gr.HTML(elem_id="explain-status")
        outputs: dict[str, Any] = {
            "status": line,
            "bars": gr.HTML(elem_id="bars"),
            "ribbon": gr.HTML(elem_id="ribbon"),
            "run": run,
            "stop": stop,
        }
        self.action.connect([run.click], inputs={"explained": number}, outputs=outputs)
        changed = {"explained": number, "explain": run, "explain_stop": stop, "explain_status": line}
        return changed | {name: outputs[name] for name in ("bars", "ribbon")}

    def run(self, queued: QueuedRequest, explained: float) -> Iterator[Updates]:
        """Stream bars and ribbon for one of the visitor's own comparisons."""
        kept = self.shared.history.find(queued.visitor, explained)
        if kept is None:
            raise PromptError(GONE)
        last, ribbons = None, 0
        for attribution in attribute(self.shared.engine, kept.comparison):
            if queued.over:
                break
            if last is not None and attribution.done == last.done:
                continue
            updates = {
                "status": status(html.progress_line(attribution)),
                "bars": html.bars(attribution, kept.comparison),
            }
            if ribbons < min(attribution.done, 2):  # then it stays as it is, and so does what the visitor chose there
                ribbons = min(attribution.done, 2)
                updates["ribbon"] = html.ribbon(attribution, kept.comparison)
            yield {**updates, **buttons(True)}
            last = attribution
        ended = self.shared.ending(queued)
        if ended:
            yield {"status": status(ended), **buttons(False)}
        elif last is not None:
            yield buttons(False)
