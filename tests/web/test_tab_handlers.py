"""The handlers of the tabs, on a tiny random model."""

import csv
import gc
import io
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from spring.data.questions import Question
from spring.data.types import Collection, Passage
from spring.errors import ModelError, PromptError
from spring.evaluation import progress as evaluation_run
from spring.evaluation.differences import differences
from spring.evaluation.progress import EvaluationRun, first_questions, without_too_long
from spring.evaluation.runner import Done, Row, usual_ks
from spring.evaluation.summary import summarize
from spring.generation.types import Answer
from spring.rag import bm25
from spring.rag.library import Library
from spring.rag.terms import passage_terms
from spring.settings import AppSettings
from spring.web.api import Api
from spring.web.html import evaluation as render_evaluation
from spring.web.html.status import status
from spring.web.shared import LOADING, Shared
from spring.web.tabs import evaluate as evaluate_tab
from spring.web.tabs.compare import CompareTab
from spring.web.tabs.evaluate import EvaluateTab, k_choices
from spring.web.tabs.form import Form
from spring.web.tabs.streaming import REMOVED, buttons
from spring.web.tabs.sweep import SweepTab, every_k, f1_plot
from spring.web.visitors.documents import OWN
from spring.web.visitors.request_queue import RequestQueue
from spring.web.visitors.requests import comparison_settings, within
from tests.conftest import PASSAGES, QUESTION

pytestmark = pytest.mark.usefixtures("reading_child")
ME = SimpleNamespace(session_hash="me")
HOSTILE = "<img src=x onerror=alert(1)> ${1+1}"
QUESTIONS = [Question(f"q{i}", QUESTION, ("nine",)) for i in range(4)]
SETTINGS = AppSettings.from_environment({})
SAMPLE = "The station"
EVERY = (0, 1, 2, 5, 10, 20, 30, 50)


@pytest.fixture
def shared(llama_engine):
    engine = Future()
    engine.set_result(llama_engine)
    return Shared(engine, [Library.build(SAMPLE, Collection((), tuple(PASSAGES), ()), QUESTIONS)])


@pytest.fixture
def tabs(shared, tmp_path, monkeypatch):
    """One of each, by name."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    return SimpleNamespace(compare=CompareTab(shared), sweep=SweepTab(shared), evaluate=EvaluateTab(shared))


@pytest.fixture
def clock(monkeypatch):
    """The time of evaluations, in its one element."""
    now = [0.0]
    monkeypatch.setattr(evaluation_run, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("spring.web.tabs.evaluate.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


FORM = {
    "question": QUESTION,
    "collection": SAMPLE,
    "passage_count": 2,
    "expected": "",
    "max_new_tokens": 3,
    "baseline": "none",
}
INPUTS = {
    "compare": FORM | {"k": 5, "temperature": 0, "max_new_tokens": 20},
    "sweep": FORM,
    "evaluate": {name: FORM[name] for name in ("collection", "passage_count", "max_new_tokens", "baseline")}
    | {"questions": None, "ks": (0, 5), "limit": 4},
}


def stream(tab, ticket=None, **inputs):
    """The updates of a tab's action."""
    ticket = tab.action.begin(ME)["ticket"] if ticket is None else ticket
    return tab.action.stream(ME, ticket, **(INPUTS[tab.action.name] | inputs))


def shown(updates):
    """What the page shows in the end."""
    return reduce(lambda before, after: before | {**after}, updates, {})


def run(tab, **inputs):
    return shown(stream(tab, **inputs))


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def downloaded(update) -> list[dict[str, str]]:
    text = Path(update["value"]).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def answers(*texts: str, ended="stop") -> list[Answer]:
    return [Answer(k, False, text, 3, ended, 1.0, 2.0) for k, text in zip(EVERY, texts, strict=False)]


# --- requests ---


