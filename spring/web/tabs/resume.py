"""After a reload: the form as it was, and the documents that the browser has the key of."""

from typing import Any

import gradio as gr

from spring.web.html.status import file_list
from spring.web.shared import Shared
from spring.web.tabs.browser_storage import READ, RESTORED, save
from spring.web.tabs.form import Form
from spring.web.tabs.wiring import Updates, connect
from spring.web.visitors.documents import OWN
from spring.web.visitors.requests import LONGEST_QUESTION, is_same_origin, text_of, visitor_of


class Resume:
    """Handlers.

    Args:
        shared: visitors' documents.
        form: whatever is added to its inputs comes back after a reload.

    """

    def __init__(self, shared: Shared, form: Form) -> None:
        self.shared, self.form = shared, form

    def connect(self, opened: Any) -> Any:
        """Fill in the form after the event `opened`, and remember it from then on; call it inside `gr.Blocks`.

        Returns:
            The event after which the form is filled in.

        """
        inputs = self.form.inputs
        others = {name: component for name, component in inputs.items() if name != "collection"}
        # The collection comes last: when it changes, the question is looked at.
        shown = {"collection": inputs["collection"], "files": self.form.file_list, "uploading": self.form.uploading}
        filled = connect(
            opened.then,
            self.resume,
            name="resume",
            inputs={
                "key": gr.Textbox(visible=False, elem_id="resume-key"),
                "saved": gr.JSON(visible=False, elem_id="resume-form"),
            },
            outputs=others | shown,
            js=READ,
        )
        filled.then(None, js=RESTORED, api_visibility="private")
        gr.on(
            [component.change for component in inputs.values()],
            fn=None,
            inputs=list(inputs.values()),
            js=save(list(inputs)),
            trigger_mode="multiple",
            api_visibility="private",
        )
        return filled

    def resume(self, request: gr.Request, key: object, saved: object) -> Updates:
        """The form as the browser has saved it, and the documents of its key; nothing of what is not usable."""
        documents = self.shared.sessions.resume(visitor_of(request)[0], key if is_same_origin(request) else "")
        given = saved if isinstance(saved, dict) else {}
        parts = {name: part for name, part in self.form.inputs.items() if name in given}
        updates = {name: given[name] for name, part in parts.items() if self._fits(part, given[name])}
        if documents is not None:
            return {**updates, "files": file_list(documents.collection.results), "uploading": gr.Accordion(open=True)}
        if updates.get("collection") == OWN:
            del updates["collection"]
        return updates

    def _fits(self, component: Any, value: object) -> bool:
        """Whether a component of the form may have this value."""
        if isinstance(component, gr.Textbox):
            return isinstance(value, str) and text_of(value) == value and len(value) <= LONGEST_QUESTION
        if isinstance(component, gr.Checkbox):
            return isinstance(value, bool)
        if isinstance(component, gr.Radio):
            return isinstance(value, str) and value in [choice for _, choice in component.choices]
        if not isinstance(component, gr.Slider) or not isinstance(value, int | float) or isinstance(value, bool):
            return False
        most = self.form.most_tokens() if component is self.form.inputs["k"] else component.maximum
        return component.minimum <= value <= most and (component.step != 1 or isinstance(value, int))
