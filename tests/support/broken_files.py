"""Broken files of every format: real ones with bytes, lines or XML changed, and ones that Hypothesis makes up."""

import csv
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

from hypothesis import strategies as st
from lxml import etree

from tests.support.files import CORPORA, encrypted, pdf, saved, word_file
from tests.support.hostile import TOO_SLOW, hostile_files
from tests.support.whole_files import WHOLE

ARCHIVES = (".docx", ".xlsx", ".pptx", ".epub", ".odt")
TEXTS = (".html", ".md", ".txt", ".csv", ".jsonl", ".json", ".ipynb", ".xml", ".rst", ".org", ".tex", ".srt")
FORMATS = (".pdf", *ARCHIVES, ".rtf", ".eml", *TEXTS)
_XML = (".xml", ".rels", ".opf", ".xhtml")
_MAIN_PARTS = ("document.xml", "sheet1.xml", "slide1.xml", "content.xml", ".xhtml", ".opf", "styles.xml", "data.pkl")

# What the formats are sensitive to.
WORDS = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"-1", b"9" * 20, b"1e999",
    b"/Filter/FlateDecode", b"/Length 0", b"/Length -1", b"/Kids[1 0 R]", b"/Prev 0", b"obj", b"endobj", b"stream\n",
    b"<<", b">>", b"[", b"]", b"(", b")", b"/Type/ObjStm", b"/Encrypt", b"BT", b"Tj", b"Do", b"/Identity-H",
    b"<w:p>", b"</w:p>", b"<w:tbl>", b"<w:tr>", b"<!DOCTYPE a [", b"<!ENTITY b 'c'>", b"&b;", b"&#xD800;", b"&#0;",
    b"<table>", b"</tr>", b"<script>", b"<!--", b"-->", b"<![CDATA[", b"<svg>", b"<template>", b"<plaintext>",
    b'"', b'""', b",", b";", b"\t", b"\r", b"\n\n", b"{", b"}", b'{"text": "', b"\\ud800", b"\\u0000", b"null", b"NaN",
    b"# ", b"```", b"| a |", b"- ", b"{\\rtf1", b"\\'", b"\\u-1?", b"\\bin9999999 ", b"\\trowd", b"\\cell", b"\\end{",
    b"\\begin{tabular}", b"\\section{", b"$$", b"\\(", b"\\\\", b"+--+", b"====", b".. code::\n\n  ", b"``", b"]]",
    b"#+begin_src\n", b"\n* ", b" --> ", b"--b\n", b"Content-Type: multipart/mixed; boundary=b\n", b"=?utf-8?b?",
    b"<a ", b'r="XFD1048576"', b't="s"', b'table:number-columns-repeated="99999999"', b'"cells": [', b'"source": ',
    b"[[", b"1e400", "\u2028".encode(), "\u0301".encode() * 40, "\U0001f600".encode(), b"a" * 5_000,
)  # fmt: skip


# --- real files, and what is done to them ---


