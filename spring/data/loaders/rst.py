"""Load reStructuredText: one page, with headings, directives, code and tables, without options, targets and remarks.

What docutils would include from other files stays out.
"""

import re
from collections.abc import Generator, Iterator

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.text import text_blocks

_RULE = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}\s*$")
_SIMPLE_TABLE = re.compile(r"=+(?:\s+=+)+\s*$")
_GRID = re.compile(r"\+[-=+]+\+\s*$")
_EXPLICIT = re.compile(r"\s*\.\.(?:\s|$)")
_DIRECTIVE = re.compile(r"\s*\.\.\s+([\w:.+-]+)::\s*(.*)$")
_FOOTNOTE = re.compile(r"\s*\.\.\s+\[([^\]]+)\]\s+(.*)$")
_FIELD = re.compile(r"\s*:[^\s:`][^:`]{0,80}:(?:\s|$)")
_ROW = re.compile(r"[*+-]\s+[*+-](?:\s+|$)")
_CELL = re.compile(r"\s{1,3}[*+-](?:\s+|$)")
# Directives of which readers see nothing, listings, tables, and those whose argument is a path, a condition or a class.
# Of all others, which anyone may define, argument and text are shown.
_UNSEEN = """
    image toctree include literalinclude raw meta title index highlight contents sectnum role default-role
    module currentmodule default-domain sectionauthor codeauthor tabularcolumns testsetup testcleanup todo todolist
    graphviz digraph graph mermaid uml inheritance-diagram
"""
_CODES = """
    code code-block code-cell sourcecode parsed-literal doctest testcode testoutput math productionlist prompt ipython
    jupyter-execute
"""
_CODE, _TABLES = frozenset(_CODES.split()), ("list-table", "flat-table")
_WHOLE = frozenset(["", *_UNSEEN.split(), *_CODE, *_TABLES])  # their text is not read like other text
_SETTINGS = ("figure", "only", "ifconfig", "container", "grid")
_ROLE = re.compile(r":[\w:+.-]{1,40}:`([^`]*)`")
_LITERAL = re.compile(r"``(.+?)``")
_LINK = re.compile(r"`([^`<]*)<[^`>]*>`_{0,2}")
_REFERENCE = re.compile(r"`([^`]+)`_{0,2}|(?<!\w)([A-Za-z][\w.-]*+)")  # *+: its end is looked for once
_UNDERSCORES = re.compile(r"__?(?!\w)")
_STRONG = re.compile(r"(?<![\w*])(\*{1,2})(\S(?:[^*\n]{0,300}\S)?)\1(?![\w*])")
_CITED = re.compile(r"\s?\[([\w#*.-]+)\]_")


def load_rst(text: str) -> Content:
    """One page; its title is the first heading."""
    page = build_page(rst_blocks(text.expandtabs(8)))
    return Content([page], [], clean_title(page.headings[0].text) if page.headings else "")


def rst_blocks(text: str) -> Iterator[Block]:
    """The blocks of a text, in order."""
    lines = [line.rstrip() for line in text.split("\n")]
    levels: list[str] = []  # how headings are underlined, highest first
    paragraph: list[str] = []
    place, opening = 0, False  # opening: directly below a directive, where its options stand
    while place < len(lines):
        line = lines[place]
        following = lines[place + 1] if place + 1 < len(lines) else ""
        overlined = _RULE.match(line) and following.strip() and place + 2 < len(lines) and lines[place + 2] == line
        underlined = line and not line[0].isspace() and _RULE.match(following) and len(following) >= len(line) - 1
        explicit, field = _EXPLICIT.match(line), _FIELD.match(line)
        special = overlined or underlined or not line or explicit or field or _is_table(line)
        if special and paragraph:
            yield from _paragraph(paragraph)
            last, paragraph = paragraph[-1], []
            if last.endswith("::") and not line:
                code, place = _indented(lines, place + 1, _indent(last))
                yield Block("\n".join(code), preformatted=True)
                continue
        if overlined or underlined:
            kind = f"{line[0]}{line[0]}" if overlined else following[0]
            if kind not in levels:
                levels.append(kind)
            yield Block(_inline(following if overlined else line), min(levels.index(kind) + 1, 9))
            place += 3 if overlined else 2
        elif explicit:
            name, argument = _directive(line)
            opening = name not in _WHOLE
            if opening:  # its text follows in the next lines; not by recursion: they may be nested deeply
                yield Block("" if name in _SETTINGS else _inline(argument))
                place += 1
            else:
                body, place = _indented(lines, place + 1, _indent(line))
                yield from _explicit(line, body)
        elif _is_table(line):
            place = yield from _table(lines, place)
        else:
            opening = opening and bool(line)
            if line and not _RULE.match(line.lstrip()) and not (opening and field):
                paragraph.append(line)
            place += 1
    if paragraph:
        yield from _paragraph(paragraph)


