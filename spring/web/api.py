"""The endpoint `/compare` for programs."""

import itertools
from collections.abc import Sequence
from typing import Any

import gradio as gr

from spring.errors import ModelError, PromptError, SpringError
from spring.generation.comparison import as_dict, compare
from spring.rag.library import Library
from spring.web.tabs.compare import Page
from spring.web.visitors.collections import OWN
from spring.web.visitors.requests import comparison_settings, question_text, visitor_of


class Api:
    """The handler; a program's questions wait in the same queue as the page's."""

    def __init__(self, page: Page) -> None:
        self.page = page
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
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Answer a question from documents without and with k virtual tokens.

        Args:
            question: what to ask.
            virtual_tokens: k, from 0 to the number of tokens there are (50).
            passages: how many passages are retrieved, 1 to 20.
            collection: name of a sample collection, for example "Orlo station".
            documents: files to ask about instead of a collection (PDF, DOCX, HTML, Markdown, TXT, CSV, JSONL).
            instruction: one more answer, told in words instead of by virtual tokens.
            max_new_tokens: longest answer, 1 to 256 tokens.
            temperature: 0 is greedy.
            request: filled in by Gradio.

        Returns:
            question, backbone, precision, passages [{rank, score, document, page, text}], prompt {before, after},
            answers [{virtual_tokens, instruction, text, new_tokens, seconds}].

        """
        page, shelf = self.page, self.page.shelf
        visitor, address = visitor_of(request)
        turn, held = None, f"{visitor} {next(self._numbers)}"
        try:
            settings = comparison_settings((0, virtual_tokens), passages, max_new_tokens, instruction, temperature)
            text = question_text(question)
            if documents:
                library = self._read(documents, visitor, address)
                page.sessions.keep(held, library, address)  # what waits with it counts towards the budgets
            else:
                library = shelf.library(collection, visitor)
            turn = page.turns.join(visitor, address)
            for _ in page.until_ready(turn):
                pass
            for comparison in compare(page.engine, library.retriever, text, settings):
                if comparison.progress.done:
                    return as_dict(comparison, page.engine)
                if turn.over:
                    break
            raise ModelError(page.ending(turn))
        except SpringError as error:
            raise gr.Error(str(error), print_exception=False) from error
        finally:
            if turn:
                page.turns.finish(turn)
            page.sessions.forget(held)
            shelf.discard(documents or [])

    def _read(self, documents: Sequence[str], visitor: str, address: str) -> Library:
        """Read files when it is their turn."""
        shelf, turn = self.page.shelf, self.page.reading.join(visitor, address)
        try:
            for _ in self.page.reading.wait(turn):
                pass
            library = Library.build(OWN, shelf.read(documents, turn))
        finally:
            self.page.reading.finish(turn)
        if not library.collection.passages:
            raise PromptError("; ".join(result.line for result in library.collection.results))
        return library