def test_a_request_is_taken_once_and_by_its_own_ticket() -> None:
    queue = RequestQueue()
    first = queue.begin("me")
    queued = queue.take("me", first)
    assert queued is not None
    assert not queued.over
    assert queue.take("me", first) is None
    assert queue.take("me", 0) is None
    assert queue.take("me", None) is None
    second = queue.begin("me")
    assert queued.over
    assert queue.take("me", first) is None
    assert queue.take("you", second) is None
    queue.end("me")
    assert queue.take("me", second) is None


# --- Sweep ---


@pytest.mark.parametrize(
    ("n", "ks"), [(50, EVERY), (7, (0, 1, 2, 5, 7)), (1, (0, 1)), (100, (*EVERY, 100)), (20, EVERY[:6])]
)
def test_every_k_ends_with_all_tokens(n, ks) -> None:
    assert every_k(n) == ks
    assert max(usual_ks(n)) == n


def test_a_sweep_is_one_batch_and_ends_with_a_sentence_and_a_plot(tabs) -> None:
    last = run(tabs.sweep, expected="nine | at nine")
    assert last["film"].count('class="frame') == 8
    assert 'aria-label="Answer with k = 50"' in last["film"]
    assert "nswer" in last["status"]
    assert list(last["plot"]["value"]["k"]) == list(EVERY)
    assert is_idle(last)


def test_a_sweep_without_an_expected_answer_has_no_plot(tabs) -> None:
    last = run(tabs.sweep)
    assert last["plot"]["visible"] is False
    assert "exact match" not in last["film"]


def test_stop_keeps_the_answers_of_a_sweep(tabs) -> None:
    updates = stream(tabs.sweep, max_new_tokens=200)
    for film in (update["film"] for update in updates if "film" in update):
        if "Answer with k" in film and film.count('<span class="cursor">') < 8:
            break
        if any(text for text in film.split('<div class="answer">')[1:] if not text.startswith("<span")):
            break
    tabs.sweep.action.stop(ME)
    last = shown(updates)
    assert "Stopped." in last["status"]
    assert last["film"].count('class="frame') == 8
    assert "cursor" not in last["film"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"question": " "}, "Please type a question"),
        ({"question": None}, "Please type a question"),
        ({"question": "x" * 3000}, "3,000 characters"),
        ({"collection": OWN}, "Upload a document first"),
        ({"collection": "Atlantis <b>"}, "Atlantis &lt;b&gt;"),
        ({"passage_count": 99}, "passages must be 1 to"),
        ({"passage_count": None}, "must be numbers"),
        ({"max_new_tokens": 10**6}, "1 to 256"),
    ],
)
def test_wrong_input_of_a_sweep_gets_one_sentence(tabs, wrong, message) -> None:
    last = run(tabs.sweep, **wrong)
    assert message in last["status"]
    assert 'role="alert"' in last["status"]
    assert is_idle(last)


def test_a_sweep_that_was_ended_in_the_queue_asks_nothing(tabs) -> None:
    ticket = tabs.sweep.action.begin(ME)["ticket"]
    tabs.compare.action.begin(ME)
    assert_only_stopped(stream(tabs.sweep, ticket=ticket))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Gradio leaves its event loop open
def test_the_form_starts_a_comparison_on_its_own_tab_only(tabs, shared) -> None:
    with gr.Blocks() as demo:
        form = Form(shared)
        form.lay_out_question()
        form.lay_out_settings()
        form.selected, form.tabs = gr.State("Compare"), gr.Tabs()
        tabs.compare.lay_out(form)
    begin = partial(tabs.compare.begin, ME, collection=SAMPLE, edits=[])

    def changed(component):
        """Another component, as Gradio passes it."""
        return SimpleNamespace(target=type(component)(**component.constructor_args | {"render": False}))

    event = changed(form.inputs["question"])
    ticket = begin(event, selected="Compare")["ticket"]
    assert begin(event, selected="Sweep") == {"ticket": 0}
    assert shared.queue.take("me", ticket) is not None  # the running one was not ended
    example = begin(changed(form.examples[0]), selected="Sweep")
    assert example == {"question": QUESTION, "expected": "nine", "ticket": 0}
    assert begin(changed(tabs.compare.what_if.again), selected="Compare")["edits"] == []
    pressed = begin(changed(form.ask), selected="Sweep")
    assert pressed["selected"] == "Compare"
    assert pressed["edits"] is None
    assert pressed["ticket"] > ticket
    demo.close(verbose=False)
    del demo, form
    gc.collect()


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
    html = render_evaluation.filmstrip(answers("x", "x", "b", ended=""), QUESTION, ["x"], running=True)
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


