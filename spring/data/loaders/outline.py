"""Load Org files: one page, with headings, tables and code; keywords, drawers and remarks are left out."""

import re

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.text import text_blocks

_HEADING = re.compile(r"(\*+)\s++(?:(?:TODO|DONE|NEXT|WAITING)\s++)?(?:\[#\w\]\s++)?(.*)")
_TAGS = re.compile(r":[\w@:]+:")
_BEGIN = re.compile(r"\s*#\+begin_(\w+)", re.IGNORECASE)
_TITLE = re.compile(r"#\+title:\s*(.*)", re.IGNORECASE)
_DRAWER = re.compile(r"\s*:[\w-]+:\s*$")
_DROPPED = re.compile(r"\s*#(?:\+|\s|$)|\s*(?:SCHEDULED|DEADLINE|CLOSED):")
_LINK = re.compile(r"\[\[([^\[\]]*)\](?:\[([^\[\]]*)\])?\]")
_EMPHASIS = re.compile(r"(?<![\w*/=~+_])([*/=~+_])(\S(?:[^\n]{0,300}?\S)?)\1(?![\w*/=~+_])")
_PREFORMATTED = ("src", "example", "verse", "export")


def load_org(text: str) -> Content:
    """One page; the title is the file's #+TITLE, else its first heading if that is the only one of its level."""
    blocks: list[Block] = []
    paragraph: list[str] = []
    title, ends, kept = "", "", list[str]()

    def flush() -> None:
        blocks.extend(text_blocks("\n".join(paragraph)))
        paragraph.clear()

    for line in text.split("\n"):
        if ends:  # a block or a drawer is open
            if line.strip().lower() != ends:
                kept.append(line)
                continue
            name = ends.rpartition("_")[2]
            if name in _PREFORMATTED:
                blocks.append(Block("\n".join(kept), preformatted=True))
            elif name not in (":end:", "comment"):
                blocks.extend(text_blocks(_inline("\n".join(kept))))
            ends, kept = "", []
        elif heading := _HEADING.match(line):
            flush()
            blocks.append(Block(_inline(_without_tags(heading[2])), min(len(heading[1]), 9)))
        elif begin := _BEGIN.match(line):
            flush()
            ends = f"#+end_{begin[1].lower()}"
        elif _DRAWER.match(line):
            ends = ":end:"
        elif found := _TITLE.match(line):
            title = title or _inline(found[1])
        elif line.lstrip().startswith("|"):
            flush()
            if not line.lstrip().startswith("|-"):
                blocks.append(Block(table_row(_inline(line).split("|"))))
        elif not _DROPPED.match(line):
            paragraph.append(_inline(line))
    if kept:  # what was never closed
        paragraph.extend(kept)
    flush()
    page = build_page(blocks)
    highest = [heading for heading in page.headings if heading.level == 1]
    return Content([page], [], clean_title(title or (highest[0].text if len(highest) == 1 else "")))


def _without_tags(heading: str) -> str:
    words = heading.rsplit(maxsplit=1)
    return words[0] if len(words) > 1 and _TAGS.fullmatch(words[1]) else heading


def _inline(text: str) -> str:
    """Links as their words, emphasis without marks."""
    return _EMPHASIS.sub(r"\2", _LINK.sub(lambda link: link[2] or link[1], text))
