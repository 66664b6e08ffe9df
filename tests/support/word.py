"""Word files written part by part, for what python-docx does not write."""

import io
import zipfile
from collections.abc import Mapping

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SPACES = {
    "w": _WORD,
    "r": f"{_OFFICE}/relationships",
    "m": f"{_OFFICE}/math",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
    "dc": "http://purl.org/dc/elements/1.1/",
}
DECLARED = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in _SPACES.items())
_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
STRICT = {
    _WORD: "http://purl.oclc.org/ooxml/wordprocessingml/main",
    f"{_OFFICE}/relationships": "http://purl.oclc.org/ooxml/officeDocument/relationships",
    f"{_OFFICE}/math": "http://purl.oclc.org/ooxml/officeDocument/math",
}


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def raised(text: str) -> str:
    return run(text, '<w:vertAlign w:val="superscript"/>')


def cited(number: int, kind: str = "footnote") -> str:
    return f'<w:r><w:{kind}Reference w:id="{number}"/></w:r>'


def paragraph(content: str, style: str = "", properties: str = "") -> str:
    """content: a text or runs."""
    content = content if content.startswith("<") else run(content)
    style = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{style}{properties}</w:pPr>{content}</w:p>"


def item(content: str, number: int = 1, level: int = 0) -> str:
    """An item of a list."""
    numbers = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return paragraph(content, properties=numbers)


def style(name: str, base: str = "", paragraph_: str = "", run_: str = "", kind: str = "paragraph") -> str:
    """A style whose id is its name."""
    based = f'<w:basedOn w:val="{base}"/>' if base else ""
    parts = f"<w:pPr>{paragraph_}</w:pPr><w:rPr>{run_}</w:rPr>"
    return f'<w:style w:type="{kind}" w:styleId="{name}"><w:name w:val="{name}"/>{based}{parts}</w:style>'


def level(number: int, text: str, form: str = "decimal", more: str = "") -> str:
    """A level of the forms of a list; `more` are its further properties."""
    head = f'<w:lvl w:ilvl="{number}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
    return f'{head}{more}<w:lvlText w:val="{text}"/></w:lvl>'


def forms(number: int, *levels: str) -> str:
    return f'<w:abstractNum w:abstractNumId="{number}">{"".join(levels)}</w:abstractNum>'


def numbers(number: int, of: int, overrides: str = "") -> str:
    """A list of these forms."""
    return f'<w:num w:numId="{number}"><w:abstractNumId w:val="{of}"/>{overrides}</w:num>'


def notes(texts: Mapping[int, str], kind: str = "footnote") -> str:
    """texts: of each note its text or paragraphs."""
    separator = f'<w:{kind} w:type="separator" w:id="-1"><w:p><w:r><w:t>----</w:t></w:r></w:p></w:{kind}>'
    inner = (
        f'<w:{kind} w:id="{n}">{text if text.startswith("<w:p") else paragraph(text)}</w:{kind}>'
        for n, text in texts.items()
    )
    return separator + "".join(inner)


def table(*rows: list[str]) -> str:
    """Rows of the contents of cells: texts, or properties and paragraphs."""

    def cell(content: str) -> str:
        return f"<w:tc>{content if content.startswith('<w:') else paragraph(content)}</w:tc>"

    inner = "".join(f"<w:tr>{''.join(map(cell, row))}</w:tr>" for row in rows)
    return f"<w:tbl><w:tblPr/>{inner}</w:tbl>"


def word_package(
    body: str,
    parts: Mapping[str, str] | None = None,
    title: str = "",
    main_type: str = _TYPE,
    replaced: Mapping[str, str] | None = None,
) -> bytes:
    """A Word file.

    parts: by kind, such as `styles`, what they hold; headers and footers (`header1`) have their names as their ids.
    replaced: what stands in all parts in the place of something else.
    """
    names = {"header": "hdr", "footer": "ftr"}
    files, relations = {}, []
    for name, inner in (parts or {}).items():
        kind = name.rstrip("0123456789")
        root = names.get(kind, kind)
        files[f"word/{name}.xml"] = f"<w:{root} {DECLARED}>{inner}</w:{root}>"
        relations.append((name, f"{_OFFICE}/relationships/{kind}", f"{name}.xml"))
    first = [("r1", f"{_OFFICE}/relationships/officeDocument", "word/document.xml")]
    if title:
        files["docProps/core.xml"] = f"<core {DECLARED}><dc:title>{title}</dc:title></core>"
        first.append(("r2", f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"))
    files["word/document.xml"] = f"<w:document {DECLARED}><w:body>{body}</w:body></w:document>"
    files["word/_rels/document.xml.rels"] = _relationships(relations)
    files["_rels/.rels"] = _relationships(first)
    override = f'<Override PartName="/word/document.xml" ContentType="{main_type}"/>'
    files["[Content_Types].xml"] = f'<Types xmlns="{_PACKAGE}/content-types">{override}</Types>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, xml in files.items():
            for old, new in (replaced or {}).items():
                xml = xml.replace(old, new)
            archive.writestr(name, xml)
    return buffer.getvalue()


def _relationships(rows: list[tuple[str, str, str]]) -> str:
    inner = "".join(f'<Relationship Id="{i}" Type="{kind}" Target="{target}"/>' for i, kind, target in rows)
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'