def test_a_collection_is_evaluated_live(tabs) -> None:
    updates = list(stream(tabs.evaluate))
    tables = [update["table"] for update in updates if update.get("table")]
    assert "<td>2</td>" in tables[0]  # after the first batch of two
    last = shown(updates)
    assert "Done: 4 questions in" in last["status"]
    assert last["table"].count("<td>4</td>") == 2
    assert set(last["plot"]["value"]["metric"]) == {"exact match", "F1"}
    assert [row["id"] for row in downloaded(last["download"])] == ["q0", "q0", "q1", "q1", "q2", "q2", "q3", "q3"]
    assert {"passages_contain", "f1"} <= set(downloaded(last["download"])[0])
    assert isinstance(last["differences"], str)
    assert is_idle(last)


def test_the_answers_in_words_have_a_frame_and_a_row_and_no_point(tabs) -> None:
    film = run(tabs.sweep, baseline="examples", expected="nine")
    assert film["film"].index("in words (worked examples)") < film["film"].index("k = 0")
    assert list(film["plot"]["value"]["k"]) == list(EVERY)
    assert "k = 0" not in film["status"]
    scores = run(tabs.evaluate, baseline="examples", words=["instruction", "examples"], limit=1)
    assert scores["table"].count('<th scope="row">in words (examples)</th>') == 1
    assert '<th scope="row">in words (instruction)</th>' in scores["table"]
    assert set(scores["plot"]["value"]["k"]) == {0, 5}


@pytest.mark.parametrize("wrong", ["told", HOSTILE, ["examples", 7], {"a": 1}, 3])
def test_a_baseline_that_is_none_gets_one_sentence(tabs, wrong) -> None:
    for tab in (tabs.compare, tabs.sweep, tabs.evaluate):
        last = run(tab, **({"words": wrong} if tab is tabs.evaluate else {"baseline": wrong}))
        assert "aseline" in last["status"]
        assert "<img" not in last["status"]
        assert 'role="alert"' in last["status"]


def test_one_k_has_a_table_and_no_plot(tabs) -> None:
    last = run(tabs.evaluate, ks=[50], limit=1)
    assert '<th scope="row">50</th>' in last["table"]
    assert last["plot"]["visible"] is False


def test_a_file_may_bring_its_passages(tabs, tmp_path) -> None:
    row = {"question": "Who?", "target": "Ulla", "ret_passages": ["Ulla was it."]}
    last = run(tabs.evaluate, questions=write(tmp_path / "f.jsonl", row), collection=OWN)
    assert "Done: 1 question in" in last["status"]
    bare = write(tmp_path / "g.jsonl", row, {"question": "Who?", "target": "Ulla"})
    assert "Upload a document first" in run(tabs.evaluate, questions=bare, collection=OWN)["status"]


def test_skipped_rows_are_said_in_a_sentence_and_escaped(tabs, tmp_path) -> None:
    file = write(tmp_path / "f.jsonl", {"id": HOSTILE, "question": "Who?", "target": HOSTILE}, {"question": HOSTILE}, 3)
    last = run(tabs.evaluate, questions=file)
    assert "2 rows skipped: row 2: no golden answer (its columns are question; needed" in last["status"]
    assert "<img" not in last["status"] + last["table"]


def test_formulas_are_defused_in_the_download(tabs, tmp_path) -> None:
    file = write(tmp_path / "f.jsonl", {"id": "=1+1", "question": '=HYPERLINK("http://x")', "target": "@SUM(1)"})
    [row] = downloaded(run(tabs.evaluate, questions=file, ks=[0])["download"])
    assert row["id"] == "'=1+1"
    assert row["question"].startswith("'=HYPERLINK")


