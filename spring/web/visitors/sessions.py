"""Keep visitors' documents in memory: each for its own visitor, for a limited time, within limits of memory."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from spring.data.questions import QuestionSet
from spring.errors import BusyError, PromptError
from spring.rag.library import Library

CLOCK = time.monotonic
LEFT = 600.0  # seconds that documents are kept after the page was closed or the connection lost
MAX_EXPIRED = 10_000  # visitors who are told that their documents have expired
SHARE = 4  # one address may hold at most 1 / SHARE of the total


@dataclass(eq=False)
class _Session:
    address: str = ""
    documents: Library | None = None
    questions: dict[str, QuestionSet] = field(default_factory=dict)  # the newest file, by its path
    nbytes: int = 0
    used: float = field(default_factory=lambda: CLOCK())
    left: float | None = None  # when the visitor closed the page


class Sessions:
    """Visitors' documents and questions, by session, within limits of bytes.

    Documents are never evicted to make room for another visitor's; a newcomer without room gets an error.

    Args:
        idle: seconds after their last use after which documents are dropped.
        per_session: bytes of one visitor, at most.
        total: bytes of all, at most.

    """

    def __init__(self, idle: float = 3600.0, per_session: int = 100 * 2**20, total: int = 1000 * 2**20) -> None:
        self._idle, self._per_session, self._total = idle, per_session, total
        self._sessions: dict[str, _Session] = {}
        self._expired: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        with self._lock:
            return sum(session.nbytes for session in self._sessions.values())

    def documents(self, visitor: str) -> Library | None:
        """Return the visitor's documents; None if there never were any.

        Raises:
            PromptError: they have expired.

        """
        with self._lock:
            session = self._find(visitor)
            if session is None and visitor in self._expired:
                raise PromptError(
                    f"Your documents are no longer here (they are kept for {self._idle / 60:g} minutes after their "
                    f"last use, and for {LEFT / 60:g} without a connection): please upload them again."
                )
            return session.documents if session else None

    def has(self, visitor: str) -> bool:
        """Whether anything is kept for the visitor."""
        with self._lock:
            return self._find(visitor) is not None

    def keep(self, visitor: str, documents: Library, address: str = "") -> None:
        """Keep documents, replacing those kept before.

        Raises:
            PromptError: they need more memory than one visitor has.
            BusyError: there is no room for them now.

        """
        with self._lock:
            self._keep(visitor, address, documents, {})

    def questions(self, visitor: str, path: str) -> QuestionSet | None:
        """Return the questions of the file uploaded to `path`, if they are kept."""
        with self._lock:
            session = self._find(visitor)
            return session.questions.get(path) if session else None

    def keep_questions(self, visitor: str, path: str, questions: QuestionSet, address: str = "") -> None:
        """Keep the questions of a file, replacing those of the file before; errors as of `keep`."""
        with self._lock:
            session = self._find(visitor)
            self._keep(visitor, address, session.documents if session else None, {path: questions})

    def forget(self, visitor: str) -> None:
        """Drop everything kept for the visitor."""
        with self._lock:
            self._sessions.pop(visitor, None)
            self._expired.pop(visitor, None)

    def leave(self, visitor: str) -> None:
        """Note that the visitor closed the page: everything is dropped soon, unless the visitor comes back."""
        with self._lock:
            if session := self._sessions.get(visitor):
                session.left = CLOCK()

    def tidy(self) -> None:
        """Drop what has not been used for long, or whose visitor has left."""
        with self._lock:
            self._tidy()

    def _find(self, visitor: str) -> _Session | None:
        """Return the visitor's session if it has not expired, and mark it as used."""
        self._tidy()
        if session := self._sessions.get(visitor):
            session.used, session.left = CLOCK(), None
        return session

    def _keep(self, visitor: str, address: str, documents: Library | None, questions: dict[str, QuestionSet]) -> None:
        before = self._find(visitor) or _Session()
        nbytes = documents.nbytes if documents else 0
        nbytes += sum(given.nbytes for given in (questions or before.questions).values())
        if nbytes > self._per_session:
            raise PromptError(
                f"These documents need {nbytes / 2**20:.0f} MB; a visitor has {self._per_session / 2**20:g} MB: "
                "please upload fewer."
            )
        others = [session for id, session in self._sessions.items() if id != visitor]
        theirs = sum(session.nbytes for session in others)
        same = sum(session.nbytes for session in others if session.address == address)
        if theirs + nbytes > self._total or same + nbytes > max(self._per_session, self._total // SHARE):
            raise BusyError("There is no room for more documents now: please try again in a few minutes.")
        self._sessions[visitor] = _Session(address, documents, questions or before.questions, nbytes)
        self._expired.pop(visitor, None)

    def _tidy(self) -> None:
        now = CLOCK()
        for visitor, session in list(self._sessions.items()):
            if now - session.used >= self._idle or (session.left is not None and now - session.left >= LEFT):
                del self._sessions[visitor]
                self._expired[visitor] = None
        while len(self._expired) > MAX_EXPIRED:
            self._expired.popitem(last=False)
