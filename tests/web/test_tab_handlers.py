"""The handlers of the tabs Sweep and Evaluate, on a tiny random model."""

import csv
import io
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from spring.data.questions import Question
from spring.data.types import Collection, Passage
from spring.errors import ModelError, PromptError
from spring.evaluation import progress as evaluation_run
from spring.evaluation.progress import EvaluationRun, first_questions, without_too_long
from spring.evaluation.runner import Done, Row, usual_ks
from spring.evaluation.summary import summarize
from spring.generation.types import Answer
from spring.rag.library import Library
from spring.settings import AppSettings
from spring.web.html import evaluation as render_evaluation
from spring.web.tabs import evaluate as evaluate_tab
from spring.web.tabs.compare import LOADING, Page, buttons
from spring.web.tabs.evaluate import Evaluate
from spring.web.tabs.sweep import Sweep, every_k, f1_plot
from spring.web.visitors.collections import OWN
from spring.web.visitors.request_queue import RequestQueue
from tests.conftest import PASSAGES, QUESTION

ME = SimpleNamespace(session_hash="me")
HOSTILE = "<img src=x onerror=alert(1)> ${1+1}"
QUESTIONS = [Question(f"q{i}", QUESTION, ("nine",)) for i in range(4)]
SETTINGS = AppSettings.from_environment({})
SAMPLE = "The station"
EVERY = (0, 1, 2, 5, 10, 20, 30, 50)


@pytest.fixture
def page(llama_engine):
    engine = Future()
    engine.set_result(llama_engine)
    return Page(engine, [Library.build(SAMPLE, Collection((), tuple(PASSAGES), ()), QUESTIONS)])


@pytest.fixture
def evaluate(page, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    return Evaluate(page)


@pytest.fixture
def clock(monkeypatch):
    """The time of evaluations, in its one element."""
    now = [0.0]
    monkeypatch.setattr(evaluation_run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("spring.web.tabs.evaluate.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def sweep(page, question=QUESTION, name=SAMPLE, gold="", passages=2, length=3, ticket=None):
    ticket = Sweep(page).begin(ME)[0] if ticket is None else ticket
    return Sweep(page).run(ticket, question, name, passages, gold, length, ME)


def run(evaluate, file=None, ks=(0, 5), limit=4, name=SAMPLE, passages=2, length=3, ticket=None):
    ticket = evaluate.begin(ME)[0] if ticket is None else ticket
    return evaluate.run(ticket, file and str(file), ks, limit, name, passages, length, ME)


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def downloaded(update) -> list[dict[str, str]]:
    text = Path(update["value"]).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def answers(*texts: str, ended="stop") -> list[Answer]:
    return [Answer(k, False, text, 3, ended, 1.0, 2.0) for k, text in zip(EVERY, texts, strict=False)]


# --- turns ---


def test_a_turn_is_taken_once_and_by_its_own_ticket() -> None:
    turns = RequestQueue()
    first = turns.begin("me")
    turn = turns.take("me", first)
    assert turn is not None
    assert not turn.over
    assert turns.take("me", first) is None
    assert turns.take("me", 0) is None
    assert turns.take("me", None) is None
    second = turns.begin("me")
    assert turn.over
    assert turns.take("me", first) is None
    assert turns.take("you", second) is None
    turns.end("me")
    assert turns.take("me", second) is None


# --- Sweep ---


@pytest.mark.parametrize(
    ("n", "ks"), [(50, EVERY), (7, (0, 1, 2, 5, 7)), (1, (0, 1)), (100, (*EVERY, 100)), (20, EVERY[:6])]
)
def test_every_k_ends_with_all_tokens(n, ks) -> None:
    assert every_k(n) == ks
    assert max(usual_ks(n)) == n


def test_a_sweep_is_one_batch_and_ends_with_a_sentence_and_a_plot(page) -> None:
    *_, (status, film, plot, button, stop) = sweep(page, gold="nine | at nine")
    assert film.count('class="frame') == 8
    assert 'aria-label="Answer with k = 50"' in film
    assert "nswer" in status
    assert list(plot["value"]["k"]) == list(EVERY)
    assert button["interactive"]
    assert not stop["interactive"]


def test_a_sweep_without_an_expected_answer_has_no_plot(page) -> None:
    *_, (_, film, plot, *_) = sweep(page)
    assert plot["visible"] is False
    assert "exact match" not in film


def test_stop_keeps_the_answers_of_a_sweep(page) -> None:
    stream = sweep(page, length=200)
    for _, film, *_ in stream:
        if "Answer with k" in film and film.count('<span class="cursor">') < 8:
            break
        if any(text for text in film.split('<div class="answer">')[1:] if not text.startswith("<span")):
            break
    page.stop(ME)
    *_, (status, kept, *_) = stream
    assert "Stopped." in status
    assert kept.count('class="frame') == 8
    assert "cursor" not in kept


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"question": " "}, "Please type a question"),
        ({"question": None}, "Please type a question"),
        ({"question": "x" * 3000}, "3,000 characters"),
        ({"name": OWN}, "Upload a document first"),
        ({"name": "Atlantis <b>"}, "Atlantis &lt;b&gt;"),
        ({"passages": 99}, "passages must be 1 to"),
        ({"passages": None}, "must be numbers"),
        ({"length": 10**6}, "1 to 256"),
    ],
)
def test_wrong_input_of_a_sweep_gets_one_sentence(page, wrong, message) -> None:
    [*_, (status, *_, button, _)] = sweep(page, **wrong)
    assert message in status
    assert 'role="alert"' in status
    assert button["interactive"]


