"""Load subtitles (SubRip, WebVTT): one page of what is said, without times; a sentence over several cues is a line."""

import re

from spring.data.loaders.content import Block, Content, build_page

_TIME = re.compile(r"(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,100}>|\{\\[^{}]{0,100}\}|</?\d[^<>]{0,20}>")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
_LONGEST = 400  # characters of a line


def load_subtitles(text: str) -> Content:
    """One page."""
    blocks: list[Block] = []
    spoken = ""
    for cue in re.split(r"\n[^\S\n]*\n", text):
        lines = cue.strip().split("\n")
        place = next((place for place, line in enumerate(lines[:3]) if _TIME.search(line)), None)
        if place is None:  # WebVTT's head, notes and styles
            if not lines[0].startswith(("WEBVTT", "NOTE", "STYLE", "REGION")) and not lines[0].isdigit():
                spoken = f"{spoken} {_without_tags(lines)}"
            if len(spoken) > _LONGEST:
                blocks.append(Block(spoken))
                spoken = ""
            continue
        said = _without_tags(lines[place + 1 :])
        if re.match(r"[-–—]\s*\S", said) and spoken:  # someone else speaks
            blocks.append(Block(spoken))
            spoken = ""
        spoken = f"{spoken} {said}".strip()
        if _SENTENCE_END.search(spoken) or len(spoken) > _LONGEST:
            blocks.append(Block(spoken))
            spoken = ""
    return Content([build_page([*blocks, Block(spoken)])], [])


def _without_tags(lines: list[str]) -> str:
    return " ".join(_TAG.sub("", line).strip() for line in lines).strip()
