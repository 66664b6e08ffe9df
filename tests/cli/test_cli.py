"""`python -m spring ask`: JSON on stdout alone, one line on stderr for what cannot be done."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from spring.cli.main import main
from spring.evaluation.runner import usual_ks
from spring.models.backbone import Backbone
from spring.models.virtual_tokens import VirtualTokens
from tests.conftest import FERRY, KITES, MAST, QUESTION, ROOT

pytestmark = pytest.mark.usefixtures("reading_child")

ORLO = ROOT / "corpora/orlo-station/documents"


class Run(NamedTuple):
    """What a run ended with and wrote."""

    code: int
    stdout: str
    stderr: str


def command(*arguments: object) -> Run:
    """Run the real command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "spring", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small documents."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "ferry.txt").write_text(FERRY)
    (folder / "mast.md").write_text(f"# Long Agnes\n\n{MAST}\n")
    (folder / "kites.html").write_text(f"<title>Kites</title><p>{KITES}</p>")
    return folder


Ask = Callable[..., Run]


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str]) -> Ask:
    """Run the command line in this process."""

    def run(*arguments: object) -> Run:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Run(code, *capfd.readouterr())

    return run


@pytest.fixture
def ask(folder: Path, tiny_llama_folder: Path, here: Ask) -> Ask:
    """Ask the tiny model in this process."""

    def ask(*options: object, question: str = QUESTION, documents: Sequence[Path] = (folder,)) -> Run:
        model = ("--backbone", tiny_llama_folder, "--precision", "fp32", "--max-new-tokens", 4)
        return here("ask", question, "--documents", *documents, *model, *options)

    return ask


def test_where_no_k_is_given_all_tokens_that_there_are_answer(ask: Ask, tiny_llama: Backbone, tmp_path: Path) -> None:
    few = tiny_llama.initial_virtual_tokens(7)
    few.save(tmp_path / "few.safetensors")
    result = json.loads(ask("--json", "--tokens", tmp_path / "few.safetensors").stdout)
    assert [answer["virtual_tokens"] for answer in result["answers"]] == [0, 7]
    assert usual_ks(7) == (0, 1, 5, 7)


def test_tokens_for_the_front_say_so_and_are_put_there(ask: Ask, tiny_llama: Backbone, tmp_path: Path) -> None:
    values = tiny_llama.initial_virtual_tokens(7).embeddings
    path = tmp_path / "front.safetensors"
    VirtualTokens(values, tiny_llama.name, "somewhere", {"position": "front"}).save(path)
    at_the_seam, at_the_front = ask("--json", "--tokens", path), ask("--json", "--tokens", path, "--position", "front")
    assert "--position front puts them there" in at_the_seam.stderr
    assert "--position" not in at_the_front.stderr
    (zero, seven), (same, other) = (json.loads(run.stdout)["answers"] for run in (at_the_seam, at_the_front))
    assert zero["text"] == same["text"]
    assert seven["text"] != other["text"]


# --- the default model, in a process of its own ---


@pytest.fixture(scope="module")
def told(needs_model: None, folder: Path) -> Run:
    """One run with all that --json can hold."""
    documents = ("--documents", folder, ORLO, folder / "missing.txt")
    options = ("--virtual-tokens", 0, 5, "--max-new-tokens", 3, "--passages", 2, "--instruction", "--json")
    return command("ask", QUESTION, *documents, *options, "--precision", "fp32")


def test_it_ends_well(told: Run) -> None:
    assert told.code == 0


def test_stdout_is_one_json_object_and_nothing_else(told: Run) -> None:
    assert isinstance(json.loads(told.stdout), dict)
    assert told.stdout.count("\n") == 1


def types(value: object) -> object:
    """The shape of a JSON value: keys in order, and the name of each type."""
    if isinstance(value, dict):
        return {key: types(item) for key, item in value.items()}
    return [types(item) for item in value] if isinstance(value, list) else type(value).__name__


