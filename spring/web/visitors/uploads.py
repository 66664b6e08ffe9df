"""Keep uploaded files on disk: one folder for each upload, removed once it is read.

Gradio names uploads by their content, so two visitors with the same file would share it, and the first one whose file
is removed would take it from the other.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from spring.errors import BusyError
from spring.web.visitors.sessions import SHARE

UNREAD = 1800.0  # seconds after which a file that was never read is removed
EMPTY = 30.0
SERVED = 86_400.0  # seconds for which a file that a visitor may download is kept
FULL = "Too many files are being uploaded now: please try again in a minute."
FOLDERS = 1_000  # uploads on disk at once: empty files have no bytes to count
LOCK = "lock"


class _Upload(NamedTuple):
    """An upload that is on disk, or arriving."""

    address: str  # of the sender
    nbytes: int


class Uploads:
    """The files of one running server, in a folder of its own below `root`.

    The server holds a lock on the folder, which the kernel releases however the server ends; the next server that
    starts removes all folders without a holder.

    Args:
        root: by default `spring-live` in the system's folder of temporary files.
        total: bytes of all uploads at most, including those that are arriving.

    """

    def __init__(self, root: Path | None = None, total: int = 1000 * 2**20) -> None:
        self._total = total
        self._account: dict[str, _Upload] = {}  # by the folder's name
        self._account_lock = threading.Lock()  # worker threads discard
        self._root = root or Path(tempfile.gettempdir()) / f"spring-live-{os.getuid()}"
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_orphans()
        self.folder = self._root / secrets.token_hex(8)
        self.folder.mkdir(mode=0o700)
        self._lock = os.open(self.folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.received = self.folder / "received"
        self.received.mkdir()

    def new(self, address: str = "", nbytes: int = 0) -> Path:
        """Make an empty folder with an unguessable name for one upload of at most `nbytes`.

        Raises:
            BusyError: there is no room, or this address has used up its share.

        """
        folder = self.received / secrets.token_urlsafe(16)
        with self._account_lock:
            theirs = [upload.nbytes for upload in self._account.values() if upload.address == address]
            # An address without uploads may send one, however small the share.
            is_much = bool(theirs) and sum(theirs) + nbytes > self._total // SHARE
            if is_much or sum(upload.nbytes for upload in self._account.values()) + nbytes > self._total:
                raise BusyError(FULL)
            if len(self._account) >= FOLDERS or len(theirs) >= FOLDERS // SHARE:
                raise BusyError(FULL)
            folder.mkdir()
            self._account[folder.name] = _Upload(address, nbytes)
        return folder

    def arrived(self, folder: Path) -> None:
        """Note that an upload is complete: from now on its real size counts."""
        # os.walk passes over folders that are removed meanwhile, which rglob does not
        size = sum(_size(Path(inner, name)) for inner, _, names in os.walk(folder) for name in names)
        with self._account_lock:
            if folder.name in self._account:
                self._account[folder.name] = self._account[folder.name]._replace(nbytes=size)

    def owns(self, path: str | Path) -> bool:
        """Whether a path is that of an uploaded file, which may be removed already."""
        return self.received in Path(path).parents and ".." not in Path(path).parts

    def discard(self, paths: Iterable[str | Path]) -> None:
        """Remove the uploads that these files belong to; other files are left alone."""
        for path in filter(self.owns, map(Path, paths)):
            self._remove(self.received / path.relative_to(self.received).parts[0])

    @property
    def nbytes(self) -> int:
        """Bytes of all uploads on disk; those that are arriving count with their limit."""
        with self._account_lock:
            return sum(upload.nbytes for upload in self._account.values())

    def tidy(self, age: float = UNREAD, served: float = SERVED) -> None:
        """Remove uploads that were not read for `age` seconds, and files that were made `served` seconds ago.

        Gradio makes one more, empty file for each file that it passes on; these are removed sooner.
        """
        now = time.time()
        made = (path for path in self.folder.iterdir() if path.name not in (LOCK, self.received.name))
        for path, longest in (*((p, age) for p in self.received.iterdir()), *((p, served) for p in made)):
            if path.is_file():
                if _changed(path) < now - min(longest, EMPTY):
                    path.unlink(missing_ok=True)
            elif _changed(path) < now - longest:
                self._remove(path)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with self._account_lock:
            self._account.pop(folder.name, None)

    def _remove_orphans(self) -> None:
        for folder in self._root.iterdir():
            try:
                lock = os.open(folder / LOCK, os.O_RDWR)
            except OSError:  # none of ours, or about to be made or removed
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # its server is alive
                continue
            else:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # removed meanwhile
        return 0


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
