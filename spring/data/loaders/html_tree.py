"""Parse HTML and remove what a reader of the page does not see or use.

Hidden elements, navigation, buttons and cookie notices go; the text that follows them stays.
"""

import re
from typing import TypeAlias

from lxml import etree, html

from spring.data.cleaning import one_line
from spring.data.loaders.safe_xml import check_tags

Element: TypeAlias = html.HtmlElement

# Not lxml.html's parser, which asks a function of Python's for the class of each element.
_ELEMENTS = etree.ElementDefaultClassLookup(element=html.HtmlElement)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*>")  # it may name an encoding, which a text no longer has
_DEEPEST = 200  # levels; what is nested deeper is moved up to this level
_REMOVED_TAGS = """
    annotation annotation-xml applet area audio base button canvas datalist embed frame frameset iframe input link
    map menu meta meter nav noembed noframes noscript object option optgroup param progress rp rt script select source
    style svg template textarea title track video
"""
_REMOVED = frozenset(_REMOVED_TAGS.split())  # not the head: libxml2 leaves an article in it if there is no body
_REMOVED_ROLES = "navigation menu menubar search dialog alertdialog button toolbar tablist tooltip"
_ROLES = frozenset(_REMOVED_ROLES.split())
_NEVER = frozenset(["html", "body", "main", "article"])  # pages hide these until a script shows them
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_NOTICE = re.compile(
    r"(?:^|[^a-z])(?:cookie|consent|gdpr|onetrust|cmp|privacy)[-_]?"
    r"(?:s|banner|bar|notice|consent|popup|modal|box|message|msg|info|law|policy|overlay|container|wrapper|alert|hint)?"
    r"(?:$|[^a-z])",
    re.IGNORECASE,
)
_LONGEST_NOTICE = 1_500  # characters
_LARGEST_NOTICE = 150  # elements
_UNWANTED = "unwanted"
_PERMALINK_TEXTS = "¶ § # 🔗 [edit] [bearbeiten] [modifier] edit"
_PERMALINKS = frozenset(_PERMALINK_TEXTS.split())


class _Flattener:
    """A parser's target that builds a tree of limited depth, for pages that are nested deeper than libxml2 reads."""

    def __init__(self) -> None:
        self._builder = etree.TreeBuilder(element_factory=html.HTMLParser().makeelement)
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth <= _DEEPEST:
            self._builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        if self._depth <= _DEEPEST:
            self._builder.end(tag)
        self._depth -= 1

    def data(self, data: str) -> None:
        self._builder.data(data)

    def close(self) -> Element:
        return self._builder.close()


def parse(text: str) -> Element:
    """The root of a page's tree, without comments."""
    check_tags(text)
    text = _XML_DECLARATION.sub("", text, count=1) if "<?xml" in text[:1_000] else text
    parser = etree.HTMLParser(huge_tree=True, remove_comments=True, remove_pis=True)
    parser.set_element_class_lookup(_ELEMENTS)
    try:
        root = etree.HTML(text + "\n", parser)
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        raise
    if root is None:
        return html.Element("html")
    if any(error.type_name == "ERR_RESOURCE_LIMIT" for error in parser.error_log):
        root = etree.HTML(text + "\n", etree.HTMLParser(target=_Flattener(), huge_tree=True))
    return root


def page_title(root: Element) -> str:
    """What the page's head calls it, without the name of the site if the head states that name."""
    named = {meta.get("property"): one_line(meta.get("content") or "") for meta in root.iter("meta")}
    titles = (one_line("".join(title.itertext())) for title in root.iter("title") if title.getparent().tag != "svg")
    title = next(filter(None, titles), named.get("og:title") or "")
    site = named.get("og:site_name")
    return re.sub(rf"\s+[|–—·•»:/-]+\s+{re.escape(site)}$", "", title, flags=re.IGNORECASE) if site else title


def prune(root: Element, hidden: bool = True) -> None:
    """Remove what is not part of the page's text. hidden: also what the page itself hides."""
    for element in [element for element in root.iter(etree.Element) if _is_unwanted(element, hidden)]:
        if element.tag not in ("rt", "rp"):
            element.tail = f" {element.tail or ''}"  # its neighbours are not glued
        element.tag = _UNWANTED
    etree.strip_elements(root, _UNWANTED, with_tail=False)  # one by one would take time quadratic in their number


def _is_unwanted(element: Element, hidden: bool) -> bool:
    tag, get = element.tag, element.get
    if tag in _NEVER:
        return False
    if tag in _REMOVED or (get("role") or "").lower() in _ROLES:
        return True
    if tag == "dialog" and get("open") is None:
        return True
    name = f"{get('class') or ''} {get('id') or ''}"
    if name != " ":
        if "mw-editsection" in name or (tag == "a" and (element.text or "").strip() in _PERMALINKS):
            return True
        if _NOTICE.search(name) and _is_notice(element):
            return True
    if hidden:
        if get("hidden") is not None or (get("aria-hidden") or "").lower() == "true":
            return True
        style = get("style")
        return style is not None and _HIDDEN_STYLE.search(style) is not None
    return False


def _is_notice(element: Element) -> bool:
    """Whether an element named after cookies is a notice: short, on its subject, and not the article itself."""
    text = ""
    for number, part in enumerate(element.iter(etree.Element)):
        text += f"{part.text or ''} {(part.tail or '') if part is not element else ''}"
        if number > _LARGEST_NOTICE or len(text) > _LONGEST_NOTICE or part.tag in ("h1", "article"):
            return False
    return re.search("cookie|consent|privacy|datenschutz", text, re.IGNORECASE) is not None