def test_a_sweep_that_was_ended_in_the_queue_asks_nothing(page) -> None:
    ticket = Sweep(page).begin(ME)[0]
    page.begin(ME)
    [(status, *rest)] = sweep(page, ticket=ticket)
    assert "Stopped." in status
    assert rest == [gr.skip()] * 2 + list(buttons(False))


def test_the_form_starts_a_comparison_on_the_main_tab_alone(page) -> None:
    ticket = page.begin(ME)[0]
    assert page.begin_here("Sweep", ME) == (0, *(gr.skip(),) * 5)
    assert page.turns.take("me", ticket) is not None  # what goes on was not ended
    assert page.begin_here("Compare", ME)[0] > ticket


def test_the_filmstrip_marks_changes_and_escapes() -> None:
    html = render_evaluation.filmstrip(answers("tin", "tin", HOSTILE, HOSTILE, ""), HOSTILE, ["tin"])
    assert "<img" not in html
    assert "$" not in html
    assert html.count("changes here") == 2
    assert html.count("the same") == 2
    assert 'frame changed" aria-label="Answer with k = 2"' in html
    assert html.count("exact match yes") == 2
    assert '<span class="empty">nothing</span>' in html


def test_what_has_not_ended_is_called_neither_the_same_nor_another() -> None:
    html = render_evaluation.filmstrip(answers("a", "a", "b", ended=""), QUESTION, ["a"], running=True)
    assert html.count("cursor") == 3
    assert "the same" not in html
    assert "changes here" not in html
    assert "F1" not in html


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        ("aaa", "The same answer for all 3 k."),
        ("aab", "The answer changes at k = 2."),
        ("abc", "The answer changes at k = 1 and 2."),
        ("abcd", "The answer changes at k = 1, 2 and 5."),
    ],
)
def test_the_changes_in_a_sentence(texts, line) -> None:
    assert render_evaluation.changes_line(answers(*texts)) == line


def test_the_plot_has_the_answers_that_ended() -> None:
    whole = SimpleNamespace(answers=[*answers("nine", "ten"), Answer(5, False, "ni")])
    points = f1_plot(whole, ["nine"])["value"]
    assert points.to_dict("list") == {"k": [0, 1], "F1": [1.0, 0.0]}


# --- Evaluate ---


