"""Find the article among the blocks of a page, by what trafilatura (https://trafilatura.readthedocs.io) extracts."""

import re
from collections import Counter
from collections.abc import Iterator

import trafilatura
from lxml import etree

from spring.data.cleaning import CJK
from spring.data.loaders.html_blocks import HtmlBlock
from spring.data.loaders.html_tree import Element

_LARGEST = 150_000, 3_000_000  # elements with attributes, and characters, of pages that trafilatura gets: about 2 s
_SIZE, _LENGTH = etree.XPath("count(.//*) + count(.//@*)"), etree.XPath("string-length(.)")
_SHINGLE = 4  # words
_LEAST_WORDS = 60  # of a page in which an article is looked for
_LEAST_SHARE = 0.4  # of the words of the page's prose that an article has,
_SURE, _SURE_SHARE = 100, 0.1  # if it has many words, less: the rest may be comments and other articles
_NAMES = re.compile(r"(?<!\S)[^\s\d]+(?!\S)")  # of classes; those with digits number their elements
_TEASER = 300  # characters outside links, which an article beside others has at least
_WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+")


def article(root: Element, blocks: list[HtmlBlock], head: str) -> list[HtmlBlock]:
    """The blocks of the page's article; all of them where there is none, or where much would be lost.

    root: the page's pruned tree, which is changed. head: the title in the page's head.
    """
    if sum(block.block.text.count(" ") for block in blocks) < _LEAST_WORDS or not (
        kept := _kept(blocks, _extracted(root))
    ):
        return blocks
    above = blocks[: next(place for place, block in enumerate(blocks) if block is kept[0])]
    title = _words(head)
    named = [block for block in above if block.block.level and _is_beginning(_words(block.block.text), title)]
    return named[-1:] + kept


def _is_beginning(words: tuple[str, ...], title: tuple[str, ...]) -> bool:
    return bool(words) and title[: len(words)] == words


def _extracted(root: Element) -> str:
    """What trafilatura takes for the article's text; "" if nothing, or if the page is too large."""
    if _SIZE(root) > _LARGEST[0] or _LENGTH(root) > _LARGEST[1]:
        return ""
    _gather(root)
    try:
        document = trafilatura.bare_extraction(root, include_comments=False, favor_recall=True, fast=True)
    except RecursionError:
        return ""
    return (getattr(document, "text", None) or "") if document is not None else ""


def _gather(root: Element) -> None:
    """Move articles of one shape into the first of them, as trafilatura reads only that one.

    Of one shape are elements with the same tags and classes from the root down, as the posts of a blog. What is moved
    keeps its class, by which trafilatura leaves out comments.
    """
    elements = [*root.iter(etree.Element)]
    lengths: Counter[Element] = Counter()  # of the text outside links
    for element in reversed(elements):
        if element.tag == "a":
            lengths[element] = 0
        else:
            lengths[element] += len((element.text or "").strip())
        if (parent := element.getparent()) is not None:
            lengths[parent] += lengths[element] + len((element.tail or "").strip())
    shapes: dict[Element | None, int] = {None: 0}
    numbers: dict[tuple[int, str, str], int] = {}
    first: dict[int, Element] = {}
    for element in elements:
        names = _NAMES.findall(element.get("class") or "")
        name = " ".join(names[:1] if element.tag == "article" else names)  # the next may be the article's subject
        shapes[element] = numbers.setdefault((shapes[element.getparent()], element.tag, name), len(numbers) + 1)
        is_candidate = element.tag == "article" or (name and element.tag in ("div", "section"))
        if is_candidate and lengths[element] >= _TEASER:
            leader = first.setdefault(shapes[element], element)
            if leader is not element:
                leader.append(element)


def _kept(blocks: list[HtmlBlock], text: str) -> list[HtmlBlock]:
    """The blocks whose words are in the extracted text, and what belongs to them; none if they are too few."""
    lines = {_words(line) for line in text.split("\n")}
    shingles = {shingle for line in lines for shingle in _shingles(line)}
    words = [_words(re.sub(r"^-?\d+\. ", "", block.block.text)) for block in blocks]  # a list's own numbers
    kept = [_is_in(block_words, lines, shingles) for block_words in words]
    prose = [len(w) if _is_prose(block, len(w)) else 0 for block, w in zip(blocks, words, strict=True)]
    found = sum(number for number, is_kept in zip(prose, kept, strict=True) if is_kept)
    least = _SURE_SHARE if found >= _SURE else _LEAST_SHARE
    if not any(kept) or found < least * sum(prose):
        return []
    first, last = kept.index(True), len(kept) - 1 - kept[::-1].index(True)
    while first and blocks[first - 1].kind == "heading" and not blocks[first - 1].in_header:
        first -= 1
        kept[first] = True
    for place in range(first, last):
        kept[place] = kept[place] or _belongs(blocks, kept, words, place)
    return [block for block, is_kept in zip(blocks, kept, strict=True) if is_kept]


def _is_in(words: tuple[str, ...], lines: set[tuple[str, ...]], shingles: set[tuple[str, ...]]) -> bool:
    if len(words) < _SHINGLE:
        return words in lines
    found = sum(shingle in shingles for shingle in _shingles(words))
    return found * 2 >= len(words) - _SHINGLE + 1


def _is_prose(block: HtmlBlock, words: int) -> bool:
    few_links = block.linked * 3 < len(block.block.text)
    return few_links and (words >= 10 or block.kind in ("row", "listing"))


def _belongs(blocks: list[HtmlBlock], kept: list[bool], words: list[tuple[str, ...]], place: int) -> bool:
    """Whether a block between two of the article's is part of it: a heading, a table, a list, a paragraph."""
    block = blocks[place]
    if block.kind == "heading":
        return any(kept[place + 1 : place + 3]) or block.block.text.endswith(("?", "？"))  # its answer may be short
    if block.linked * 2 > len(block.block.text):
        return False
    beside = kept[place - 1] or kept[place + 1]
    if block.kind in ("row", "listing"):
        return True
    if blocks[place - 1].block.level > 1 and kept[place - 1]:  # a short answer; below a title stands a date
        return True
    return len(words[place]) >= (3 if block.kind == "item" else 5 if beside else 8)


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))


def _shingles(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words[start : start + _SHINGLE] for start in range(len(words) - _SHINGLE + 1))
