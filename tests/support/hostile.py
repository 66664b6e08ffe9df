"""Files that were made to do harm, each with the line that the visitor gets for it."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tests.support.files import encrypted, pdf, saved, word_file

DAMAGED = "it could not be read and is probably damaged; save it again"
NO_PAGES = "its pages could not be read, it is probably damaged; save it again"
TOO_SLOW = "reading it takes too long; save it again, or give a smaller part of it"
TOO_BIG = "reading it takes too much memory; save it again, or give a smaller part of it"
BOMB = "it unpacks to far more than a Word file holds; save it again as .docx"
NO_ZIP = "it could not be read, its zip archive is put together wrongly; save it again as .docx"
DTD = "it holds a document type definition, which Word never writes; save it again as .docx"
ENTITIES = "it defines entities, which are not read; save it again without a document type definition"
CROWDED = "one of its tags has too many attributes; save it again, or give a smaller part of it"
PARTS = "its parts are nested too deeply; save its text as a file of its own"
DEEP = "it is nested too deeply; give a smaller part of it"
NO_TEXT = "it does not look like text; save it as UTF-8 text"
NO_ROW = 'no row has text (row 1 skipped ({})); each must be an object with "contents" or "text"'
NO_WORDS = "it has no words; check that it is the right file"
PROGRAM = "it is a program, no document; check that it is the right file"


@dataclass(frozen=True)
class Hostile:
    """line: all that is said of the file, its name included."""

    name: str
    data: bytes
    line: str


# --- Word ---


def docx_with(xml: bytes, part: str = "word/document.xml") -> bytes:
    """A Word file with one part replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(word_file()))) as whole, zipfile.ZipFile(buffer, "w", 8) as archive:
        for entry in whole.infolist():
            archive.writestr(entry.filename, xml if entry.filename == part else whole.read(entry))
    return buffer.getvalue()


def entity_bomb(encoding: str = "utf-8") -> bytes:
    """A billion laughs."""
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
    return docx_with(_document(f'<!DOCTYPE d [<!ENTITY e0 "ha">{entities}]>', "&e9;", encoding))


def external_entity(target: str) -> bytes:
    """What would read a file of the server's."""
    return docx_with(_document(f'<!DOCTYPE d [<!ENTITY x SYSTEM "{target}">]>', "&x;", "utf-8"))


def _document(doctype: str, text: str, encoding: str) -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = f'<w:document xmlns:w="{space}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>'
    return f'<?xml version="1.0" encoding="{encoding}"?>{doctype}{body}'.encode(encoding)


def docx_bomb() -> bytes:
    """Some 80 KB: 90 entries of 40 MB that are all the same bytes, so 3.6 GB."""
    return with_shared_entries(docx_with(b" " * 40 * 2**20), 90)


def with_shared_entries(data: bytes, times: int, part: bytes = b"word/document.xml") -> bytes:
    """The archive with one part's directory entry written `times` times, under other names each time."""
    end = data.rindex(b"PK\5\6")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    before, entry, after = data[start:end].partition(part)
    head = before[before.rindex(b"PK\1\2") :]
    extra = after[: after.find(b"PK\1\2") if b"PK\1\2" in after else len(after)]
    copies = b"".join(head + entry[:-1] + bytes([0x30 + number]) + extra for number in range(times - 1))
    count = int.from_bytes(data[end + 10 : end + 12], "little") + times - 1
    directory = data[start:end] + copies
    numbers = count.to_bytes(2, "little") * 2 + len(directory).to_bytes(4, "little") + start.to_bytes(4, "little")
    return data[:start] + directory + b"PK\5\6\0\0\0\0" + numbers + b"\0\0"


# --- PDF ---


def raw_pdf(*objects: bytes) -> bytes:
    """A PDF of these objects; the first is its catalog."""
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))
    return data + b"xref\n0 %d\n%s%s" % (len(objects) + 1, table, trailer)


