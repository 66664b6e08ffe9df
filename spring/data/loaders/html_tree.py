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
    r"(?:^|[^a-z])(?:cookies?|consents?|privacy|(gdpr|onetrust|cmp))[-_]?"
    r"(banner|bar|notice|consent|popup|modal|box|message|msg|info|law|policy|overlay|container|wrapper|alert|hint)?"
    r"(?:$|[^a-z])",
    re.IGNORECASE,
)
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_NO_NOTICES = _HEADINGS | {"article", "code", "dd", "dt", "pre", "td", "th", "tr"}
_CONTROLS = frozenset(["button", "input"])
_LONGEST_NOTICE = 1_500  # characters
_LARGEST_NOTICE = 150  # elements
_UNWANTED = "unwanted"
_BUTTONS = etree.XPath("//button | //*[@role='button']")
_TABS = etree.XPath("//*[@role='tabpanel']")
_PANELS = etree.XPath("//*[@hidden or @aria-hidden or @style][@id or @role='region' or @role='tabpanel']")
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
    _unfold(root)
    for element in [element for element in root.iter(etree.Element) if _is_unwanted(element, hidden)]:
        if element.tag not in ("rt", "rp"):
            element.tail = f" {element.tail or ''}"  # its neighbours are not glued
        element.tag = _UNWANTED
    etree.strip_elements(root, _UNWANTED, with_tail=False)  # one by one would take time quadratic in their number


def _unfold(root: Element) -> None:
    """Make text of the buttons that are questions or headings of a page, and show the answers and tabs they open."""
    seen: set[Element] = set()  # headings, of which the first button counts, and what is above tabs: linear time
    controlled: set[str] = set()
    for button in _BUTTONS(root):
        heading = button if button.tag in _HEADINGS else next(button.iterancestors(*_HEADINGS), None)
        if heading not in seen and _is_question(button, heading):
            controlled.add(button.get("aria-controls") or "")
            button.attrib.pop("role", None)
            if heading is None:
                button.tag = "p"
            elif button is not heading:
                button.tag = "span"
        if heading is not None:
            seen.add(heading)
    for tab in _TABS(root):  # a list that holds them, not only their names
        for above in tab.iterancestors():
            if above in seen:
                break
            seen.add(above)
            if above.get("role") == "tablist":
                del above.attrib["role"]
    for panel in _PANELS(root):
        if panel.get("role") in ("region", "tabpanel") or panel.get("id") in controlled:
            for name in ("hidden", "aria-hidden", "style"):
                panel.attrib.pop(name, None)


def _is_question(button: Element, heading: Element | None) -> bool:
    """Whether a button is all that a heading says, or opens a part of the page that is no menu."""
    if heading is not None:
        return one_line("".join(button.itertext())) == one_line("".join(heading.itertext()))
    if not (button.get("aria-expanded") and button.get("aria-controls")) or button.get("aria-haspopup"):
        return False
    return next(button.iterancestors("nav", "header"), None) is None


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
        if (match := _NOTICE.search(name)) and _is_notice(element, bool(match[1] or match[2])):
            return True
    if hidden:
        if get("hidden") is not None or (get("aria-hidden") or "").lower() == "true":
            return True
        style = get("style")
        return style is not None and _HIDDEN_STYLE.search(style) is not None
    return False


def _is_notice(element: Element, is_named: bool) -> bool:
    """Whether an element named after cookies is a notice: short, on its subject, and not a part of the article.

    is_named: its name says that it is a notice, not only that it is about cookies; any other has a link or a button.
    """
    if element.tag in _NO_NOTICES:
        return False
    text, headings, links, buttons = "", 0, 0, 0
    for number, part in enumerate(element.iter(etree.Element)):
        text += f"{part.text or ''} {(part.tail or '') if part is not element else ''}"
        if number > _LARGEST_NOTICE or len(text) > _LONGEST_NOTICE or part.tag in ("h1", "article"):
            return False
        headings += part.tag in _HEADINGS
        links += part.tag == "a" and part.get("href") is not None and (part.text or "").strip() not in _PERMALINKS
        buttons += part.tag in _CONTROLS or part.get("role") == "button"
    if not re.search("cookie|consent|privacy|datenschutz", text, re.IGNORECASE):
        return False
    if headings and (element.tag == "section" or any(map(_is_main, element.iterancestors()))):
        return buttons > 0
    return buttons + links > 0 or (is_named and not headings)


def _is_main(element: Element) -> bool:
    return element.tag in ("main", "article") or element.get("role") == "main"
