"""One answer as its pieces come from a server."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from spring.data.cleaning import without_surrogates
from spring.generation.answer_writer import AnswerWriter
from spring.generation.types import Answer, DecodingOptions, GenerationRequest
from spring.models.tokenization import Tokenization


class ServedAnswer:
    """Ids and snapshot of one answer.

    Its text is made from the ids, as the local engine makes it. A server that sends no ids sends text, which is taken
    as it is, and its ids are those of the text.

    Args:
        request: what was asked.
        options: where an answer is cut.
        tokenization: ids to text.
        eos_ids: ids that end an answer.

    """

    def __init__(
        self, request: GenerationRequest, options: DecodingOptions, tokenization: Tokenization, eos_ids: Set[int]
    ) -> None:
        self._writer = AnswerWriter(request, options, tokenization, eos_ids)
        self._tokenization, self._eos_ids = tokenization, eos_ids
        self._one_line = request.stop_at_newline
        self._text = ""  # of a server that sends no ids
        self.answer: Answer = self._writer.answer

    @property
    def ids(self) -> tuple[int, ...]:
        """Those generated so far."""
        return tuple(self._writer.ids or (self._tokenization.ids_of(self.answer.text) if self.answer.text else ()))

    def add(self, choice: Mapping[str, Any], seconds: float) -> None:
        """Add a piece.

        Args:
            choice: of the server's stream.
            seconds: since the request.

        """
        if self.answer.ended:
            return
        ended, ids = choice.get("finish_reason"), choice.get("token_ids")
        if ids is None:
            self._add_text(choice.get("text", ""), ended, seconds)
        else:
            self._add_ids(ids, ended, choice.get("stop_reason"), seconds)

    def _add_ids(self, ids: Sequence[int], ended: object, reason: object, seconds: float) -> None:
        for id in ids:
            self._writer.add(id, seconds)
        if ended == "stop" and self._eos_ids:  # its last id may have been left out
            self._writer.add(min(self._eos_ids & {reason} or self._eos_ids), seconds)
        self.answer = self._writer.answer
        if ended and not self.answer.ended:
            self.answer = replace(self.answer, ended="length")

    def _add_text(self, text: str, ended: object, seconds: float) -> None:
        self._text += text
        so_far = without_surrogates(self._text).strip()  # halves of a pair may come one by one
        whole, newline, _ = so_far.partition("\n") if self._one_line else (so_far, "", "")
        if newline:
            self.answer = replace(self.answer, ended="stop", ended_by="\n")
        elif ended:
            stop = ended == "stop"
            name = self._tokenization.token_name(min(self._eos_ids)) if stop and self._eos_ids else ""
            self.answer = replace(self.answer, ended="stop" if stop else "length", ended_by=name)
        self.answer = replace(
            self.answer,
            text=whole.rstrip(),
            new_tokens=self.answer.new_tokens + bool(text),  # one piece is one token as a rule
            first_token_seconds=self.answer.first_token_seconds or seconds,
            seconds=seconds,
        )
