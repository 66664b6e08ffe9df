"""The tab Compare: one question, answered without virtual tokens, with words in their place, and with k of them."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from spring.generation.comparison import Comparison, compare
from spring.web.html.comparison import answer_cards, prompt_view, said_first
from spring.web.html.passages import passage_list
from spring.web.html.status import progress_line, status
from spring.web.shared import Shared
from spring.web.tabs.blind import CLEARED as NO_BLIND_TEST
from spring.web.tabs.blind import Blind
from spring.web.tabs.explain import CLEARED, Explanation
from spring.web.tabs.form import Form
from spring.web.tabs.streaming import Pace, StreamingAction, buttons
from spring.web.tabs.tab import Tab
from spring.web.tabs.what_if import CLEARED as NO_PASSAGES
from spring.web.tabs.what_if import COLLECT, Asked, WhatIf
from spring.web.tabs.wiring import Updates
from spring.web.visitors.documents import OWN
from spring.web.visitors.request_queue import QueuedRequest
from spring.web.visitors.requests import comparison_settings, question_text, within

# On a phone the answers are below the form: scroll there.
SCROLL = "() => { if (innerWidth < 800) document.getElementById('tabs')?.scrollIntoView(spring.motion()) }"
BEFORE = '<div class="status">Press Compare, or choose an example.</div>'
EMPTY_CARDS = """
<div class="cards n3">
<section class="card without"><h3>without virtual tokens</h3><div class="answer"><span class="empty">
The frozen model answers from the passages alone.</span></div></section>
<section class="card words"><h3>in words</h3><div class="answer"><span class="empty">
The same, with three worked examples written between passages and question.</span></div></section>
<section class="card with"><h3>with virtual tokens</h3><div class="answer"><span class="empty">
The same model, passages and question, with k learned virtual tokens between them.</span></div></section>
</div>
"""


class CompareTab(Tab):
    """Layout and handlers."""

    name = "Compare"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.explanation, self.what_if, self.blind = Explanation(shared), WhatIf(shared), Blind(shared, self._revealed)
        cleared = {**CLEARED, **NO_BLIND_TEST}
        removed = {**cleared, **NO_PASSAGES, "answers": EMPTY_CARDS, "passages": "", "prompt": ""}
        self.action = StreamingAction(
            name="compare", shared=shared, queue=shared.queue, run=self.run, cleared=cleared, removed=removed
        )

    def lay_out(self, form: Form) -> None:
        """Status, answers, passages and prompt; the buttons are the form's."""
        self.form = form
        outputs: dict[str, Any] = {
            "status": gr.HTML(BEFORE, elem_id="status"),
            "answers": gr.HTML(EMPTY_CARDS, elem_id="answers"),
        }
        outputs |= self.blind.lay_out()
        outputs |= self.explanation.lay_out()
        with gr.Accordion("Retrieved passages", open=True):
            outputs["passages"] = gr.HTML(elem_id="passages")
            outputs |= self.what_if.lay_out()
        with gr.Accordion("What the model saw", open=False):
            outputs["prompt"] = gr.HTML(elem_id="prompt")
        outputs |= {"run": form.ask, "stop": form.stop}
        self.blind.connect(outputs)
        question, k, examples = form.inputs["question"], form.inputs["k"], [button.click for button in form.examples]
        self.action.connect(
            [form.ask.click, question.submit, k.release, self.what_if.again.click, *examples],
            inputs=form.inputs | {"selected": form.selected, "edits": self.what_if.edits, "base": outputs["base"]},
            outputs=outputs,
            begin=self.begin,
            begin_outputs={
                "tabs": form.tabs,
                "selected": form.selected,
                "question": question,
                "expected": form.inputs["expected"],
                "edits": self.what_if.edits,
            },
            begin_js=COLLECT,
            removed=form.removed,
        )
        gr.on([form.ask.click, question.submit, *examples], fn=None, js=SCROLL, api_visibility="private")

    def begin(self, request: gr.Request, event: gr.EventData, selected: str, collection: str, edits: object) -> Updates:
        """Fill in the example that was pressed, and ask: the button from every tab, all else from this one."""
        form, updates = self.form, dict[str, Any]()
        # By elem_id: in place of a component that has changed, Gradio passes another one with another number.
        pressed = getattr(event.target, "elem_id", None)
        examples = [button.elem_id for button in form.examples]
        if pressed in examples:
            updates |= form.example(collection, examples.index(pressed))
        if pressed in (form.ask.elem_id, None):
            updates |= {"tabs": gr.Tabs(selected=self.name), "selected": self.name}
        elif selected != self.name:
            return {**updates, "ticket": 0}
        return {
            **updates,
            **self.what_if.begin(pressed == self.what_if.again.elem_id, edits),
            **self.action.begin(request),
        }

    def run(
        self,
        queued: QueuedRequest,
        question: str,
        collection: str,
        k: float,
        passage_count: float,
        baseline: str,
        expected: str,
        max_new_tokens: float,
        temperature: float,
        blind: bool = False,
        edits: object = None,
        base: float = 0,
    ) -> Iterator[Updates]:
        """Stream status, answers, passages and prompt."""
        self.blind.tests.close(queued.visitor)
        asked = self.what_if.asked(queued.visitor, base, edits)
        asked = asked or self._asked(queued.visitor, question, collection, expected)
        settings = comparison_settings((0, k), passage_count, max_new_tokens, baseline, temperature)
        last, pace, engine = None, Pace(), self.shared.engine
        settings = within(settings, len(engine.tokens))
        for comparison in compare(engine, asked.retriever, asked.question, settings, asked.hits):
            if not blind and pace.is_due():
                yield self._snapshot(comparison, asked, is_first=last is None)
            elif blind and last is None:
                yield self.blind.running(comparison, asked)
            last = comparison
            if queued.over:
                break
        if last is None or queued.discarded:
            return
        if blind:
            done = last.progress.done
            yield self.blind.complete(queued.visitor, last, asked) if done else self.blind.void(last, asked)
            return
        shown = self._revealed(queued.visitor, queued.address, last, asked, self.shared.ending(queued))
        if queued.discarded:  # the documents were removed while this was kept
            self.shared.history.forget_own(queued.visitor)
        yield shown

    def _asked(self, visitor: str, question: str, collection: str, expected: str) -> Asked:
        """A question from the form."""
        documents = self.shared.documents
        golden = documents.expected_answers(question, expected)
        retriever = documents.library(collection, visitor).retriever
        return Asked(question_text(question), golden, collection == OWN, retriever)

    def _revealed(
        self, visitor: str, address: str, comparison: Comparison, asked: Asked, ended: str = ""
    ) -> dict[str, Any]:
        """What a comparison looks like in the end, all of it; `ended` says why that is not its own."""
        shown = self._snapshot(comparison, asked, is_first=True, ended=ended or progress_line(comparison))
        return {**shown, **self._kept(visitor, address, comparison, asked)}

    def _kept(self, visitor: str, address: str, comparison: Comparison, asked: Asked) -> dict[str, Any]:
        """Keep a comparison that is complete, so that it can be explained; not one of documents removed meanwhile."""
        sessions = self.shared.sessions
        if not comparison.progress.done or (asked.is_own and not sessions.has(visitor)):
            return {}
        number = self.shared.history.keep(visitor, comparison, asked.golden, asked.is_own, address, asked.found)
        updates = {"explained": number, "explain": gr.update(interactive=number > 0)}
        if asked.hits is None and comparison.hits:
            updates |= {"base": number, "again": gr.update(interactive=number > 0)}
        return updates

    def _snapshot(
        self, comparison: Comparison, asked: Asked, is_first: bool = False, ended: str = ""
    ) -> dict[str, Any]:
        """What a comparison looks like now; `ended` says how it ended."""
        alone, notes = said_first(comparison, asked.found)
        updates: dict[str, Any] = {
            "status": status(ended or progress_line(comparison), notes),
            "answers": answer_cards(
                comparison.answers, comparison.question, asked.golden, running=not ended, alone=alone
            ),
        }
        if is_first:
            is_learned = bool(self.shared.engine.tokens.learned)
            updates["prompt"] = prompt_view(comparison, comparison.answers[1].virtual_tokens, is_learned)
        if is_first or ended:
            updates |= {"passages": passage_list(comparison, bool(ended), asked.found), **buttons(not ended)}
        return updates
