"""The endpoint `/compare` for programs."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr
from gradio.components.api_component import Api as Input
from gradio.data_classes import ListFiles
from gradio.utils import get_function_description

from spring.errors import ModelError, PromptError, SpringError
from spring.generation.comparison import MOST_PASSAGES, as_dict, compare
from spring.rag.library import Library
from spring.web.shared import Shared
from spring.web.visitors.progress import Say
from spring.web.visitors.requests import (
    EXPECTED_TOKENS,
    LONGEST_QUESTION,
    MAX_TOKENS,
    MOST_NEW_TOKENS,
    baseline_names,
    comparison_settings,
    question_text,
    text_of,
    visitor_of,
    within,
)

PROGRESS = gr.Progress()  # tells Gradio to pass on, to whoever follows the call, how far the reading of files is
NO_FLAG = "`instruction` must be true or false."
NO_FILES = "`documents` must be a list of files that were uploaded, or null."


class Api:
    """The handler; a program's questions wait in the same queue as the page's."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._numbers = itertools.count(1)

    def compare(
        self,
        question: str,
        virtual_tokens: float | None = None,
        passages: float = 3,
        collection: str = "",
        documents: Sequence[Any] | None = None,
        instruction: bool = False,
        max_new_tokens: float = 50,
        temperature: float = 0.0,
        baseline: str | list[str] | None = None,
        request: gr.Request | None = None,
        progress: gr.Progress = PROGRESS,
    ) -> dict[str, Any]:
        """Answer a question from documents without and with k virtual tokens.

        Args:
            question: what to ask.
            virtual_tokens: k, from 0 to the number of tokens there are (50), and that many if it is left out.
            passages: how many passages are retrieved, 1 to 20.
            collection: name of a sample collection, for example "Orlo station".
            documents: uploaded files to ask about instead of a collection (PDF, Word, Excel, HTML, text and others).
            instruction: short for the baseline "instruction".
            max_new_tokens: longest answer, 1 to 256 tokens.
            temperature: 0 is greedy.
            baseline: more answers in words: "instruction", "examples" (three worked ones) or "chat", one or a list.
            request: filled in by Gradio.
            progress: filled in by Gradio.

        Returns:
            question, backbone, precision, precision_reason, passages [{rank, score, document, page, text}],
            prompt {before, after}, answers [{virtual_tokens, baseline, instruction, text, new_tokens, ended_by,
            seconds}].

        """
        shared, documents_of, files = self.shared, self.shared.documents, list[str]()
        visitor, address = visitor_of(request)
        queued, held = None, f"{visitor} {next(self._numbers)}"
        try:
            if not isinstance(instruction, bool | None):  # "false" would count as true
                raise PromptError(NO_FLAG)
            baselines = (*baseline_names(baseline), *(["instruction"] if instruction else []))
            k = EXPECTED_TOKENS if virtual_tokens is None else virtual_tokens
            settings = comparison_settings((0, k), passages, max_new_tokens, baselines, temperature)
            text, files = question_text(question), _paths(documents)
            if files:
                library = self._read(files, visitor, address, lambda line: progress(None, line))
                shared.sessions.keep(held, library, address)  # counts towards the memory budgets while it waits
            else:
                library = documents_of.library(collection, visitor)
            queued = shared.queue.join(visitor, address)
            for _ in shared.wait(queued):
                pass
            engine = shared.engine
            settings = within(settings, len(engine.tokens)) if virtual_tokens is None else settings
            for comparison in compare(engine, library.retriever, text, settings):
                if comparison.progress.done and not queued.discarded:
                    return as_dict(comparison, engine)
                if queued.over:
                    break
            raise ModelError(shared.ending(queued))
        except SpringError as error:
            raise gr.Error(str(error), print_exception=False) from error
        finally:
            if queued:
                shared.queue.finish(queued)
            shared.sessions.forget(held)
            documents_of.discard(files)

    def _read(self, files: Sequence[str], visitor: str, address: str, say: Say) -> Library:
        """Wait in the queue for reading files, and read them; `say` is called with how far that is."""
        queued = self.shared.reading.join(visitor, address)
        try:
            for _ in self.shared.reading.wait(queued):
                pass
            documents = self.shared.documents
            library = documents.index(documents.read(files, queued, say=say), queued, say)
        finally:
            self.shared.reading.finish(queued)
        if not library.collection.passages:
            raise PromptError("; ".join(result.line for result in library.collection.results))
        return library


def _paths(documents: Any) -> list[str]:
    """The paths of uploaded files, which the gateway has checked.

    Raises:
        PromptError: it is not a list of files.

    """
    files = documents or []
    if not (isinstance(files, list) and all(isinstance(f, Mapping) and text_of(f.get("path")) for f in files)):
        raise PromptError(NO_FILES)
    return [file["path"] for file in files]


class Parameter(NamedTuple):
    """A parameter of `/compare`: its default, None if it has none, and its JSON schema."""

    default: Any
    schema: dict[str, Any]


def parameters(shared: Shared) -> dict[str, Parameter]:
    """The parameters of `/compare` by name, with their documentation from the handler's docstring."""
    files = ListFiles.model_json_schema()
    given = {
        "question": Parameter(None, {"type": "string", "maxLength": LONGEST_QUESTION}),
        "virtual_tokens": Parameter(None, {"type": "integer", "minimum": 0, "maximum": MAX_TOKENS}),
        "passages": Parameter(3, {"type": "integer", "minimum": 1, "maximum": MOST_PASSAGES}),
        "collection": Parameter(shared.documents.collections[0], {"type": "string"}),
        "documents": Parameter(None, files),
        "instruction": Parameter(False, {"type": "boolean"}),
        "max_new_tokens": Parameter(50, {"type": "integer", "minimum": 1, "maximum": MOST_NEW_TOKENS}),
        "temperature": Parameter(0, {"type": "number", "minimum": 0}),
        "baseline": Parameter([], {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    }
    _, documented, _ = get_function_description(Api.compare)
    described = {name: schema | {"description": documented[name]} for name, (_, schema) in given.items()}
    return {name: Parameter(default, described[name]) for name, (default, _) in given.items()}


def add_api(shared: Shared) -> None:
    """Add the endpoint. Call it inside `gr.Blocks`.

    Its inputs take any value, as the handler says better than Gradio's components what is wrong with one.
    """
    inputs: dict[str, Any] = {
        # Gradio's page of the API shows the "additional_description" alone.
        name: Input(default, schema | {"additional_description": schema["description"]}, label=name)
        for name, (default, schema) in parameters(shared).items()
    }
    gr.Button(visible=False).click(
        Api(shared).compare,
        inputs_kwargs=inputs,
        outputs=gr.JSON(visible=False, label="answers"),
        api_name="compare",
        concurrency_limit=None,  # the request queue decides who waits
    )
