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
from spring.rag.terms import passage_terms

CORPORA = sorted((Path(__file__).parents[2] / "corpora").glob("*/documents"))


def passages(*texts: str) -> list[Passage]:
    return [Passage("file.txt", 1, index, text) for index, text in enumerate(texts)]


def ranking(texts: list[str], question: str, limit: int = 10) -> list[int]:
    return [hit.passage.index for hit in Bm25Retriever(passages(*texts)).search(question, limit)]


def test_one_passage() -> None:
    (hit,) = Bm25Retriever(passages("The lamp burns whale oil.")).search("What does the lamp burn?", 5)
    assert hit.score > 0
    assert (hit.rank, hit.terms) == (1, ("lamp", "burn"))


def test_two_passages() -> None:
    retriever = Bm25Retriever(passages("The ferry sails on Monday.", "The lamp burns whale oil."))
    (hit,) = retriever.search("Which oil does the lamp burn?", 5)
    assert (hit.passage.index, hit.rank, hit.terms) == (1, 1, ("oil", "lamp", "burn"))
    assert hit.score > 0
    assert [hit.passage.index for hit in retriever.search("lamp oil or ferry", 5)] == [1, 0]


def test_no_shared_word_is_no_hit() -> None:
    retriever = Bm25Retriever(passages("The ferry sails on Monday.", "The lamp burns whale oil."))
    assert retriever.search("Where is the volcano?", 5) == []
    assert retriever.search("", 5) == []


STOPPED = {
    "en": ("Who is it?", "It is the porter who is in the hall, and who it is that calls nobody knows."),
    "de": ("Wer ist das?", "Wer ist das, und was ist es? Das ist der Pförtner."),
    "fr": ("Qui est-ce ?", "Qui est là ? C'est le portier, et qui est-ce qui appelle ?"),
    "es": ("¿Quién es él?", "Él es quien es, y quién es el portero no se sabe."),
    "it": ("Chi è?", "Chi è il portiere? È lui."),
    "pt": ("Quem é ele?", "Quem é o porteiro? É ele."),
    "nl": ("Wie is dat?", "Wie is dat? Dat is de portier."),
    "pl": ("Kto to jest?", "Kto to jest? To jest portier."),
    "tr": ("Bu kim?", "Bu kim ki? Bu bir kapıcı ve o burada."),
    "ru": ("Кто это?", "Кто это и что это? Это швейцар."),
    "el": ("Ποιος είναι;", "Ποιος είναι αυτός; Είναι ο θυρωρός."),
    "ar": ("من هو؟", "من هو هذا؟ هو البواب."),
    "hi": ("यह कौन है?", "यह कौन है? यह दरबान है।"),
    "zh": ("他是谁?", "他是谁?他是看门人。"),
    "ja": ("これは何ですか?", "これは何ですか。これは門番です。"),
    "ko": ("누구입니까?", "누구입니까? 문지기입니다."),
}


