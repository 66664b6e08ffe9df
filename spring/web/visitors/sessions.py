"""Keep visitors' documents in memory: each for its own visitor, for a limited time, within limits of memory.

A page that is reloaded is a new session. It resumes the one before by a key that the browser keeps and nobody else
knows; several tabs of one browser share the documents in this way.
"""

import hashlib
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from spring.data.questions import QuestionSet
from spring.errors import BusyError, PromptError
from spring.rag.library import Library

CLOCK = time.monotonic
LEFT = 600.0  # seconds that documents are kept after the page was closed or the connection lost
MAX_EXPIRED = 10_000  # visitors who are told that their documents have expired
SHARE = 4  # one address may hold at most 1 / SHARE of the total
KEY = re.compile(r"[\w-]{43}", re.ASCII)  # of `secrets.token_urlsafe(32)`
PAGES = 50  # of one visitor that are remembered, open ones and closed ones


@dataclass(eq=False)
class _Session:
    address: str = ""
    documents: Library | None = None
    questions: Mapping[str, QuestionSet] = field(default_factory=dict)  # of the newest file, by name
    nbytes: int = 0
    used: float = field(default_factory=lambda: CLOCK())
    left: float | None = None  # when the visitor closed the last page
    key: bytes = b""  # digest of the key that the browser has
    pages: dict[str, bool] = field(default_factory=dict)  # by session, oldest first: whether it is open


class Sessions:
    """Visitors' documents and questions, by session, within limits of bytes.

    Documents are never evicted to make room for another visitor's; a newcomer without room gets an error. A visitor is
    named by the session of the page that documents were uploaded on; every method also takes that of a page which has
    resumed the visitor's.

    Args:
        idle: seconds after their last use after which documents are dropped.
        per_session: bytes of one visitor, at most.
        total: bytes of all, at most.

    """

    def __init__(self, idle: float = 3600.0, per_session: int = 100 * 2**20, total: int = 1000 * 2**20) -> None:
        self._idle, self._per_session, self._total = idle, per_session, total
        self._sessions: dict[str, _Session] = {}
        self._expired: OrderedDict[str, None] = OrderedDict()
        self._resumed: dict[str, str] = {}  # the visitor of a page that is not named like it
        self._keys: dict[bytes, str] = {}  # the visitor of a key's digest
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

    def questions(self, visitor: str, name: str) -> QuestionSet | None:
        """Return the questions that are kept under a name, such as the path of their file."""
        with self._lock:
            session = self._find(visitor)
            return session.questions.get(name) if session else None

    def keep_questions(self, visitor: str, questions: Mapping[str, QuestionSet], address: str = "") -> None:
        """Keep the questions of a file by name, replacing those of the file before; errors as of `keep`."""
        with self._lock:
            session = self._find(visitor)
            self._keep(visitor, address, session.documents if session else None, questions)

    def new_key(self, visitor: str, key: object = None) -> str:
        """Make a key by which the visitor's browser finds the documents again; whoever has it has the documents.

        Args:
            visitor: whose documents.
            key: that the browser has; if it is the right one, there is no other.

        Returns:
            The new key, of which only the digest is kept; empty if none is needed.

        """
        with self._lock:
            session = self._find(visitor)
            if session is None or session.documents is None or (session.key and _digest(key) == session.key):
                return ""
            self._keys.pop(session.key, None)
            new = secrets.token_urlsafe(32)
            session.key = _digest(new)
            self._keys[session.key] = self._visitor(visitor)
            return new

    def resume(self, page: str, key: object) -> Library | None:
        """Return the documents that a browser has the key of, which from now on are those of the page as well.

        Args:
            page: its session. One that has documents of its own keeps these.
            key: whatever was sent as the key.

        Returns:
            The page's documents; None if there are none, or if the key is none that is known.

        """
        with self._lock:
            self._tidy()
            known = self._keys.get(_digest(key))
            if known is not None and page and page not in self._sessions:
                self._resumed[page] = known
            session = self._find(page)
            return session.documents if session else None

    def pages(self, page: str) -> list[str]:
        """The sessions of all pages that have the same documents as this one."""
        with self._lock:
            visitor = self._visitor(page)
            session = self._sessions.get(visitor)
            return [*dict.fromkeys((page, visitor, *(session.pages if session else ())))]

    def forget(self, visitor: str) -> None:
        """Drop everything kept for the visitor, and the key."""
        with self._lock:
            visitor = self._visitor(visitor)
            self._drop(visitor)
            self._expired.pop(visitor, None)

    def leave(self, page: str) -> None:
        """Note that a page was closed: with the last one everything is dropped soon, unless the visitor comes back."""
        with self._lock:
            if session := self._sessions.get(self._visitor(page)):
                session.pages[page] = False
                if not any(session.pages.values()):
                    session.left = CLOCK()

    def tidy(self) -> None:
        """Drop what has not been used for long, or whose visitor has left."""
        with self._lock:
            self._tidy()

    def _visitor(self, page: str) -> str:
        return self._resumed.get(page, page)

    def _find(self, page: str) -> _Session | None:
        """Return the session of the page's visitor if it has not expired, and mark it as used."""
        self._tidy()
        if session := self._sessions.get(self._visitor(page)):
            session.used, session.left = CLOCK(), None
            self._open(session, page)
        return session

    def _open(self, session: _Session, page: str) -> None:
        """Note that a page of a session is open; of too many the oldest is forgotten, a closed one first."""
        session.pages[page] = True
        if len(session.pages) > PAGES:
            oldest = next((name for name, is_open in session.pages.items() if not is_open), next(iter(session.pages)))
            del session.pages[oldest]
            self._resumed.pop(oldest, None)

    def _keep(self, page: str, address: str, documents: Library | None, questions: Mapping[str, QuestionSet]) -> None:
        before, visitor = self._find(page) or _Session(pages={page: True}), self._visitor(page)
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
        self._sessions[visitor] = replace(
            before, address=address, documents=documents, questions=questions or before.questions, nbytes=nbytes
        )
        self._expired.pop(visitor, None)

    def _tidy(self) -> None:
        now = CLOCK()
        for visitor, session in list(self._sessions.items()):
            if now - session.used >= self._idle or (session.left is not None and now - session.left >= LEFT):
                self._expired |= dict.fromkeys([visitor, *session.pages])
                self._drop(visitor)
        while len(self._expired) > MAX_EXPIRED:
            self._expired.popitem(last=False)

    def _drop(self, visitor: str) -> None:
        """Remove a session with its key and its pages."""
        if session := self._sessions.pop(visitor, None):
            self._keys.pop(session.key, None)
            for page in session.pages:
                self._resumed.pop(page, None)


def _digest(key: object) -> bytes:
    """The digest of a key; empty for anything that cannot be one."""
    return hashlib.sha256(key.encode()).digest() if isinstance(key, str) and KEY.fullmatch(key) else b""
