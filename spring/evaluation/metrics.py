"""Agreement of an answer with the golden ones: strings in, numbers out.

Normalization, exact match and token F1 are SQuAD's (Rajpurkar et al. 2016, arXiv 1606.05250, and its
`evaluate-v1.1.py`): lower case, no ASCII punctuation, no articles, single spaces; the best over the golden answers.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Scores(NamedTuple):
    """Agreement with the golden answers, each from 0 to 1."""

    exact_match: float
    f1: float
    contained: float
    first_line_exact_match: float


def normalize(text: str) -> str:
    """SQuAD's normalization."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, golden: str) -> float:
    """1 if both are the same after normalization, else 0."""
    return float(normalize(answer) == normalize(golden))


def token_f1(answer: str, golden: str) -> float:
    """Harmonic mean of the precision and recall of words, repeated words counted as often as they are shared."""
    answer_words, golden_words = normalize(answer).split(), normalize(golden).split()
    shared = (Counter(answer_words) & Counter(golden_words)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(answer_words), shared / len(golden_words)
    return 2 * precision * recall / (precision + recall)


def contained(answer: str, golden: str) -> float:
    """1 if the golden answer's words occur in the answer, in their order and side by side, else 0."""
    return float(f" {normalize(golden)} " in f" {normalize(answer)} ")


def first_line(answer: str) -> str:
    """The first line with text in it."""
    return answer.strip().partition("\n")[0]


def score(answer: str, golden_answers: Iterable[str]) -> Scores:
    """The best scores over the golden answers, of the whole generated text; the last one of its first line.

    Raises:
        ValueError: there is no golden answer.

    """
    golden = [text for text in golden_answers if text.strip()]
    if not golden:
        raise ValueError("At least one golden answer is needed.")

    def best(metric: Callable[[str, str], float], answer: str = answer) -> float:
        return max(metric(answer, text) for text in golden)

    return Scores(best(exact_match), best(token_f1), best(contained), best(exact_match, first_line(answer)))