@pytest.mark.parametrize("language", STOPPED)
def test_stop_words_alone_are_no_match(language: str) -> None:
    question, text = STOPPED[language]
    assert Bm25Retriever(passages(text)).search(question, 5) == []
    # In whatever language the documents are.
    assert (
        Bm25Retriever(passages(text, "The lamp burns whale oil in the hall, and who knows why?")).search(question, 5)
        == []
    )


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Which boat?", "All boats were painted green in the spring."),
        ("When did the clocks stop?", "The clock of the town hall stopped during the storm."),
        ("Wer baute Kapellen?", "Eine Kapelle gehört dem Kloster am Rand von Ostheim."),
        ("Quels bateaux ?", "Le bateau est vert et il est dans le port."),
        ("¿Qué molinos?", "Un molino de agua trabajó aquí hasta la gran sequía."),
        ("Quali barche?", "La barca è verde e sta nel porto."),
        ("Welke boten?", "De boot is groen en ligt in de haven."),
        ("Какую мельницу построили?", "У реки стоит мельница, и она старая."),
        ("Merdivenlerin boyu kaçtır?", "Merdiven ahırın arkasındadır. Orada çok saman var."),
        ("Ποιες βάρκες;", "Η βάρκα είναι πράσινη και είναι στο λιμάνι."),
        ("학생이 가진 것", "학생은 도서관의 열쇠를 책상 위에 두었다."),
        ("Jakie łodzie?", "Łódź jest zielona i stoi w porcie, a łodzi nie ma."),
        ("Who sold 1900?", "The cooper sold 1,900 of them."),
        ("Who sold 1,900?", "The cooper sold 1 900 of them."),
        ("Wo sind 1900 Fässer?", "Er verkaufte 1.900 davon an die Brauerei."),
        ("Was it shipped to the USA?", "The organ went by sea to the U.S.A. in nine crates."),
        ("A book by J. R. R. Tolkien?", "He read J.R.R. in the library."),
        ("Where is the lighthouse?", "The light\u200bhouse stands on the rock."),
        ("Where is the cafe Fjallbo?", "The Café Fjällbo is behind the station."),
    ],
)
def test_word_forms(question: str, text: str) -> None:
    other = "Rain fell on the hills for a week."
    hits = Bm25Retriever(passages(other, text)).search(question, 3)
    assert [hit.passage.text for hit in hits] == [text]
    assert hits[0].terms


def test_words_of_a_question_are_searched_in_the_language_of_each_passage() -> None:
    german = "Die Kapellen gehören dem Kloster, und sie sind alt. Das Boot ist grün."
    english = "The boats were painted green, and the chapels are old."
    retriever = Bm25Retriever(passages(german, english))
    assert [hit.passage.text for hit in retriever.search("Kapelle", 3)] == [german]
    assert [hit.passage.text for hit in retriever.search("chapel", 3)] == [english]


def test_a_passage_alone_in_its_language_is_found() -> None:
    rows = [f"Employee {n}; Sales; Boston; {4000 + n}" for n in range(300)]  # English, as nothing says
    staff = [*rows, "Dimitri Papadopoulos; Engineering; Los Angeles; 5551"]  # Spanish, as "Los" says
    assert ranking(staff, "What is the extension of Papadopoulos?", 1) == [300]


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
    tokens = [passage_terms(passage)[0] for passage in corpus]
    reference = bm25s.BM25(method="lucene", k1=1.5, b=0.75, dtype="float64")
    reference.index(tokens, show_progress=False)
    place = {id(passage): index for index, passage in enumerate(corpus)}
    generator = random.Random(11)
    for _ in range(60):
        question = " ".join(generator.sample(sorted(set(tokens[generator.randrange(len(corpus))])), 4))
        hits = retriever.search(question, len(corpus))
        if not retriever.query_terms(question):  # nothing but stop words was drawn
            assert hits == []
            continue
        scores = reference.get_scores(list(retriever.query_terms(question)))
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


def test_title_and_section_are_searched() -> None:
    found = Passage("a.txt", 1, 0, "Staff may be away for twenty-six days.", "Holidays", "Leave policy 2024")
    retriever = Bm25Retriever([found, Passage("b.txt", 1, 0, "The orchard has forty pear trees.", "", "Orchard notes")])
    assert [hit.passage for hit in retriever.search("What does the leave policy say?", 3)] == [found]
    assert [hit.terms for hit in retriever.search("Which holiday?", 3)] == [("holiday",)]


def test_it_can_be_pickled() -> None:
    retriever = Bm25Retriever(passages("a lamp", "the ferry"))
    assert pickle.loads(pickle.dumps(retriever)).search("lamp", 1) == retriever.search("lamp", 1)


@pytest.mark.parametrize(("score", "rank", "terms"), [(0.0, 1, ("a",)), (1.0, 0, ("a",)), (1.0, 1, ())])
def test_a_hit_cannot_be_wrong(score: float, rank: int, terms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="A hit has"):
        Hit(passages("a")[0], score, rank, terms)
