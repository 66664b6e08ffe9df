"""From a question to answers: what is retrieved, what is left out, and what cannot be asked."""

from dataclasses import replace

import pytest

from spring.data.types import Passage
from spring.errors import PromptError
from spring.generation.comparison import Comparison, ComparisonSettings, as_dict, compare
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions, GenerationRequest
from spring.models.backbone import Backbone
from spring.models.tokenization import Tokenization
from spring.rag.bm25 import Bm25Retriever
from spring.rag.prompt import Baseline, build_prompt
from tests.conftest import FERRY, PASSAGES, QUESTION, forced_ids, new_engine, one_line

RETRIEVER = Bm25Retriever(PASSAGES)
FOUR, ONE = DecodingOptions(4), DecodingOptions(1)
SHORT = ComparisonSettings(virtual_tokens=(0, 50), decoding=FOUR)


def last(engine: LocalEngine, question: str = QUESTION, settings: ComparisonSettings = SHORT) -> Comparison:
    *_, comparison = compare(engine, RETRIEVER, question, settings)
    return comparison


@pytest.fixture
def crowded() -> Bm25Retriever:
    """Three passages that all speak of the ferry, of which the tiny model takes no more than two."""
    texts = [f"{FERRY} " * times for times in (4, 5, 6)]
    return Bm25Retriever([Passage(f"{i}.txt", i, 0, text) for i, text in enumerate(texts, start=1)])


# --- what is found and answered ---


def test_the_first_snapshot_has_the_passages_and_no_answer_yet(llama_engine: LocalEngine) -> None:
    first = next(compare(llama_engine, RETRIEVER, QUESTION, SHORT))
    assert first.hits == tuple(RETRIEVER.search(QUESTION, 3))
    assert first.hits[0].passage == PASSAGES[0]
    assert [(answer.virtual_tokens, answer.text, answer.ended) for answer in first.answers] == [
        (0, "", ""),
        (50, "", ""),
    ]


def test_the_passages_stay_while_the_answers_come(llama_engine: LocalEngine) -> None:
    first, *others = compare(llama_engine, RETRIEVER, QUESTION, SHORT)
    assert all((later.hits, later.prompt) == (first.hits, first.prompt) for later in others)
    assert others[-1].progress.done


def test_the_prompt_is_of_the_hits_in_their_order(llama_engine: LocalEngine) -> None:
    comparison = last(llama_engine)
    assert comparison.prompt == build_prompt([hit.passage for hit in comparison.hits], QUESTION)


def test_the_answers_are_those_of_the_prompt(llama_engine: LocalEngine) -> None:
    comparison = last(llama_engine)
    ids = forced_ids(new_engine(llama_engine.backbone), [GenerationRequest(comparison.prompt, k) for k in (0, 50)], 4)
    assert [list(ids_) for ids_ in comparison.progress.ids] == ids


def test_there_is_an_answer_for_each_k_in_order(llama_engine: LocalEngine) -> None:
    comparison = last(llama_engine, settings=ComparisonSettings((10, 0, 1), decoding=ONE))
    assert [answer.virtual_tokens for answer in comparison.answers] == [10, 0, 1]


def test_no_more_passages_than_asked_for(llama_engine: LocalEngine) -> None:
    assert len(last(llama_engine, settings=ComparisonSettings((0,), passages=1, decoding=ONE)).hits) == 1


def test_the_baselines_in_words_come_last_each_with_its_prompt(llama_engine: LocalEngine) -> None:
    settings = ComparisonSettings((0, 50), baselines=("instruction", "examples"), decoding=FOUR)
    comparison = last(llama_engine, settings=settings)
    sides = [(a.virtual_tokens, a.baseline) for a in comparison.answers]
    assert sides == [(0, "plain"), (50, ""), (0, "instruction"), (0, "examples")]
    assert [(r.virtual_tokens, r.baseline) for r in comparison.requests] == sides
    passages = [hit.passage for hit in RETRIEVER.search(QUESTION, 3)]
    assert comparison.requests[2].prompt == build_prompt(passages, QUESTION, "instruction")
    words = [GenerationRequest(comparison.requests[2].prompt, 0, "instruction")]
    assert list(comparison.progress.ids[2]) == forced_ids(new_engine(llama_engine.backbone), words, 4)[0]


