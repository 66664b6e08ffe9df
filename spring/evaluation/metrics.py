"""Agreement of an answer with the golden ones: strings in, numbers out.

Exact match and token F1 are SQuAD's (`spring.data.answers` has the normalization): the best over the golden answers. A
word of Chinese and Japanese, which have no spaces, is a character (MLQA, https://arxiv.org/abs/1910.07475).
A golden answer of which the normalization leaves nothing, such as "the" or "?", counts for nothing, so that an exact
match is never above F1 or `contained`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from spring.data.answers import normalize, words


class Scores(NamedTuple):
    """Agreement with the golden answers, each from 0 to 1."""

    exact_match: float
    f1: float
    contained: float
    first_line_exact_match: float


def exact_match(answer: str, golden: str) -> float:
    """1 if both are the same after normalization, and not empty, else 0."""
    return float(normalize(answer) == normalize(golden) != "")


def token_f1(answer: str, golden: str) -> float:
    """Harmonic mean of the precision and recall of words, repeated words counted as often as they are shared."""
    answer_words, golden_words = words(answer), words(golden)
    shared = (Counter(answer_words) & Counter(golden_words)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(answer_words), shared / len(golden_words)
    return 2 * precision * recall / (precision + recall)


def contained(answer: str, golden: str) -> float:
    """1 if the golden answer's words occur in the answer, in their order and side by side, else 0."""
    wanted = " ".join(words(golden))
    return float(bool(wanted) and f" {wanted} " in f" {' '.join(words(answer))} ")


def first_line(answer: str) -> str:
    """The first line with text in it."""
    return answer.strip().partition("\n")[0]


def score(answer: str, golden_answers: Iterable[str]) -> Scores:
    """The best scores over the golden answers, of the whole generated text; the last one of its first line.

    Raises:
        ValueError: there is no golden answer, or none that counts.

    """
    golden = [text for text in golden_answers if normalize(text)]
    if not golden:
        raise ValueError("At least one golden answer is needed that is more than articles and punctuation.")

    def best(metric: Callable[[str, str], float], answer: str = answer) -> float:
        return max(metric(answer, text) for text in golden)

    return Scores(best(exact_match), best(token_f1), best(contained), best(exact_match, first_line(answer)))
