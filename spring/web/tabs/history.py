"""The tab History: the comparisons of this visit, shown again without the model, copied, and exported."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from spring.web import export
from spring.web.html.comparison import answer_cards, said_first
from spring.web.html.passages import passage_list
from spring.web.html.status import progress_line, status
from spring.web.tabs.form import Form
from spring.web.tabs.tab import Tab
from spring.web.tabs.wiring import Updates, connect
from spring.web.visitors.history import KEPT, Kept
from spring.web.visitors.requests import visitor_of

LEGEND = f"""<p class="legend">The last {KEPT} comparisons of this visit, as they were answered. They are kept in the
server's memory for you alone, and go when you leave; those that quote your documents go with them.</p>"""
NONE_YET = '<div class="status">Nothing is kept yet: ask a question, and wait for its answers.</div>'
CHOOSE = '<div class="status">Choose a comparison.</div>'
LONGEST_LABEL = 100  # characters
FORMATS = {"Markdown": "md", "CSV": "csv", "JSON": "json"}
# The clipboard of a page that did not come over https is written in the old way.
COPY = """async text => {
  if (!text) return 'Choose a comparison first.';
  try { await navigator.clipboard.writeText(text); return 'Copied as Markdown.'; } catch {}
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  return copied ? 'Copied as Markdown.' : 'The browser does not let this page copy.';
}"""
DOWNLOAD = """file => {
  if (!file?.text) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([file.text], {type: 'text/plain;charset=utf-8'}));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}"""


class HistoryTab(Tab):
    """Layout and handlers; nothing here asks the model."""

    name = "History"

    def lay_out(self, form: Form) -> None:
        """The list, one comparison, and the buttons; the list is made anew whenever the tab is opened."""
        gr.HTML(LEGEND)
        entries = gr.Radio([], label="Comparisons", visible=False, elem_id="history-list")
        # Gradio forgets the choices of a visitor who is away for some minutes, as phones are, sooner than we what is
        # kept, and would refuse what the page still shows. `History.find` takes whatever comes.
        entries.preprocess = lambda payload: payload  # type: ignore[method-assign]
        with gr.Row():
            exports = {
                name: gr.Button(f"Export as {name}", size="sm", elem_id=f"export-{end}")
                for name, end in FORMATS.items()
            }
            copy = gr.Button("Copy as Markdown", size="sm", elem_id="copy-markdown")
            clear = gr.Button("Clear", size="sm", elem_id="history-clear")
        outputs: dict[str, Any] = {
            "entries": entries,
            "line": gr.HTML(NONE_YET, elem_id="history-status"),
            "answers": gr.HTML(elem_id="history-answers"),
            "passages": gr.HTML(elem_id="history-passages"),
            "markdown": gr.Textbox(visible=False, elem_id="history-markdown"),
        }
        chosen = {"chosen": entries}
        connect(form.tabs.select, self.open, name="history_open", inputs=chosen, outputs=outputs)
        connect(entries.input, self.show, name="history_show", inputs=chosen, outputs=outputs)
        connect(clear.click, self.clear, name="history_clear", outputs=outputs)
        connect(form.removed.then, self.removed, name="history_removed", inputs=chosen, outputs=outputs)
        copy.click(
            None, [outputs["markdown"]], [outputs["line"]], js=COPY, api_visibility="private", show_progress="hidden"
        )
        file = gr.JSON(visible=False, elem_id="history-file")
        for name, button in exports.items():
            handler = {"Markdown": self.export_markdown, "CSV": self.export_csv, "JSON": self.export_json}[name]
            made = connect(button.click, handler, name=f"history_{FORMATS[name]}", outputs={"file": file})
            made.then(None, [file], None, js=DOWNLOAD, api_visibility="private", show_progress="hidden")

    # --- handlers ---

    def open(self, request: gr.Request, event: gr.SelectData, chosen: float | None) -> Updates:
        """List what is kept; what was chosen stays, if it is still kept."""
        return self._listed(request, chosen) if event.value == self.name else {}

    def show(self, request: gr.Request, chosen: float | None) -> Updates:
        """Show one comparison as it was answered."""
        kept = self.shared.history.find(visitor_of(request)[0], chosen)
        if kept is None:  # expired, or removed in another tab of the browser
            return self._listed(request, None)
        comparison = kept.comparison
        alone, notes = said_first(comparison, kept.found)
        return {
            "line": status(progress_line(comparison), notes),
            "answers": answer_cards(comparison.answers, comparison.question, kept.golden, alone=alone),
            "passages": passage_list(comparison, done=True, found=kept.found),
            "markdown": export.as_markdown([kept]),
        }

    def clear(self, request: gr.Request) -> Updates:
        """Drop everything that is kept for the visitor."""
        self.shared.history.clear(visitor_of(request)[0])
        return self._listed(request, None)

    def removed(self, request: gr.Request, chosen: float | None) -> Updates:
        """Drop, and no longer show, what quotes the documents that the visitor removes."""
        self.shared.history.forget_own(visitor_of(request)[0])
        return self._listed(request, chosen)

    def export_markdown(self, request: gr.Request) -> Updates:
        """All comparisons of the visitor as a Markdown file."""
        return self._file("md", export.as_markdown(self._all(request)))

    def export_csv(self, request: gr.Request) -> Updates:
        """All comparisons of the visitor as a table; the mark in front tells spreadsheets that it is UTF-8."""
        return self._file("csv", "\N{ZERO WIDTH NO-BREAK SPACE}" + export.as_csv(self._all(request)))

    def export_json(self, request: gr.Request) -> Updates:
        """All comparisons of the visitor as `/compare` returns them."""
        history = self._all(request)
        return self._file("json", export.as_json(history, self.shared.engine) if history else "[]")

    def _file(self, ending: str, text: str) -> Updates:
        return {"file": {"name": f"spring-history.{ending}", "text": text}}

    def _all(self, request: gr.Request) -> Sequence[Kept]:
        return self.shared.history.of(visitor_of(request)[0])

    def _listed(self, request: gr.Request, chosen: float | None) -> Updates:
        """The list, newest first, and nothing below it unless what was chosen is still kept."""
        history = self._all(request)
        choices = [(_label(kept), kept.number) for kept in reversed(history)]
        is_kept = any(kept.number == chosen for kept in history)
        updates: dict[str, Any] = {
            "entries": gr.update(choices=choices, value=chosen if is_kept else None, visible=bool(choices))
        }
        if not is_kept:
            updates |= {"line": CHOOSE if choices else NONE_YET, "answers": "", "passages": "", "markdown": ""}
        return updates


def _label(kept: Kept) -> str:
    question = " ".join(kept.comparison.question.split())
    if len(question) > LONGEST_LABEL:
        question = f"{question[: LONGEST_LABEL - 1]}…"
    most = max(answer.virtual_tokens for answer in kept.comparison.answers)
    count = len(kept.comparison.hits)
    parts = [f"k = {most}", f"{count} passage{'' if count == 1 else 's'}"]
    parts += [f"{len(hits)} {name}" for name, hits in (("edited", kept.edited), ("left out", kept.left_out)) if hits]
    return f"{question} ({', '.join(parts)})"
