"""Files to `Document`s (pages of clean text), `Document`s to `Passage`s of about 100 words with their place.

Five parts, each using only those above it: the types; clean text; passages; a reader for each file type;
files and folders. Passages are those of DPR and FlashRAG: about 100 words below the title of their page.
Crafted files can make the parsers run long: read what strangers send in a process with limits.
"""

import codecs
import csv
import io
import json
import os
import re
import struct
import unicodedata
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise, zip_longest
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import docx
from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from bs4.exceptions import ParserRejectedMarkup
from charset_normalizer import from_bytes
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph
from lxml.etree import LxmlError
from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from spring.errors import DocumentError

# --- the types ---


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a PDF, one row of a JSON Lines file, the whole of any other file.

    text: paragraphs, table rows and list items, each on one line. title: one line, or "" where there is none.
    """

    text: str
    title: str = ""

    def __post_init__(self) -> None:
        if "\n" in self.title:
            raise ValueError("The title of a page is one line.")


@dataclass(frozen=True, slots=True)
class Document:
    """The pages of one file in order (some may be empty), and what the user should know of the reading."""

    name: str
    pages: tuple[Page, ...]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.pages:
            raise ValueError("A document has a name and at least one page.")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one page. page: from 1. index: its place among all passages of the document, from 0."""

    document: str
    page: int
    index: int
    text: str

    def __post_init__(self) -> None:
        if self.page < 1 or self.index < 0 or not self.text.strip():
            raise ValueError("A passage has text, a page from 1 and an index from 0.")


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file. error: the sentence of its DocumentError, name included, or None."""

    name: str
    pages: int = 0
    passages: int = 0
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def line(self) -> str:
        """One line for the user, such as `report.pdf: 12 pages, 31 passages; pages 2 and 5 have no text`."""
        if self.error is not None:
            return self.error
        counts = f"{_count(self.pages, 'page')}, {_count(self.passages, 'passage')}"
        return "; ".join((f"{self.name}: {counts}", *self.warnings))


@dataclass(frozen=True, slots=True)
class Collection:
    """All that was read from a user's files. results: one for each file, in the order of reading."""

    documents: tuple[Document, ...]
    passages: tuple[Passage, ...]
    results: tuple[FileResult, ...]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _numbers(noun: str, numbers: Sequence[int]) -> str:
    """`page 2`, `rows 2 and 5`, `rows 1, 2, 3, 4, 5 and 12 more`: short however many there are."""
    shown = [str(number) for number in numbers[:5]]
    if len(numbers) > len(shown):
        shown.append(f"{len(numbers) - len(shown)} more")
    listed = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    return f"{noun} {listed}" if len(numbers) == 1 else f"{noun}s {listed}"


# --- clean text ---

# Scripts written without spaces, as the inside of a regular expression's [...].
KATAKANA = "\u30a1-\u30fa\u30fc-\u30fe\u31f0-\u31ff\uff66-\uff9f"
HAN_HIRAGANA = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3041-\u309f\u3105-\u312f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
SOUTHEAST_ASIAN = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e81-\u0edf"  # Thai, Lao
    "\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17dc\u17dd\u17e0-\u17e9"  # Burmese, Khmer
)
_CJK = KATAKANA + HAN_HIRAGANA
_OPENING = "「『（《〈【〔"
_CLOSING = "々ー、。，．！？：；…」』）》〉】〕”’!?.,;:)"

# Control characters go, and so do soft hyphens and byte order marks; the other line ends become newlines.
_CHARACTERS: dict[int, str | None] = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0xAD, 0xFEFF])
_CHARACTERS |= {0x09: " ", 0x0A: "\n", 0x0B: "\n", 0x0C: "\n\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n\n"}

_MARKER = r"\||(?:[-*+•‣◦▪–—>]|#{1,6}|\(?(?:\d{1,3}|[A-Za-z])[.)])\s"
_WRAP = re.compile(rf"(?<!\n)\n(?!\n|{_MARKER})")
_CJK_WRAP = re.compile(rf"(?<=[{_CJK}、，；：])\n(?=[{_CJK}{_OPENING}])")
_HYPHENATION = re.compile(r"(\w)([-‐\u00ad])[^\S\n]*\n[^\S\n]*(\w)")
_LONGEST_TITLE = 200  # characters; it is repeated in every passage of its page


