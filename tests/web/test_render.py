"""HTML made of escaped text, with marks around words."""

from dataclasses import replace

import pytest

from spring.data.types import FileResult, Passage
from spring.generation.comparison import Comparison
from spring.generation.types import Answer, GenerationRequest, Progress
from spring.rag.bm25 import Bm25Retriever
from spring.rag.prompt import build_prompt
from spring.web.html.comparison import answer_cards, prompt_view, scores
from spring.web.html.passages import passage_list
from spring.web.html.status import file_list, progress_line
from spring.web.html.text import escape

TEXT = "The lighthouse at Skerl Point was built by Edvard Quillane <b>in 1911</b>."
QUESTION = "Who built the lighthouse?"


@pytest.fixture
def comparison():
    passage = Passage("<i>guide</i>.md", 3, 0, TEXT)
    hits = tuple(Bm25Retriever([passage]).search(QUESTION, 3))
    answers = (
        Answer(0, False, "The lighthouse was built by a poet", 8, "length", 1.25, 2.25),
        Answer(5, False, "Edvard Quillane", 4, "stop", 1.25, 1.75),
        Answer(0, "instruction"),
    )
    plain = build_prompt([passage], QUESTION)
    words = GenerationRequest(build_prompt([passage], QUESTION, "instruction"), 0, "instruction")
    requests = (GenerationRequest(plain), GenerationRequest(plain, 50), words)
    return Comparison(QUESTION, hits, (), plain, requests, Progress(answers))


def test_document_text_and_names_are_escaped(comparison):
    html = passage_list(comparison) + prompt_view(comparison, 5, learned=False)
    assert "<b>in" not in html
    assert "<i>guide" not in html
    assert "&lt;b&gt;in 1911&lt;/b&gt;" in html


@pytest.mark.parametrize("text", ["${1+1}", "{{x}}", "`x`", "<script>", '"quoted"', "it's &amp;"])
def test_escape_leaves_nothing_that_html_or_a_template_would_read(text):
    escaped = escape(text)
    assert not set("<>\"'`${}") & set(escaped)


def test_question_and_answer_words_are_marked(comparison):
    assert '<mark class="a">' not in passage_list(comparison)
    html = passage_list(comparison, done=True)
    assert '<mark class="q">lighthouse</mark>' in html
    assert '<mark class="q">built</mark>' in html
    assert '<mark class="a">Edvard</mark> <mark class="a">Quillane</mark>' in html
    assert ">poet<" not in html


def test_the_first_answer_is_marked_when_the_one_with_tokens_says_nothing(comparison):
    silent = replace(comparison.answers[1], text="")
    first = replace(comparison.answers[0], text="in 1911")
    progress = Progress((first, silent, comparison.answers[2]))
    html = passage_list(replace(comparison, progress=progress), done=True)
    assert '<mark class="a">1911</mark>' in html


def test_cards_have_meters_and_scores(comparison):
    html = answer_cards(comparison.answers, "Who <b>?", ["Edvard Quillane"], running=True)
    assert "Who &lt;b&gt;?" in html
    assert "8 tokens" in html
    assert "first token 1.2 s" in html
    assert "7.0 tokens/s" in html
    assert html.count(">exact match no") == 1
    assert html.count("contains it no") == 1
    assert html.count(">exact match yes") == 1
    assert "F1 1.00" in html
    assert html.count('class="cursor"') == 1  # of the one that has not ended
    assert "with 5 virtual tokens" in html
    assert "in words (instruction)" in html


def test_an_answer_that_ended_at_once_says_so(comparison):
    html = answer_cards([Answer(0, "plain", "", 0, "stop", 1.0, 1.0, "<|im_end|>")])
    assert "ended its answer at once, without a word: its first token was the token" in html
    assert "<code>&lt;|im_end|&gt;</code>" in html
    assert "a line break" in answer_cards([Answer(0, "examples", "", 0, "stop", 1.0, 1.0, "\n")])


def test_a_right_answer_that_goes_on_is_not_called_wrong_without_a_word():
    html = scores(Answer(0, "plain", "Edvard Quillane\n\nWhat is ...", 9, "stop"), ["Edvard Quillane"])
    assert ">exact match no" in html
    assert "first line exact match yes" in html
    assert "contains it yes" in html
    assert "first line" not in scores(Answer(5, "", "Edvard Quillane", 4, "stop"), ["Edvard Quillane"])


def test_the_answer_in_words_stands_between_the_other_two(comparison):
    html = answer_cards(comparison.answers)
    places = [html.index(name) for name in ("Answer without", "Answer in words", "Answer with 5")]
    assert places == sorted(places)


def test_the_prompt_shows_its_tokens_and_the_instruction(comparison):
    html = prompt_view(comparison, 5, learned=False)
    assert html.count("<i>t") == 5
    assert "not learned yet" in html
    assert "According to the previous relevant passages" in html
    assert "not learned yet" not in prompt_view(comparison, 5, learned=True)


def test_progress_is_told_in_a_sentence(comparison):
    def line(**changes):
        return progress_line(replace(comparison, progress=replace(comparison.progress, **changes)))

    nothing = (Answer(0, False), Answer(5, False))
    assert line(answers=nothing) == "Reading the passages …"
    assert line(answers=nothing, prefix_tokens=600, prefix_read=256) == "Reading the passages: 256 of 600 tokens …"
    assert line(prefix_tokens=600, prefill_seconds=2.0).startswith(
        "600 passage tokens read once for all answers in 2.0 s"
    )
    assert "taken from the cache" in line(prefix_tokens=600, prefix_hits=1)
    assert progress_line(replace(comparison, hits=())).startswith("Answering from memory")


def test_file_lines_tell_good_from_bad():
    html = file_list([FileResult("a.pdf", 2, 3), FileResult("b", error="b: it is <empty>")])
    assert '<li class="good">a.pdf: 2 pages, 3 passages' in html
    assert '<li class="bad">b: it is &lt;empty&gt;' in html
