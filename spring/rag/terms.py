"""Cut texts and questions of any script into the terms that are searched for, and find them again in a text.

A term is a word's stem (Snowball) in the text's language, without case and accents, and outside English at most its
first eight characters. The language of a text is the one whose stop words and letters it has most of; words in another
script than the language's are stemmed by that script's usual language. All this follows from the text alone, so that
an index can be built in parallel and added to. `benchmarks.retrieval --xquad` measures it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import chain
from types import MappingProxyType

from spring.data.types import Passage
from spring.rag.languages import (
    DEFAULT_LANGUAGE,
    TELLING_WORDS,
    language_of,
    spoken_in,
)
from spring.rag.stems import stems_of
from spring.rag.stop_words import STOP_WORDS
from spring.rag.words import (
    CJK_RUN,
    ENDS_IN_POSSESSIVE,
    LONGEST_KEPT,
    MOST_KEPT,
    NUMBER_MARKS,
    SPACED_NUMBER,
    SYLLABLE,
    SYLLABLES,
    WORD,
    fold,
    is_plain,
    spaced_numbers,
    words_of,
)

RULES = 2
"""Number of this version of the rules; an index on disk made by other rules is refused. Raise it with every change."""
TITLE_WEIGHT = 3
SECTION_WEIGHT = 2
"""How often the terms of these fields count.

Chosen on 326 dev questions over 9,929 Wikipedia passages (first passage right: .791, .813, .816, .816 for a title's
weight of 1, 2, 3, 4; among the first three .883, .887, .887, .883) and on the 60 questions of the sample collections
(57, 58, 59, 59). The section's weight made no difference there.
"""

_FOLDED_STOP_WORDS: Mapping[str, AbstractSet[str]] = MappingProxyType(
    {language: frozenset(fold(word) for word in words) for language, words in STOP_WORDS.items()}
)
_CJK_STOP_WORDS = STOP_WORDS["chinese"] | STOP_WORDS["japanese"]
_PARTICLES = frozenset("はがをにのともでへかれこそするだい何誰") | STOP_WORDS["chinese"]

_Piece = tuple[str, int, int]  # a term, and its start and end within the word


def _cut(word: str, language: str) -> tuple[_Piece, ...]:
    """The terms of what `WORD` found, each with its place in it."""
    if CJK_RUN.fullmatch(word):
        characters = [(fold(c), i, i + 1) for i, c in enumerate(word)]
        pairs = [(fold(word[i : i + 2]), i, i + 2) for i in range(len(word) - 1)]
        return tuple(sorted([*characters, *pairs], key=lambda piece: piece[1:]))
    if SYLLABLES.fullmatch(word):
        starts = [syllable.start() for syllable in SYLLABLE.finditer(word)] + [len(word)]
        spans = zip(starts, starts[2:] or starts[1:], strict=False)
        return tuple((fold(word[first:last]), first, last) for first, last in spans)
    end = len(word)
    if found := ENDS_IN_POSSESSIVE.search(word):
        end = found.start()
    if word[0].isdecimal() and NUMBER_MARKS.search(word):
        return ((fold(NUMBER_MARKS.sub("", word)), 0, end),)
    if "." in word:
        return ((fold(re.sub(r"[. ]", "", word)), 0, end),)
    return tuple((term, 0, end) for term in stems_of(word[:end], language))


_cut_kept = lru_cache(maxsize=2**15)(_cut)


class _Known(dict[str, tuple[str, ...]]):
    """The terms of what stands between two spaces, in one language. Most pieces of a text come again and again.

    telling: of these pieces those with words that say which language a text is in, and these words.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self.telling: dict[str, frozenset[str]] = {}

    def __missing__(self, piece: str) -> tuple[str, ...]:
        words = words_of(piece)
        self[piece] = terms = tuple(term for word in words for term, _, _ in _pieces(word, self._language))
        if telling := TELLING_WORDS.intersection(words):
            self.telling[piece] = telling
        return terms


_known: dict[str, _Known] = {}  # by the language


def _known_in(language: str) -> _Known:
    """What is known in a language; all is forgotten where it is too much, though not what a thread still holds."""
    if sum(map(len, tuple(_known.values()))) > MOST_KEPT:
        _known.clear()
    return _known.get(language) or _known.setdefault(language, _Known(language))


def _pieces(word: str, language: str) -> tuple[_Piece, ...]:
    return _cut_kept(word, language) if len(word) <= LONGEST_KEPT else _cut(word, language)


def term_spans(text: str, language: str | None = None) -> Iterator[tuple[str, int, int]]:
    """Each term of a text, with the start and end of the characters it stands for, in order.

    A term is a word's stem without case and accents (`Cafés` is `cafe`) and without the English 's; a number without
    separators (`1,900` is `1900`); initials without dots; each Chinese or Japanese character and each two neighbouring
    ones; each two neighbouring characters, marks included, of Thai, Lao, Khmer and Burmese, which have no spaces
    between words either.

    Args:
        text: of any script.
        language: None: the text's own (see `language_of`).

    """
    language = language_of(text) if language is None else language
    for match in WORD.finditer(text):
        for term, first, last in _pieces(match[0], language):
            yield term, match.start() + first, match.start() + last
    for match in SPACED_NUMBER.finditer(text):
        yield match[0].replace(" ", ""), match.start(), match.end()