@cache
def seeds(suffix: str) -> tuple[bytes, ...]:
    """Real files of a format, a good one first, and the hostile ones that take no time."""
    files = [path.read_bytes() for path in sorted(CORPORA.rglob(f"documents/*{suffix}"))]
    if suffix in WHOLE:
        files.insert(0, WHOLE[suffix]())
    hostile = (file for file in hostile_files().values() if TOO_SLOW not in file.line and len(file.data) < 9_000)
    files += [file.data for file in hostile if file.name.endswith(suffix)]
    if suffix == ".pdf":
        files += [pdf(["The lamp burns."], [], ["Whale oil."]), encrypted(pdf(["Lamp."]), "")]
    return tuple(files)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few changes at random places."""
    changed = bytearray(data[: 2**17])
    for _ in range(chance.choice((1, 2, 4, 8, 32))):
        place, length = chance.randrange(len(changed) + 1), chance.choice((1, 1, 4, 64, 1_000))
        match chance.randrange(6):
            case 0:
                changed[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place:place] = changed[place : place + length] * chance.choice((1, 2, 50))
            case 3:
                changed[place:place] = chance.choice(WORDS)
            case 4:
                other = chance.randrange(len(changed) + 1)
                changed[place : place + length] = changed[other : other + length]
            case 5 if chance.random() < 0.1:
                del changed[place:]
            case 5:
                changed[place : place + 8] = chance.choice(WORDS)
    return bytes(changed)


def mutated_tree(data: bytes, chance: random.Random) -> bytes:
    """XML with elements taken away, doubled, moved and renamed, and texts and attributes changed: still XML."""
    try:
        root = etree.fromstring(data[: 2**17])
    except etree.XMLSyntaxError:
        return mutated(data, chance)
    for _ in range(chance.choice((1, 2, 4, 8))):
        elements = [element for element in root.iter(etree.Element) if element is not root]
        if not elements:
            break
        element, other = chance.choice(elements), chance.choice(elements)
        word = "".join(filter(str.isprintable, chance.choice(WORDS).decode("utf-8", "ignore")))
        match chance.randrange(5):
            case 0:
                element.getparent().remove(element)
            case 1:
                other.append(deepcopy(element))
            case 2:
                element.tag = other.tag
            case 3 if element.attrib:
                element.set(chance.choice(list(element.attrib)), word)
            case _:
                element.text = word
    return etree.tostring(root)


def mutated_inside(data: bytes, chance: random.Random, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive with a part or two of it changed, so that it is still an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(buffer, "w", method) as archive:
        names = whole.namelist()
        chosen = {*chance.sample(names, k=min(len(names), chance.choice((1, 1, 2))))}
        chosen |= {name for name in names if name.endswith(_MAIN_PARTS) and chance.random() < 0.7}
        for name in names:
            content = whole.read(name)
            change = mutated_tree if name.endswith(_XML) and chance.random() < 0.8 else mutated
            archive.writestr(name, change(content, chance) if name in chosen else content)
    return buffer.getvalue()


def mutation(suffix: str) -> Callable[[int], bytes]:
    def make(number: int) -> bytes:
        chance = random.Random(number)
        data = chance.choice(seeds(suffix))
        if suffix in ARCHIVES and zipfile.is_zipfile(io.BytesIO(data)) and chance.random() < 0.7:
            return mutated_inside(data, chance)
        return (mutated_tree if suffix == ".xml" and chance.random() < 0.5 else mutated)(data, chance)

    return make


# --- made up files ---

TEXT = st.text(max_size=200) | st.text(st.sampled_from("ab \n\t\r\"',;|#*`-<>&\\/{}[]()\u2028\u0301漢ไ"), max_size=400)
ENCODINGS = (*["utf-8"] * 12, "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "koi8_r", "shift_jis", "utf-32")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys(("contents", "text", "title", "id"), TEXT | VALUES))
CELLS = VALUES | st.fixed_dictionaries(
    {"cell_type": st.sampled_from(("markdown", "code", "raw")), "source": TEXT | VALUES},
    optional={
        "outputs": VALUES | st.lists(st.fixed_dictionaries({}, optional={"text": VALUES, "data": VALUES}), max_size=3)
    },
)
TAGS = ("p", "div", "b", "table", "tr", "td", "h1", "title", "li", "pre", "script", "template", "svg", "rt", "body")
HTML = st.recursive(
    TEXT,
    lambda inner: st.builds(
        lambda tag, parts, closed: f"<{tag}>{''.join(parts)}{f'</{tag}>' if closed else ''}",
        st.sampled_from(TAGS) | TEXT,
        st.lists(inner, max_size=5),
        st.booleans(),
    ),
    max_leaves=25,
)


def as_csv(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(rows)
    return buffer.getvalue()


def as_docx(paragraphs: list[str]) -> bytes:
    document = word_file()
    for text in paragraphs:
        document.add_paragraph("".join(letter for letter in text if letter.isprintable()))
    return saved(document)


def as_pdf(pages: list[list[str]]) -> bytes:
    return pdf(*([line.encode("ascii", "replace").decode() for line in lines] for lines in pages))


def encoded(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return st.builds(lambda text, name: text.encode(name, "replace"), texts, st.sampled_from(ENCODINGS))


def made_up(suffix: str) -> st.SearchStrategy[bytes]:
    match suffix:
        case ".pdf":
            return st.builds(as_pdf, st.lists(st.lists(TEXT, max_size=4), min_size=1, max_size=3))
        case ".docx":
            return st.builds(as_docx, st.lists(TEXT, max_size=4))
        case ".html" | ".xml":
            return encoded(HTML)
        case ".csv":
            return encoded(st.builds(as_csv, st.lists(st.lists(TEXT, max_size=5), max_size=5)) | TEXT)
        case ".jsonl":
            rows = (ROWS | VALUES).map(lambda row: json.dumps(row, ensure_ascii=False)) | TEXT
            return encoded(st.lists(rows, max_size=6).map("\n".join))
        case ".json":
            return encoded(VALUES.map(json.dumps))
        case ".ipynb":
            return encoded(st.lists(CELLS, max_size=4).map(lambda cells: json.dumps({"cells": cells})))
    return encoded(TEXT) | st.binary(max_size=300)


def files(suffix: str) -> st.SearchStrategy[bytes]:
    numbers = st.integers(0, 2**64).map(mutation(suffix))
    return st.booleans().flatmap(lambda real: numbers if real else made_up(suffix))


# --- token files ---


def whole_token_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Small files in all types, as the mutations start from them."""
    import torch  # takes a second, which documents do without

    from spring.models.virtual_tokens import VirtualTokens

    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        matrix = torch.randn(5, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
        torch.save(matrix, folder / "whole.pt")
        yield ".pt", (folder / "whole.pt").read_bytes()
        VirtualTokens(matrix, "tiny", "learned", {"seed": "1"}).save(folder / "whole.safetensors")
        yield ".safetensors", (folder / "whole.safetensors").read_bytes()


def broken_token_file(whole: list[tuple[str, bytes]], number: int) -> tuple[str, bytes]:
    """The suffix and the bytes of a token file with some changes."""
    chance = random.Random(number)
    suffix, content = chance.choice(whole)
    inside = suffix == ".pt" and chance.random() < 0.6
    return suffix, mutated_inside(content, chance, zipfile.ZIP_STORED) if inside else mutated(content, chance)