PASSAGE = {"rank": "int", "score": "float", "document": "str", "page": "int", "section": "str", "text": "str"}
ANSWER = {
    "virtual_tokens": "int",
    "baseline": "str",
    "instruction": "bool",
    "text": "str",
    "new_tokens": "int",
    "ended_by": "str",
    "seconds": "float",
}


def test_the_object_has_the_promised_keys_and_types(told: Run) -> None:
    promised = {
        "question": "str",
        "backbone": "str",
        "precision": "str",
        "precision_reason": "str",
        "passages": [PASSAGE] * 2,
        "prompt": {"before": "str", "after": "str"},
        "answers": [ANSWER] * 3,
    }
    assert types(json.loads(told.stdout)) == promised | {"learned": "str", "notes": []}


def test_the_object_says_what_was_asked_of_what(told: Run) -> None:
    result = json.loads(told.stdout)
    assert (result["question"], result["backbone"]) == (QUESTION, "smollm2-135m-instruct")
    assert result["precision"] == "fp32"


def test_the_passages_are_numbered_best_first_with_their_place(told: Run) -> None:
    passages = json.loads(told.stdout)["passages"]
    assert [passage["rank"] for passage in passages] == [1, 2]
    assert passages[0]["score"] >= passages[1]["score"] > 0
    assert (passages[0]["document"], passages[0]["page"]) == ("ferry.txt", 1)
    assert FERRY in passages[0]["text"]


def test_the_prompt_is_that_of_the_passages(told: Run) -> None:
    result = json.loads(told.stdout)
    texts = [passage["text"] for passage in result["passages"]]
    assert result["prompt"] == {
        "before": f"[1] {texts[0]}\n[2] {texts[1]}\n\n",
        "after": f"Question: {QUESTION}\nAnswer:",
    }


def test_there_is_an_answer_for_each_k_and_the_told_one_is_last(told: Run) -> None:
    answers = json.loads(told.stdout)["answers"]
    assert [(a["virtual_tokens"], a["instruction"]) for a in answers] == [(0, False), (5, False), (0, True)]
    assert all(answer["text"] and answer["seconds"] > 0 for answer in answers)
    assert all(0 < answer["new_tokens"] <= 3 for answer in answers)


def test_a_missing_document_among_good_ones_is_a_line_on_stderr(told: Run) -> None:
    lines = [line for line in told.stderr.splitlines() if "missing.txt" in line]
    assert len(lines) == 1


def test_every_document_that_was_read_has_a_line_on_stderr(told: Run) -> None:
    names = ["ferry.txt", "mast.md", "kites.html", *(path.name for path in ORLO.iterdir())]
    lines = told.stderr.splitlines()
    assert [len([line for line in lines if line.startswith(f"{name}: ")]) for name in names] == [1] * len(names)


def test_the_model_and_its_tokens_are_named_on_stderr(told: Run) -> None:
    assert "smollm2-135m-instruct (fp32, as asked for); 50 " in told.stderr


# --- the tiny model, in this process ---


def test_the_defaults_are_the_papers(ask: Ask) -> None:
    result = json.loads(ask("--json", question="Which ferry, which mast, which festival?").stdout)
    assert [answer["virtual_tokens"] for answer in result["answers"]] == [0, 50]
    assert result["prompt"]["before"].count("[") == 3


def test_without_a_shared_word_the_note_is_on_stderr_and_in_the_object(ask: Ask) -> None:
    run = ask("--json", question="Qui habite Paris?")
    result = json.loads(run.stdout)
    assert (run.code, result["passages"]) == (0, [])
    assert [note in run.stderr for note in result["notes"]] == [True]