def clean_text(text: str) -> str:
    """Undo hard wrapping: one line for each paragraph, list item, table row and heading, single spaces.

    A blank line ends a paragraph, a single newline does not, save before a mark of lists, tables or headings.
    Unicode NFC. Control characters are dropped, unpaired surrogates become U+FFFD (they cannot be sent on).
    """
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).translate(_CHARACTERS)
    text = re.sub(r" ?\n ?", "\n", re.sub(r"[^\S\n]+", " ", text))
    text = _WRAP.sub(" ", _CJK_WRAP.sub("", text))
    return re.sub(r"\n+", "\n", text).strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _clean_page(text: str, title: str = "") -> Page:
    """A page of clean text. A title with nothing below it, or as long as a paragraph, becomes text."""
    text, title = clean_text(text), _one_line(clean_text(title))
    if not text or len(title) > _LONGEST_TITLE:
        return Page(f"{title}\n{text}".strip())
    return Page(text, title)


def _join_hyphenated(text: str) -> str:
    """`exam-` at the end of a line and `ple` on the next make `example`; `X-` and `Ray` stay as they are."""

    def join(match: re.Match[str]) -> str:
        before, hyphen, after = match.groups()
        return before + after if hyphen == "\u00ad" or (before.islower() and after.islower()) else match[0]

    return _HYPHENATION.sub(join, text)


# --- passages ---

_LONGEST_WORD = 500  # characters; what is longer is data, such as base64
_ATOM = re.compile(  # 1: one ideograph or a run of Katakana, 2: any other run; 3: the space after it
    rf"(?:[{_OPENING}]*([{KATAKANA}]{{1,{_LONGEST_WORD}}}|[{HAN_HIRAGANA}])"
    rf"[\ufe00-\ufe0f\u3099\u309a\U000e0100-\U000e01ef]*[{_CLOSING}]*"
    rf"|([{_OPENING}]*[^\s{_CJK}{_OPENING}]+|[{_OPENING}]+))(\s*)"
)
_SOUTHEAST = re.compile(f"[{SOUTHEAST_ASIAN}]")
_SENTENCE_ENDS = frozenset(".!?…。！？．।॥။។؟")
_CLOSING_QUOTES = "\"'”’»)]」』）》"


class _Borders:
    """Places where a text may be cut, ascending, each with the number of words before it."""

    def __init__(self) -> None:
        self.places, self.words = array("q"), array("d")

    def add(self, place: int, words: float) -> None:
        self.places.append(place)
        self.words.append(words)

    def nearest(self, target: float, low: float, high: float) -> tuple[int, float] | None:
        """The place nearest to `target` words of those within low..high, and the words before it."""
        after = bisect_left(self.words, target)
        near = [i for i in (after - 1, after) if 0 <= i < len(self.words) and low <= self.words[i] <= high]
        best = min(near, key=lambda i: abs(self.words[i] - target), default=None)
        return None if best is None else (self.places[best], self.words[best])


def _borders(text: str, words: int) -> tuple[_Borders, _Borders, float]:
    """The borders between words, those of them at sentence ends, and the number of words in all."""
    borders, sentences, total = _Borders(), _Borders(), 0.0
    free = ended = False  # is there a space or an ideograph before? does a sentence or a line end there?
    for atom in _ATOM.finditer(text):
        letters, run, space = atom.groups()
        start, end = atom.start(), atom.start(3)
        if start and (free or letters):
            borders.add(start, total)
            if ended:
                sentences.add(start, total)
        if letters:
            total += len(letters) / 2
        elif len(run) <= _LONGEST_WORD and run.isascii():
            total += 1
        else:
            for place, weight in _run_borders(text, start, end, words):
                if place > start:
                    borders.add(place, total)
                total += weight
        free = bool(letters or space)
        last = text[end - 1]
        if last in _CLOSING_QUOTES:
            last = text[start:end].rstrip(_CLOSING_QUOTES)[-1:]
        ended = last in _SENTENCE_ENDS or "\n" in space
    return borders, sentences, total