def test_the_download_is_a_file_that_gradio_cleans_up(tabs, tmp_path) -> None:
    path = Path(run(tabs.evaluate, limit=1)["download"]["value"])
    assert path.is_relative_to(tmp_path / "served")
    button = gr.DownloadButton()
    assert button.move_resource_to_block_cache(path) == str(path)  # as Gradio does on the way out
    assert str(path) in button.temp_files


def test_stop_keeps_the_rows(tabs) -> None:
    updates = stream(tabs.evaluate)
    next(update for update in updates if update.get("table"))
    tabs.evaluate.action.stop(ME)
    last = shown(updates)
    assert "2 of 4 questions are done and kept" in last["status"]
    assert last["table"].count("<td>2</td>") == 2
    assert len(downloaded(last["download"])) == 4


def test_the_time_limit_cuts_the_run_and_says_so(tabs, clock) -> None:
    updates = stream(tabs.evaluate)
    next(update for update in updates if update.get("table"))
    clock[0] = 300.0
    last = shown(updates)
    assert "Stopped after 300 seconds, the limit for one run: 2 of 4 questions are done and kept." in last["status"]
    assert len(downloaded(last["download"])) == 4


def test_a_run_without_any_row_has_no_download(shared) -> None:
    shared.settings = replace(SETTINGS, evaluation_seconds=0)
    last = run(EvaluateTab(shared))
    assert "0 of 4 questions are done" in last["status"]
    assert last["table"] == ""
    assert last["plot"]["visible"] is False
    assert last["download"]["value"] is None
    assert not last["download"]["interactive"]


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
        ({"collection": OWN}, "Upload a document first"),
        ({"passage_count": 99}, "passages must be 1 to"),
        ({"max_new_tokens": 0}, "1 to 256"),
        ({"questions": "/nowhere/secret/f.jsonl"}, "no longer here: please upload it again."),
    ],
)
def test_wrong_input_of_an_evaluation_gets_one_sentence(tabs, wrong, message) -> None:
    last = run(tabs.evaluate, **wrong)
    assert message in last["status"]
    assert 'role="alert"' in last["status"]
    assert "nowhere" not in last["status"]
    assert is_idle(last)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.csv", b"name,place\nUlla,Orlo\n", "bad.csv has no row with a question and golden answers."),
        ("bad.jsonl", b"{", "row 1: not valid JSON"),
        ("bad.exe", b"MZ", "bad.exe is no question file"),
        ("nul.jsonl", b"\0\1\2" * 100, "nul.jsonl"),
    ],
)
def test_a_bad_question_file_gets_one_sentence(tabs, tmp_path, name, content, message) -> None:
    (tmp_path / name).write_bytes(content)
    status = run(tabs.evaluate, questions=tmp_path / name)["status"]
    assert message in status
    assert str(tmp_path) not in status
    assert 'role="alert"' in status


def test_questions_without_an_answer_are_left_out_or_asked(tabs, shared, tmp_path) -> None:
    asked = {"id": "a", "question": "When?", "answers": [{"text": "nine"}], "is_impossible": False}
    impossible = {"id": "b", "question": "Who?", "answers": [], "is_impossible": True}
    file = write(tmp_path / "squad.jsonl", asked, impossible)
    shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))
    left_out = run(tabs.evaluate, questions=file, collection=OWN, ks=[0])
    file.unlink()  # what was uploaded is read once
    both = run(tabs.evaluate, questions=file, collection=OWN, ks=[0], no_answer=True)
    assert "1 question that has no answer is left out." in left_out["status"]
    assert "left out" not in both["status"]
    assert [row["id"] for row in downloaded(left_out["download"])] == ["a"]
    golden = {row["id"]: json.loads(row["golden_answers"]) for row in downloaded(both["download"])}
    assert golden == {"a": ["nine"], "b": ["no answer"]}


