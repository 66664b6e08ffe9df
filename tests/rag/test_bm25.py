"""BM25: terms of any script, small uploads, and the same ranking as bm25s."""

import pickle
import random
from pathlib import Path

import bm25s
import numpy as np
import pytest

from spring.data.collection import read_collection
from spring.data.types import Passage
from spring.rag.bm25 import Bm25Retriever
from spring.rag.retriever import Hit
from spring.rag.terms import (
    STOP_WORDS,
    marked_spans,
    question_terms,
    term_spans,
    tokenize,
)

CORPORA = sorted((Path(__file__).parents[2] / "corpora").glob("*/documents"))


def passages(*texts: str) -> list[Passage]:
    return [Passage("file.txt", 1, index, text) for index, text in enumerate(texts)]


def ranking(texts: list[str], question: str, limit: int = 10) -> list[int]:
    return [hit.passage.index for hit in Bm25Retriever(passages(*texts)).search(question, limit)]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Orlo's ferry, ORLO’S Ferry", ["orlo", "ferry", "orlo", "ferry"]),
        ("its it's cats' O'Brien 's-Hertog", ["its", "it", "cats", "o", "brien", "s", "hertog"]),
        ("Café cafe\u0301 CAFÉ naïve_word", ["cafe", "cafe", "cafe", "naive", "word"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("Ёлка ЁЛКА Αθήνα", ["елка", "елка", "αθηνα"]),
        ("3.14 m² ﬁne ＡＢＣ", ["3", "14", "m2", "fine", "abc"]),
        ("iPhone手机2024年", ["iphone", "手", "机", "2024", "年"]),
        ("東京タワーが", ["東", "京", "タ", "ワ", "ー", "が"]),
        ("हिन्दी", ["हिन्दी"]),
        ("ที่นี่ ก", ["ที่นี่", "ก"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("한국어 text", ["한국어", "text"]),
        ("…!? — _ ", []),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    assert tokenize(text) == terms


def test_spans_are_places_in_the_original_text() -> None:
    text = "Das CAFÉ\u0301, Orlo’s Straße 東京 ﬁn"
    spans = list(term_spans(text))
    assert [text[start:end] for _, start, end in spans] == [
        "Das", "CAFÉ\u0301", "Orlo", "Straße", "東", "京", "ﬁn"
    ]  # fmt: skip
    assert [term for term, _, _ in spans] == tokenize(text)


def test_thai_terms_overlap_and_marks_stay_with_their_letter() -> None:
    text = "กินข้าว"
    spans = term_spans(text)
    assert [text[start:end] for _, start, end in spans] == ["กิน", "นข้", "ข้า", "าว"]


def test_marked_spans_merge_what_touches() -> None:
    assert marked_spans("東京 Tower, the tower's Café", ("東", "京", "tower", "cafe")) == [
        (0, 2), (3, 8), (14, 19), (22, 26)
    ]  # fmt: skip
    assert marked_spans("กินข้าว", tokenize("กินข้าว")) == [(0, 7)]
    assert marked_spans("none of them", ["other"]) == []


def test_question_terms_are_unique_and_without_stop_words() -> None:
    assert question_terms("Who is the Keeper of the lamp, the LAMP?") == ("keeper", "lamp")
    assert question_terms("To be or not to be?") == ("to", "be", "or", "not")
    assert all(tokenize(word) == [word] for word in STOP_WORDS)


def test_one_passage() -> None:
    (hit,) = Bm25Retriever(passages("The lamp burns whale oil.")).search("What does the lamp burn?", 5)
    assert hit.score > 0
    assert (hit.rank, hit.terms) == (1, ("lamp",))


def test_two_passages() -> None:
    retriever = Bm25Retriever(passages("The ferry sails on Monday.", "The lamp burns whale oil."))
    (hit,) = retriever.search("Which oil does the lamp burn?", 5)
    assert (hit.passage.index, hit.rank, hit.terms) == (1, 1, ("oil", "lamp"))
    assert hit.score > 0
    assert [hit.passage.index for hit in retriever.search("lamp oil or ferry", 5)] == [1, 0]


def test_no_shared_word_is_no_hit() -> None:
    retriever = Bm25Retriever(passages("The ferry sails on Monday.", "The lamp burns whale oil."))
    assert retriever.search("Where is the volcano?", 5) == []
    assert retriever.search("", 5) == []
    assert retriever.search("the", 5) != []  # nothing but stop words: they count


@pytest.mark.parametrize("texts", [[], ["…", "---"]])
def test_nothing_to_search(texts: list[str]) -> None:
    assert Bm25Retriever(passages(*texts)).search("lamp", 5) == []


def test_a_passage_without_terms_beside_others() -> None:
    assert ranking(["…", "a lamp"], "lamp") == [1]


def test_limit_ties_and_ranks() -> None:
    retriever = Bm25Retriever(passages("a lamp", "x", "one lamp", "lamp lamp", "my lamp"))
    hits = retriever.search("lamp", 3)
    assert [hit.passage.index for hit in hits] == [3, 0, 2]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[1].score == hits[2].score < hits[0].score
    assert [hit.passage.index for hit in retriever.search("lamp", 99)] == [3, 0, 2, 4]
    assert retriever.search("lamp", 0) == []


def test_repeating_a_word_of_the_question_changes_nothing() -> None:
    retriever = Bm25Retriever(passages("lamp oil", "ferry ferry"))
    assert retriever.search("lamp ferry ferry ferry", 2) == retriever.search("lamp ferry", 2)


@pytest.mark.parametrize(
    ("question", "expected"),
    [("CAFE?", 0), ("orlo", 1), ("北京", 2), ("ข้าว", 3), ("STRASSE", 4), ("елка", 5)],
)
def test_spellings_and_scripts(question: str, expected: int) -> None:
    texts = ["Le café", "Orlo’s mast", "中国的首都是北京。", "เขากินข้าวแล้ว", "die Straße", "Ёлка"]
    assert ranking(texts, question)[:1] == [expected]


def test_terms_of_a_hit_are_those_it_contains() -> None:
    first, second = Bm25Retriever(passages("Oil for the lamp", "The Lamp's wick")).search("lamp oil wax", 2)
    assert (first.terms, second.terms) == (("lamp", "oil"), ("lamp",))


@pytest.fixture(scope="module")
def corpus() -> list[Passage]:
    """The passages of the sample collections and 300 synthetic ones."""
    generator = random.Random(7)
    words = [f"word{n}" for n in range(400)]
    weights = [1 / (n + 1) for n in range(400)]
    texts = [" ".join(generator.choices(words, weights, k=generator.randint(5, 130))) for _ in range(300)]
    return [*read_collection(CORPORA).passages, *passages(*texts)]


def test_ranking_equals_bm25s(corpus: list[Passage]) -> None:
    retriever = Bm25Retriever(corpus)
    tokens = [tokenize(passage.searched) for passage in corpus]
    reference = bm25s.BM25(method="lucene", k1=1.5, b=0.75, dtype="float64")
    reference.index(tokens, show_progress=False)
    place = {id(passage): index for index, passage in enumerate(corpus)}
    generator = random.Random(11)
    for _ in range(60):
        question = " ".join(generator.sample(sorted(set(tokens[generator.randrange(len(corpus))])), 4))
        hits = retriever.search(question, len(corpus))
        scores = reference.get_scores(list(question_terms(question)))
        expected = np.argsort(-scores.round(12), kind="stable")[: np.count_nonzero(scores)]
        assert len(hits) >= 1
        assert [place[id(hit.passage)] for hit in hits] == expected.tolist()
        # Lucene leaves out the factor k1 + 1, which is the same for all.
        np.testing.assert_allclose([hit.score / 2.5 for hit in hits], scores[expected], rtol=1e-9)
        assert hits[:7] == retriever.search(question, 7)


def test_answers_of_the_sample_collections_are_found(corpus: list[Passage]) -> None:
    retriever = Bm25Retriever(corpus)
    (best, *_) = retriever.search("On what ketch did Ilvane Torrespeth land on Tessary Island?", 5)
    assert "Patient Margit" in best.passage.text
    assert {"ketch", "ilvane", "torrespeth"} <= set(best.terms)


def test_it_can_be_pickled() -> None:
    retriever = Bm25Retriever(passages("a lamp", "the ferry"))
    assert pickle.loads(pickle.dumps(retriever)).search("lamp", 1) == retriever.search("lamp", 1)


@pytest.mark.parametrize(("score", "rank", "terms"), [(0.0, 1, ("a",)), (1.0, 0, ("a",)), (1.0, 1, ())])
def test_a_hit_cannot_be_wrong(score: float, rank: int, terms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="A hit has"):
        Hit(passages("a")[0], score, rank, terms)
