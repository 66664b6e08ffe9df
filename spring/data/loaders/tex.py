"""Load LaTeX sources: one page of what would be printed, with headings, lists, tables and formulas as they are written.

Nothing is run and no other file is read: macros of the document's own stay unexpanded, their arguments are kept.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block, Content, build_page, clean_title

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_VERBATIM = re.compile(r"\\begin\{(verbatim\*?|lstlisting|minted|Verbatim)\}(?:\[[^\[\]]*\])?(?:\{\w+\})?")
_LITERAL = re.compile(  # what holds no comment
    r"(?<!\\)((?:\\\\)*)\\(?:(?:verb\*?|lstinline(?:\[[^\[\]\n]*\])?)([^\w\s*{\[])(.{0,500}?)\2"
    r"|(url|nolinkurl|path|href)\s*\{([^{}\n]*)\})"
)
_ARGUMENT = r"\s*(?:\[[^\[\]]*\]\s*)?\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_SECTIONS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_SECTION = re.compile(rf"\\({'|'.join(_SECTIONS)})\*?{_ARGUMENT}")
_TITLE = re.compile(rf"\\title{_ARGUMENT}")
_BYLINE = re.compile(rf"\\(?:author|date){_ARGUMENT}")
_AND = re.compile(r"\s*\\and\b\s*", re.IGNORECASE)  # between authors
_TABULAR = re.compile(r"\\begin\{((?:tabular|tabularx|longtable|array)\*?)\}")
_DROPPED = re.compile(
    r"\\(?:label|cite[a-z]*|ref|eqref|pageref|autoref|cref|Cref|bibliography|bibliographystyle|vspace|hspace|includegraphics"
    rf"|input|include|usepackage|documentclass|pagestyle|thispagestyle|setlength|newcommand|renewcommand|index)\*?{_ARGUMENT}"
)
_MACRO = re.compile(
    r"\\(?:re)?newcommand\*?\s*\{?\\([A-Za-z]+)\}?\s*\{((?:[^{}#]|\{[^{}#]*\}){0,200})\}"
)  # without arguments
_USE = re.compile(r"(?<!\\)\\([A-Za-z]+)(?:\{\}|\\(?= ))?")
_MOST_MACROS = 1_000_000  # characters that are put in for uses
_SPANNING = re.compile(r"\\multi(?:row|column)\*?(?:\[[^\[\]]*\])?\{[^{}]*\}(?:\[[^\[\]]*\])?\{[^{}]*\}")
_COLOUR = re.compile(r"\\(?:text)?color\{[^{}]*\}")
_FOOTNOTE = re.compile(rf"\\(?:footnote|thanks){_ARGUMENT}")
_LINK = re.compile(r"\\href\s*\{[^{}]*\}\s*\{([^{}]*)\}")
_INSIDE = r"(?:[^\\]|\\[^()\[\]])"  # of a formula, which holds no other
_MATH = re.compile(
    rf"(?<!\\)\$\$?(?:[^$\\]|\\[\s\S]){{1,2000}}+\$\$?|\\\({_INSIDE}{{1,2000}}+\\\)|\\\[{_INSIDE}{{1,4000}}+\\\]"
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[\w*]+\}(?:\[[^\[\]]*\])?(?:\{[^{}]*\})?")
_ACCENT = re.compile(
    r"\\([`'^\"~=.uvHckr])\s*(?:\{\\?([A-Za-z])\}|\\?([A-Za-z]))(?![A-Za-z])|\\([`'^\"~=.])\{?\\?([A-Za-z])\}?"
)
_COMBINING = dict(
    zip("`'^\"~=.uvHckr", "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0328\u030a", strict=True)
)
_LETTERS = {
    "ss": "ß",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    "o": "ø",
    "O": "Ø",
    "aa": "å",
    "AA": "Å",
    "l": "ł",
    "L": "Ł",
}
_SIGNS = {
    "ldots": "…",
    "dots": "…",
    "textendash": "–",
    "textemdash": "—",
    "LaTeX": "LaTeX",
    "TeX": "TeX",
    "S": "§",
    "pounds": "£",
}
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?(?:\[[^\[\]]{0,200}\])?\s?|\\([^A-Za-z])")


def load_tex(text: str) -> Content:
    """One page of the document's body; the title is what the source names so."""
    kept: list[str] = []  # what is not read as LaTeX; in the text stands \0, its place here, \0

    def listing(begin: re.Match[str], inside: str) -> str:
        return f"\n\n{_keep(inside, kept)}\n\n"

    def literal(found: re.Match[str]) -> str:
        if found[4] == "href":  # its words follow
            return rf"{found[1]}\href{{}}"
        return found[1] + _keep(re.sub(r"\\([%#&_~])", r"\1", found[5]) if found[4] else found[3], kept)

    text = _environments(_VERBATIM, re.sub(r"[\x00-\x02]", "", text), listing)
    text = _expanded(_COMMENT.sub(r"\1", _LITERAL.sub(literal, text)), kept)
    title = _TITLE.search(text)
    named = _plain(_FOOTNOTE.sub("", title[1]), kept) if title else ""
    by = [_plain(_AND.sub(", ", found[1]), kept) for found in _BYLINE.finditer(text)]
    body = text.partition(r"\begin{document}")[2] or text
    body = body.partition(r"\end{document}")[0]
    page = build_page([Block(named, 1), *map(Block, by), *_blocks(body, kept)])
    return Content([page], [], clean_title(named))