def test_a_file_whose_questions_all_have_an_answer_counts_once(tabs, shared, tmp_path) -> None:
    file = write(tmp_path / "f.jsonl", {"id": "a", "question": "When?", "target": "nine"})
    shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))
    run(tabs.evaluate, questions=file, collection=OWN, ks=[0])
    file.unlink()
    last = run(tabs.evaluate, questions=file, collection=OWN, ks=[0], no_answer=True)
    assert [row["id"] for row in downloaded(last["download"])] == ["a"]
    assert shared.sessions.questions("me", f"{file} no answer") is None


def test_a_file_whose_name_is_too_long_is_no_longer_here(tabs, shared) -> None:
    file = "n" * 300
    assert "no longer here" in run(tabs.evaluate, questions=file)["status"]
    with pytest.raises(PromptError, match="no longer here"):
        shared.documents.read([file], shared.reading.join("me", ""))


def test_own_documents_bring_no_questions(tabs, shared) -> None:
    shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))
    assert "upload a question file" in run(tabs.evaluate, collection=OWN)["status"]


def test_a_question_that_cannot_be_asked_is_named(tabs, tmp_path) -> None:
    good, long = ({"id": i, "question": text, "target": "x"} for i, text in (("good", "Who?"), ("long", "x " * 60_000)))
    deep = {"id": "deep", "question": "why " * 500, "target": "x"}
    last = run(tabs.evaluate, questions=write(tmp_path / "f.jsonl", good, long, deep), ks=[0])
    assert "Done: 3 questions in" in last["status"]
    assert "2 questions could not be asked: long: The question and its passages are longer" in last["status"]
    assert "deep: The question is too long" in last["status"]
    assert len(downloaded(last["download"])) == 1


def test_an_evaluation_that_was_ended_in_the_queue_asks_nothing(tabs, shared) -> None:
    ticket = tabs.evaluate.action.begin(ME)["ticket"]
    shared.leave("me")
    assert_only_stopped(stream(tabs.evaluate, ticket=ticket))


def test_what_was_done_is_kept_when_the_model_fails(tabs, monkeypatch) -> None:
    def fails(*given):
        for done in whole(*given):
            yield done
            if done.rows:
                break
        raise ModelError("The GPU's time is over.")

    whole = evaluate_tab.evaluate
    monkeypatch.setattr(evaluate_tab, "evaluate", fails)
    last = run(tabs.evaluate)
    assert "2 of 4 questions are done and kept." in last["status"]
    assert "The GPU&#x27;s time is over." in last["status"]
    assert "<td>2</td>" in last["table"]
    assert len(downloaded(last["download"])) == 4
    assert is_idle(last)


def test_the_choices_follow_the_models_tokens() -> None:
    update = k_choices(7)
    assert [value for _, value in gr.CheckboxGroup(choices=update["choices"]).choices] == [0, 1, 2, 5, 7]
    assert update["value"] == [0, 1, 5, 7]


# --- all actions ---


@pytest.fixture(params=["compare", "sweep", "evaluate"])
def tab(request, tabs):
    return getattr(tabs, request.param)


def is_idle(last) -> bool:
    return bool(last["run"]["interactive"]) and not last["stop"]["interactive"]


def assert_only_stopped(updates) -> None:
    [last] = updates
    assert "Stopped." in last["status"]
    assert last == {"status": last["status"], **buttons(False)}


def test_who_stops_while_the_model_is_loading_leaves_no_thread_waiting_for_it(shared, tab) -> None:
    shared._engine = Future()
    updates = stream(tab)
    assert LOADING in next(updates)["status"]
    tab.action.stop(ME)
    assert_only_stopped(updates)


def test_a_newer_one_of_the_same_tab_is_not_written_over(tab) -> None:
    older = stream(tab)
    next(older)
    untaken = tab.action.begin(ME)["ticket"]
    newer = tab.action.begin(ME)["ticket"]
    assert list(older) == []
    assert list(stream(tab, ticket=untaken)) == [{}]
    assert "Stopped." not in run(tab, ticket=newer)["status"]


