"""Learning on tiny random models: it learns, it resumes, it spreads over processes, and nothing else moves."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import DynamicCache, GraniteConfig, GraniteForCausalLM

from spring.cli.main import main
from spring.data.questions import Question
from spring.errors import BackboneError, PromptError
from spring.models.backbone import Backbone
from spring.models.figures import figures_of
from spring.models.tokenization import Tokenization
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.bm25 import Bm25Retriever
from spring.training.checkpoints import TrainingState
from spring.training.examples import Examples, SampleSettings
from spring.training.initializers import initial_tokens
from spring.training.loss import dev_scores, losses
from spring.training.prefix_states import PrefixStates
from spring.training.quantization import rounded_to_4bit
from spring.training.settings import PAPER, TrainingSettings, default_settings
from spring.training.trainer import TrainingResult, learn
from tests.conftest import FERRY, KITES, MAST, PASSAGES, QUESTION, ROOT, fingerprint, one_line

pytestmark = pytest.mark.usefixtures("reading_child")

QUESTIONS = [
    Question("a", QUESTION, ("nine",)),
    Question("b", "How high is the radio mast?", ("ninety metres", "90 metres")),
    Question("c", "What does every child get at the kite festival?", ("a bun",)),
]
SETTINGS = TrainingSettings(epochs=4, evaluate_every=2, save_every=2, batch_size=2, gradient_accumulation=1)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> object:
    """Sums in the same order, whatever else the machine does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test draws the curve, as a run does; for the others it takes time."""
    if request.node.name != "test_the_command_writes_tokens_that_say_where_they_come_from":
        monkeypatch.setattr("spring.training.curve.can_draw", lambda: False)


def examples(backbone: Backbone, **draw: object) -> Examples:
    return Examples(backbone, QUESTIONS, Bm25Retriever(PASSAGES), {}, SampleSettings(**({"passages": (1, 2)} | draw)))


def run(
    backbone: Backbone, folder: Path, settings: TrainingSettings = SETTINGS, resume: bool = False, **draw: object
) -> TrainingResult:
    drawn = examples(backbone, **draw)
    dev = [drawn.dev_example(question, 2, (1, 50)) for question in QUESTIONS[:2]]
    return learn([backbone], drawn, backbone.initial_virtual_tokens(), settings, folder, dev, resume)


def log(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Interrupted(Exception):
    """As by Ctrl-C."""


# --- it learns ---


def test_it_learns_the_answers_and_nothing_else_moves(tiny_llama: Backbone, tmp_path: Path) -> None:
    before = fingerprint(tiny_llama)
    drawn = examples(tiny_llama, shared_k=2)
    dev = [drawn.dev_example(question, 2, (50,)) for question in QUESTIONS]
    initial = tiny_llama.initial_virtual_tokens()
    settings = replace(SETTINGS, epochs=40, learning_rate=5e-2, evaluate_every=20)
    learned = learn([tiny_llama], drawn, initial, settings, tmp_path, dev)
    first, _ = dev_scores(PrefixStates(tiny_llama), initial.embeddings, dev)
    last, _ = dev_scores(PrefixStates(tiny_llama), learned.tokens, dev)
    assert last < first / 2
    assert learned.dev_loss == pytest.approx(last)
    assert learned.tokens.shape == initial.embeddings.shape
    assert fingerprint(tiny_llama) == before


def test_the_log_has_a_row_for_each_step(tiny_llama: Backbone, tmp_path: Path) -> None:
    learned = run(tiny_llama, tmp_path)
    rows = log(tmp_path)
    assert [row["step"] for row in rows] == [str(step) for step in range(1, learned.steps + 1)]
    assert learned.steps == 6
    assert all(float(row["loss"]) > 0 and float(row["gradient_norm"]) > 0 for row in rows)
    assert all(0 < float(row["waited"]) < float(row["seconds"]) for row in rows)
    assert [bool(row["dev_loss"]) for row in rows] == [False, True] * 3


def test_steps_that_are_too_few_are_told_before_they_are_made(tiny_llama: Backbone, tmp_path: Path) -> None:
    drawn, initial, lines = examples(tiny_llama), tiny_llama.initial_virtual_tokens(), list[str]()
    for name, rate in (("few", 1e-6), ("enough", 1.0)):
        settings = replace(SETTINGS, epochs=1, learning_rate=rate)
        learn([tiny_llama], drawn, initial, settings, tmp_path / name, report=lines.append)
    few, enough = lines[:3], lines[3:]
    assert few[0] == enough[0] == "2 steps of 2 samples."
    assert few[1].startswith("These are few steps:")
    for line in (few[-1], enough[-1]):  # how fast they were, when they are made
        assert re.fullmatch(r"[\d.e+]+ steps a second; \d+\.\d% of the time went by waiting for samples .*", line)
    assert (len(few), len(enough)) == (3, 2)


def test_what_several_gpus_have_read_is_not_kept(
    tiny_llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_llama.model, "hf_device_map", {"model.layers.0": 0, "model.layers.1": 1}, raising=False)
    with pytest.raises(PromptError, match="leave --draws out"):
        run(tiny_llama, tmp_path, draws=1)


def test_the_best_on_dev_is_kept(tiny_llama: Backbone, tmp_path: Path) -> None:
    wild = replace(SETTINGS, epochs=8, learning_rate=3.0, average=0.0, evaluate_every=1)  # it goes up and down
    early = 0
    for seed in range(4):
        learned = run(tiny_llama, tmp_path / str(seed), wild, seed=seed)
        rows = log(tmp_path / str(seed))
        best = max(rows, key=lambda row: (float(row["dev_exact_match"]), -float(row["dev_loss"])))
        assert (learned.step, learned.dev_loss) == (int(best["step"]), pytest.approx(float(best["dev_loss"]), abs=1e-4))
        early += learned.step < learned.steps
    assert early


def test_gradient_accumulation_is_a_larger_batch(tiny_llama: Backbone, tmp_path: Path) -> None:
    large = run(tiny_llama, tmp_path / "large", replace(SETTINGS, batch_size=4))
    small = run(tiny_llama, tmp_path / "small", replace(SETTINGS, batch_size=1, gradient_accumulation=4))
    assert large.steps == small.steps
    assert torch.allclose(large.tokens, small.tokens, atol=1e-4)


def test_without_dev_the_running_average_is_kept(tiny_llama: Backbone, tmp_path: Path) -> None:
    drawn, initial = examples(tiny_llama), tiny_llama.initial_virtual_tokens()
    kept = [
        learn([tiny_llama], drawn, initial, replace(SETTINGS, average=average), tmp_path / str(average)).tokens
        for average in (0.0, 0.9)
    ]
    assert (kept[1] - initial.embeddings).norm() < (kept[0] - initial.embeddings).norm()


def test_several_backbones_take_turns(tiny_llama: Backbone, tmp_path: Path) -> None:
    both = [tiny_llama, rounded_to_4bit(tiny_llama)]
    drawn, initial = examples(tiny_llama), tiny_llama.initial_virtual_tokens()
    assert {(drawn.question(i).id, drawn[i].rotation % 2) for i in range(6)} == {
        (id, turn) for id in "abc" for turn in (0, 1)
    }
    settings = replace(SETTINGS, epochs=1, batch_size=3, average=0.0)
    learn(both, drawn, initial, settings, tmp_path)
    samples = [drawn[i] for i in range(3)]
    wanted = [losses(PrefixStates(both[s.rotation % 2]), initial.embeddings, [s]).item() for s in samples]
    assert float(log(tmp_path)[0]["loss"]) == pytest.approx(sum(wanted) / 3, abs=1e-4)


def test_passages_drawn_once_are_read_once_and_change_nothing_else(tiny: Backbone, tmp_path: Path) -> None:
    class Counting(PrefixStates):
        read_now = 0

        def _compute(self, sequences: Sequence[tuple[int, ...]]) -> tuple[DynamicCache, Tensor]:
            Counting.read_now += len(sequences)
            return super()._compute(sequences)

    drawn, initial = examples(tiny, draws=2), tiny.initial_virtual_tokens().embeddings
    number = len(drawn.questions)
    later = [drawn[i] for i in range(2 * number, 4 * number)]
    both = {example.before for example in (drawn[i] for i in range(2 * number))}
    assert {example.before for example in later} == both
    plain, kept = PrefixStates(tiny), Counting(tiny, tmp_path)
    for _ in range(2):
        assert torch.allclose(losses(kept, initial, later), losses(plain, initial, later), atol=1e-5)
    assert Counting.read_now == len(both) == len(list(tmp_path.iterdir()))


def test_what_was_read_is_deleted_when_the_run_is_over(tiny_llama: Backbone, tmp_path: Path) -> None:
    initial = tiny_llama.initial_virtual_tokens()
    learn([tiny_llama], examples(tiny_llama, draws=1), initial, SETTINGS, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "log.csv", "run.json"]


def test_a_step_that_is_not_finite_ends_the_run_and_spoils_nothing(
    tiny_llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([1.0, 1.0, float("inf")])  # as half precision overflows
    monkeypatch.setattr("spring.training.descent.losses", lambda *given: losses(*given) * next(calls))
    with pytest.raises(PromptError, match="The gradient of step 3 is not finite: choose a smaller") as error:
        run(tiny_llama, tmp_path, replace(SETTINGS, save_every=1))
    one_line(error)
    assert bool(torch.load(tmp_path / "checkpoint" / "custom_checkpoint_0.pkl")["average"].isfinite().all())


def test_a_backbone_that_scales_its_logits_is_refused(tiny_llama: Backbone, tmp_path: Path) -> None:
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = GraniteConfig(**shape, vocab_size=len(tiny_llama.tokenizer), initializer_range=0.25)  # type: ignore[arg-type]
    plain, scaled = (
        Backbone(GraniteForCausalLM(config_), Tokenization("granite", tiny_llama.tokenizer), "fp32")
        for config_ in (config, GraniteConfig(**config.to_dict() | {"logits_scaling": 8.0}))
    )
    assert run(plain, tmp_path / "plain").steps
    with pytest.raises(BackboneError, match="granite scales or caps its logits") as error:
        run(scaled, tmp_path / "scaled")
    one_line(error)


def test_weights_that_are_packed_are_not_rounded_again(tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PromptError, match="in 4bit already: use --also-4bit with bf16 or fp32") as error:
        rounded_to_4bit(replace(tiny_llama, precision="4bit"))
    one_line(error)
    monkeypatch.setattr("spring.training.quantization.free_bytes", lambda gpu: 1_000)
    with pytest.raises(BackboneError, match="not enough memory for a second copy of tiny-llama") as error:
        rounded_to_4bit(tiny_llama)
    one_line(error)


# --- it resumes ---


def test_a_checkpoint_is_taken_over_on_the_device_of_the_run() -> None:
    saved = TrainingState(torch.ones(2, 3)).state_dict()  # as accelerate loads it: on the CPU
    state = TrainingState(torch.zeros(2, 3, device="meta"))  # as on a GPU
    state.load_state_dict(saved | {"step": 7})
    assert (state.average.device.type, state.best.device.type, state.step) == ("meta", "meta", 7)


@pytest.mark.parametrize("stop", [3, 4, 5])
def test_an_interrupted_run_that_is_resumed_gives_the_same_tokens(
    tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    whole = run(tiny, tmp_path / "whole", replace(SETTINGS, gradient_accumulation=2, epochs=8))
    folder = tmp_path / "cut"
    with monkeypatch.context() as patch:
        original = TrainingSettings.rate

        def rate(self: TrainingSettings, step: int, steps: int) -> float:
            if step == stop:
                raise Interrupted
            return original(self, step, steps)

        patch.setattr(TrainingSettings, "rate", rate)
        with pytest.raises(Interrupted):
            run(tiny, folder, replace(SETTINGS, gradient_accumulation=2, epochs=8))
    assert len(log(folder)) == stop
    resumed = run(tiny, folder, replace(SETTINGS, gradient_accumulation=2, epochs=8), resume=True)
    assert torch.equal(resumed.tokens, whole.tokens)
    assert (resumed.step, resumed.dev_loss) == (whole.step, whole.dev_loss)
    assert [row["loss"] for row in log(folder)] == [row["loss"] for row in log(tmp_path / "whole")]


def test_backbones_go_on_taking_turns_where_they_were(
    tiny_llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [tiny_llama, rounded_to_4bit(tiny_llama)]
    drawn, initial = examples(tiny_llama), tiny_llama.initial_virtual_tokens()
    settings = replace(SETTINGS, save_every=1)
    whole = learn(both, drawn, initial, settings, tmp_path / "whole").tokens
    with monkeypatch.context() as patch:
        original = TrainingSettings.rate

        def rate(self: TrainingSettings, step: int, steps: int) -> float:
            if step == 3:  # an odd number of passes is done
                raise Interrupted
            return original(self, step, steps)

        patch.setattr(TrainingSettings, "rate", rate)
        with pytest.raises(Interrupted):
            learn(both, drawn, initial, settings, tmp_path / "cut")
    assert torch.equal(learn(both, drawn, initial, settings, tmp_path / "cut", resume=True).tokens, whole)
    with pytest.raises(PromptError, match="has other data, initial values or settings"):
        learn(both[:1], drawn, initial, settings, tmp_path / "cut", resume=True)


def test_a_checkpoint_that_was_being_replaced_is_found(tiny_llama: Backbone, tmp_path: Path) -> None:
    whole = run(tiny_llama, tmp_path)
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")  # where a kill may leave it
    (tmp_path / "checkpoint.new").mkdir()
    assert torch.equal(run(tiny_llama, tmp_path, resume=True).tokens, whole.tokens)


def test_a_run_does_not_overwrite_another(tiny_llama: Backbone, tmp_path: Path) -> None:
    run(tiny_llama, tmp_path)
    with pytest.raises(PromptError, match="give --resume") as error:
        run(tiny_llama, tmp_path)
    one_line(error)
    with pytest.raises(PromptError, match="has other data, initial values or settings") as error:
        run(tiny_llama, tmp_path, replace(SETTINGS, learning_rate=0.5), resume=True)
    one_line(error)
    with pytest.raises(PromptError, match="has other data, initial values or settings"):
        run(tiny_llama, tmp_path, resume=True, seed=5)


@pytest.mark.parametrize("what", ["questions", "passages", "dev", "initial"])
def test_a_run_is_not_resumed_on_other_data(tiny_llama: Backbone, tmp_path: Path, what: str) -> None:
    run(tiny_llama, tmp_path)
    questions, passages = list(QUESTIONS), list(PASSAGES)
    initial = tiny_llama.initial_virtual_tokens()
    if what == "questions":
        questions[0] = replace(questions[0], golden_answers=("ten",))
    elif what == "passages":
        passages[2] = replace(passages[2], text="Of the festival.")
    elif what == "initial":
        initial = tiny_llama.initial_virtual_tokens(text="Other words.")
    drawn = Examples(tiny_llama, questions, Bm25Retriever(passages), {}, SampleSettings(passages=(1, 2)))
    dev = [drawn.dev_example(question, 2, (1, 49 if what == "dev" else 50)) for question in QUESTIONS[:2]]
    with pytest.raises(PromptError, match="has other data, initial values or settings"):
        learn([tiny_llama], drawn, initial, SETTINGS, tmp_path, dev, resume=True)


# --- settings ---


def test_the_rate_warms_up_and_falls() -> None:
    settings = TrainingSettings(learning_rate=1.0, warmup=0.1)
    rates = [settings.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.02, abs=0.005)


def test_the_paper_s_settings_are_for_backbones_of_its_size() -> None:
    assert default_settings(4096) == PAPER
    assert (PAPER.samples_per_step, PAPER.learning_rate, PAPER.epochs, PAPER.warmup) == (256, 1e-4, 3, 0.1)
    assert default_settings(576) == TrainingSettings()


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": -1},
        {"learning_rate": float("nan")},
        {"warmup": 1},
        {"average": 1},
        {"save_every": 0},
        {"evaluate_every": 0},
        {"gradient_accumulation": 0},
        {"clip": 0},
    ],
)
def test_settings_cannot_be_wrong(change: dict[str, float]) -> None:
    with pytest.raises(PromptError) as error:
        TrainingSettings(**change)  # type: ignore[arg-type]
    one_line(error)


# --- the command ---


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A corpus with ids, questions that name their gold passages, and a dev file."""
    rows = [{"id": f"p{i}", "contents": f"Title\n{text}"} for i, text in enumerate((FERRY, MAST, KITES))]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    questions = [
        {"id": q.id, "question": q.question, "golden_answers": q.golden_answers, "metadata": {"gold_passage": f"p{i}"}}
        for i, q in enumerate(QUESTIONS)
    ]
    questions[2]["metadata"]["drafted"] = "some-model"
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, questions)))
    (tmp_path / "dev.jsonl").write_text(json.dumps(questions[0]))
    return tmp_path