def _keep(text: str, kept: list[str]) -> str:
    kept.append(text)
    return f"\0{len(kept) - 1}\0"


def _restored(text: str, kept: list[str]) -> str:
    return re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], text)


def _expanded(text: str, kept: list[str]) -> str:
    """Macros without arguments are replaced, once."""
    macros = {name: (inside, len(_restored(inside, kept))) for name, inside in _MACRO.findall(text)}
    if not macros:
        return text
    left = _MOST_MACROS

    def replaced(use: re.Match[str]) -> str:
        nonlocal left
        inside, length = macros.get(use[1], (use[0], 0))
        left -= length
        return use[0] if left < 0 else inside

    before, begin, body = text.rpartition(r"\begin{document}")
    return before + begin + _USE.sub(replaced, body)


def _environments(begins: re.Pattern[str], text: str, replaced: Callable[[re.Match[str], str], str]) -> str:
    """Replace what stands from each beginning to the next end of that name; group 1 of a beginning is the name.

    By searching, not by one regular expression: that takes time quadratic in the number of those that never end.
    """
    parts: list[str] = []
    place, endless = 0, set[str]()
    while begin := begins.search(text, place):
        parts.append(text[place : begin.start()])
        end = f"\\end{{{begin[1]}}}"
        stop = -1 if end in endless else text.find(end, begin.end())
        if stop < 0:
            endless.add(end)
            parts.append(begin[0])
            place = begin.end()
        else:
            parts.append(replaced(begin, text[begin.end() : stop]))
            place = stop + len(end)
    return "".join([*parts, text[place:]])


def _blocks(body: str, kept: list[str]) -> Iterator[Block]:
    body = _environments(_TABULAR, _BYLINE.sub("", _TITLE.sub("", body)), _rows)
    body = _SECTION.sub(lambda found: f"\n\n\1{_SECTIONS[found[1]]}{found[2]}\n\n", body)
    body = re.sub(r"\\item\b\s*(?:\[([^\[\]]*)\])?", lambda item: f"\n\n- {item[1] or ''} ", body)
    for part in re.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+|\\par\b|\\\\(?:\[[^\[\]]*\])?", body):
        if found := re.fullmatch(r"\s*\0(\d+)\0\s*", part):
            yield Block(kept[int(found[1])], preformatted=True)
        elif part.startswith("\1"):
            yield Block(_plain(part[2:], kept), int(part[1]))
        else:
            yield Block(_plain(part, kept))


def _rows(begin: re.Match[str], inside: str) -> str:
    """A table's rows as paragraphs."""
    inside = re.sub(r"^(?:\{[^{}]*\})?(?:\[[^\[\]]*\])?\s*\{(?:[^{}]|\{[^{}]*\})*\}", "", inside)
    inside = re.sub(
        r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^{}]*\}|cmidrule(?:\([^()]*\))?\{[^{}]*\})", "", inside
    )
    rows = re.split(r"\\\\(?:\[[^\[\]]*\])?|\\tabularnewline", inside)
    return "\n\n" + "\n\n".join(table_row(re.split(r"(?<!\\)&", row)) for row in rows) + "\n\n"


def _plain(text: str, kept: list[str]) -> str:
    """The words that would be printed; formulas as they are written."""
    text = _MATH.sub(lambda formula: _keep(_restored(formula[0].strip("$"), kept), kept), text)
    text = _ACCENT.sub(_accented, text)
    text = _FOOTNOTE.sub(r" (\1)", _DROPPED.sub("", _LINK.sub(r"\1", text)))
    text = _COLOUR.sub("", _SPANNING.sub("", _ENVIRONMENT.sub(" ", text)))
    text = _COMMAND.sub(_command, text)
    text = text.replace("~", " ").replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”")
    text = re.sub(r"[{}]", "", text)
    return _restored(text, kept)


def _accented(match: re.Match[str]) -> str:
    accent, letter = match[1] or match[4], match[2] or match[3] or match[5]
    return unicodedata.normalize("NFC", letter + _COMBINING[accent])


def _command(match: re.Match[str]) -> str:
    if match[2]:
        return match[2] if match[2] in "%&$#_{}" else " "
    return _LETTERS.get(match[1]) or _SIGNS.get(match[1]) or ""