def form_pdf(fields: int) -> bytes:
    """A page with so many fields of a form."""
    kids = b" ".join(b"%d 0 R" % (5 + number) for number in range(fields))
    catalog = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%s]/DA(/F 9 Tf)>>>>" % kids
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 3000]/Contents 4 0 R/Annots[%s]" % kids
    page += b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"
    text = b"<</Length 46>>stream\nBT /F 9 Tf 10 2900 Td (The lamp burns.) Tj ET \nendstream"
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(f%d)/V(oil %d)/Rect[10 %d 90 %d]>>"
    drawn = [field % (number, number, number // 2, number // 2 + 9) for number in range(fields)]
    return raw_pdf(catalog, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, text, *drawn)


@cache
def slow_pdf() -> bytes:
    """Some 2 KB: a page that sets 230 graphics parameters seven million times, packed twice."""
    packed = zlib.compress(zlib.compress(b"/G gs " * 700_000), 9)
    stream = b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (len(packed), packed)
    state = b"<</ExtGState<</G<<%s>>>>>>" % b"".join(b"/k%d 0" % number for number in range(230))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents[%s]/Resources%s>>" % (b"3 0 R " * 10, state)
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[4 0 R]/Count 1>>", stream, page)


def long_pdf(pages: int = 10, words: int = 1_000_000) -> bytes:
    """Some 2 KB: pages that share a packed and twice packed stream of so many words."""
    text = zlib.compress(zlib.compress(b"BT /F 9 Tf\n" + b"(a) Tj\n" * words + b"ET"), 9)
    stream = b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (len(text), text)
    kids = b" ".join(b"%d 0 R" % (4 + number) for number in range(pages))
    font = b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 3 0 R/Resources%s>>" % font
    tree = b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages)
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, stream, *[page] * pages)


def endless_pdf() -> bytes:
    """Its pages are their own grandparents."""
    tree = b"<</Type/Pages/Kids[3 0 R 3 0 R]/Count 1>>"
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, b"<</Type/Pages/Kids[2 0 R]/Parent 2 0 R>>")


def bookmarks_pdf() -> bytes:
    """Its bookmarks follow each other in a circle."""
    catalog = b"<</Type/Catalog/Pages 2 0 R/Outlines 4 0 R>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 6 0 R/Resources<</Font<</F 7 0 R>>>>>>"
    mark = b"<</Title(Lamp)/Parent 4 0 R/Next 5 0 R/First 5 0 R/Last 5 0 R/Dest[3 0 R/Fit]>>"
    text = b"BT /F 1 Tf 1 1 Td (lamp) Tj ET"
    stream = b"<</Length %d>>stream\n%s\nendstream" % (len(text), text)
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    tree = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return raw_pdf(catalog, tree, page, b"<</First 5 0 R/Last 5 0 R>>", mark, stream, font)


# --- all ---