def test_all_baselines_with_the_same_passages_read_them_once(llama_engine: LocalEngine) -> None:
    settings = ComparisonSettings((0, 50), baselines=("instruction", "examples"), decoding=ONE)
    comparison = last(llama_engine, settings=settings)
    before, _ = llama_engine.backbone.tokenization.encode(comparison.prompt)
    assert comparison.progress.prefix_tokens == len(before)


@pytest.mark.parametrize(
    ("ks", "baselines", "expected"),
    [
        ((50,), ("plain",), [(0, "plain"), (50, "")]),
        ((0, 50), ("plain", "plain"), [(0, "plain"), (50, "")]),
        ((), ("examples", "plain", "examples"), [(0, "plain"), (0, "examples")]),
    ],
)
def test_the_plain_baseline_is_k_0_and_each_is_asked_once(
    llama_engine: LocalEngine, ks: tuple[int, ...], baselines: tuple[Baseline, ...], expected: list[tuple[int, str]]
) -> None:
    comparison = last(llama_engine, settings=ComparisonSettings(ks, baselines=baselines, decoding=ONE))
    assert [(a.virtual_tokens, a.baseline) for a in comparison.answers] == expected


def test_explicit_hits_are_asked_about_with_their_texts(llama_engine: LocalEngine) -> None:
    found = RETRIEVER.search("ferry mast", 3)
    edited = replace(found[0], passage=replace(found[0].passage, text="The ferry leaves at \ud800 ten."))
    *_, comparison = compare(llama_engine, None, QUESTION, SHORT, hits=[found[1], edited])
    assert comparison.prompt.before == f"[1] {found[1].passage.text}\n[2] The ferry leaves at \ufffd ten.\n\n"
    assert comparison.progress.done
    assert next(compare(llama_engine, RETRIEVER, QUESTION, SHORT, hits=())).hits == ()


def test_white_space_around_the_question_is_dropped(llama_engine: LocalEngine) -> None:
    assert last(llama_engine, f"  {QUESTION}\n").question == QUESTION


def test_half_of_a_surrogate_pair_in_the_question_is_replaced(llama_engine: LocalEngine) -> None:
    comparison = last(llama_engine, "When does the ferry \ud800 leave?")
    assert comparison.question == "When does the ferry \N{REPLACEMENT CHARACTER} leave?"
    assert comparison.prompt.after == f"Question: {comparison.question}\nAnswer:"


def test_the_seed_and_the_temperature_are_passed_on(llama_engine: LocalEngine) -> None:
    answers = {
        last(
            llama_engine, settings=ComparisonSettings((0,), decoding=DecodingOptions(8, temperature, seed))
        ).progress.ids
        for temperature, seed in ((0.0, 0), (1.0, 0), (1.0, 1))
    }
    assert len(answers) == 3


# --- notes ---


def test_when_all_fits_there_is_nothing_to_note(llama_engine: LocalEngine) -> None:
    assert last(llama_engine).notes == ()


def test_a_question_without_a_shared_word_has_no_hits_and_a_note(llama_engine: LocalEngine) -> None:
    comparison = last(llama_engine, "Qui habite Paris?")
    assert comparison.hits == ()
    assert comparison.notes == ("None of the words occur in your documents: what follows comes from the model alone.",)
    assert str(comparison.prompt) == "\nQuestion: Qui habite Paris?\nAnswer:"
    assert comparison.progress.done


def test_what_is_too_long_loses_its_last_passages_whole(llama_engine: LocalEngine, crowded: Bm25Retriever) -> None:
    found = tuple(crowded.search(QUESTION, 3))
    assert len(found) == 3
    comparison = next(compare(llama_engine, crowded, QUESTION, SHORT))
    assert comparison.hits + comparison.dropped == found  # the lowest ranks are dropped
    assert 0 < len(comparison.hits) < 3
    assert comparison.prompt == build_prompt([hit.passage for hit in comparison.hits], QUESTION)


def test_one_more_passage_would_not_have_fitted(llama_engine: LocalEngine, crowded: Bm25Retriever) -> None:
    comparison = next(compare(llama_engine, crowded, QUESTION, SHORT))
    more = [hit.passage for hit in (*comparison.hits, comparison.dropped[0])]
    needed = [
        llama_engine.backbone.tokenization.count(prompt) + 50 + 4
        for prompt in (comparison.prompt, build_prompt(more, QUESTION))
    ]
    assert needed[0] <= 512 < needed[1]


