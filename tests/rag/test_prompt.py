"""The layout of the authors' released code, character by character."""

import pytest

from spring.data.types import Passage
from spring.errors import PromptError
from spring.rag.prompt import BASELINES, INSTRUCTION, Prompt, build_prompt

THREE = [Passage("a.txt", 1, i, f"passage {word}") for i, word in enumerate(("one", "two", "three"))]


def test_passages_are_numbered_from_one_and_followed_by_a_blank_line() -> None:
    assert build_prompt(THREE, "Why?").before == "[1] passage one\n[2] passage two\n[3] passage three\n\n"


def test_after_the_seam_comes_the_question() -> None:
    assert build_prompt(THREE, "Why?").after == "Question: Why?\nAnswer:"


def test_the_whole_prompt_is_both_sides_with_nothing_between() -> None:
    assert str(build_prompt(THREE[:1], "Why?")) == "[1] passage one\n\nQuestion: Why?\nAnswer:"


def test_a_passage_is_taken_as_it_is() -> None:
    assert build_prompt([Passage("a", 1, 0, " two\nlines ")], "Why?").before == "[1]  two\nlines \n\n"


def test_words_stand_where_the_virtual_tokens_would() -> None:
    plain, instruction, examples, chat = (build_prompt(THREE, "Why?", baseline) for baseline in BASELINES)
    assert plain == chat == build_prompt(THREE, "Why?")
    assert plain.before == instruction.before == examples.before
    assert instruction.after == f"{INSTRUCTION}\nQuestion: Why?\nAnswer:"
    assert examples.after == (
        "Question: What is the capital of France?\nAnswer: Paris\n"
        "Question: who wrote Hamlet\nAnswer: William Shakespeare\n"
        "Question: when did the war end\nAnswer: 1945\n"
        "Question: Why?\nAnswer:"
    )


def test_the_instruction_is_the_papers() -> None:
    assert INSTRUCTION == (
        "According to the previous relevant passages, please answer the following question. "
        "Only return the answer without any other words."
    )


def test_without_passages_the_blank_line_stays() -> None:
    assert str(build_prompt([], "Why?")) == "\nQuestion: Why?\nAnswer:"


def test_white_space_around_the_question_is_dropped() -> None:
    assert build_prompt([], " \n Why?\t").after == "Question: Why?\nAnswer:"


@pytest.mark.parametrize("question", ["", "   ", "\n\t\u2003"])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(PromptError, match=r"^Please type a question\.$"):
        build_prompt(THREE, question)


@pytest.mark.parametrize(("before", "after"), [("", "after"), ("before", "")])
def test_a_prompt_has_two_sides(before: str, after: str) -> None:
    with pytest.raises(PromptError):
        Prompt(before, after)
