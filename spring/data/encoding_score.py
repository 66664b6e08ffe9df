"""Score how strange a text looks that was decoded in an encoding that may be the wrong one."""

import re
import unicodedata

_LONGEST = 20_000  # words that are looked at
_WORD = re.compile(r"[^\s\x00-\x40\x5b-\x60\x7b-\x7f]+")
_COMMON_LETTERS = """
    äöüßÄÖÜéèêëàâîïôûùçÉÈÀÇœæŒÆñÑíóúáÍÓÚÁìòãõâÃÕåøÅØøðþÐÞýÝčšžřěůďťňČŠŽŘĚĎŤŇąćęłńśźżĄĆĘŁŃŚŹŻőűŐŰğışĞİŞăâîșțşţĂÂÎ
    āēģīķļņūėįųĀĒĢĪĶĻŅŪĖĮŲđĐ
    абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯёЁєіїґЄІЇҐ
    אבגדהוזחטיךכלםמןנסעףפץצקרשת
    αβγδεζηθικλμνξοπρστυφχψωάέήίόύώςΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ
"""
_COMMON_SIGNS = "’‘“”„‚–—…«»‹›°§£€©®™·•½¼¾×±²³µ¿¡ºª№¢¥¶†‡÷\u00a0\u00ad"
_COMMON = frozenset("".join(_COMMON_LETTERS.split()) + _COMMON_SIGNS)
_UNCOMMON_AFTER_LETTER = frozenset("§¢£¥¶†‡÷×±½¼¾¿¡№¤¦¨¬¯´¸€•©„‚“«‹")


def strangeness(text: str) -> float:
    """The share of characters beyond ASCII that stand where they hardly ever do; 0 for a text without them."""
    strange = total = 0.0
    for number, match in enumerate(_WORD.finditer(text)):
        if number == _LONGEST:
            break
        word = match[0]
        if word.isascii():
            continue
        for place, letter in enumerate(word):
            if not letter.isascii():
                total += 1
                strange += _is_strange(word, place)
    return strange / total if total else 0.0


def _is_strange(word: str, place: int) -> float:
    letter = word[place]
    before = word[place - 1] if place else ""
    after = word[place + 1] if place + 1 < len(word) else ""
    if letter not in _COMMON and (letter < "\u0600" or "\u2200" <= letter < "\u2700"):
        category = unicodedata.category(letter)
        return 1.0 if category[0] in "CSZ" else 0.5
    if letter.isupper() and (before.islower() or (before.isupper() and place == 1 and after.islower())):
        return 1.0
    if letter.islower() and ((before.isupper() and place > 1) or after.isupper()):
        return 1.0
    if letter in "»«“”„" and before.isalpha() and after.isalpha():
        return 1.0
    if letter in "–—" and before.isalpha() and after.isalpha():
        return 0.1
    if letter in _UNCOMMON_AFTER_LETTER and before.isalpha():
        return 1.0
    return 1.0 if before.isalpha() and letter.isalpha() and _script(before) != _script(letter) else 0.0


def _script(letter: str) -> int:
    return 1 if "\u0370" <= letter < "\u0400" else 2 if "\u0400" <= letter < "\u0530" else 0