def _run_borders(text: str, start: int, end: int, words: int) -> Iterator[tuple[int, float]]:
    """The places where a run without spaces may be cut, each with the weight of what follows it.

    An ordinary word has one, its start; what is too long for that has one after about every five characters.
    """
    southeast = _SOUTHEAST.search(text, start, end)
    if end - start <= (5 * words if southeast else _LONGEST_WORD):
        yield start, (end - start) / 5 if southeast else 1.0
        return
    while start < end:
        following = min(start + 5, end)
        while following < end and unicodedata.category(text[following]).startswith("M"):
            following += 1
        yield start, (following - start) / 5
        start = following


def _cuts(text: str, words: int) -> list[int]:
    """Where to cut a page: even pieces of 0.6 to 1.3 times `words`, with a sentence's end if one is near."""
    borders, sentences, total = _borders(text, words)
    cuts: list[int] = []
    done = 0.0
    for left in range(max(2, round(total / words)) if total > 1.2 * words else 1, 1, -1):
        target = done + (total - done) / left
        low = max(target - 0.2 * words, done + 0.6 * words, total - 1.3 * words * (left - 1))
        high = min(target + 0.2 * words, done + 1.3 * words, total - 0.6 * words * (left - 1))
        cut = sentences.nearest(target, low, high) or borders.nearest(target, done + 0.01, total)
        if cut is not None:
            cuts.append(cut[0])
            done = cut[1]
    return cuts


def split_passages(document: Document, words: int = 100) -> list[Passage]:
    """Cut each page into passages of about `words` words; none crosses a page, none cuts a word.

    A page of up to 1.2 * `words` words is one passage. A Chinese or Japanese character counts as half a word,
    in Thai, Lao, Khmer and Burmese five characters as one: there is no dictionary, so only in these a run
    heavier than a passage may be cut inside a word, though never before a combining mark. A run of more than
    500 other characters is no word either: it counts by its length, lest a passage be huge, and may be cut.
    Below its title a passage is an exact slice of its page. Takes time linear in the text.
    """
    if words < 1:
        raise ValueError("A passage has at least one word.")
    passages: list[Passage] = []
    for number, page in enumerate(document.pages, 1):
        cuts = [0, *_cuts(page.text, words), len(page.text)]
        for piece in filter(None, (page.text[start:end].strip() for start, end in pairwise(cuts))):
            titled = not page.title or piece.partition("\n")[0] == page.title
            text = piece if titled else f"{page.title}\n{piece}"
            passages.append(Passage(document.name, number, len(passages), text))
    return passages


# --- a reader for each file type: its pages, and the warnings ---

_Content = tuple[list[Page], list[str]]


def _read_pdf(data: bytes) -> _Content:
    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError("it is encrypted; save it without a password")
    pages, damaged = [], []
    for number in range(1, len(reader.pages) + 1):
        try:
            text = reader.pages[number - 1].extract_text()
        except PARSER_ERRORS:  # one bad page should not lose the others
            text = ""
            damaged.append(number)
        pages.append(_clean_page(_join_hyphenated(text)))
    if damaged and not any(page.text for page in pages):
        raise DocumentError("its pages could not be read, it is probably damaged; save it again")
    empty = [number for number, page in enumerate(pages, 1) if not page.text and number not in damaged]
    if len(empty) == len(pages):
        place = "its only page" if len(pages) == 1 else f"its {len(pages)} pages"
        raise DocumentError(f"no text found in {place}; it is probably a scan, run OCR first")
    warnings = [f"{_numbers('page', damaged)} could not be read"] if damaged else []
    if empty:
        warnings.append(f"{_numbers('page', empty)} {'has' if len(empty) == 1 else 'have'} no text")
    return pages, warnings


_W_PARAGRAPH, _W_ROW, _W_CELL, _W_TEXT = qn("w:p"), qn("w:tr"), qn("w:tc"), qn("w:t")
_W_SPACES = {qn("w:tab"): "\t", qn("w:br"): "\n\n", qn("w:cr"): "\n\n", qn("w:noBreakHyphen"): "-"}
# Text that is there a second time: for old versions of Word, and where it was before it was moved.
_W_COPIES = ("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", qn("w:moveFrom"))


