"""The endpoint `/compare` for programs."""

import itertools
from collections.abc import Sequence
from typing import Any

import gradio as gr

from spring.data.loaders.registry import FILE_TYPES
from spring.errors import ModelError, PromptError, SpringError
from spring.generation.comparison import as_dict, compare
from spring.rag.library import Library
from spring.web.shared import Shared
from spring.web.visitors.documents import OWN
from spring.web.visitors.requests import baseline_names, comparison_settings, question_text, visitor_of

EXPECTED_TOKENS = 50  # the default of k


class Api:
    """The handler; a program's questions wait in the same queue as the page's."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._numbers = itertools.count(1)

    def compare(
        self,
        question: str,
        virtual_tokens: float = 50,
        passages: float = 3,
        collection: str = "",
        documents: list[str] | None = None,
        instruction: bool = False,
        max_new_tokens: float = 50,
        temperature: float = 0.0,
        baseline: str | list[str] | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Answer a question from documents without and with k virtual tokens.

        Args:
            question: what to ask.
            virtual_tokens: k, from 0 to the number of tokens there are (50).
            passages: how many passages are retrieved, 1 to 20.
            collection: name of a sample collection, for example "Orlo station".
            documents: files to ask about instead of a collection (PDF, Word, Excel, HTML, text and others).
            instruction: short for the baseline "instruction".
            max_new_tokens: longest answer, 1 to 256 tokens.
            temperature: 0 is greedy.
            baseline: more answers, with words in place of the virtual tokens: one or several of "instruction" (the
                paper's instruction), "examples" (three worked examples) and "chat" (the model's chat template), in a
                list or separated by commas; "plain" is the answer for k = 0, which is always there.
            request: filled in by Gradio.

        Returns:
            question, backbone, precision, passages [{rank, score, document, page, text}], prompt {before, after},
            answers [{virtual_tokens, baseline, instruction, text, new_tokens, ended_by, seconds}].

        """
        shared, documents_of = self.shared, self.shared.documents
        visitor, address = visitor_of(request)
        queued, held = None, f"{visitor} {next(self._numbers)}"
        try:
            baselines = (*baseline_names(baseline), *(["instruction"] if instruction else []))
            settings = comparison_settings((0, virtual_tokens), passages, max_new_tokens, baselines, temperature)
            text = question_text(question)
            if documents:
                library = self._read(documents, visitor, address)
                shared.sessions.keep(held, library, address)  # counts towards the memory budgets while it waits
            else:
                library = documents_of.library(collection, visitor)
            queued = shared.queue.join(visitor, address)
            for _ in shared.wait(queued):
                pass
            for comparison in compare(shared.engine, library.retriever, text, settings):
                if comparison.progress.done:
                    return as_dict(comparison, shared.engine)
                if queued.over:
                    break
            raise ModelError(shared.ending(queued))
        except SpringError as error:
            raise gr.Error(str(error), print_exception=False) from error
        finally:
            if queued:
                shared.queue.finish(queued)
            shared.sessions.forget(held)
            documents_of.discard(documents or [])

    def _read(self, files: Sequence[str], visitor: str, address: str) -> Library:
        """Wait in the queue for reading files, and read them."""
        queued = self.shared.reading.join(visitor, address)
        try:
            for _ in self.shared.reading.wait(queued):
                pass
            library = Library.build(OWN, self.shared.documents.read(files, queued))
        finally:
            self.shared.reading.finish(queued)
        if not library.collection.passages:
            raise PromptError("; ".join(result.line for result in library.collection.results))
        return library


def add_api(shared: Shared) -> None:
    """Add the endpoints; their inputs are components that the page does not show. Call it inside `gr.Blocks`."""
    inputs = {
        "question": gr.Textbox(visible=False),
        "virtual_tokens": gr.Number(EXPECTED_TOKENS, visible=False),
        "passages": gr.Number(3, visible=False),
        "collection": gr.Textbox(shared.documents.collections[0], visible=False),
        "documents": gr.File(None, file_count="multiple", file_types=list(FILE_TYPES), visible=False),
        "instruction": gr.Checkbox(False, visible=False),
        "max_new_tokens": gr.Number(50, visible=False),
        "temperature": gr.Number(0, visible=False),
        "baseline": gr.JSON([], visible=False),
    }
    gr.Button(visible=False).click(
        Api(shared).compare,
        list(inputs.values()),
        gr.JSON(visible=False),
        api_name="compare",
        concurrency_limit=None,  # the request queue decides who waits
    )