@cache
def hostile_files() -> Mapping[str, Hostile]:
    """By what is wrong with them."""
    columns = 100_000
    wide = (",".join("ab" * (columns // 2)) + "\n").encode() * 2
    surrogates = json.dumps({"contents": "A \ud83d lamp\nIt \udc00 burns."}).encode()
    files = {
        "docx: 80 KB for 3.6 GB": ("bomb.docx", docx_bomb(), BOMB),
        "docx: shared bytes": ("shared.docx", with_shared_entries(saved(word_file()), 2), NO_ZIP),
        "docx: entity bomb": ("laughs.docx", entity_bomb(), DTD),
        "docx: entity bomb in UTF-16": ("laughs16.docx", entity_bomb("utf-16-le"), DTD),
        "docx: external entity": ("outside.docx", external_entity("file:///etc/hostname"), DTD),
        "pdf: 2 KB that never end": ("slow.pdf", slow_pdf(), TOO_SLOW),
        "pdf: a loop of pages": (
            "loop.pdf",
            endless_pdf(),
            "its pages could not be read, it is probably damaged; save it again",
        ),
        "pdf: encrypted": (
            "secret.pdf",
            encrypted(pdf(["Lamp."]), "word"),
            "it is encrypted; save it without a password",
        ),
        "html: nested deeply": ("deep.html", b"<div>" * 100_000 + b"deep lamp", "1 page, 1 passage"),
        "txt: UTF-16 without a mark": (
            "utf16.txt",
            "The lamp burns.".encode("utf-16-le"),
            "1 page, 1 passage; it has no byte order mark and was read as UTF-16",
        ),
        "xml: entity bomb": ("laughs.xml", b"<!DOCTYPE a [<!ENTITY b 'ha'>]><a>&b;</a>", ENTITIES),
        "xml: nested deeply": ("deep.xml", b"<a>" * 100_000, DAMAGED),
        "json: nested deeply": ("deep.json", b'{"a":[' * 400 + b"1" + b"]}" * 400, DEEP),
        "rtf: nested deeply": ("deep.rtf", b"{\\rtf1 " + b"{" * 100_000 + b"lamp", "1 page, 1 passage"),
        "rtf: a title that never ends": ("title.rtf", b"{\\rtf1 {\\title " + b"a\\u1 " * 20_000, NO_WORDS),
        "html: 300,000 attributes": ("wide.html", b"<p " + b"".join(b"a%d=1 " % n for n in range(300_000)), CROWDED),
        "xml: 300,000 attributes": ("wide.xml", b"<p " + b"".join(b"a%d='' " % n for n in range(300_000)), CROWDED),
        "pdf: a form with very many fields": (
            "form.pdf",
            form_pdf(4_000),
            "1 page, 59 passages; only the first 2,000 fields and notes of page 1 were read",
        ),
        "pdf: a circle of bookmarks": ("circle.pdf", bookmarks_pdf(), "1 page, 1 passage"),
        "rst: nested deeply": (
            "deep.rst",
            b"".join(b"  " * n + b".. note:: lamp\n" for n in range(500)),
            "1 page, 5 passages",
        ),
        "tex: nested deeply": ("deep.tex", b"lamp " + b"\\footnote{" * 5_000, "1 page, 1 passage"),
        "md: nested deeply": ("deep.md", b"> " * 5_000 + b"lamp", "1 page, 1 passage"),
        "eml: parts in parts": ("deep.eml", b"Subject: lamp\n" + b"Content-Type: message/rfc822\n\n" * 3_000, PARTS),
        "txt: NULs": ("zeros.txt", b"The lamp\0 burns.", NO_TEXT),
        "jsonl: unpaired surrogates": ("half.jsonl", surrogates, "1 page, 1 passage"),
        "csv: an open quotation mark": (
            "quote.csv",
            b'a,b\n1,"lamp\n2,oil\n',
            "1 page, 1 passage; a quotation mark in row 2 is never closed, the rest was read as one cell",
        ),
        "csv: 100,000 columns": ("wide.csv", wide, "1 page, 2000 passages"),
        "csv: a header that repeats": ("repeat.csv", b"h" * 100_000 + b",b\n" + b"1,2\n" * 100_000, TOO_BIG),
        "jsonl: nested deeply": ("deep.jsonl", b"[" * 100_000 + b"]" * 100_000, NO_ROW.format("nested too deeply")),
        "jsonl: 5,000 digits": ("digits.jsonl", b'{"text": ' + b"9" * 5_000 + b"}", NO_ROW.format("not valid JSON")),
        "a name that climbs": ("../../climb.txt", b"The lamp burns.", "1 page, 1 passage"),
        "no words": ("blank.md", b" \n\t\n", NO_WORDS),
        "no bytes": ("none.pdf", b"", "it is empty; save it again"),
        "a program renamed": ("setup.pdf", b"MZ\x90\0\3\0\0\0" + bytes(400), PROGRAM),
        "a program renamed to text": ("run.txt", b"\x7fELF\2\1\1\0" + bytes(400), PROGRAM),
        "a pdf named .txt": ("report.txt", pdf(["The lamp burns."]), "1 page, 1 passage"),
    }
    # Servers and Path agree that a climbing name is the name behind its last slash.
    return {
        what: Hostile(name, data, f"{name.rpartition('/')[2]}: {line}") for what, (name, data, line) in files.items()
    }