def _read_docx(data: bytes) -> _Content:
    document = docx.Document(io.BytesIO(data))
    body, blocks, title = document.element.body, [], ""
    # python-docx's own walk and .text leave out content controls, text boxes and tracked insertions, and its
    # row.cells grows with the spans that a file claims. In the XML below, all text is alike.
    for copy in list(body.iter(*_W_COPIES)):
        copy.getparent().remove(copy)
    for element in body.iter(_W_PARAGRAPH, _W_ROW):
        if next(element.iterancestors(_W_PARAGRAPH, _W_ROW), None) is not None:
            continue  # read with the row, or the paragraph of the text box, that holds it
        if element.tag == _W_ROW:
            blocks.append(_docx_row(element))
            continue
        style = None if title else Paragraph(element, document).style
        if style and style.name in ("Title", "Heading 1"):
            title = _docx_text(element).strip()
        else:
            blocks.append(_docx_text(element))
    core = document.core_properties.title
    # "Word Document" is what python-docx makes up for a file without properties.
    return [_clean_page("\n\n".join(blocks), title or (core if core != "Word Document" else ""))], []


def _docx_row(row: Any) -> str:
    cells = [cell for cell in row.iter(_W_CELL) if next(cell.iterancestors(_W_ROW)) is row]
    return _table_row(" ".join(map(_docx_text, cell.iter(_W_PARAGRAPH))) for cell in cells)


def _docx_text(paragraph: Any) -> str:
    return "".join(_W_SPACES.get(part.tag) or part.text or "" for part in paragraph.iter(_W_TEXT, *_W_SPACES))


def _table_row(cells: Iterable[str]) -> str:
    return " | ".join(filter(None, map(_one_line, cells)))


_HTML_BLOCKS = """
    address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header legend li main nav ol option p pre section summary table td th tr ul
"""
_HTML_BLOCK = frozenset(_HTML_BLOCKS.split())


def _read_html(text: str) -> _Content:
    # Without its XML declaration XHTML is HTML to Beautiful Soup, and with a newline no text is a file name.
    soup = BeautifulSoup(re.sub(r"^\s*<\?xml[^>]*>", "", text) + "\n", "lxml")
    heading = next((h1 for h1 in soup("h1") if h1.get_text(strip=True)), None)
    named = heading or soup.find("title")
    title = named.get_text(" ") if named else ""
    for tag in [*soup(["script", "style", "noscript", "template", "head"]), *([heading] if heading else [])]:
        tag.decompose()
    for row in soup("tr"):
        if not row.find("table"):  # else it lays out the page
            row.string = _table_row(cell.get_text(" ") for cell in row(["th", "td"]))
    return [_clean_page("".join(_html_strings(soup)), title)], []


def _html_strings(soup: BeautifulSoup) -> Iterator[str]:
    """The strings of a page, with a blank line where one block ends and another begins."""
    block_of, last = {id(soup): id(soup)}, id(soup)  # by id, because a tag's hash is that of all its text
    for node in soup.descendants:
        block = block_of[id(node.parent)]
        if isinstance(node, Tag):
            block_of[id(node)] = id(node) if node.name in _HTML_BLOCK else block
            yield "\n\n" if node.name in ("br", "hr") else ""
        elif type(node) is NavigableString:  # not a comment
            yield "" if block == last else "\n\n"
            yield re.sub(r"\s+", " ", node)
            last = block


def _read_markdown(text: str) -> _Content:
    text = re.sub(r"^(#{1,6}[ \t].*)$", r"\n\1\n", text, flags=re.MULTILINE)  # a heading ends with its line
    heading = re.search(r"^#[ \t]+(.*)$", text.partition("```")[0], re.MULTILINE)
    if heading is None:
        return [_clean_page(text)], []
    title, closed = heading[1].strip(), heading[1].strip().rstrip("#")
    title = closed if closed.endswith((" ", "\t")) else title  # `# C#` is not closed, `# The lamp #` is
    return [_clean_page(text[: heading.start()] + text[heading.end() :], title)], []


def _read_plain(text: str) -> _Content:
    return [_clean_page(text)], []


_CSV_END = "\x1e"


