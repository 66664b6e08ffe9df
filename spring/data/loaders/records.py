"""Load nested records, JSON and XML: one line for each object or element that holds plain values.

A line begins with the path to it, such as `tower > keepers: `, then has `name: value; name: value`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

from spring.data.cleaning import one_line
from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.json_lines import load_json_lines, row_page
from spring.data.loaders.safe_xml import check_tags
from spring.data.rows import json_rows, json_value
from spring.data.types import Page
from spring.errors import DocumentError

_PLAIN = (str, int, float, bool)
_LONG = 200  # characters of a value that is a text and has a line of its own
_PATH = " > "
_MOST_LEVELS = 100
_LONGEST_PATH = 200  # characters
_ENTITIES = "it defines entities, which are not read; save it again without a document type definition"


def load_json(text: str) -> Content:
    """Rows with text as of JSON Lines; anything else as lines of its names and values."""
    value = json_value(text)
    if isinstance(value, ValueError):  # perhaps one value a line
        return load_json_lines(text)
    if any(isinstance(row_page(row), Page) for _, row in json_rows(text)):
        return load_json_lines(text)
    nested = [child for child in value.values() if _plain_text(child) is None] if isinstance(value, Mapping) else []
    if len(nested) == 1 and isinstance(nested[0], list):  # {"version": 1, "data": [...]}
        pages = [row_page(row) for row in nested[0]]
        if all(isinstance(page, Page) for page in pages):
            return Content([page for page in pages if isinstance(page, Page)], [])
    title = value.get("title") if isinstance(value, Mapping) else ""
    page = build_page(map(Block, _lines(value)), rows=True)
    return Content([page], [], clean_title(title) if isinstance(title, str) else "")


def load_xml(text: str) -> Content:
    """The elements that hold plain values as lines of names and values; those with mixed content as paragraphs."""
    if "<!ENTITY" in text:
        raise DocumentError(_ENTITIES)
    check_tags(text)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    root = etree.fromstring(_without_declaration(text).encode("utf-8", "replace"), parser)
    page = build_page(map(Block, _lines(_value(root))))
    title = root.findtext(".//{*}title") or ""
    return Content([page], [], clean_title(title))


def _without_declaration(text: str) -> str:
    """The encoding that it names is no longer that of the text."""
    text = text.lstrip("\ufeff \t\r\n")
    return text.partition("?>")[2] if text.startswith("<?xml") else text


def _value(root: Any) -> Any:
    """An XML tree as nested lists and dictionaries; a list of pairs where names repeat would lose their order."""
    done: dict[Any, Any] = {}
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if not isinstance(element.tag, str) or element in done:
            continue
        children = [child for child in element if isinstance(child.tag, str)]
        values: list[tuple[str, Any]] = [(_name(key), value) for key, value in element.attrib.items()]
        if not children or _is_mixed(element, children):
            text = one_line("".join(element.itertext()) if children else element.text or "")
            done[element] = _Pairs([*values, ("", text)]) if values else text
            if event == "start":
                walk.skip_subtree()  # a paragraph's parts are read once, however deeply they are nested
        elif event == "end":
            done[element] = _Pairs([*values, *((_name(child.tag), done.pop(child)) for child in children)])
    return _Pairs([(_name(root.tag), done[root])])


class _Pairs(list[tuple[str, Any]]):
    """Names and values in their order; a name may repeat."""


def _is_mixed(element: Any, children: list[Any]) -> bool:
    """Whether text stands between the children, as in a paragraph."""
    return bool(children) and bool(f"{element.text or ''}{''.join(child.tail or '' for child in children)}".strip())


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _lines(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The lines of a value, depth first; not by recursion, as JSON may be nested deeply."""
    stack: list[tuple[Any, tuple[str, ...]]] = [(value, path)]
    while stack:
        value, path = stack.pop()
        if isinstance(value, _PLAIN):
            yield _line(path, str(value))
            continue
        pairs = value if isinstance(value, _Pairs) else list(_pairs(value))
        plain = [(name, text) for name, child in pairs if (text := _plain_text(child)) is not None]
        short = [f"{name}: {text}" if name else text for name, text in plain if text and len(text) <= _LONG]
        if short:
            yield _line(path, "; ".join(short))
        for name, text in plain:
            if len(text) > _LONG:
                yield _line((*path, name) if name else path, text)
        deeper = [(child, (*path, name) if name else path) for name, child in pairs if _plain_text(child) is None]
        if path and len(path) > _MOST_LEVELS:
            raise DocumentError("it is nested too deeply; give a smaller part of it")
        stack.extend(reversed(deeper))


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list):
        yield from (("", child) for child in value)


def _plain_text(value: Any) -> str | None:
    """A plain value, or a list of them, as text; None for anything else."""
    if value is None:
        return ""
    if isinstance(value, _PLAIN):
        return one_line(str(value).lower() if isinstance(value, bool) else str(value))
    if isinstance(value, list) and not isinstance(value, _Pairs) and all(isinstance(child, _PLAIN) for child in value):
        return one_line(", ".join(map(str, value)))
    return None


def _line(path: tuple[str, ...], text: str) -> str:
    if not 0 < sum(map(len, path)) + len(_PATH) * (len(path) - 1) <= _LONGEST_PATH:
        return text
    return f"{_PATH.join(path)}: {text}"
