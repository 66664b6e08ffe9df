"""Write Word's equations (OMML, ISO/IEC 29500-1, 22.1) as a line of text: `a^2+b^2`, `(x+1)/2`, `√(2 π)`, `∑_(i=1)^n`.

The form is that of Unicode's nearly plain-text mathematics (UTN 28), which Word shows as an equation's linear format.
"""

import re
from collections.abc import Callable

from spring.data.loaders.docx_package import Element, m, w

_ATOM = re.compile(r"[^\W_]+(?:\.\d+)?|\S|[([{|⟨][^()[\]{}|⟨⟩]*[)\]}|⟩]")
_TEXT = frozenset([m("t"), w("t")])


def equation_text(element: Element) -> str:
    """The text of an `oMath` or of anything within one."""
    write = _WRITERS.get(element.tag)
    if write is not None:
        return write(element)
    if element.tag in _TEXT:
        return element.text or ""
    if element.tag in _LEFT_OUT:
        return ""
    written = ""
    structure = False  # whether the last part was a fraction, a root or the like
    for child in element:
        text = equation_text(child)
        apart = structure or child.tag in _APART
        written += f" {text}" if apart and written[-1:].isalnum() and text[:1].isalnum() else text
        structure = child.tag in _WRITERS if text else structure
    return written


def _part(element: Element, name: str) -> str:
    """The text of a child such as the numerator; "" if there is none."""
    child = element.find(m(name))
    return "" if child is None else equation_text(child).strip()


def _atom(text: str) -> str:
    """The text in parentheses, unless it is a number, a word or a sign."""
    return text if not text or _ATOM.fullmatch(text) else f"({text})"


def _property(element: Element, name: str, default: str) -> str:
    """A character from the element's properties, or another value."""
    properties = element.find(f"{element.tag}Pr")
    child = None if properties is None else properties.find(m(name))
    return default if child is None else (child.get(m("val")) or "")[:20]


def _scripts(element: Element, base: str, below: str, above: str) -> str:
    lower, upper = _atom(_part(element, below)), _atom(_part(element, above))
    return base + (f"_{lower}" if lower else "") + (f"^{upper}" if upper else "")


def _script(element: Element) -> str:
    return _scripts(element, _atom(_part(element, "e")), "sub", "sup")


def _script_before(element: Element) -> str:
    return f"{_scripts(element, '', 'sub', 'sup')} {_atom(_part(element, 'e'))}"


def _fraction(element: Element) -> str:
    over, under = _part(element, "num"), _part(element, "den")
    if _property(element, "type", "bar") == "noBar":  # as in a binomial coefficient
        return f"{over}¦{under}"
    return f"{_atom(over)}/{_atom(under)}"


def _root(element: Element) -> str:
    degree = _part(element, "deg")
    return f"√({degree}&{_part(element, 'e')})" if degree else f"√{_atom(_part(element, 'e'))}"


def _sum(element: Element) -> str:
    return f"{_scripts(element, _property(element, 'chr', '∫'), 'sub', 'sup')} {_part(element, 'e')}"


def _brackets(element: Element) -> str:
    between = _property(element, "sepChr", "|")
    inside = between.join(equation_text(child).strip() for child in element.iterchildren(m("e")))
    return _property(element, "begChr", "(") + inside + _property(element, "endChr", ")")


def _function(element: Element) -> str:
    name, argument = _part(element, "fName"), _part(element, "e")
    return f"{name}{argument}" if argument.startswith(("(", "[")) else f"{name} {argument}"


def _matrix(element: Element) -> str:
    rows = ([equation_text(cell).strip() for cell in row] for row in element.iterchildren(m("mr")))
    return "; ".join(", ".join(filter(None, row)) for row in rows)


def _lines(element: Element) -> str:
    lines = (equation_text(child).replace("&", "").strip() for child in element.iterchildren(m("e")))
    return "; ".join(filter(None, lines))


def _lower_limit(element: Element) -> str:
    return f"{_part(element, 'e')}_{_atom(_part(element, 'lim'))}"


def _upper_limit(element: Element) -> str:
    return f"{_part(element, 'e')}^{_atom(_part(element, 'lim'))}"


def _accent(element: Element) -> str:
    base, accent = _part(element, "e"), _property(element, "chr", "\u0302")
    return base + accent if len(base) == 1 else f"{_atom(base)}{accent}"


def _bar(element: Element) -> str:
    base = _part(element, "e")
    return f"{base}\u0305" if len(base) == 1 else f"{_atom(base)}\u0305"


def _equations(element: Element) -> str:
    """Each equation of a paragraph of equations on its own line."""
    lines = (equation_text(child).strip() for child in element.iterchildren(m("oMath")))
    return "\n\n" + "\n\n".join(filter(None, lines)) + "\n\n"


_WRITERS: dict[str, Callable[[Element], str]] = {
    m("sSup"): _script,
    m("sSub"): _script,
    m("sSubSup"): _script,
    m("sPre"): _script_before,
    m("f"): _fraction,
    m("rad"): _root,
    m("nary"): _sum,
    m("d"): _brackets,
    m("func"): _function,
    m("m"): _matrix,
    m("eqArr"): _lines,
    m("limLow"): _lower_limit,
    m("limUpp"): _upper_limit,
    m("acc"): _accent,
    m("bar"): _bar,
    m("oMathPara"): _equations,
    w("br"): lambda _: "; ",
}
_APART = frozenset([m("f"), m("func")])  # not directly behind a number or a letter
_LEFT_OUT = frozenset([w("del"), w("rPr"), m("rPr"), m("ctrlPr")])