def _terms(text: str, language: str | None, likely: str = DEFAULT_LANGUAGE) -> tuple[list[str], str]:
    """The terms of a text and its language.

    Args:
        text: of any script.
        language: None: the text's own (see `language_of`).
        likely: what a text without a language may be in; if it is, it need not be looked at twice.

    """
    pieces = text.replace("\n", " ").split(" ")
    if max(map(len, pieces)) > LONGEST_KEPT or not is_plain(text):  # such as a sentence of Chinese: it comes once
        words = words_of(text)
        language = spoken_in(words, text) if language is None else language
        terms = [term for word in words for term, _, _ in _pieces(word, language)]
        return terms + spaced_numbers(text), language
    known = _known_in(likely if language is None else language)
    terms = [*chain.from_iterable(map(known.__getitem__, pieces))]
    if language is None:
        telling = map(known.telling.__getitem__, known.telling.keys() & pieces)
        language = spoken_in(chain.from_iterable(telling), text)
        if language != likely:
            return _terms(text, language)
    return terms, language


def tokenize(text: str, language: str | None = None) -> list[str]:
    """The terms of a text (see `term_spans`), repeated as often as they occur.

    language: None: the text's own.
    """
    return _terms(text, language)[0]


def passage_terms(passage: Passage, likely: str = DEFAULT_LANGUAGE) -> tuple[list[str], str]:
    """What a passage is found by, and its language: the terms of its text, title and section.

    Those of the title come TITLE_WEIGHT times, of the section SECTION_WEIGHT times: their weights as fields (BM25F).

    Args:
        passage: of any language.
        likely: its language, perhaps, such as that of the passage before: the result is the same, and sooner there.

    """
    terms, language = _terms(passage.searched, None, likely)
    for field, weight in ((passage.title, TITLE_WEIGHT), (passage.section, SECTION_WEIGHT)):
        if field and weight > 1:
            terms += tokenize(field, language) * (weight - 1)
    return terms, language


def _content_pieces(text: str, language: str) -> Iterator[tuple[str, str]]:
    """The words of a text that are no stop words: each as `WORD` found it, or a part of it that is a term of its own.

    Yields the word to cut into terms, and its one spelling to show.
    """
    plain = fold(text) == text.lower()  # typed without accents; where there are some, Vietnamese đá is not đã
    stop_words = (_FOLDED_STOP_WORDS if plain else STOP_WORDS).get(language, frozenset[str]())
    shouted = text.isupper()
    for match in WORD.finditer(text):
        word = ENDS_IN_POSSESSIVE.sub("", match[0])
        pieces = _pieces(word, language)
        if CJK_RUN.fullmatch(word):
            for term, first, last in pieces:
                if term not in _CJK_STOP_WORDS and not _PARTICLES.issuperset(term):
                    yield word[first:last], term
        elif SYLLABLES.fullmatch(word):
            yield from ((word[first:last], term) for term, first, last in pieces)
        elif (word.lower() if not plain else fold(word)) not in stop_words or (
            len(word) > 1 and word.isupper() and not shouted  # WHO and IT are names
        ):
            yield word, pieces[0][0] if "." in word or word[0].isdecimal() else fold(word)
    for match in SPACED_NUMBER.finditer(text):
        number = match[0].replace(" ", "")
        yield number, number


def searched_languages(passages: Mapping[str, int], question: str) -> list[str]:
    """Which languages to search a question's words in: those of 1 % of the passages, and the question's own.

    Args:
        passages: for each language the number of passages.
        question: of any language.

    """
    spoken, least = language_of(question), 0.01 * sum(passages.values())
    often = sorted(passages, key=lambda language: -passages[language])
    return [language for language in often if passages[language] >= least or language == spoken]


def question_terms(question: str, languages: Sequence[str] = ()) -> dict[str, str]:
    """The terms to search for, each with the word of the question that it stands for; none for stop words.

    Args:
        question: of any language.
        languages: of the passages, the most frequent first: a word is searched for in the form that it has in each. A
            question whose language does not show is taken for one in the first. Empty: the question's own.

    """
    spoken = language_of(question, languages) or next(filter(None, languages), DEFAULT_LANGUAGE)
    terms: dict[str, str] = {}
    for word, shown in _content_pieces(question, spoken):
        for language in languages or (spoken,):
            for term in _terms_of(word, language):
                terms.setdefault(term, shown)
    return terms


def _terms_of(word: str, language: str) -> tuple[str, ...]:
    """The terms of a word; of some neighbouring Chinese characters only all of them together."""
    return (fold(word),) if CJK_RUN.fullmatch(word) else tuple(term for term, _, _ in _pieces(word, language))


def new_words(answer: str, question: str) -> set[str]:
    """The words of an answer that are no stop words and no form of a word of the question."""
    language = language_of(answer)
    asked = {*tokenize(question, language)}
    return {
        shown for word, shown in _content_pieces(answer, language) if not asked.issuperset(_terms_of(word, language))
    }


def marked_spans(text: str, words: AbstractSet[str] | Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of the whole words of `text` that are a form of one of `words`, ascending; touching ones merged.

    words: as `question_terms` and `new_words` give them.
    """
    language = language_of(text)
    wanted = {term for word in words for term in _terms_of(word, language)}
    merged = list[tuple[int, int]]()
    for term, start, end in sorted(term_spans(text, language), key=lambda span: span[1:]):
        if term not in wanted:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