def test_who_stops_and_asks_again_sees_nothing_of_the_older_one(tab) -> None:
    older = stream(tab)
    next(older)
    tab.action.stop(ME)
    newer = tab.action.begin(ME)["ticket"]
    assert list(older) == []
    assert "Stopped." not in run(tab, ticket=newer)["status"]


def test_stop_ends_what_it_belongs_to_only(tabs, shared) -> None:
    ticket = tabs.compare.action.begin(ME)["ticket"]
    tabs.sweep.action.stop(ME)
    assert shared.queue.take("me", ticket) is not None


def test_a_comparison_says_that_a_sweep_has_taken_its_place(tabs) -> None:
    older = stream(tabs.compare)
    before = next(older)
    tabs.sweep.action.begin(ME)
    last = shown([before, *older])
    assert "Stopped." in last["status"]
    assert "cursor" not in last["answers"]
    assert is_idle(last)


def test_who_stops_in_the_queue_gets_no_passages_any_more(tabs, shared) -> None:
    running = shared.queue.join("you", "there")
    assert next(shared.queue.wait(running), None) is None
    waiting = stream(tabs.compare)
    assert "you are next" in next(waiting)["status"]
    tabs.compare.action.stop(ME)
    assert_only_stopped(waiting)


def test_a_model_that_cannot_be_loaded_again_keeps_nobody_waiting(tabs, shared) -> None:
    class Lost:
        @property
        def ready(self):
            raise ModelError("The model needs 5.1 GB; 4.0 GB are free.")

    shared._engine = Future()
    shared._engine.set_result(Lost())
    last = run(tabs.compare)
    assert "The model needs 5.1 GB" in last["status"]
    assert is_idle(last)
    assert shared.queue.idle


def test_the_expected_answer_has_a_longest(tabs) -> None:
    last = run(tabs.sweep, expected="a|" * 1_500)
    assert "The expected answer has 3,000 characters; at most 2,000." in last["status"]


@pytest.mark.parametrize(("asked", "answered"), [((0, 50), (0, 10)), ((0, 1, 20, 50), (0, 1, 10)), ((0, 99), (0, 99))])
def test_what_the_page_offers_while_the_model_loads_is_at_most_the_tokens_there_are(asked, answered) -> None:
    assert within(comparison_settings(asked, 3, 5), 10).virtual_tokens == answered


def test_a_typed_question_is_left_alone_when_the_documents_change(shared) -> None:
    form = Form(shared)
    assert form.suggest(OWN, "Who?")["suggested"] is None
    assert form.suggest(OWN, QUESTION)["suggested"] == {"instead": QUESTION, "question": "", "expected": ""}
    assert form.suggest(SAMPLE, " ")["suggested"] == {"instead": " ", "question": QUESTION, "expected": "nine"}