def test_the_readable_form_has_both_answers_side_by_side(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    stdout = ask().stdout
    (titles,) = [line for line in stdout.splitlines() if "WITH 50 VIRTUAL TOKENS" in line]
    assert titles.startswith("WITHOUT VIRTUAL TOKENS")
    assert "[1] ferry.txt, page 1" in stdout


def test_the_readable_form_has_the_baseline_last(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")  # one answer below the other
    stdout = ask("--instruction").stdout
    assert stdout.index("WITHOUT VIRTUAL") < stdout.index("WITH 50 VIRTUAL") < stdout.index("IN WORDS (INSTRUCTION)")


def test_a_seed_makes_sampling_repeatable(ask: Ask) -> None:
    first, second, other = (
        [answer["text"] for answer in json.loads(ask("--json", "--temperature", 2, "--seed", n).stdout)["answers"]]
        for n in (1, 1, 2)
    )
    assert first == second != other


def test_a_backbone_is_prepared_ahead_of_time(tiny_llama_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--backbone", str(tiny_llama_folder), "--precision", "fp32"]) == 0
    out, err = capfd.readouterr()
    assert (out, err) == ("", "tiny-llama is ready.\n")


# --- what cannot be done ---


def assert_one_line(run: Run, reason: str) -> None:
    """Exit code 2, nothing on stdout, one line on stderr."""
    assert reason in run.stderr
    assert (run.code, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("dance",), "invalid choice: 'dance'"),
        (("ask", "Why?"), "the following arguments are required: --documents"),
        (("ask", "Why?", "--documents", "x", "--loud"), "unrecognized arguments: --loud"),
        (("ask", "Why?", "--documents", "x", "--precision", "8bit"), "invalid choice: '8bit'"),
        (("ask", "Why?", "--documents", "x", "--virtual-tokens", "many"), "invalid int value: 'many'"),
    ],
)
def test_wrong_use_is_told_in_one_line(here: Ask, arguments: tuple[str, ...], reason: str) -> None:
    assert_one_line(here(*arguments), reason)


def test_wrong_use_ends_the_process_with_that_line() -> None:
    assert_one_line(command("dance"), "invalid choice: 'dance'")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--virtual-tokens", 99), "99 virtual tokens are out of range: there are 0 to 50"),
        (("--virtual-tokens", 0, -1), "-1 virtual tokens are out of range"),
        (("--passages", 0), "passages must be 1 to 20, not 0"),
        (("--max-new-tokens", 0), "answer's length must be 1 to 1024 tokens, not 0"),
        (("--temperature", "nan"), "temperature must be"),
        (("--seed", 10**30), "seed must be"),
        (("--backbone", "./no-such-model"), "There is no model folder ./no-such-model"),
        (("--tokens", "no-such.safetensors"), "There is no token file no-such.safetensors"),
        (("--tokens", ROOT / "pyproject.toml"), "pyproject.toml is not a token file"),
        (("--position", "front", "--layout", "recipe"), "leave --layout out"),
    ],
)
def test_a_bad_option_is_told_in_one_line(ask: Ask, options: tuple[object, ...], reason: str) -> None:
    assert_one_line(ask(*options), reason)