def test_a_collection_is_evaluated_live(evaluate) -> None:
    shots = list(run(evaluate))
    tables = [shot[1] for shot in shots if isinstance(shot[1], str) and shot[1]]
    assert "<td>2</td>" in tables[0]  # after the first batch of two
    status, table, plot, download, button, stop = shots[-1]
    assert "Done: 4 questions in" in status
    assert table.count("<td>4</td>") == 2
    assert set(plot["value"]["metric"]) == {"exact match", "F1"}
    assert [row["id"] for row in downloaded(download)] == ["q0", "q0", "q1", "q1", "q2", "q2", "q3", "q3"]
    assert button["interactive"]
    assert not stop["interactive"]


def test_one_k_has_a_table_and_no_plot(evaluate) -> None:
    *_, (_, table, plot, *_) = run(evaluate, ks=[50], limit=1)
    assert '<th scope="row">50</th>' in table
    assert plot["visible"] is False


def test_a_file_may_bring_its_passages(evaluate, tmp_path) -> None:
    row = {"question": "Who?", "target": "Ulla", "ret_passages": ["Ulla was it."]}
    *_, (status, *_) = run(evaluate, write(tmp_path / "f.jsonl", row), name=OWN)
    assert "Done: 1 question in" in status
    bare = write(tmp_path / "g.jsonl", row, {"question": "Who?", "target": "Ulla"})
    [*_, (status, *_)] = run(evaluate, bare, name=OWN)
    assert "Upload a document first" in status


def test_skipped_rows_are_said_in_a_sentence_and_escaped(evaluate, tmp_path) -> None:
    file = write(tmp_path / "f.jsonl", {"id": HOSTILE, "question": "Who?", "target": HOSTILE}, {"question": HOSTILE}, 3)
    *_, (status, table, *_) = run(evaluate, file)
    assert "2 rows skipped: row 2: no golden answer; row 3: not an object." in status
    assert "<img" not in status + table


def test_formulas_are_defused_in_the_download(evaluate, tmp_path) -> None:
    file = write(tmp_path / "f.jsonl", {"id": "=1+1", "question": '=HYPERLINK("http://x")', "target": "@SUM(1)"})
    *_, (_, _, _, download, *_) = run(evaluate, file, ks=[0])
    [row] = downloaded(download)
    assert row["id"] == "'=1+1"
    assert row["question"].startswith("'=HYPERLINK")


def test_the_download_is_a_file_that_gradio_cleans_up(evaluate, tmp_path) -> None:
    *_, (_, _, _, download, *_) = run(evaluate, limit=1)
    path = Path(download["value"])
    assert path.is_relative_to(tmp_path / "served")
    button = gr.DownloadButton()
    assert button.move_resource_to_block_cache(path) == str(path)  # as Gradio does on the way out
    assert str(path) in button.temp_files


def test_stop_keeps_the_rows(evaluate) -> None:
    stream = run(evaluate)
    next(shot for shot in stream if isinstance(shot[1], str) and shot[1])
    evaluate.stop(ME)
    *_, (status, table, _, download, *_) = stream
    assert "2 of 4 questions are done, and kept" in status
    assert table.count("<td>2</td>") == 2
    assert len(downloaded(download)) == 4


def test_the_time_limit_cuts_the_run_and_says_so(evaluate, clock) -> None:
    stream = run(evaluate)
    next(shot for shot in stream if isinstance(shot[1], str) and shot[1])
    clock[0] = 300.0
    *_, (status, _, _, download, *_) = stream
    assert "One run may take 300 seconds, and they are over: 2 of 4 questions are done, and kept." in status
    assert len(downloaded(download)) == 4