def _read_csv(text: str) -> _Content:
    try:
        delimiter = csv.Sniffer().sniff(text[:8192], ",;\t").delimiter
    except csv.Error:
        delimiter = ","
    # The limit is the whole process's, so it is only ever raised; no field is longer than its file.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 2))
    # A last row of our own shows whether a quotation mark was left open: then it is not a row by itself.
    rows = list(csv.reader(io.StringIO(f"{text}\n{_CSV_END}"), delimiter=delimiter))
    warnings = []
    if rows[-1] == [_CSV_END]:
        rows.pop()
    else:
        warnings.append(f"a quotation mark in row {len(rows)} is never closed, the rest was read as one cell")
    header: list[str] = next(filter(None, rows), [])
    records = [(number, row) for number, row in enumerate(rows, 1) if row][1:]
    uneven = [number for number, row in records if len(row) != len(header)]
    if uneven:
        verb = "has" if len(uneven) == 1 else "have"
        warnings.append(f"{_numbers('row', uneven)} {verb} more or fewer cells than the header")
    lines = [_csv_line(header, row) for _, row in records] or ["; ".join(header)]
    return [_clean_page("\n\n".join(lines))], warnings


def _csv_line(header: list[str], row: list[str]) -> str:
    cells = zip_longest(map(_one_line, header), map(_one_line, row), fillvalue="")
    return "; ".join(f"{name}: {value}" if name else value for name, value in cells if value)


def _read_json_lines(text: str) -> _Content:
    pages: list[Page] = []
    skipped: dict[str, list[int]] = {}
    for number, row in enumerate(text.split("\n"), 1):  # not splitlines: JSON may hold U+2028 as it is
        page = _json_page(row) if row.strip() else None
        if isinstance(page, Page):
            pages.append(page)
        elif page is not None:
            skipped.setdefault(page, []).append(number)
    warnings = [f"{_numbers('row', numbers)} skipped ({reason})" for reason, numbers in skipped.items()]
    if not pages:
        reasons = "; ".join(warnings) or "there are none"
        raise DocumentError(f'no row has text ({reasons}); each must be an object with "contents" or "text"')
    return pages, warnings


def _json_page(row: str) -> Page | str:
    """The page that a row holds, or the reason why it holds none."""
    try:
        value = json.loads(row)
    except RecursionError:
        return "nested too deeply"
    except ValueError:  # also a number of more digits than Python converts
        return "not valid JSON"
    if not isinstance(value, dict):
        return "not an object"
    contents, text, title = value.get("contents"), value.get("text"), value.get("title")
    if isinstance(contents, str) and contents.strip():
        title, _, text = contents.strip().partition("\n")
        return _clean_page(text, title)
    if isinstance(text, str) and text.strip():
        return _clean_page(text, title if isinstance(title, str) else "")
    return 'no text in "contents" or "text"'


_BINARY: dict[str, Callable[[bytes], _Content]] = {".pdf": _read_pdf, ".docx": _read_docx}
_TEXT: dict[str, Callable[[str], _Content]] = {
    **dict.fromkeys((".html", ".htm"), _read_html),
    **dict.fromkeys((".md", ".markdown"), _read_markdown),
    ".txt": _read_plain,
    **dict.fromkeys((".csv", ".tsv"), _read_csv),
    ".jsonl": _read_json_lines,
}
FILE_TYPES: tuple[str, ...] = (*_BINARY, *_TEXT)

# What the parsers raise on damaged files: the libraries' own errors, then Python's that pass through them.
_LIBRARY_ERRORS = (PyPdfError, DependencyError, OpcError, LxmlError, ParserRejectedMarkup)
_FORMAT_ERRORS = (BadZipFile, zlib.error, struct.error, csv.Error, EOFError, OSError)
_PYTHON_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
PARSER_ERRORS = (*_LIBRARY_ERRORS, *_FORMAT_ERRORS, *_PYTHON_ERRORS, MemoryError, RuntimeError)


# --- files and folders ---

_NO_TEXT = "it does not look like text; save it as UTF-8 text"
# What old files are in. Among all that there are, Mac OS's Icelandic is often taken for German.
_OLD_ENCODINGS = ["cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_2", "koi8_r"]
_OLD_ENCODINGS += ["cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
_BINARY_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1a]")


