"""Write one answer, token by token, until something ends it."""

from collections.abc import Set
from dataclasses import replace
from typing import Literal

from spring.generation.types import Answer, DecodingOptions, GenerationRequest
from spring.models.tokenization import Tokenization


class AnswerWriter:
    """The ids of one answer and the snapshot that they make.

    Args:
        request: what was asked.
        options: where an answer is cut.
        tokenization: ids to text.
        eos_ids: ids that end an answer.

    """

    def __init__(
        self, request: GenerationRequest, options: DecodingOptions, tokenization: Tokenization, eos_ids: Set[int]
    ) -> None:
        self._options, self._tokenization, self._eos_ids = options, tokenization, eos_ids
        self._stop_at_newline = request.stop_at_newline and not options.ignore_eos
        self.ids: list[int] = []
        self.answer = Answer(request.virtual_tokens, request.baseline)

    def add(self, id: int, seconds: float) -> None:
        """Add a token, unless the answer has ended.

        Args:
            id: the token.
            seconds: since the request.

        """
        if self.answer.ended:
            return
        ended: Literal["", "stop", "length"] = ""
        ended_by = ""
        if id in self._eos_ids and not self._options.ignore_eos:
            ended, ended_by = "stop", self._tokenization.token_name(id)
        else:
            self.ids.append(id)
            if self._stop_at_newline and self._first_line_ends():
                ended, ended_by = "stop", "\n"
            elif len(self.ids) == self._options.max_new_tokens:
                ended = "length"
        text = self._tokenization.decode(self.ids)
        if ended_by == "\n":
            text = text.partition("\n")[0].rstrip()
        self.answer = replace(
            self.answer,
            text=text if ended else text.rstrip("\N{REPLACEMENT CHARACTER}"),  # half of a character
            new_tokens=len(self.ids),
            ended=ended,
            ended_by=ended_by,
            first_token_seconds=self.answer.first_token_seconds or seconds,
            seconds=seconds,
        )

    def _first_line_ends(self) -> bool:
        """Whether the latest token ends the first line with text in it; it goes if it adds nothing to that line."""
        decode = self._tokenization.decode_exactly
        line, newline, _ = decode(self.ids).lstrip().partition("\n")
        if newline and decode(self.ids[:-1]).strip() == line.rstrip():
            self.ids.pop()
        return bool(newline)