def test_a_run_without_any_row_has_no_download(page, monkeypatch) -> None:
    page.settings = replace(SETTINGS, evaluation_seconds=0)
    *_, (status, table, plot, download, *_) = run(Evaluate(page))
    assert "0 of 4 questions are done" in status
    assert table == ""
    assert plot["visible"] is False
    assert download["value"] is None
    assert not download["interactive"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ks": []}, "Choose at least one k."),
        ({"ks": None}, "Choose at least one k."),
        ({"ks": ["x"]}, "must be numbers"),
        ({"ks": [0, 99]}, "99 virtual tokens are out of range"),
        ({"limit": 51}, "One run takes 1 to 50 questions, not 51."),
        ({"limit": 0}, "1 to 50 questions, not 0."),
        ({"limit": None}, "must be numbers"),
        ({"name": OWN}, "Upload a document first"),
        ({"passages": 99}, "passages must be 1 to"),
        ({"length": 0}, "1 to 256"),
        ({"file": "/nowhere/secret/f.jsonl"}, "no longer here: please upload it again."),
    ],
)
def test_wrong_input_of_an_evaluation_gets_one_sentence(evaluate, wrong, message) -> None:
    [*_, (status, *_, button, _)] = run(evaluate, **wrong)
    assert message in status
    assert 'role="alert"' in status
    assert "nowhere" not in status
    assert button["interactive"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.csv", b"name,place\nUlla,Orlo\n", "bad.csv has no row with a question and golden answers."),
        ("bad.jsonl", b"{", "row 1: not valid JSON"),
        ("bad.exe", b"MZ", "bad.exe is no question file"),
        ("nul.jsonl", b"\0\1\2" * 100, "nul.jsonl"),
    ],
)
def test_a_bad_question_file_gets_one_sentence(evaluate, tmp_path, name, content, message) -> None:
    (tmp_path / name).write_bytes(content)
    [*_, (status, *_)] = run(evaluate, tmp_path / name)
    assert message in status
    assert str(tmp_path) not in status
    assert 'role="alert"' in status


def test_own_documents_bring_no_questions(evaluate, page) -> None:
    own = Library.build(OWN, Collection((), tuple(PASSAGES), ()))
    ticket = evaluate.begin(ME)[0]
    page.sessions.keep("me", own)
    [(status, *_)] = evaluate.run(ticket, None, [0], 1, OWN, 2, 3, ME)
    assert "upload a question file" in status


def test_a_question_that_cannot_be_asked_is_named(evaluate, tmp_path) -> None:
    good, long = ({"id": i, "question": text, "target": "a"} for i, text in (("good", "Who?"), ("long", "x " * 60_000)))
    deep = {"id": "deep", "question": "why " * 500, "target": "a"}
    *_, (status, _, _, download, *_) = run(evaluate, write(tmp_path / "f.jsonl", good, long, deep), ks=[0])
    assert "Done: 3 questions in" in status
    assert "2 questions could not be asked: long: The question and its passages are longer" in status
    assert "deep: The question is too long" in status
    assert len(downloaded(download)) == 1


def test_an_evaluation_that_was_ended_in_the_queue_asks_nothing(evaluate) -> None:
    ticket = evaluate.begin(ME)[0]
    evaluate.leave(ME)
    [(status, *rest)] = run(evaluate, ticket=ticket)
    assert "Stopped." in status
    assert rest == [gr.skip()] * 3 + list(buttons(False))


def test_what_was_done_is_kept_when_the_model_fails(evaluate, monkeypatch) -> None:
    def fails(*given):
        for done in whole(*given):
            yield done
            if done.rows:
                break
        raise ModelError("The GPU's time is over.")

    whole = evaluate_tab.evaluate
    monkeypatch.setattr(evaluate_tab, "evaluate", fails)
    *_, (status, table, _, download, button, _) = run(evaluate)
    assert "2 of 4 questions are done, and kept." in status
    assert "The GPU&#x27;s time is over." in status
    assert "<td>2</td>" in table
    assert len(downloaded(download)) == 4
    assert button["interactive"]


def test_the_choices_follow_the_models_tokens(evaluate, monkeypatch) -> None:
    assert evaluate.show_choices() == gr.skip()
    assert evaluate.page.known
    monkeypatch.setattr(type(evaluate.page.engine.tokens), "__len__", lambda tokens: 7)
    update = evaluate.show_choices()
    assert [value for _, value in gr.CheckboxGroup(choices=update["choices"]).choices] == [0, 1, 2, 5, 7]
    assert update["value"] == [0, 1, 5, 7]


