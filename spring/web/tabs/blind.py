"""The blind test of the tab Compare: the answers are shown behind letters until the visitor has chosen."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from spring.errors import PromptError
from spring.generation.comparison import Comparison
from spring.web.html import blind as html
from spring.web.html.comparison import said_first
from spring.web.html.passages import passage_list
from spring.web.html.status import status
from spring.web.shared import Shared
from spring.web.tabs.streaming import buttons
from spring.web.tabs.what_if import Asked
from spring.web.tabs.wiring import Components, Updates, connect
from spring.web.visitors.blind_tests import LETTERS, BlindTests
from spring.web.visitors.requests import visitor_of

WAITING = "Answering; the answers are shown when all are complete …"
CHOOSE = "Which answers are good? Tick one, several or none, then reveal which is which."
VOID = "This round does not count: it was stopped before all answers were complete, so none is shown."
GONE = "These answers are no longer here: their documents were removed."
# Until the answers of a blind test are complete.
CLEARED: Updates = {"blind_box": gr.update(visible=False)}


class Hidden(NamedTuple):
    """What a blind test shows."""

    comparison: Comparison
    asked: Asked


class Blind:
    """Layout and handlers.

    Args:
        shared: visitors' documents.
        show: what an open comparison looks like: visitor, address, comparison, what was asked.

    """

    def __init__(self, shared: Shared, show: Callable[[str, str, Comparison, Asked], Updates]) -> None:
        self.shared, self.show = shared, show
        self.tests: BlindTests[Hidden] = shared.blind_tests

    def lay_out(self) -> dict[str, Any]:
        """The choice, below the answers; the tick box that switches blind tests on is the form's.

        Returns:
            The components that a comparison changes.

        """
        with gr.Column(visible=False, elem_id="blind-box") as box:
            choice = gr.CheckboxGroup(list(LETTERS[:3]), label="Good answers", elem_id="blind-choice")
            self.button = gr.Button("Reveal", variant="primary", elem_id="reveal")
        self.choice = choice
        return {"blind_box": box, "choice": choice, "tally": gr.HTML(elem_id="tally")}

    def connect(self, outputs: Components) -> None:
        """Connect the button; `outputs` are those of the comparison."""
        connect(self.button.click, self.reveal, name="reveal", inputs={"choice": self.choice}, outputs=outputs)

    def running(self, comparison: Comparison, asked: Asked) -> Updates:
        """What is shown until all answers are complete: nothing of any of them."""
        alone, notes = said_first(comparison, asked.found)
        return {
            "status": status(WAITING, notes),
            "answers": html.cards([""] * len(comparison.answers), comparison.question, alone, running=True),
            "passages": passage_list(comparison, found=asked.found),
            "prompt": "",
            **buttons(True),
        }

    def complete(self, visitor: str, comparison: Comparison, asked: Asked) -> Updates:
        """The answers' texts behind letters, in random order."""
        answers = comparison.answers
        kinds = [answer.title for answer in answers]
        order = self.tests.hide(visitor, Hidden(comparison, asked), kinds, asked.is_own)
        alone, notes = said_first(comparison, asked.found)
        return {
            "status": status(CHOOSE, notes),
            "answers": html.cards([answers[place].text for place in order], comparison.question, alone),
            "blind_box": gr.update(visible=True),
            "choice": gr.update(choices=list(LETTERS[: len(order)]), value=[]),
            **buttons(False),
        }

    def void(self, comparison: Comparison, asked: Asked) -> Updates:
        """What is shown of answers that were stopped: none of them, as a part of one would tell which it is."""
        alone, notes = said_first(comparison, asked.found)
        count = len(comparison.answers)
        return {
            "status": status(VOID, notes),
            "answers": html.cards([""] * count, comparison.question, alone, empty=html.NOT_SHOWN),
            **buttons(False),
        }

    def reveal(self, request: gr.Request, choice: Any) -> Updates:
        """Show which answer is which, with everything that was hidden, and count the choice."""
        visitor, address = visitor_of(request)
        try:
            hidden, kinds = self.tests.reveal(visitor, choice)
            if hidden.asked.is_own and not self.shared.sessions.has(visitor):
                raise PromptError(GONE)
        except PromptError as error:
            return {"status": status(str(error), kind="error")}
        shown = self.show(visitor, address, *hidden)
        if hidden.asked.is_own and not self.shared.sessions.has(visitor):  # removed meanwhile
            self.shared.history.forget_own(visitor)
            return {"status": status(GONE, kind="error")}
        return {
            **shown,
            "status": status(html.verdict(choice, kinds)),
            "blind_box": gr.update(visible=False),
            "tally": html.tally(self.tests.tally(visitor)),
        }