def arguments(data: Path, model: Path, output: Path, *more: object) -> list[str]:
    given = ["train", data / "train.jsonl", "--corpus", data / "corpus.jsonl", "--output", output]
    given += ["--backbone", model, "--precision", "fp32", "--epochs", 2, "--batch-size", 2, *more]
    return list(map(str, given))


def tokens_of(path: Path) -> torch.Tensor:
    return VirtualTokens.load(path).embeddings


def test_the_command_writes_tokens_that_say_where_they_come_from(
    data: Path, tiny_llama_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = data / "made" / "tokens.safetensors"
    given = arguments(data, tiny_llama_folder, output, "--dev", data / "dev.jsonl", "--number", 10, "--also-4bit")
    assert main([*given, "--baseline", "instruction"]) == 0, capfd.readouterr().err
    out, err = capfd.readouterr()
    assert "1 of 1 dev questions are learned from as well" in err
    written, header, *table = out.splitlines()
    assert written.startswith(f"{output}: 10 virtual tokens for tiny-llama")
    assert [header.split()[0], *(row.split()[0] for row in table)] == ["k", "0", "10", "in"]
    tokens = VirtualTokens.load(output)
    [figures] = figures_of(tokens.details)
    assert (figures.data, figures.questions) == ("dev.jsonl, 1 of them learned from", 1)
    assert [score.name for score in figures.scores] == ["k = 0", "k = 10", "in words (instruction)"]
    assert (len(tokens), tokens.backbone) == (10, "tiny-llama")
    assert tokens.learned.startswith("learned from train.jsonl (3 questions, ")
    assert {"data", "questions", "steps", "seed", "command", "settings", "dev", "precision"} <= set(tokens.details)
    assert "exact match" in tokens.details["dev"]
    assert tokens.details["drafted"] == "1 of the questions, by a model"
    assert (output.with_suffix(".run") / "curve.html").is_file()
    documents = data / "corpus.jsonl"
    asked = ["ask", QUESTION, "--documents", str(documents), "--backbone", str(tiny_llama_folder)]
    asked += ["--tokens", str(output), "--virtual-tokens", "0", "10", "--json", "--max-new-tokens", "3"]
    capfd.readouterr()
    assert main(asked) == 0
    assert json.loads(capfd.readouterr().out)["learned"] == tokens.learned


STILL = ("--learning-rate", 1e-9, "--average", 0)  # the tokens stay where they start


def test_the_command_starts_from_the_initial_values_that_are_asked_for(
    data: Path, tiny_llama_folder: Path, tiny_llama: Backbone
) -> None:
    text = "Say it in a word."
    for number, (more, init) in enumerate(
        [((), None), (("--init", text), text), (("--init", "random", "--seed", 1), "random")]
    ):
        output = data / f"{number}.safetensors"
        assert main(arguments(data, tiny_llama_folder, output, *more, *STILL)) == 0
        assert torch.allclose(tokens_of(output), initial_tokens(tiny_llama, init, seed=1).embeddings, atol=1e-6)


def test_a_backbone_of_the_paper_s_size_is_learned_for_as_in_the_paper(
    data: Path, tiny_llama_folder: Path, tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spring.training.settings.PAPER_WIDTH", tiny_llama.hidden)
    output = data / "tokens.safetensors"
    assert main(arguments(data, tiny_llama_folder, output, "--gradient-accumulation", 1, *STILL)) == 0
    assert torch.allclose(tokens_of(output), tiny_llama.initial_virtual_tokens().embeddings, atol=1e-6)
    said = json.loads((output.with_suffix(".run") / "run.json").read_text())
    assert (said["shared_k"], said["warmup"], said["fixed_k"]) == (1, 0.1, False)


def test_a_full_disk_and_a_full_memory_are_told_in_one_line(
    data: Path, tiny_llama_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    full = "[enforce fail at inline_container.cc:672] . unexpected pos 128 vs 22"  # torch.save's
    for name, error, told in (
        (
            "checkpoints.Accelerator.save_state",
            RuntimeError(full),
            f"({full}). Once it can, the same command with --resume",
        ),
        (
            "checkpoints.RunFolder.log",
            OSError(28, "No space left on device"),
            "Once it can, the same command",
        ),
        (
            "descent.losses",
            torch.OutOfMemoryError("2 GiB"),
            "does not suffice for a batch of 2: choose a smaller --batch-size",
        ),
    ):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        output = data / f"{type(error).__name__}.safetensors"
        with monkeypatch.context() as patch:
            patch.setattr(f"spring.training.{name}", fail)
            assert main(arguments(data, tiny_llama_folder, output)) == 2
        assert told in capfd.readouterr().err.splitlines()[-1]


def test_a_file_of_the_corpus_that_cannot_be_read_is_named(
    data: Path, tiny_llama_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = arguments(data, tiny_llama_folder, data / "tokens.safetensors", "--resume", "--corpus")
    assert main([*given, str(data / "corpus.jsonl"), str(data / "corpsu.jsonl")]) == 0
    told = capfd.readouterr().err
    assert "corpsu.jsonl" in told
    assert "There is no checkpoint yet" in told
    assert "No curve.html is drawn: run pip install" in told


def test_learning_goes_on_from_a_token_file(
    data: Path, tiny_llama_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = data / "first.safetensors", data / "second.safetensors"
    assert main(arguments(data, tiny_llama_folder, first)) == 0
    assert main(arguments(data, tiny_llama_folder, second, "--init", first, "--number", 20, *STILL)) == 0
    assert torch.allclose(tokens_of(second), tokens_of(first)[:20], atol=1e-6)
    third = data / "third.safetensors"
    assert main(arguments(data, tiny_llama_folder, third, "--init", second)) == 2
    assert "holds 20 virtual tokens: give --number 20, or fewer" in capfd.readouterr().err.splitlines()[-1]


def test_passages_in_the_rows_need_no_corpus(data: Path, tiny_llama_folder: Path) -> None:
    path = data / "spring.jsonl"
    path.write_text(json.dumps({"question": QUESTION, "target": ["nine"], "ret_passages": [FERRY, MAST]}))
    output = data / "tokens.safetensors"
    given = ["train", path, "--output", output, "--backbone", tiny_llama_folder, "--precision", "fp32", "--epochs", 8]
    assert main(list(map(str, given))) == 0
    assert output.is_file()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--output", "tokens.pt"), "--output must end with .safetensors, not 'tokens.pt'."),
        (("--passages", "few"), "--passages must be a number or a range such as 1-5, not 'few'."),
        (("--passages", "5-1"), "must be within 1 to 20, not 5 to 1."),
        (("--number", 0), "The number of virtual tokens must be 1 to 1024, not 0."),
        (("--learning-rate", 0), "The learning rate must be above 0, not 0.0."),
        (("--dev", "none.jsonl"), "cannot be read"),
        (("--baseline", "examples"), "the table at the end, which is made of dev questions: give --dev"),
        (("--init", "exmaples"), "There are no initial values 'exmaples': choose instruction, examples, random, a"),
    ],
)
def test_the_command_refuses_in_one_line(
    data: Path, tiny_llama_folder: Path, capfd: pytest.CaptureFixture[str], more: Sequence[object], reason: str
) -> None:
    assert main(arguments(data, tiny_llama_folder, data / "tokens.safetensors", *more)) == 2
    assert reason in capfd.readouterr().err.splitlines()[-1]


# --- several processes ---


@pytest.mark.model
def test_two_processes_learn_the_tokens_of_one(data: Path, tiny_llama_folder: Path) -> None:
    def asked(name: str) -> list[str]:
        more = ("--dev", data / "dev.jsonl", "--gradient-accumulation", 2, "--epochs", 3)
        return arguments(data, tiny_llama_folder, data / name, *more)

    assert main(asked("1.safetensors")) == 0
    # What `accelerate launch` calls for several GPUs; on CPUs it starts one process only.
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "spring", *asked("2.safetensors")],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout.count("virtual tokens for"), done.stderr.count("Traceback")) == (1, 0)
    assert torch.allclose(tokens_of(data / "1.safetensors"), tokens_of(data / "2.safetensors"), atol=1e-4)


def test_a_batch_that_processes_cannot_share_is_refused(
    tiny_llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Accelerator, "num_processes", 2)
    with pytest.raises(PromptError, match="A batch of 3 cannot be divided among 2 processes: choose a multiple"):
        run(tiny_llama, tmp_path, replace(SETTINGS, batch_size=3))