@pytest.mark.parametrize("tab", ["Compare", "Sweep", "Evaluate"])
def test_who_stops_while_the_model_is_loading_leaves_no_thread_waiting_for_it(page, evaluate, tab) -> None:
    page._engine = Future()
    begun = {"Evaluate": evaluate.begin}.get(tab, page.begin)(ME)[0]
    handlers = {
        "Compare": lambda: page.ask(begun, QUESTION, SAMPLE, 5, 2, False, "", 3, 0, ME),
        "Sweep": lambda: sweep(page, ticket=begun),
        "Evaluate": lambda: run(evaluate, ticket=begun),
    }
    shown = handlers[tab]()
    assert LOADING in next(shown)[0]
    evaluate.stop(ME)
    page.stop(ME)
    [last] = shown
    assert "Stopped." in last[0]
    assert list(last[-2:]) == list(buttons(False))


def asked(page, ticket):
    return page.ask(ticket, QUESTION, SAMPLE, 5, 2, False, "", 20, 0, ME)


@pytest.mark.parametrize("tab", ["Compare", "Sweep", "Evaluate"])
def test_a_newer_one_of_the_same_tab_is_not_written_over(page, evaluate, tab) -> None:
    begin, show = {
        "Compare": (page.begin, partial(asked, page)),
        "Sweep": (Sweep(page).begin, lambda ticket: sweep(page, ticket=ticket, length=20)),
        "Evaluate": (evaluate.begin, lambda ticket: run(evaluate, ticket=ticket)),
    }[tab]
    older = show(begin(ME)[0])
    next(older)
    untaken = begin(ME)[0]
    newer = begin(ME)[0]
    assert list(older) == []
    assert all(output == gr.skip() for output in next(show(untaken)))
    assert "Stopped." not in [outputs[0] for outputs in show(newer)][-1]


def test_a_comparison_says_that_a_sweep_has_taken_its_place(page) -> None:
    older = asked(page, page.begin(ME)[0])
    next(older)
    Sweep(page).begin(ME)
    *_, (status, cards, *_, button, _) = older
    assert "Stopped." in status
    assert "cursor" not in cards
    assert button["interactive"]


def test_who_stops_in_the_queue_gets_no_passages_any_more(page) -> None:
    running = page.turns.join("you", "there")
    assert next(page.turns.wait(running), None) is None
    waiting = asked(page, page.begin(ME)[0])
    assert "you are next" in next(waiting)[0]
    page.stop(ME)
    [(status, *rest)] = waiting
    assert "Stopped." in status
    assert rest == [gr.skip()] * 3 + list(buttons(False))


def test_a_model_that_cannot_be_loaded_again_keeps_nobody_waiting(page) -> None:
    class Lost:
        @property
        def ready(self):
            raise ModelError("The model needs 5.1 GB; 4.0 GB are free.")

    page._engine = Future()
    page._engine.set_result(Lost())
    *_, (status, *_, button, _) = asked(page, page.begin(ME)[0])
    assert "The model needs 5.1 GB" in status
    assert button["interactive"]
    assert page.turns.idle


def test_the_expected_answer_has_a_longest(page) -> None:
    [(status, *_)] = sweep(page, gold="a|" * 1_500)
    assert "The expected answer has 3,000 characters; 2,000 are the most." in status


def test_a_typed_question_is_left_alone_when_the_documents_change(page) -> None:
    assert page.shelf.choose(OWN, "Who?")[:2] == [gr.skip(), gr.skip()]
    assert page.shelf.choose(OWN, QUESTION)[:2] == ["", ""]
    assert page.shelf.choose(SAMPLE, " ")[:2] == [QUESTION, "nine"]