def test_each_passage_that_is_left_out_is_named(llama_engine: LocalEngine, crowded: Bm25Retriever) -> None:
    comparison = next(compare(llama_engine, crowded, QUESTION, SHORT))
    assert comparison.notes == tuple(
        f"Passage {hit.rank} ({hit.passage.document}, page {hit.passage.page}) was left out: "
        "the prompt would be too long for the model."
        for hit in comparison.dropped
    )


def test_the_instruction_counts_when_it_is_asked_for(llama_engine: LocalEngine) -> None:
    passages = [Passage("a.txt", 1, i, FERRY) for i in range(3)]
    plain, instruction = (
        llama_engine.backbone.tokenization.count(build_prompt(passages, QUESTION, baseline))
        for baseline in ("plain", "instruction")
    )
    room = DecodingOptions(512 - (plain + instruction) // 2)  # for the plain prompt only
    kept = [
        len(next(compare(llama_engine, Bm25Retriever(passages), QUESTION, settings)).hits)
        for settings in (ComparisonSettings((0,), 3, (), room), ComparisonSettings((0,), 3, ("instruction",), room))
    ]
    assert kept == [3, 2]


# --- what cannot be asked ---


@pytest.mark.parametrize("question", ["", " \n"])
def test_an_empty_question_is_refused(llama_engine: LocalEngine, question: str) -> None:
    with pytest.raises(PromptError, match=r"^Please type a question\.$"):
        last(llama_engine, question)


def test_a_passage_that_cannot_fit_is_not_counted(llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = Bm25Retriever([Passage("huge.txt", 1, 0, "lamp " + "x" * 10**6)])
    asked: list[int] = []
    count = Tokenization.count
    monkeypatch.setattr(
        Tokenization, "count", lambda self, prompt, chat: (asked.append(len(prompt.before)), count(self, prompt))[1]
    )
    first = next(compare(llama_engine, huge, "Which lamp?"))
    assert [hit.rank for hit in first.dropped] == [1]
    assert max(asked) < 10**5


def test_a_question_too_long_for_the_model_is_refused(llama_engine: LocalEngine) -> None:
    with pytest.raises(PromptError, match="question is too long: tiny-llama takes 512 tokens") as error:
        last(llama_engine, "When does the ferry leave? " * 100)
    one_line(error)


@pytest.mark.parametrize("passages", [-1, 0, 21])
def test_a_number_of_passages_out_of_range_is_refused(passages: int) -> None:
    with pytest.raises(PromptError, match=f"passages must be 1 to 20, not {passages}") as error:
        ComparisonSettings(passages=passages)
    one_line(error)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"virtual_tokens": (0, 51)}, "51 virtual tokens are out of range: there are 0 to 50"),
        ({"virtual_tokens": (-1,)}, "-1 virtual tokens are out of range"),
        ({"virtual_tokens": (0, 99_999)}, "99999 virtual tokens are out of range"),  # not: the question is too long
        ({"virtual_tokens": ()}, "at least one answer"),
        ({"decoding": DecodingOptions(512)}, "answer of 512 tokens leaves no room .*: tiny-llama takes 512 tokens"),
        ({"baselines": ("told",)}, "There is no baseline 'told': choose one of plain, instruction, examples, chat"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    llama_engine: LocalEngine, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(PromptError, match=reason) as error:
        last(llama_engine, settings=ComparisonSettings(**change))  # type: ignore[arg-type]
    one_line(error)


# --- as JSON takes it ---


def test_a_comparison_as_a_dictionary(tiny_llama: Backbone) -> None:
    engine = new_engine(tiny_llama)
    comparison = last(engine, settings=ComparisonSettings((0, 50), 1, ("instruction",), DecodingOptions(2)))
    result = as_dict(comparison, engine)
    hit, answer = comparison.hits[0], comparison.answers[1]
    assert result["question"] == QUESTION
    assert (result["backbone"], result["precision"]) == ("tiny-llama", "fp32")
    assert result["passages"] == [
        {"rank": 1, "score": hit.score, "document": "0.txt", "page": 1, "section": "", "text": FERRY}
    ]
    assert result["prompt"] == {"before": comparison.prompt.before, "after": comparison.prompt.after}
    assert result["answers"][1] == {
        "virtual_tokens": 50,
        "baseline": "",
        "instruction": False,
        "text": answer.text,
        "new_tokens": 2,
        "ended_by": "",
        "seconds": round(answer.seconds, 3),
    }
    assert [answer["instruction"] for answer in result["answers"]] == [False, False, True]
    assert [answer["baseline"] for answer in result["answers"]] == ["plain", "", "instruction"]