@pytest.mark.parametrize("name", ["tokens.pt", "tokens.safetensors"])
def test_a_token_file_that_cannot_be_read_is_told_in_one_line(ask: Ask, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no tokens")
    assert_one_line(ask("--tokens", tmp_path / name), name)


@pytest.mark.parametrize("question", ["", "  "])
def test_an_empty_question_is_told_in_one_line(ask: Ask, question: str) -> None:
    assert_one_line(ask(question=question), "Please type a question.")


def test_a_question_too_long_for_the_model_is_told_in_one_line(ask: Ask) -> None:
    assert_one_line(ask(question="When does the ferry leave? " * 100), "The question is too long")


def test_a_missing_document_alone_is_told_in_one_line(ask: Ask, tmp_path: Path) -> None:
    assert_one_line(ask(documents=[tmp_path / "missing.txt"]), "missing.txt")


def test_an_empty_folder_is_told_in_one_line(ask: Ask, tmp_path: Path) -> None:
    assert_one_line(ask(documents=[tmp_path]), "No document could be read")


# --- evaluate ---


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """A question file with a bad row."""
    path = tmp_path / "questions.csv"
    path.write_text(f"question,answer\n{QUESTION},nine\nHow high is the mast?\nWhat does a child get?,a bun|bun\n")
    return path


@pytest.fixture
def evaluation(folder: Path, tiny_llama_folder: Path, here: Ask) -> Ask:
    """Evaluate the tiny model in this process."""

    def evaluation(questions: Path | list[Path], *options: object, corpus: Sequence[Path] = (folder,)) -> Run:
        model = ("--backbone", tiny_llama_folder, "--precision", "fp32", "--max-new-tokens", 4)
        documents = ("--corpus", *corpus) if corpus else ()
        files = questions if isinstance(questions, list) else [questions]
        return here("evaluate", *files, *documents, *model, *options)

    return evaluation


def test_evaluate_goes_the_whole_way_from_file_to_table(evaluation: Ask, questions: Path) -> None:
    done = evaluation(questions, "--virtual-tokens", 50, 0, "--instruction")
    assert done.code == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split()[:2] == ["k", "n"]
    assert [line.split()[:2] for line in lines] == [["0", "2"], ["50", "2"], ["in", "words"]]
    assert "1 row skipped: row 3: no golden answer." in done.stderr
    assert "2/2" in done.stderr  # the progress bar


def test_evaluate_json_is_what_is_promised(evaluation: Ask, questions: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.csv"
    done = evaluation(questions, "--virtual-tokens", 0, 10, "--instruction", "--json", "--output", output)
    result = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    plain, ten, told = result["rows"]
    assert [(row["virtual_tokens"], row["instruction"], row["n"]) for row in result["rows"]] == [
        (0, False, 2),
        (10, False, 2),
        (0, True, 2),
    ]
    assert {"exact_match", "f1", "contained", "seconds"} <= set(plain)
    assert plain["exact_match_gain"] is None
    assert len(ten["exact_match_gain"]) == len(told["f1_gain"]) == 2
    assert len(output.read_text().splitlines()) >= 1 + 2 * 3


def test_evaluate_goes_on_with_its_own_rows_and_takes_more_k(evaluation: Ask, questions: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.csv"
    first = evaluation(questions, "--virtual-tokens", 0, "--limit", 1, "--json", "--output", output)
    assert json.loads(first.stdout)["rows"][0]["n"] == 1
    written = output.read_bytes()
    more = evaluation(questions, "--virtual-tokens", 0, 5, "--json", "--output", output)
    assert [row["n"] for row in json.loads(more.stdout)["rows"]] == [2, 2]
    assert output.read_bytes().startswith(written)
    again = evaluation(questions, "--virtual-tokens", 0, 5, "--json", "--output", output)
    assert json.loads(again.stdout)["rows"] == json.loads(more.stdout)["rows"]
    assert "0question" in again.stderr  # nothing was left to ask


def test_evaluate_averages_several_files_and_writes_a_report(evaluation: Ask, questions: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"title": "Who?", "reply": "<b>nine</b>"}')
    report = tmp_path / "report.html"
    options = ("--virtual-tokens", 0, 5, "--baseline", "instruction", "--json", "--limit", 1)
    columns = ("--question-column", "title", "--answer-column", "reply")
    refused = evaluation([other, questions], *options)
    assert "its columns are title, reply; needed are question and answer" in refused.stderr
    assert "Name others with --question-column and --answer-column." in refused.stderr
    assert evaluation(other, *options, *columns, "--report", report).code == 0
    other.write_text('{"question": "Who?", "answer": "<b>nine</b>"}\n{"question": "Why?", "is_impossible": true}')
    done = evaluation([other, questions], *options[:-3], "--report", report, "--against", 5, "--json")
    result = json.loads(done.stdout)
    assert "other.jsonl: 1 question that has no answer is left out." in done.stderr
    assert "With --no-answer they are scored." in done.stderr
    assert {name: [row["n"] for row in rows] for name, rows in result["sets"].items()} == {
        "other": [1, 1, 1],
        "questions": [2, 2, 2],
    }
    assert [row["n"] for row in result["rows"]] == [3, 3, 3]
    assert [row["against"] for row in result["rows"]] == ["5"] * 3
    html = report.read_text()
    assert html.count("<svg") == 3
    assert "<b>nine" not in html
    table = evaluation([other, questions], "--virtual-tokens", 0, "--no-answer").stdout
    assert {"other", "questions", "Macro average"} <= set(table.splitlines())


def test_evaluate_refuses_rows_of_another_run_and_names_what_differs(
    evaluation: Ask, questions: Path, tmp_path: Path
) -> None:
    output = tmp_path / "rows.csv"
    assert evaluation(questions, "--virtual-tokens", 0, "--limit", 1, "--output", output).code == 0
    done = evaluation(questions, "--virtual-tokens", 0, "--output", output, "--passages", 1, "--layout", "recipe")
    differs = "rows of another run: layout (training there, recipe now), number of passages (3 there, 1 now);"
    assert done.code == 2
    assert differs in done.stderr.splitlines()[-1]


def test_evaluate_takes_passages_from_the_rows_without_a_corpus(evaluation: Ask, tmp_path: Path) -> None:
    path = tmp_path / "spring.jsonl"
    path.write_text(json.dumps({"question": QUESTION, "target": "nine", "ret_passages": [FERRY, MAST]}))
    done = evaluation(path, "--virtual-tokens", 0, "--json", corpus=())
    assert [row["n"] for row in json.loads(done.stdout)["rows"]] == [1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--virtual-tokens", 51), "51 virtual tokens are out of range"),
        (("--limit", 0), "--limit must be a whole number above 0, not '0'."),
        (("--batch-size", "many"), "--batch-size must be a whole number above 0, not 'many'."),
        (("--passages", 0), "The number of passages must be 1 to 20, not 0."),
        (("--output", "/none/rows.csv"), "cannot be written"),
        (("--max-new-tokens", 0), "length must be 1 to 1024"),
        (("--against", "best"), "There is no row 'best' to compare with"),
        (("--against", 7, "--virtual-tokens", 0), "--against 7 compares with answers that are not asked for: add"),
        (("--report", "/none/report.html"), "cannot be written"),
    ],
)
def test_evaluate_refuses_in_one_line(evaluation: Ask, questions: Path, options: Sequence[object], reason: str) -> None:
    done = evaluation(questions, *options)
    assert (done.code, done.stdout) == (2, "")
    assert reason in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_evaluate_without_any_answer_says_so(evaluation: Ask, questions: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.jsonl"
    long.write_text(json.dumps({"question": "When does the ferry leave? " * 100, "answer": "nine"}))
    alone = evaluation(long, "--virtual-tokens", 0)
    assert (alone.code, alone.stdout) == (2, "")
    assert alone.stderr.splitlines()[-1] == "spring: No question could be asked, so there are no scores."
    report = ("--report", tmp_path / "report.html")
    beside = evaluation([long, questions], "--virtual-tokens", 0, *report)
    assert beside.code == 0
    assert beside.stdout.startswith("long\nNo answers.\n\nquestions\n")
    assert beside.stdout.endswith("Macro average\nNone: no k or baseline has answers in every file.\n")


def test_evaluate_without_documents_says_which_question_needs_them(evaluation: Ask, questions: Path) -> None:
    done = evaluation(questions, corpus=())
    assert done.code == 2
    assert "Question 2 comes without passages: name the documents to search." in done.stderr


def test_evaluate_refuses_a_missing_question_file(evaluation: Ask, tmp_path: Path) -> None:
    done = evaluation(tmp_path / "none.jsonl")
    assert (done.code, done.stdout) == (2, "")
    assert "cannot be read" in done.stderr
