"""What a Word file's styles say of its paragraphs and runs: headings, title, numbering, hidden and raised text."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from spring.data.loaders.docx_package import Element, is_on, is_true, value, w, whole

_T = TypeVar("_T")
_MOST_BASES = 50  # styles that a style is based on, one on the other; a cycle ends here
_HEADING = re.compile(r"heading ([1-9])")
_CODE = re.compile(r"\b(?:code|preformatted|verbatim)\b")
_RAISED = {"superscript": "^", "subscript": "_", "baseline": ""}
_PARAGRAPH_STYLE, _OUTLINE = w("pStyle"), w("outlineLvl")
_VALUE, _VANISH, _POSITION, _RUN_STYLE = w("val"), w("vanish"), w("vertAlign"), w("rStyle")


class Style(NamedTuple):
    """What is taken of a style and of those it is based on; None: not set."""

    title: bool = False
    level: int = 0  # of a heading, from 1; 0: none
    code: bool = False
    hidden: bool | None = None
    raised: str | None = None  # "^", "_", or "" for neither
    numbering: str | None = None  # the id of a list; "0" is none
    numbering_level: int | None = None  # from 0


_NO_STYLE = Style()


class Styles:
    """A Word file's styles, by their ids."""

    def __init__(self, root: Element | None) -> None:
        found = () if root is None else root.iter(w("style"))
        self._elements = {element.get(w("styleId"), ""): element for element in found}
        self._resolved: dict[str, Style] = {}
        self._default = next(
            (i for i, e in self._elements.items() if e.get(w("type")) == "paragraph" and _is_default(e)), ""
        )

    def paragraph(self, properties: Mapping[str, Element]) -> tuple[str, Style]:
        """The id of a paragraph's style, and that style; `outlineLvl` may stand in the paragraph itself.

        properties: the children of its `pPr`, by their names.
        """
        name = properties[_PARAGRAPH_STYLE].get(_VALUE, "") if _PARAGRAPH_STYLE in properties else self._default
        style = self.style(name if name in self._elements else self._default)
        if _OUTLINE in properties:
            style = style._replace(level=_outline_level(properties[_OUTLINE].get(_VALUE)))
        return name, style

    def style(self, name: str) -> Style:
        """A style with all that it takes from those it is based on."""
        if name not in self._resolved:
            self._resolved[name] = self._resolve(name)
        return self._resolved[name]

    def run(self, properties: Element | None, paragraph: Style) -> tuple[bool, str]:
        """Whether a run is hidden, and whether it is raised (`^`), lowered (`_`) or neither."""
        hidden = raised = None
        character = _NO_STYLE
        for child in () if properties is None else properties:
            if child.tag == _VANISH:
                hidden = is_true(child.get(_VALUE))
            elif child.tag == _POSITION:
                raised = _RAISED.get(child.get(_VALUE), "")
            elif child.tag == _RUN_STYLE:
                character = self.style(child.get(_VALUE, ""))
        hidden = _first((hidden, character.hidden, paragraph.hidden))
        return bool(hidden), _first((raised, character.raised, paragraph.raised)) or ""

    def numbering_of(self, name: str) -> str | None:
        """The id of the list that a numbering style stands for."""
        return self.style(name).numbering

    def _resolve(self, name: str) -> Style:
        chain = list(self._chain(name))
        names = [(value(style, "name") or "").lower() for style in chain]
        paragraphs = [style.find(w("pPr")) for style in chain]
        runs = [style.find(w("rPr")) for style in chain]
        lists = [None if p is None else p.find(w("numPr")) for p in paragraphs]
        return Style(
            title=names[:1] == ["title"],
            level=_first(_level(*pair) for pair in zip(names, paragraphs, strict=True)) or 0,
            code=_CODE.search(names[0]) is not None if names else False,
            hidden=_first(is_on(run, "vanish") for run in runs),
            raised=_first(map(_raised, runs)),
            numbering=_first(value(numbers, "numId") for numbers in lists),
            numbering_level=_first(list_level(numbers) for numbers in lists),
        )

    def _chain(self, name: str) -> Iterator[Element]:
        for _ in range(_MOST_BASES):
            element = self._elements.get(name)
            if element is None:
                return
            yield element
            name = value(element, "basedOn") or ""


def list_level(numbers: Element | None) -> int | None:
    """The level that a `numPr` states, from 0."""
    level = value(numbers, "ilvl")
    return None if level is None else whole(level, 0, 0, 8)


def _first(values: Iterable[_T | None]) -> _T | None:
    return next((found for found in values if found is not None), None)


def _is_default(style: Element) -> bool:
    return style.get(w("default"), "0").lower() in ("1", "true", "on")


def _level(name: str, properties: Element | None) -> int | None:
    outline = value(properties, "outlineLvl")
    if outline is not None:
        return _outline_level(outline)
    match = _HEADING.fullmatch(name)
    return int(match[1]) if match else 0 if name in ("title", "subtitle", "toc heading") else None


def _outline_level(text: str | None) -> int:
    level = whole(text, 9)
    return level + 1 if level < 9 else 0


def _raised(properties: Element | None) -> str | None:
    position = value(properties, "vertAlign")
    return None if position is None else _RAISED.get(position, "")
