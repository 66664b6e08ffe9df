"""Open a Word file: its parts by their relationships, as XML trees.

Strict files (ISO/IEC 29500-1) differ from ordinary ones in their namespaces alone; these are replaced. Content types
are not looked at, so templates and files with macros are read as documents are.
"""

import io
import posixpath
from functools import cache
from typing import Any, NamedTuple, TypeAlias
from zipfile import ZipFile

from lxml import etree

Element: TypeAlias = Any  # lxml has no types

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_STRICT = {
    b"http://purl.oclc.org/ooxml/wordprocessingml/main": _WORD.encode(),
    b"http://purl.oclc.org/ooxml/officeDocument/": f"{_OFFICE}/".encode(),
    b"http://purl.oclc.org/ooxml/drawingml/": b"http://schemas.openxmlformats.org/drawingml/2006/",
}


@cache
def w(name: str) -> str:
    """The full name of an element or attribute of Word's, such as `p`."""
    return f"{{{_WORD}}}{name}"


@cache
def m(name: str) -> str:
    """The full name of an element or attribute of equations."""
    return f"{{{_OFFICE}/math}}{name}"


RELATIONSHIP_ID = f"{{{_OFFICE}/relationships}}id"


def value(element: Element | None, name: str) -> str | None:
    """The `w:val` of a child; "" where it has none, None where there is no such child."""
    child = None if element is None else element.find(w(name))
    return None if child is None else child.get(w("val"), "")


def is_on(element: Element | None, name: str) -> bool | None:
    """Whether a child that is on or off, such as `vanish`, is on; None where there is none."""
    found = value(element, name)
    return None if found is None else is_true(found)


def is_true(text: str | None) -> bool:
    """Whether the value of a property says that it is on, as one without a value does."""
    return (text or "1").lower() not in ("0", "false", "off", "none")


def whole(text: str | None, default: int, least: int = 0, most: int = 10**6) -> int:
    """An attribute's number within bounds."""
    text = (text or "").strip()
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 9:
        return default
    return min(max(int(text), least), most)


class _Relation(NamedTuple):
    kind: str  # the last word of its type, such as `styles`
    part: str  # a name in the archive


class WordPackage:
    """The parts of a Word file. Whoever opens one has checked its archive before.

    Raises what `zipfile` and lxml raise on damaged files, and KeyError where there is no document.
    """

    def __init__(self, data: bytes) -> None:
        self._archive = ZipFile(io.BytesIO(data))
        self._names = {name.lower(): name for name in self._archive.namelist()}  # OPC ignores case
        self._first = self._relations_of("")
        main = next((relation.part for relation in self._first.values() if relation.kind == "officeDocument"), None)
        self._main = main or "word/document.xml"
        self._relations = self._relations_of(self._main)
        self.document = self._xml(self._main)

    def part(self, kind: str) -> Element | None:
        """The root of the document's part of a kind such as `styles`, or of the file's `core-properties`."""
        for relation in (*self._relations.values(), *self._first.values()):
            if relation.kind == kind and relation.part in self._names:
                return self._xml(relation.part)
        return None

    def target(self, relationship: str | None) -> tuple[str, Element] | None:
        """The name and the root of the part that an id of the document means; None if it is not there."""
        relation = self._relations.get(relationship or "")
        return (relation.part, self._xml(relation.part)) if relation and relation.part in self._names else None

    def _relations_of(self, part: str) -> dict[str, _Relation]:
        folder, _, name = part.rpartition("/")
        place = posixpath.join(folder, "_rels", f"{name}.rels").lower()
        found: dict[str, _Relation] = {}
        for child in self._xml(place) if place in self._names else ():
            if child.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, child.get("Target", ""))).lstrip("/").lower()
                kind = child.get("Type", "").rpartition("/")[2]
                found.setdefault(child.get("Id", ""), _Relation(kind, target))
        return found

    def _xml(self, name: str) -> Element:
        data = self._archive.read(self._names[name.lower()])
        if b"//purl.oclc.org/" in data:
            for strict, transitional in _STRICT.items():
                data = data.replace(strict, transitional)
        parser = etree.XMLParser(
            resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
        )
        return etree.fromstring(data, parser)
