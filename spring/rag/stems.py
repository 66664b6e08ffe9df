"""The form under which all forms of one word are found."""

import re
import threading
from collections.abc import Callable

import Stemmer

from spring.rag.languages import STEMMED, home_of, script_of
from spring.rag.words import fold, lower

_local = threading.local()  # a stemmer is not for two threads at once


def _stemmer(language: str) -> Callable[[str], str]:
    stemmers = _local.__dict__.setdefault("stemmers", {})
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language, 0).stemWord  # 0: the cache is ours
    stem: Callable[[str], str] = stemmers[language]
    return stem


# What a Korean noun may end in, longest first. Single-syllable nouns keep a form with the particle.
_JOSA = re.compile(
    "(?:으로부터|에게서|한테서|에서는|에서도|으로는|으로도|이라는|이라고|에게는|까지는|부터는|에서|에게|께서|한테|으로|이나|이라|처럼|보다|"
    "까지|부터|마다|밖에|조차|마저|이란|에는|에도|와의|과의|로는|이며|이고|"
    "은|는|이|가|을|를|의|에|와|과|도|로|만|란)$"
)


def _korean(word: str) -> tuple[str, ...]:
    for _ in range(2):  # 고양이는, 고양이: both 고양
        stem = _JOSA.sub("", word)
        if stem == word or not stem:
            break
        if len(stem) == 1:
            return word, stem
        word = stem
    return (word,)


def stems_of(word: str, language: str) -> tuple[str, ...]:
    """The terms of one word that has no place inside it where another begins."""
    folded = fold(word)
    script = script_of(folded)
    if script == "korean":
        return _korean(folded)
    if len(folded) < 3 or any(character.isdigit() for character in folded):
        return (folded,)
    spoken = language if language and home_of(language) == script else script
    if spoken not in STEMMED:
        return (folded[:6],)
    if spoken == "english":  # in which letters of other languages (ß) are not known
        return (_stemmer(spoken)(folded),)
    return ((fold(_stemmer(spoken)(lower(word, spoken == "turkish"))) or folded)[:8],)
