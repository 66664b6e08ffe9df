"""Terms: one spelling, word forms, every script; and whole words marked in the original text."""

import threading

import pytest

from spring.data.types import Passage
from spring.rag.languages import language_of
from spring.rag.stop_words import STOP_WORDS
from spring.rag.terms import marked_spans, new_words, passage_terms, question_terms, term_spans, tokenize


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Orlo's ferry, ORLO’S Ferries", ["orlo", "ferri", "orlo", "ferri"]),
        ("its it's cats' O'Brien 's-Hertog", ["it", "it", "cat", "o", "brien", "s", "hertog"]),
        ("Café cafe\u0301 CAFÉ", ["cafe", "cafe", "cafe"]),
        ("Straße STRASSE", ["strass", "strass"]),
        ("Ёлка ЁЛКА", ["елк", "елк"]),
        ("3.14 m² ﬁne ＡＢＣ", ["3", "14", "m2", "fine", "abc"]),
        ("1,900 1.900 1900 12,345,678.90 1,00,000", ["1900", "1900", "1900", "12345678", "90", "100000"]),
        ("1 900 in 2024 300", ["1", "900", "in", "2024", "300", "1900"]),
        ("١٩٠٠ १९००", ["1900", "1900"]),
        ("U.S.A. U.S. e.g. J. R. R. T", ["usa", "us", "eg", "jrr", "t"]),
        ("plan B. A file.txt", ["plan", "b", "a", "file", "txt"]),
        ("iPhone手机2024年", ["iphon", "手", "手机", "机", "2024", "年"]),
        ("東京タワーが", ["東", "東京", "京", "京タ", "タ", "タワ", "ワ", "ワー", "ー", "ーが", "が"]),
        ("ที่นี่ ก", ["ที่นี่", "ก"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("학생은 학생이 고양이는 고양이", ["학생", "학생", "고양", "고양"]),
        ("물이 물을", ["물이", "물", "물을", "물"]),
        ("light\u200bhouse zero\u200d", ["lighthous", "zero"]),
        ("…!? — _ ", []),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    assert tokenize(text) == terms
    assert sorted(term for term, _, _ in term_spans(text)) == sorted(terms)


@pytest.mark.parametrize("likely", ["english", "german", ""])
@pytest.mark.parametrize(
    "text",
    [
        "Die Brücke über den Fluss und der Turm.",
        "the old lamps",
        "w1 w2",
        "ferries of 1 900, and J. R. R. the",
        "灯塔。",
    ],
)
def test_a_passage_has_the_same_terms_whatever_language_is_guessed(text: str, likely: str) -> None:
    expected = [term for term, _, _ in term_spans(text)]
    for _ in range(2):  # the second time all is known
        terms, language = passage_terms(Passage("a.txt", 1, 0, text), likely)
        assert (terms, language) == (expected, language_of(text))


def test_spans_are_places_in_the_original_text() -> None:
    text = "Das CAFÉ\u0301, Orlo’s Straße ﬁn 1,900 U.S.A."
    spans = list(term_spans(text))
    assert [text[start:end] for _, start, end in spans] == [
        "Das", "CAFÉ\u0301", "Orlo", "Straße", "ﬁn", "1,900", "U.S.A."
    ]  # fmt: skip


def test_thai_terms_overlap_and_marks_stay_with_their_letter() -> None:
    text = "กินข้าว"
    assert [text[start:end] for _, start, end in term_spans(text)] == ["กิน", "นข้", "ข้า", "าว"]


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("All boats, the Boat's oars", ["boat"], ["boats", "Boat"]),
        ("東京 Tower, the tower's Café", ["東京", "tower", "cafe"], ["東京", "Tower", "tower", "Café"]),
        ("東の京", ["東京"], []),
        ("กินข้าว", ["กินข้าว"], ["กินข้าว"]),
        ("Die Kapellen und die Brücke", ["kapelle", "brucken"], ["Kapellen", "Brücke"]),
        ("They sold 1,900 to the U.S.A.", ["1900", "usa"], ["1,900", "U.S.A."]),
        ("none of them", ["other"], []),
    ],
)
def test_whole_words_are_marked_in_all_their_forms(text: str, words: list[str], marked: list[str]) -> None:
    spans = marked_spans(text, words)
    assert [text[start:end] for start, end in spans] == marked
    assert spans == sorted(spans)


def test_what_an_answer_says_beyond_the_question() -> None:
    assert new_words("The boats sailed to Port Ninnow.", "Where did the boat sail?") == {"port", "ninnow"}


def test_question_terms_are_unique_without_stop_words_and_name_their_word() -> None:
    assert question_terms("Who is the Keeper of the lamps, the LAMP?") == {"keeper": "keeper", "lamp": "lamps"}
    assert question_terms("To be or not to be?") == question_terms("WHO IS IT?") == {}
    assert question_terms("What is WHO, and what is IT?") == {"who": "who", "it": "it"}
    assert list(question_terms("运河石桥是谁?"))[:3] == ["运", "运河", "河"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Who is it?", "english"),
        ("Eine Kapelle und eine Brücke", "german"),
        ("Où est le bateau ?", "french"),
        ("Bahçede elma ağaçları var", "turkish"),
        ("Де стоїть млин і хто його збудував?", "ukrainian"),
        ("これは東京です", "japanese"),
        ("这是运河的石桥", "chinese"),
        ("เขากินข้าวแล้ว iPhone", "thai"),
        ("Orlo 1900", ""),
        ("Dimitri Papadopoulos; Los Angeles; 5551", ""),
        ("Otto; Köln", ""),
        ("", ""),
    ],
)
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("language", STOP_WORDS)
def test_the_lists_are_in_lower_case_and_speak_for_their_language(language: str) -> None:
    words = STOP_WORDS[language]
    assert all(word == word.lower() for word in words)
    assert len(question_terms(" ".join(sorted(words)), (language,))) <= 2  # pieces of those with a mark inside


def test_hostile_text_takes_little_time_and_raises_nothing() -> None:
    for text in (
        "a" * 200_000,
        "1,111" * 40_000,
        "a." * 100_000,
        "中" * 20_000,
        "ก\u0e48" * 20_000,
        "\u0301" * 100_000,
    ):
        assert marked_spans(text, list(question_terms(text).values())[:5]) is not None
    assert tokenize("\udcff lamp \x00 \U0010ffff") == ["lamp"]


def test_title_and_section_come_in_the_language_of_the_text() -> None:
    terms, language = passage_terms(Passage("a", 1, 0, "Das Haus ist grün und alt.", "Kapellen", "Boote"))
    assert language == "german"
    assert {"kapell", "boot"} <= set(terms)


def test_threads_may_stem_at_once() -> None:
    words = [f"running{n}ly walks houses boats{n}s" for n in range(300)]
    expected = [tokenize(text, "english") for text in words]
    found: list[list[list[str]]] = []
    threads = [
        threading.Thread(target=lambda: found.append([tokenize(text, "english") for text in words])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_tie_of_two_languages_does_not_depend_on_the_order_of_a_set() -> None:
    telling = {}  # for each language two words of it alone
    for language, words in STOP_WORDS.items():
        others = {word for other, theirs in STOP_WORDS.items() if other != language for word in theirs}
        if language != "english" and (own := sorted(w for w in set(words) - others if w.isascii() and w.isalpha())):
            telling[language] = " ".join(own[-2:])
    pairs = [(a, b) for a in telling for b in telling if a < b]
    assert len(pairs) > 20
    assert [language_of(f"{telling[a]} {telling[b]}") for a, b in pairs] == [b for _, b in pairs]
