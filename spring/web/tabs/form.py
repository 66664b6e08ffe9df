"""The form beside the tabs: documents, question and options, which all tabs use."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr

from spring.data.loaders.registry import FILE_KINDS, FILE_TYPES
from spring.data.questions import Question
from spring.errors import SpringError
from spring.web.html.status import file_list, queue_line, status
from spring.web.shared import Shared
from spring.web.tabs.browser_storage import FORGET_KEY, KEEP_KEY, READ_KEY
from spring.web.tabs.wiring import Updates, connect
from spring.web.visitors.documents import OWN, joined_answers
from spring.web.visitors.progress import lines_of
from spring.web.visitors.requests import (
    EXPECTED_TOKENS,
    LONGEST_QUESTION,
    MOST_NEW_TOKENS,
    NO_BASELINE,
    is_same_origin,
    text_of,
    visitor_of,
)

EXAMPLES = 5
FOLD = '<button id="fold" type="button" aria-expanded="false">Settings</button>'  # page.js says what they are
IN_WORDS = [  # the third answer, by what stands in the place of the tokens
    ("worked examples", "examples"),
    ("instruction", "instruction"),
    ("chat template", "chat"),
    ("none", NO_BASELINE),
]
TAKE_SUGGESTED = """(suggested, question, expected) =>
  suggested && suggested.instead === question ? [suggested.question, suggested.expected] : [question, expected]"""
FILE_LEGEND = f'<p class="legend">{", ".join(FILE_KINDS)}</p>'


class Form:
    """Layout and handlers.

    `inputs` holds the components whose values handlers may ask for, each under its `elem_id`: a new option is one
    component there, and a parameter of the handlers that need it.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared, self.documents = shared, shared.documents
        self.inputs: dict[str, Any] = {}
        self.examples: list[gr.Button] = []
        self.when_loaded: dict[Any, Callable[[int], Any]] = {}  # updates of components for a number of tokens
        self.tabs: gr.Tabs  # made by the layout, as is the name of the one that is selected
        self.selected: gr.State
        self.ask: gr.Button
        self.stop: gr.Button
        self.link: gr.Button
        self.linked: gr.HTML
        self.removed: Any  # event after which the visitor's documents are removed

    # --- layout ---

    def lay_out_question(self) -> None:
        """Build what comes first on every screen; call it inside `gr.Blocks`, before `lay_out_settings`."""
        examples = self.documents.examples(self.documents.collections[0])
        self._add(
            gr.Textbox(
                value=examples[0].question if examples else "",
                label="Question",
                placeholder="What do you want to know from the documents?",
                lines=1,
                max_lines=4,
                html_attributes=gr.InputHTMLAttributes(enterkeyhint="send"),
                elem_id="question",
            )
        )
        with gr.Row(elem_id="buttons"):
            self.ask = gr.Button("Compare", variant="primary", scale=3, min_width=120, elem_id="compare")
            self.stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
        with gr.Row(elem_id="tools"):
            self.link = gr.Button("Link", size="sm", min_width=80, elem_id="link")
            gr.Button("Stage", size="sm", min_width=80, elem_id="stage")  # page.js has what it does
        self.linked = gr.HTML(elem_id="linked")

    def lay_out_settings(self) -> None:
        """Build what phones and the stage fold, and connect what belongs to the form alone."""
        gr.HTML(FOLD, elem_id="fold-line")
        self._lay_out_tokens()
        self._lay_out_documents()
        self._lay_out_options()
        self._connect_documents()

    def _add(self, component: Any) -> Any:
        """Offer a component's value to the handlers under its `elem_id`."""
        self.inputs[component.elem_id] = component
        return component

    def _lay_out_tokens(self) -> None:
        examples = self.documents.examples(self.documents.collections[0])[:EXAMPLES]
        k = self._add(
            gr.Slider(0, EXPECTED_TOKENS, value=EXPECTED_TOKENS, step=1, label="k, virtual tokens", elem_id="k")
        )
        self.when_loaded[k] = lambda count: gr.update(maximum=count, value=count)
        with gr.Accordion("Example questions", open=True, elem_id="examples"):
            for index in range(EXAMPLES):
                text = examples[index].question if index < len(examples) else ""
                self.examples.append(
                    gr.Button(text, size="sm", elem_classes="example", elem_id=f"example_{index}", visible=bool(text))
                )

    def _lay_out_documents(self) -> None:
        names = self.documents.collections
        self._add(gr.Radio(names, value=names[0], label="Documents", elem_id="collection"))
        with gr.Accordion("Upload your own documents", open=not self.documents.samples) as self.uploading:
            gr.HTML(FILE_LEGEND)
            self.upload_box = gr.File(
                file_count="multiple", file_types=list(FILE_TYPES), height=120, elem_id="upload", label="Files"
            )
            self.file_list = gr.HTML(elem_id="files")
            self.remove = gr.Button("Remove my documents", size="sm", elem_id="remove")
        self.key = gr.Textbox("", visible=False, elem_id="visitor-key")
        self.suggested = gr.JSON(visible=False)
        self.removed_elsewhere = gr.Button(visible="hidden", elem_id="removed-elsewhere")  # page.js presses it

    def _lay_out_options(self) -> None:
        self._add(gr.Slider(1, 10, value=3, step=1, label="Passages retrieved", elem_id="passage_count"))
        self._add(gr.Radio(IN_WORDS, value="examples", label="Words in place of the tokens", elem_id="baseline"))
        self._add(gr.Checkbox(label="Blind test: hide which answer is which until you choose", elem_id="blind"))
        with gr.Accordion("Advanced settings", open=False):
            examples = self.documents.examples(self.documents.collections[0])
            self._add(
                gr.Textbox(
                    value=joined_answers(examples[0] if examples else None),
                    label="Expected answer (optional)",
                    info="Gives exact match and F1; separate several with |. An example's is for its own question.",
                    max_length=LONGEST_QUESTION,
                    elem_id="expected",
                )
            )
            self._add(
                gr.Slider(
                    1, MOST_NEW_TOKENS, value=50, step=1, label="Longest answer, tokens", elem_id="max_new_tokens"
                )
            )
            self._add(
                gr.Slider(0, 2, value=0, step=0.1, label="Temperature", info="0 is greedy", elem_id="temperature")
            )

    def _connect_documents(self) -> None:
        collection = self.inputs["collection"]
        examples = {f"example_{index}": button for index, button in enumerate(self.examples)}
        connect(collection.change, self.choose, name="choose_collection", inputs=self.inputs, outputs=examples)
        # Not whenever it changes: a link, and what the browser has saved, come with their question.
        self._suggest_after(collection.input, "suggest")
        shown = {"upload": self.upload_box, "collection": self.inputs["collection"], "files": self.file_list}
        read = connect(
            self.upload_box.upload,
            self.upload,
            name="upload",
            inputs={"files": self.upload_box, "key": self.key},
            outputs=shown | {"key": self.key},
            js=f"async files => [files, ({READ_KEY})()]",
            queue=True,
            concurrency_limit=None,  # the request queue decides who waits
            show_progress="full",
        )
        read.then(None, self.key, js=KEEP_KEY, api_visibility="private")
        self._suggest_after(read.then, "suggest_uploaded")
        self.removed = connect(
            [self.remove.click, self.removed_elsewhere.click], self.forget, name="remove_documents", outputs=shown
        )
        self.removed.success(None, js=FORGET_KEY, api_visibility="private")
        self._suggest_after(self.removed.then, "suggest_removed")

    def _suggest_after(self, event: Any, name: str) -> None:
        """Suggest a question when the visitor has chosen a collection."""
        question = [self.inputs[name] for name in ("question", "expected")]
        chosen = connect(event, self.suggest, name=name, inputs=self.inputs, outputs={"suggested": self.suggested})
        # In the browser, as the visitor may have typed since the handler was sent the question.
        chosen.then(None, [self.suggested, *question], question, js=TAKE_SUGGESTED, api_visibility="private")

    def most_tokens(self) -> int:
        """The largest k; what it usually is until the model is loaded."""
        try:
            return len(self.shared.engine.tokens) if self.shared.is_settled else EXPECTED_TOKENS
        except SpringError:
            return EXPECTED_TOKENS

    # --- handlers ---

    def upload(self, request: gr.Request, files: list[str] | None, key: object = None) -> Iterator[Updates]:
        """Read the uploaded files and add them to the visitor's documents; each file gets its line.

        They are added to what another tab of the browser has uploaded, if `key` is that of its documents.
        """
        visitor, address = visitor_of(request)
        key = key if is_same_origin(request) else ""
        self.shared.sessions.resume(visitor, key)
        queue, files = self.shared.reading, files or []
        queued = queue.join(visitor, address)
        try:
            for place in queue.wait(queued):
                yield {"files": status(queue_line(place))}
            if not queued.over:
                add = partial(self.documents.add, files, queued, visitor, address)
                results, is_usable = yield from lines_of(add, lambda line: {"files": status(line)})
                chosen = {"collection": OWN, "key": self.shared.sessions.new_key(visitor, key)} if is_usable else {}
                yield {"upload": None, "files": file_list(results), **chosen}
        except SpringError as error:
            yield {"upload": None, "files": status(str(error), kind="error")}
        finally:
            queued.ended = True  # should the page be gone, what still reads for it stops
            queue.finish(queued)
            self.documents.discard(files)

    def forget(self, request: gr.Request) -> Updates:
        """Drop the visitor's documents and what quotes them, and stop reading those that are being read."""
        self.shared.remove_documents(visitor_of(request)[0])
        return {"collection": self.documents.collections[0], "files": ""}

    def choose(self, collection: str) -> Updates:
        """Show the chosen collection's examples."""
        return _example_buttons(self.documents.examples(collection))

    def suggest(self, collection: str, question: str) -> Updates:
        """Suggest the first example in place of no question and of other examples; what the visitor typed stays."""
        examples = self.documents.examples(collection)
        typed = text_of(question).strip()
        is_foreign = self.documents.is_example(typed) and typed not in [known.question for known in examples]
        suggested = None
        if not typed or is_foreign:
            first = examples[0] if examples else None
            suggested = {
                "instead": question,
                "question": first.question if first else "",
                "expected": joined_answers(first),
            }
        return {"suggested": suggested}

    def example(self, collection: str, index: int) -> Updates:
        """The question of an example's button, and its golden answers."""
        examples = self.documents.examples(collection)
        if index >= len(examples):
            return {}
        return {"question": examples[index].question, "expected": joined_answers(examples[index])}


def _example_buttons(questions: Sequence[Question]) -> dict[str, Any]:
    texts = [question.question for question in questions[:EXAMPLES]]
    shown = [gr.update(value=text, visible=True) for text in texts]
    shown += [gr.update(visible=False)] * (EXAMPLES - len(texts))
    return {f"example_{index}": update for index, update in enumerate(shown)}
