"""Where a text is cut: even pieces, whole words, sentence ends, and scripts without spaces."""

import random
import re
import unicodedata
from itertools import pairwise

import pytest

from spring.data.chunking import cuts
from spring.data.cleaning import clean_text


def split(text: str, words: int = 100) -> list[str]:
    places = cuts(text, words)
    assert places == sorted(set(places))
    return [text[start:end].strip() for start, end in pairwise([0, *places, len(text)])]


def prose(generator: random.Random, sentences: int) -> str:
    """Sentences of random words, some of them hyphenated, accented or followed by a line break."""
    words = [
        "lamp",
        "oil",
        "so-called",
        "naïve",
        "3.14",
        "e.g.",
        "“quoted”",
        "O'Brien's",
        "(aside)",
        "Żółć",
        "हिन्दी",
        "한국어",
    ]
    text = ""
    for _ in range(sentences):
        chosen = generator.choices(words, k=generator.randint(1, 45))
        text += " ".join(chosen) + generator.choice(".!?…") + generator.choice("   \n")
    return text.strip()


@pytest.mark.parametrize("seed", range(25))
def test_no_word_is_cut_and_nothing_is_lost(seed: int) -> None:
    generator = random.Random(seed)
    text = clean_text(prose(generator, generator.choice([1, 5, 30, 200])).replace("\n", "\n\n"))
    size = generator.choice([20, 100, 150])
    pieces = split(text, size)
    assert " ".join(pieces).split() == text.split()
    assert all(piece in text for piece in pieces)
    lengths = [len(piece.split()) for piece in pieces]
    if len(text.split()) <= 1.2 * size:
        assert len(pieces) == 1
    else:
        assert all(0.6 * size - 1 <= length <= 1.3 * size + 1 for length in lengths)
        assert 0.7 * size <= sum(lengths) / len(lengths) <= 1.25 * size or len(lengths) == 2


