"""Score answers under all conditions on a model in this process.

Where a passage is left out, the text before it is taken from the cache, and the text after it is read again with its
number kept. For three passages that takes about one reading of them all.
"""

from collections.abc import Sequence

from spring.generation.conditions import Conditions, Steps
from spring.generation.host import ModelHost
from spring.generation.kv_cache import Prefix, copy_prefix, new_cache
from spring.generation.stream import piece_length, read_piece
from spring.generation.teacher_forcing import Branch, Ids, parts_of, score_branches
from spring.generation.types import GenerationRequest, PromptDraft


class LeaveOneOut(Conditions):
    """The state of one call of `LocalEngine.attribute`.

    Args:
        host: the loaded model.
        draft: question, passages and answers asked for.
        ids: the generated ids of each answer.

    Raises:
        PromptError: the answers do not belong to the draft, or do not fit into the context.

    """

    def __init__(self, host: ModelHost, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> None:
        self._host, self._backbone = host, host.backbone
        self._read: dict[bool, Prefix] = {}  # with all passages; by whether it is in the chat template
        vocabulary = self._backbone.model.config.get_text_config().vocab_size
        tokenization, longest = self._backbone.tokenization, self._backbone.context_length
        super().__init__(draft, ids, len(host.tokens), tokenization, vocabulary, longest)

    def _score(self, conditions: Sequence[Sequence[GenerationRequest]]) -> Steps[list[list[list[float]]]]:
        """Score every answer under its conditions.

        Args:
            conditions: the requests for each answer.

        Returns:
            Log-probabilities, [answer][condition][token].

        """
        branches: dict[tuple[bool, Ids], dict[tuple[int, Ids], Branch]] = {}
        places: list[list[Branch]] = []
        for ids, requests in zip(self._ids, conditions, strict=True):
            places.append([])
            for request in requests:
                before, after = map(tuple, self._tokenization.encode(request.prompt, request.chat))
                of_prefix = branches.setdefault((request.chat, before), {})
                key = request.virtual_tokens, after
                branch = of_prefix.setdefault(key, Branch(*key))
                if ids:
                    branch.answers[ids] = []
                places[-1].append(branch)
        for (chat, before), of_prefix in branches.items():
            asked = [branch for branch in of_prefix.values() if branch.answers]
            if not asked:
                continue
            virtual_tokens = max(branch.virtual_tokens for branch in asked)
            limit = piece_length(self._backbone)
            parts = list(parts_of(asked, limit))
            # What follows a passage left out is read in the pass that scores: one pass of the model less.
            once = chat in self._read and len(parts) == 1
            room = limit - sum(branch.length for branch in parts[0]) if once else 0
            prefix = yield from self._read_prefix(chat, before, virtual_tokens, room)
            for part in parts:
                self._host.on_worker(score_branches, self._host, prefix, virtual_tokens, part)
                yield self._attribution
        return [[branch.answers.get(ids, []) for branch in row] for ids, row in zip(self._ids, places, strict=True)]

    def _read_prefix(self, chat: bool, ids: Ids, virtual_tokens: int, room: int) -> Steps[Prefix]:
        """Read a prefix until it lacks at most `room` tokens; yields after every piece, and returns it."""
        worker = self._host.on_worker
        prefix = worker(self._begin_prefix, chat, ids)
        while prefix.lacks(virtual_tokens) > room and worker(read_piece, self._host, prefix, virtual_tokens):
            yield self._attribution
        if chat not in self._read:
            self._read[chat] = prefix
            worker(self._host.prefixes.put, prefix)
        return prefix

    def _begin_prefix(self, chat: bool, ids: Ids) -> Prefix:
        """A prefix from the cache, or with what it shares with the one of all passages. Runs on the worker."""
        found = self._host.prefixes.get(ids)
        if found is not None:
            return found
        capacity = len(ids) + len(self._host.tokens)
        whole = self._read.get(chat)
        if whole is None:
            return Prefix(ids, new_cache(self._backbone.layers, capacity))
        differ = (place for place, (one, other) in enumerate(zip(whole.ids, ids, strict=False)) if one != other)
        shared = next(differ, min(len(whole.ids), len(ids)))
        return copy_prefix(whole, ids, shared, capacity)
