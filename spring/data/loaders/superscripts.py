"""Write raised characters so that they stay what they mean: `10^6`, `m^2`, `1932 [4]`, `1st`.

A plain text has no raised characters. Glued on, the mark of a footnote changes a number (`1932` and `4` become 19324)
and an exponent disappears (`10` and `6` become 106).
"""

import re

_MATHEMATICAL = re.compile(r"[-+−–]?(?:\d{1,3}(?:[.,/]\d{1,3})?|[a-zA-Zα-ω]{1,2}|\d?[a-zα-ω][-+−]\d)")
_SIGNED = re.compile(r"[-+−–]\d{1,3}|\d?[-+−–]|[-+−–][a-zA-Z]")  # negative exponents, charges of ions
_SQUARES = "2 3 4 -1 -2 -3 -4 −1 −2 −3 −4 –1 –2 –3 –4"
_POWERS = frozenset(_SQUARES.split())
_UNIT_NAMES = "m cm mm km dm hm µm μm nm pm Å ft in yd mi px s sec min h hr d l L g kg mol K J N W V Hz inch feet foot"
_UNITS = frozenset(_UNIT_NAMES.split())
_ENDINGS = "st nd rd th er re ère ers res e è ème eme d de des o os a as º ª ste ten ter"
_ORDINALS = frozenset(_ENDINGS.split())
_ROMAN = re.compile(r"(?:.*\W)?[IVXLCDM]+")
_SPECIAL = {"tm": "™", "(tm)": "™", "sm": "℠", "®": "®", "©": "©", "(r)": "®", "™": "™"}
_BASE = re.compile(r"([0-9]+(?:[.,][0-9]+)*|[^\W\d_]+|[)\]}|′'])$")
_OPERATOR = re.compile(r"[=×·*/+^√]\s*[\w.,()]*$")


def superscript(before: str, mark: str, after: str = "", link: bool = False) -> str:
    """What to write for the raised `mark` between `before` and `after`, to be put directly behind `before`.

    before: the end of the line so far. after: what follows. link: the mark is a link, so it refers to a note.
    """
    mark = " ".join(mark.split())
    if not mark:
        return ""
    if mark.lower() in _SPECIAL:
        return _SPECIAL[mark.lower()]
    base = _BASE.search(before)
    if base is None:  # at the beginning of a line or behind a space or a full stop
        if not link and mark.isalnum() and after[:1].isalpha() and (not before or before[-1].isspace()):
            return f"^{mark}"  # the isotope 14C
        return _reference(before, mark, after)
    if not link:
        if _is_ordinal(base[1], before, mark):
            return mark
        if _is_exponent(base[1], before, mark, after):
            return f"^{mark}"
    return _reference(before, mark, after)


def _is_ordinal(base: str, before: str, mark: str) -> bool:
    """Whether it is the end of a word: 1st, XIXe, Mme, no."""
    letters = mark.strip(".").lower()
    if base[-1].isdigit():
        return letters in _ORDINALS
    if not letters.isalpha() or mark.isupper():
        return False
    if _ROMAN.fullmatch(before) and letters in _ORDINALS and len(base) > 1:
        return True
    return len(base) == 1 and (len(letters) > 1 or (base in ("n", "N") and letters == "o"))


def _is_exponent(base: str, before: str, mark: str, after: str) -> bool:
    if _SIGNED.fullmatch(mark):
        return True
    if not _MATHEMATICAL.fullmatch(mark):
        return False
    if base[-1].isdigit():
        small = base == "10" or (len(base) == 1 and base not in "01")
        return small or _OPERATOR.search(before) is not None or after.lstrip()[:1] in tuple("=×·*^")
    if base.isalpha():
        short = len(base) == 1 or (len(base) == 2 and not re.search("[aeiouyäöüéAEIOUY]", base))
        return short or (base in _UNITS and mark in _POWERS) or (mark in _POWERS and _is_unit_before(before, base))
    return base == ")" and (mark.isdigit() or len(mark) == 1) and _OPERATOR.search(before[:-1]) is not None


def _is_unit_before(before: str, base: str) -> bool:
    """Whether the word is a unit: it follows a number or a solidus, as in `3 acre` and `kg/metre`."""
    ahead = before[: len(before) - len(base)]
    return re.search(r"\d\s$|/$", ahead) is not None and len(base) <= 3


def _reference(before: str, mark: str, after: str) -> str:
    """A mark set apart, in brackets if it is a bare number or letter."""
    if re.fullmatch(r"\w{1,4}", mark):
        mark = f"[{mark}]"
    space = " " if before and not before[-1].isspace() and before[-1] != "]" else ""
    return space + mark + (" " if after[:1].isalnum() else "")
