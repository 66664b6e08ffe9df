"""Links: the address of a question, with its QR code, and the form filled in by one."""

import json
from typing import Any

import gradio as gr

from spring.errors import SpringError
from spring.web.html.link import link_view
from spring.web.html.status import status
from spring.web.shared import Shared
from spring.web.tabs.form import Form
from spring.web.tabs.wiring import Updates, connect
from spring.web.visitors.documents import OWN
from spring.web.visitors.links import checked_address, read_link

# Presses the same button as a visitor would, once: the address forgets it, so that a reload asks nothing.
RUN = "run => run && spring.run()"
COPY = f"() => spring.link({json.dumps(OWN)})"


class Links:
    """Handlers."""

    def __init__(self, shared: Shared, form: Form) -> None:
        self.shared, self.form, self.documents = shared, form, shared.documents

    def connect(self, opened: Any) -> None:
        """Connect the button, and fill in the form after the event `opened`; call it inside `gr.Blocks`."""
        form, address = self.form, gr.Textbox(visible=False)
        is_set = gr.Checkbox(visible=False)
        connect(
            form.link.click,
            self.share,
            name="share_link",
            inputs={"address": address, "copied": is_set},
            outputs={"linked": form.linked},
            js=COPY,
        )
        names = ("collection", "question", "expected", "k", "passage_count")
        filled = connect(
            opened.then,
            self.open,
            name="open_link",
            inputs={"query": address},
            outputs={name: form.inputs[name] for name in names} | {"linked": form.linked, "run": is_set},
            js="() => location.search",
        )
        filled.then(None, inputs=is_set, js=RUN, api_visibility="private")

    def share(self, address: str, copied: bool) -> Updates:
        """Show the address that the browser made of the form."""
        try:
            checked = checked_address(address, self.documents.samples, self.form.most_tokens())
        except SpringError as error:
            return {"linked": status(str(error), kind="error")}
        return {"linked": link_view(checked, copied is True)}

    def open(self, query: str) -> Updates:
        """Fill in the form from the address that was opened."""
        link = read_link(query, self.documents.samples, self.form.most_tokens())
        updates = {**link.values, "run": link.run}
        if link.note:
            updates["linked"] = status(link.note, kind="error")
        if question := link.values.get("question"):
            updates["expected"] = self.documents.expected_of(link.values.get("collection"), question)
        return updates