@pytest.mark.parametrize("seed", range(10))
def test_plain_words_are_cut_as_any_other_text_is(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(seed)
    words = [
        "now",
        "low",
        "Mr.",
        "U.S.",
        "3.",
        "end.",
        "end!",
        "(so)",
        'said: "Yes."',
        "list:",
        "etc.)",
        "|",
        "x" * 501,
    ]
    lines = [" ".join(generator.choices(words[: generator.choice([-2, None])], k=30)) for _ in range(12)]
    text = "\n".join(lines)
    found = cuts(text, 20)
    monkeypatch.setattr("spring.data.borders._is_plain", lambda *line: False)
    assert found == cuts(text, 20) != []


def test_up_to_120_words_are_not_cut() -> None:
    assert [len(piece.split()) for piece in split("word " * 120)] == [120]
    assert sorted(len(piece.split()) for piece in split("word " * 121)) == [60, 61]


def test_cuts_are_at_the_nearest_sentence_end() -> None:
    words = ["word"] * 200
    words[94], words[110], words[130] = "end.", 'closed."', "late."
    words[95] = words[111] = words[131] = "Word"
    assert [piece.split()[-1] for piece in split(" ".join(words))] == ["end.", "word"]
    words[94] = "word"
    assert [piece.split()[-1] for piece in split(" ".join(words))] == ['closed."', "word"]
    words[110], words[74], words[75] = "word", "further.", "Word"
    assert [len(piece.split()) for piece in split(" ".join(words))] == [75, 125]
    words[74] = "word"
    assert [len(piece.split()) for piece in split(" ".join(words))] == [100, 100]
    lines = "\n".join(["word " * 9 + "end"] * 19 + ["x"])
    assert split(lines)[0].split("\n") == ["word " * 9 + "end"] * 10


CHINESE = "北京是中华人民共和国的首都，也是「政治」中心！人口有2184万，使用iPhone手机的人很多。"
JAPANESE = "吾輩は猫である。名前はまだ無い。『コンピューター』を使うサーバーで、Tokyoの人々は東京タワーへ行った。"


@pytest.mark.parametrize("text", [CHINESE, JAPANESE])
def test_chinese_and_japanese(text: str) -> None:
    text = text * 40
    pieces = split(text)
    assert "".join(pieces) == text
    weight = len(re.findall("[ぁ-ヿ一-鿿]", text)) / 2 + len(re.findall("[0-9A-Za-z]+", text))
    assert len(pieces) == round(weight / 100)
    assert all(piece.endswith(("。", "！")) for piece in pieces)


@pytest.mark.parametrize("text", [CHINESE, JAPANESE])
def test_chinese_and_japanese_without_sentence_ends(text: str) -> None:
    text = re.sub("[。！]", "，", text) * 40
    for size in range(10, 30):
        pieces = split(text, size)
        assert "".join(pieces) == text
        for left, right in pairwise(pieces):
            assert right[0] not in "，」』々ー"
            assert left[-1] not in "「『"
            assert not (left[-1].isascii() and right[0].isascii())
            assert not (re.match("[ァ-ヺ]", left[-1]) and re.match("[ァ-ヺー]", right[0]))


@pytest.mark.parametrize("word", ["ที่นี่น้ำ", "ພາສາລາວ", "ភាសាខ្មែរ", "မြန်မာစာ"])
def test_thai_lao_khmer_and_burmese(word: str) -> None:
    spaced = " ".join([word * 8] * 60)
    pieces = split(spaced)
    assert " ".join(pieces) == spaced
    assert len(pieces) == pytest.approx(len(spaced) / 500, rel=0.3)
    unspaced = word * 400
    pieces = split(unspaced)
    assert "".join(pieces) == unspaced
    assert len(pieces) == pytest.approx(len(unspaced) / 500, rel=0.3)
    assert not any(unicodedata.category(piece[0]).startswith("M") for piece in pieces)


def test_long_runs_are_no_words() -> None:
    text = "Before. " + "iVBORw0KGgo" * 2_000 + " after."
    pieces = split(text)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    assert max(map(len, pieces)) <= 700
    assert split("word " * 90 + "x" * 500) == ["word " * 90 + "x" * 500]


def test_combining_marks_without_end_are_cut_too() -> None:
    assert max(map(len, split("lamp a" + "\u0316" * 300_000))) < 10_000


def test_a_long_text_is_cut_evenly() -> None:
    text = "The lamp burns whale oil and so on. " * 20_000
    pieces = split(text)
    assert len(pieces) == pytest.approx(8 * 20_000 / 100, rel=0.1)


def test_nothing_to_cut() -> None:
    assert cuts("", 100) == []
    assert cuts("word", 1) == []


@pytest.mark.parametrize(
    "word", ["et al.", "Mr.", "(Dr.", "Inc.", "J.", "J.-P.", "U.S.", "z.B.", "e.g.", "Nr.", "No.", "3.", "«M."]
)
def test_no_cut_after_an_abbreviation(word: str) -> None:
    for place in range(40, 140):
        text = " ".join(["word"] * place + [f"{word} Holm"] + ["word"] * 90)
        assert not [piece for piece in split(text) if piece.endswith(word.split()[-1])]
        wrapped = "\n".join(["word"] * place + [word, "Holm"] + ["word"] * 90)
        assert not [piece for piece in split(wrapped) if piece.endswith(word.split()[-1])]


def test_text_of_abbreviations_alone_is_cut_too() -> None:
    assert max(len(piece.split()) for piece in split("J. " * 10_000)) <= 130


def test_lines_are_better_than_sentences_and_no_line_ends_with_a_colon() -> None:
    def sentence(words: int) -> str:
        return "word " * (words - 1) + "End."

    text = "\n".join([f"{sentence(90)} {sentence(25)}", sentence(85)])
    assert [len(piece.split()) for piece in split(text)] == [115, 85]
    text = "\n".join(["word " * 97 + "as follows:", *["- item of the list"] * 20])
    assert not split(text)[0].endswith(":")
