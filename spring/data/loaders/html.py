"""Load HTML files: one page, of the article if there is one.

Hidden elements, navigation, buttons and cookie notices are left out. trafilatura tells the article from what surrounds
it; the structure (headings, tables, lists, listings) is read here.
"""

import re

from spring.data.loaders.content import Content, build_page, clean_title
from spring.data.loaders.html_blocks import HtmlBlock, html_blocks
from spring.data.loaders.html_tree import page_title, parse, prune

_SEPARATOR = re.compile(r"\s+(?:[|–—·•»:/-]|::|\|\|)\s+")  # between the parts of a title in a browser's tab
_GENERIC_TITLES = """
    menu,main menu,navigation,home,search,contents,table of contents,sign in,log in,login,welcome,skip to content,
    header,untitled,untitled document,document,page title,new tab,newsletter,share,related,comments,404
"""
_LONGEST_HEAD = 1_000  # characters
_GENERIC = frozenset(map(str.strip, _GENERIC_TITLES.split(",")))


def load_html(text: str) -> Content:
    """One page with the headings' places; the title is the article's."""
    root = parse(text)
    head = page_title(root)
    prune(root)
    blocks = html_blocks(root)
    if not any(re.search(r"\w", block.block.text) for block in blocks):  # a script would have shown it
        root = parse(text)
        prune(root, hidden=False)
        blocks = html_blocks(root)
    if len(blocks) > 1:
        from spring.data.loaders.html_article import article  # the import of trafilatura takes 0.3 s

        blocks = article(root, blocks, head)
    return Content([build_page(block.block for block in blocks)], [], html_title(head, blocks))


def html_title(head: str, blocks: list[HtmlBlock]) -> str:
    """The title of a page: its first h1, if that is no "Menu", else what its head says without the site's name."""
    head = head[:_LONGEST_HEAD]
    whole = _key(head)
    parts = [part for part in _SEPARATOR.split(head) if part.strip()]
    known = [_key(part) for part in parts]
    headings = [
        (block.block.level, clean_title(block.block.text), block.in_header) for block in blocks if block.block.level
    ]
    first = [
        text for level, text, header in headings if level == 1 and text and _key(text) not in _GENERIC and not header
    ]
    named = [text for _, text, _ in headings[:8] if _key(text) in (whole, *known[:1])]
    if named:
        return named[0]
    inside = [text for text in first if _key(text) in whole]
    if len(parts) > 1 and inside and _key(inside[0]) in known[1:]:  # the site's name as a heading
        return clean_title(parts[0])
    if inside or first:
        return (inside or first)[0]
    return clean_title(head)


def _key(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