def _paragraph(lines: list[str]) -> Iterator[Block]:
    text = "\n".join(lines)
    if text.endswith("::"):  # a listing follows
        text = f"{text[:-2].rstrip()}:" if text.strip() != "::" else ""
    yield from text_blocks(_inline(text))


def _indented(lines: list[str], place: int, indent: int) -> tuple[list[str], int]:
    """The lines from a place on that are indented further, or blank; and the place behind them."""
    start = place
    while place < len(lines) and (not lines[place] or _indent(lines[place]) > indent):
        place += 1
    return _dedented(lines[start:place]), place


def _dedented(lines: list[str]) -> list[str]:
    indent = min((_indent(line) for line in lines if line), default=0)
    return [line[indent:] for line in lines]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _directive(line: str) -> tuple[str, str]:
    """Its name without that of its domain (`py:`), and its argument; both empty where the line begins none."""
    found = _DIRECTIVE.match(line)
    return (found[1].lower().rpartition(":")[2], found[2]) if found else ("", "")


def _explicit(line: str, body: list[str]) -> Iterator[Block]:
    """A listing, a table of lists, a footnote, or what does not show: a remark, a target, a dropped directive."""
    if footnote := _FOOTNOTE.match(line):
        yield Block(f"[{footnote[1]}] {_inline(' '.join([footnote[2], *body]))}")
        return
    name, argument = _directive(line)
    options = next((number for number, text in enumerate(body) if not _FIELD.match(text)), len(body))
    content = body[options:]
    if name in _CODE:
        yield Block("\n".join(content) or argument, preformatted=True)
    elif name in _TABLES:
        yield Block(_inline(argument))
        yield from _list_table(content)


def _list_table(lines: list[str]) -> Iterator[Block]:
    """The rows of a list of lists."""
    rows: list[list[list[str]]] = []
    for line in lines:
        if found := _ROW.match(line):
            rows.append([[line[found.end() :]]])
        elif rows and (found := _CELL.match(line)):
            rows[-1].append([line[found.end() :]])
        elif rows:
            rows[-1][-1].append(line)
    yield from (Block(table_row(_inline(" ".join(cell)) for cell in row)) for row in rows)


def _is_table(line: str) -> bool:
    return bool(_GRID.match(line.strip()) or _SIMPLE_TABLE.match(line.strip()))


def _table(lines: list[str], place: int) -> Generator[Block, None, int]:
    """The rows of a table drawn with lines; returns the place behind it."""
    grid = bool(_GRID.match(lines[place].strip()))
    rules = 0
    row: list[list[str]] = []
    while place < len(lines) and (lines[place] or not grid):
        line = lines[place].strip()
        place += 1
        if _is_table(line):
            rules += 1
            if grid and row:
                yield Block(table_row(map(_inline, map(" ".join, zip(*row, strict=False)))))
                row = []
            if (not grid and rules >= 3) or (not grid and rules == 2 and not (place < len(lines) and lines[place])):
                break
        elif grid:
            row.append(line.strip("|").split("|"))
        elif line:
            yield Block(table_row(map(_inline, re.split(r"\s{2,}", line))))
    return place


def _inline(text: str) -> str:
    """The words of roles, links and references, without marks."""
    text = _ROLE.sub(lambda role: _shown(role[1]).lstrip("~!"), text)
    text = _CITED.sub(r" [\1]", _STRONG.sub(r"\2", _LITERAL.sub(r"\1", text)))
    text = _LINK.sub(lambda link: link[1].rstrip(), text)
    return _REFERENCE.sub(lambda found: found[1] or _UNDERSCORES.sub("", found[2]), text).replace("\\ ", "")


def _shown(role: str) -> str:
    """The words of `words <target>`."""
    return role.rpartition("<")[0].rstrip() if role.endswith(">") and "<" in role else role