def test_the_loading_of_the_model_takes_none_of_an_answers_time(page, llama_engine, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("spring.web.visitors.request_queue.CLOCK", lambda: now[0])
    page._engine = Future()
    turn = page.turns.take("me", page.turns.begin("me"))
    waiting = page.until_ready(turn)
    next(waiting)
    now[0] = SETTINGS.answer_seconds - 1
    threading.Timer(0.5, lambda: page._engine.set_result(llama_engine)).start()
    assert list(waiting) == []
    now[0] += SETTINGS.answer_seconds - 1
    assert not turn.over


def test_an_answer_is_cut_after_the_seconds_that_it_may_take(page, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("spring.web.visitors.request_queue.CLOCK", lambda: now[0])
    settings = (QUESTION, SAMPLE, 50, 3, False, "", 256, 0)
    written = []
    for status, cards, *_ in page.ask(page.turns.begin("me"), *settings, ME):
        written.append((status, cards))
        if "first token" in cards:
            now[0] = SETTINGS.answer_seconds
    assert "An answer may take 120 seconds, and they are over; what is written is kept." in written[-1][0]
    assert "cursor" in written[-2][1]
    assert "cursor" not in written[-1][1]
    assert len(written) < 20  # of 256 tokens


def test_two_uploads_of_one_visitor_at_once_keep_all_documents(page, tmp_path) -> None:
    files = [tmp_path / "lamp.txt", tmp_path / "oil.txt"]
    for file in files:
        file.write_text(f"The {file.stem} burns.")
    both = threading.Barrier(2)
    read = page.shelf.read
    page.shelf.read = lambda *given: (both.wait(10), read(*given), both.wait(10))[1]  # both are read before one is kept
    with ThreadPoolExecutor(2) as pool:
        for outputs in pool.map(lambda file: list(page.shelf.upload([str(file)], ME)), files):
            assert outputs[-1][1] == OWN
    assert {p.document for p in page.sessions.documents("me").collection.passages} == {"lamp.txt", "oil.txt"}


def test_the_first_questions_are_taken_and_the_others_named() -> None:
    assert first_questions(QUESTIONS, 4, 50) == (tuple(QUESTIONS), ())
    assert first_questions(QUESTIONS, 2, 50)[1] == ("The first 2 of 4 questions are asked.",)
    taken, notes = first_questions(QUESTIONS, 2, 2)
    assert len(taken) == 2
    assert notes == ("The first 2 of 4 questions are asked: one run takes 2 at most.",)
    with pytest.raises(PromptError):
        first_questions(QUESTIONS, 3, 2)


def test_passages_count_towards_the_longest_prompt() -> None:
    long = replace(QUESTIONS[0], passages=(Passage("a", 1, 0, "x" * 10**5),))
    good, failed = without_too_long([long, QUESTIONS[1]])
    assert good == [QUESTIONS[1]]
    assert failed[0].startswith("q0: ")


def test_the_seconds_left_are_those_of_the_run_or_of_its_limit(clock) -> None:
    short = EvaluationRun(tuple(QUESTIONS), 300, started=0.0)
    assert short.seconds_left is None
    assert "0 of 4 questions · the first ones are being answered" in render_evaluation.progress(short)
    clock[0] = 10.0
    assert short.add(Done((Row("q0", QUESTION, 0, "a", ("a",), 1, 1, 1, 1, "plain", 1.0),)))
    assert not short.add(Done())
    short.failed.append("q3: too long")  # at once: it tells nothing of how long an answer takes
    assert short.seconds_left == 20
    short.failed.clear()
    assert short.seconds_left == 30
    assert "1 of 4 questions · about 30 seconds left" in render_evaluation.progress(short)
    short.limit = 15
    assert short.seconds_left == 5


def test_the_table_has_one_row_for_each_k() -> None:
    rows = [Row("q0", QUESTION, k, "a", ("a",), 1, 0.5, 0, 1, "" if k else "plain", 1.0) for k in (5, 0)]
    html = render_evaluation.score_table(summarize(rows))
    assert html.index('<th scope="row">0</th>') < html.index('<th scope="row">5</th>')
    assert "<td>1</td><td>1.000</td><td>0.500</td><td>0.000</td>" in html