def test_the_loading_of_the_model_takes_none_of_an_answers_time(shared, llama_engine, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("spring.web.visitors.request_queue.CLOCK", lambda: now[0])
    shared._engine = Future()
    queued = shared.queue.take("me", shared.queue.begin("me"))
    waiting = shared.wait(queued)
    next(waiting)
    now[0] = SETTINGS.answer_seconds - 1
    threading.Timer(0.5, lambda: shared._engine.set_result(llama_engine)).start()
    assert list(waiting) == []
    now[0] += SETTINGS.answer_seconds - 1
    assert not queued.over


def test_an_answer_is_cut_after_the_seconds_that_it_may_take(tabs, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("spring.web.visitors.request_queue.CLOCK", lambda: now[0])
    written = []
    for update in stream(tabs.compare, k=50, passage_count=3, max_new_tokens=256):
        written.append(update)
        if "first token" in update.get("answers", ""):
            now[0] = SETTINGS.answer_seconds
    assert "Stopped after 120 seconds, the limit for one answer; the text is kept." in written[-1]["status"]
    assert "cursor" in written[-2]["answers"]
    assert "cursor" not in written[-1]["answers"]
    assert len(written) < 20  # of 256 tokens


def test_uploads_of_one_visitor_at_once_keep_all_documents_and_no_copy(shared, tmp_path) -> None:
    files = [tmp_path / place / name for place, name in (("a", "lamp.txt"), ("b", "oil.txt"), ("b", "lamp.txt"))]
    texts = ["The lamp burns.", "The lamp burns.", "The other lamp burns."]
    for file, text in zip(files, texts, strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    both = threading.Barrier(2)
    form, read = Form(shared), shared.documents.read
    shared.documents.read = lambda *given: (both.wait(10), read(*given), both.wait(10))[
        1
    ]  # both are read before one is kept
    with ThreadPoolExecutor(2) as pool:
        uploads = [[str(files[0])], [str(files[1]), str(files[2])]]
        for updates in pool.map(lambda paths: list(form.upload(ME, paths)), uploads):
            assert updates[-1]["collection"] == OWN
    own = shared.sessions.documents("me").collection
    assert sorted(passage.text for passage in own.passages) == [texts[0], texts[2]]
    named = {result.name for result in own.results if result.pages}
    assert named == {passage.document for passage in own.passages}
    assert len({result.name for result in own.results}) == 3
    assert sum("the same file as" in result.line for result in own.results) == 1


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
    assert (
        "<td>1</td><td>1.000 <small>± 0.000</small></td><td>0.500 <small>± 0.000</small></td><td>0.000</td>"
        "<td>0.000</td><td>0, 0 <small>p = 1</small></td></tr>" in html
    )


def test_gains_and_losses_are_a_table_of_text_to_choose_from() -> None:
    matches = {"a": (0, 1), "b": (1, 0), "c": (1, 1)}
    rows = [
        Row(id, HOSTILE, k, HOSTILE, (HOSTILE,), match, 0, 0, 0, "" if k else "plain", 1.0)
        for id, both in matches.items()
        for k, match in zip((0, 5), both, strict=True)
    ]
    html = render_evaluation.difference_table(differences(rows))
    assert "<img" not in html
    assert html.count('<tr class="gained">') == html.count('<tr class="lost">') == 1
    assert 'value="all" checked> all (2)' in html
    assert "gained and lost against k = 0" in html
    many = render_evaluation.difference_table(differences(rows) * 300)
    assert "And 100 more, which are in the file of all answers." in many
    assert render_evaluation.difference_table([]) == ""


def texts_in(folder: Path, count: int) -> list[str]:
    files = [folder / f"{index}.txt" for index in range(count)]
    for index, file in enumerate(files):
        file.write_text(f"The {index}th ferry leaves at nine.")
    return [str(file) for file in files]


def test_an_upload_says_how_far_it_is(shared, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bm25, "PROGRESS", 2)
    said = [updates["files"] for updates in Form(shared).upload(ME, texts_in(tmp_path, 3))]
    lines = [f"Reading {place} of 3 files: {place - 1}.txt …" for place in (1, 2, 3)]
    lines += ["Indexing 2 of 3 passages …", "Ranking 3 passages …"]
    assert said[:-1] == [status(line) for line in lines]
    assert shared.sessions.documents("me").collection.results[2].line in said[-1]
    assert shared.reading.idle


def test_a_program_s_upload_says_how_far_it_is_too(shared, tmp_path) -> None:
    said: list[str] = []
    library = Api(shared)._read(texts_in(tmp_path, 2), "", "", said.append)
    lines = [f"Reading {place} of 2 files: {place - 1}.txt …" for place in (1, 2)]
    assert (said, len(library.collection.passages)) == ([*lines, "Ranking 2 passages …"], 2)


def test_more_passages_than_the_page_takes_are_refused(shared, tmp_path, monkeypatch) -> None:
    form, (first, second) = Form(shared), texts_in(tmp_path, 2)
    monkeypatch.setattr("spring.web.visitors.documents.MAX_OWN_PASSAGES", 1)
    assert [*form.upload(ME, [first])][-1]["collection"] == OWN
    assert "These would be 2 passages; the page takes 1 at once" in [*form.upload(ME, [second])][-1]["files"]
    assert len(shared.sessions.documents("me").collection.passages) == 1


def test_documents_removed_while_they_are_indexed_stay_away(shared, tmp_path, monkeypatch) -> None:
    form, indexed = Form(shared), []

    def removed(passage, language):
        indexed.append(passage)
        form.forget(ME)
        return passage_terms(passage, language)

    monkeypatch.setattr(bm25, "PROGRESS", 1)
    monkeypatch.setattr(bm25, "passage_terms", removed)
    *_, last = form.upload(ME, texts_in(tmp_path, 3))
    assert "stopped" in last["files"]
    assert len(indexed) == 1
    assert not shared.sessions.has("me")


@pytest.mark.parametrize("name", ["compare", "sweep", "evaluate"])
def test_removed_documents_end_what_quotes_them_and_are_quoted_no_more(tabs, shared, name) -> None:
    tab, form = getattr(tabs, name), Form(shared)
    shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ()), QUESTIONS))
    for where in ("before", "in the middle"):
        shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ()), QUESTIONS))
        updates = stream(tab, collection=OWN, **({"max_new_tokens": 200} if name != "evaluate" else {}))
        if where == "in the middle":
            assert next(updates)["quotes"] is True
        form.forget(ME)
        [last] = updates
        if where == "in the middle":
            assert last == tab.action.remove()
            assert REMOVED in last["status"]
        else:
            assert set(last) == {"status", "run", "stop"}
        assert shared.history.of("me") == ()
        assert shared.queue.idle
    assert tab.action.remove(False) == {}


