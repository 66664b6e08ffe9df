"""Load subtitles (SubRip, WebVTT): one page of what is said, without times; a sentence over several cues is a line."""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from spring.data.loaders.content import Block, Content, build_page

_TIME = re.compile(r"(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,100}>|\{\\[^{}]{0,100}\}|</?\d[^<>]{0,20}>")
_VOICE = re.compile(r"<v(?:\.[^\s<>]{0,100})?[^\S\n]+([^<>\n]{1,100})>")
_HEADS = ("WEBVTT", "NOTE", "STYLE", "REGION")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
_LONGEST = 400  # characters of a line


def load_subtitles(text: str) -> Content:
    """One page."""
    shown: Callable[[str], str] = html.unescape if text.startswith("WEBVTT") else str
    voices = {*map(shown, _VOICE.findall(text))}
    cues = []
    for lines in _cues(text):
        said_lines = (shown(_TAG.sub("", _VOICE.sub(r"\1: ", line))).strip() for line in lines)
        cues.append([line for line in said_lines if line])
    blocks: list[Block] = []
    spoken = ""
    for said in map(" ".join, _once([cue for cue in cues if cue])):
        voice = said.partition(": ")[0]
        if voice in voices and spoken.startswith(f"{voice}: "):
            said = said.removeprefix(f"{voice}: ")
        elif spoken and (voice in voices or re.match(r"[-–—]\s*\S", said)):  # someone else speaks
            blocks.append(Block(spoken))
            spoken = ""
        spoken = f"{spoken} {said}".strip()
        if _SENTENCE_END.search(spoken) or len(spoken) > _LONGEST:
            blocks.append(Block(spoken))
            spoken = ""
    return Content([build_page([*blocks, Block(spoken)])], [])


def _cues(text: str) -> Iterator[list[str]]:
    """The lines of each cue, and of text that has no time, without WebVTT's head, notes and styles."""
    for part in re.split(r"\n[^\S\n]*\n", text):
        lines = part.strip().split("\n")
        times = [place for place, line in enumerate(lines) if _TIME.search(line)]
        first = times[0] if times else len(lines)
        untimed = not times or first > 2  # else it is the number or the name of the first cue
        if untimed and not lines[0].startswith(_HEADS) and not lines[0].isdigit():
            yield lines[:first]
        for place, following in pairwise([*times, len(lines)]):  # several where no blank lines divide them
            numbered = following < len(lines) and lines[following - 1].strip().isdigit()
            yield lines[place + 1 : following - numbered]


def _once(cues: Sequence[list[str]]) -> Iterator[list[str]]:
    """Each line once of captions that roll: most cues begin with a line of the one before."""
    again = [not set(cue).isdisjoint(before) for before, cue in pairwise(cues)]
    rolling = sum(again) * 2 > len(again)
    for before, cue in pairwise([[], *cues]):
        said = set(before) if rolling else set()
        yield [line for line in cue if line not in said]