def _decode(data: bytes) -> tuple[str, str]:
    """The text of a file and its encoding: UTF-8, UTF-16 with a byte order mark, else what fits best."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text, encoding = _guess(data)
    if "\0" in text or len(_BINARY_CHARACTERS.findall(text)) > len(text) / 100:
        raise DocumentError(_NO_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _guess(data: bytes) -> tuple[str, str]:
    matches = from_bytes(data, cp_isolation=_OLD_ENCODINGS)
    best = matches.best()
    if best is None:
        raise DocumentError(_NO_TEXT)
    # Of equally clean readings the first by name is called best: "Ł5" for "£5". Western ones are likelier.
    western = (match for match in matches if "cp1252" in match.could_be_from_charset)
    best = next((match for match in western if match.chaos <= best.chaos), best)
    return str(best), best.encoding.replace("cp12", "windows-12")


def _check_kind(data: bytes, suffix: str) -> None:
    """Refuse what its first bytes show to be something else: a PDF, a zip (docx) or OLE (doc) file."""
    if not data:
        raise DocumentError("it is empty; save it again")
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentError("it is an old or an encrypted Office file; save it as .docx without a password")
    kind = {b"%PDF": ".pdf", b"PK\3\4": ".docx"}.get(data[:4], "")
    if suffix == ".pdf" and b"%PDF" in data[:1024]:
        kind = ".pdf"
    if kind != (suffix if suffix in _BINARY else ""):
        raise DocumentError(f"it is not what its name says, a {suffix} file; save it again in that format")


def _read(path: Path) -> _Content:
    suffix = path.suffix.lower()
    if os.path.isdir(path):  # os.path's tests, because Path's raise on some names
        raise DocumentError("it is a folder without files to read; give a file")
    if not os.path.isfile(path):
        raise DocumentError("it does not exist or is not a file; check its name")
    if suffix not in FILE_TYPES:
        raise DocumentError(f"skipped, its type is not read; save it as one of {' '.join(FILE_TYPES)}")
    data = path.read_bytes()
    _check_kind(data, suffix)
    if suffix in _BINARY:
        return _BINARY[suffix](data)
    text, encoding = _decode(data)
    pages, warnings = _TEXT[suffix](text)
    if not encoding.startswith("utf"):
        warnings.append(f"it is not UTF-8 and was read as {encoding}")
    return pages, warnings


def read_document(path: Path, name: str | None = None) -> Document:
    """Read a file of one of FILE_TYPES. name: what to call it, by default the name of the file.

    Raises DocumentError: one sentence with the name, what was wrong and what to do.
    """
    name = _one_line(clean_text(name or path.name)) or "file"
    try:
        pages, warnings = _read(path)
    except DocumentError as error:
        raise DocumentError(f"{name}: {error}") from error
    except PARSER_ERRORS as error:
        raise DocumentError(f"{name}: it could not be read and is probably damaged; save it again") from error
    if not any(re.search(r"[^\W_]", page.text) for page in pages):
        raise DocumentError(f"{name}: it has no words; check that it is the right file")
    return Document(name, tuple(pages), tuple(warnings))


def _find_files(paths: Iterable[Path]) -> dict[Path, str]:
    """Each file once, with its name: in a folder its path from there. Hidden ones in folders are left out."""
    files: dict[Path, str] = {}
    for path in paths:
        inside = sorted(filter(os.path.isfile, path.rglob("*"))) if os.path.isdir(path) else []
        places = [(file, file.relative_to(path)) for file in inside]
        shown = [(f, place.as_posix()) for f, place in places if not re.search(r"(^|/)\.", place.as_posix())]
        for file, name in shown or [(path, path.name or str(path))]:
            files.setdefault(file.absolute(), name)
    return files


def _free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name (2)` and so on, so that no two documents are called the same."""
    free = next(free for n in count(1) if (free := name if n == 1 else f"{name} ({n})") not in taken)
    taken.add(free)
    return free


def read_collection(paths: Iterable[Path], words: int = 100) -> Collection:
    """Read files, and the files in folders, into passages of about `words` words.

    A bad file raises nothing: its FileResult says what was wrong, and the others are read.
    """
    documents: list[Document] = []
    passages: list[Passage] = []
    results: list[FileResult] = []
    taken: set[str] = set()
    for path, found in _find_files(paths).items():
        name = _free_name(_one_line(clean_text(found)), taken)
        try:
            document = read_document(path, name)
        except DocumentError as error:
            results.append(FileResult(name, error=str(error)))
            continue
        pieces = split_passages(document, words)
        documents.append(document)
        passages.extend(pieces)
        results.append(FileResult(name, len(document.pages), len(pieces), document.warnings))
    return Collection(tuple(documents), tuple(passages), tuple(results))