@pytest.mark.parametrize("name", ["compare", "sweep", "evaluate", "again", "explain"])
def test_what_reads_a_sample_goes_on_when_documents_are_removed(tabs, shared, name) -> None:
    first = run(tabs.compare)
    asked = {
        "again": (tabs.compare.action, INPUTS["compare"] | {"collection": OWN, "base": first["base"], "edits": []}),
        "explain": (tabs.compare.explanation.action, {"explained": first["explained"]}),
    }
    action, inputs = asked.get(name) or (getattr(tabs, name).action, INPUTS[name])
    shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))
    updates = action.stream(ME, action.begin(ME)["ticket"], **inputs)
    before = next(updates)
    Form(shared).forget(ME)
    after = [*updates]
    assert after[-1] != action.remove()
    assert not any(said in str([before, *after]) for said in ("Stopped.", "'quotes': True"))


def test_an_explanation_and_an_answer_of_another_tab_end_with_the_documents(tabs, shared) -> None:
    other = SimpleNamespace(session_hash="other tab")
    shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))
    assert shared.sessions.resume("other tab", shared.sessions.new_key("me")) is not None
    inputs = INPUTS["compare"] | {"collection": OWN}
    number = shown(stream(tabs.compare, collection=OWN))["explained"]
    explanation = tabs.compare.explanation.action
    explained = explanation.stream(ME, explanation.begin(ME)["ticket"], explained=number)
    assert "bars" in next(updates for updates in explained if "bars" in updates)
    Form(shared).forget(other)
    assert [*explained][-1] == explanation.remove()
    assert explanation.remove()["bars"] == ""
    compared = tabs.compare.action.stream(ME, tabs.compare.action.begin(ME)["ticket"], **inputs)
    assert "Upload a document first" in shown(compared)["status"]


def test_an_upload_whose_page_is_gone_stops(shared, tmp_path, monkeypatch) -> None:
    gone, over = threading.Event(), threading.Event()

    def add(files, queued, visitor, address, say) -> None:
        say("begun")
        gone.wait(10)
        over.set() if queued.over else None

    monkeypatch.setattr(shared.documents, "add", add)
    upload = Form(shared).upload(ME, texts_in(tmp_path, 1))
    assert "begun" in next(upload)["files"]
    upload.close()
    gone.set()
    assert over.wait(10)
    assert shared.reading.idle
