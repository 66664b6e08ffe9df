"""Why this answer: the same figures as plain runs of the model on every prompt."""

import math
from collections.abc import Sequence

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from spring.errors import ModelError, PromptError
from spring.generation.attribution import as_dict, attribute
from spring.generation.comparison import Comparison, ComparisonSettings, compare
from spring.generation.conditions import token_texts
from spring.generation.engine import LocalEngine
from spring.generation.stream import PREFILL_CHUNK
from spring.generation.types import Attribution, DecodingOptions, GenerationRequest, PromptDraft
from spring.models.backbone import Backbone
from spring.rag.prompt import Prompt, build_prompt
from spring.rag.retriever import Hit
from tests.conftest import PASSAGES, QUESTION, WINDOW, fingerprint, new_engine, one_line

HITS = [Hit(passage, 0.0, rank, ()) for rank, passage in enumerate(PASSAGES, start=1)]
SETTINGS = ComparisonSettings((0, 1, 50), 3, ("instruction", "examples"), DecodingOptions(6, ignore_eos=True))


def compared(engine: LocalEngine, hits: Sequence[Hit] = HITS, settings: ComparisonSettings = SETTINGS) -> Comparison:
    *_, comparison = compare(engine, None, QUESTION, settings, hits)
    return comparison


def attributed(engine: LocalEngine, comparison: Comparison) -> Attribution:
    *_, attribution = attribute(engine, comparison)
    return attribution


def plainly(engine: LocalEngine, prompt: Prompt, k: int, answer: Sequence[int]) -> list[float]:
    """Log-probability of each token of an answer: one forward pass over the whole input, without any cache."""
    backbone = engine.backbone
    before, after = backbone.tokenization.encode(prompt)
    ids = backbone.embed(torch.tensor([before])), backbone.embed(torch.tensor([[*after, *answer]]))
    inputs = torch.cat([ids[0], engine.tokens.embeddings[None, :k], ids[1]], 1)
    with torch.inference_mode():
        logits = backbone.model(inputs_embeds=inputs, use_cache=False).logits[0, -len(answer) - 1 : -1]
    return torch.log_softmax(logits, -1)[range(len(answer)), list(answer)].tolist()


@pytest.fixture(scope="module")
def mixed(tiny_llama: Backbone) -> Backbone:
    """One layer sees all, the other a window."""
    torch.manual_seed(4)
    config = Qwen2Config(
        **{name: getattr(tiny_llama.model.config, name) for name in ("vocab_size", "hidden_size", "eos_token_id")},
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        use_sliding_window=True,
        sliding_window=WINDOW,
        layer_types=["full_attention", "sliding_attention"],
        initializer_range=0.25,
    )
    return Backbone(Qwen2ForCausalLM(config), tiny_llama.tokenization, "fp32")


@pytest.fixture(params=["tiny_llama", "tiny_mistral", "mixed"])
def engine(request: pytest.FixtureRequest) -> LocalEngine:
    return new_engine(request.getfixturevalue(request.param))


@pytest.mark.parametrize("piece", [4096, 23])
def test_every_figure_is_that_of_a_plain_run(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setitem(PREFILL_CHUNK, "cpu", piece)
    comparison = compared(engine)
    attribution = attributed(engine, comparison)
    plain = comparison.prompt
    for request, ids, answer in zip(comparison.requests, comparison.progress.ids, attribution.answers, strict=True):
        k, baseline = request.virtual_tokens, "plain" if request.virtual_tokens else request.baseline
        own = plainly(engine, request.prompt, k, ids)
        assert len(ids) == 6
        for prompt, tokens, figures in (
            (request.prompt, k, answer.own),
            (plain, 50, answer.with_tokens),
            (plain, 0, answer.without_tokens),
            (build_prompt([], QUESTION, baseline), k, answer.without_passages),
        ):
            expected = [math.exp(value) for value in plainly(engine, prompt, tokens, ids)]
            assert figures == pytest.approx(expected, abs=1e-5)
        assert answer.log_probability == pytest.approx(sum(own), abs=1e-3)
        for left_out, drop in enumerate(answer.drops, start=1):
            less = build_prompt(PASSAGES, QUESTION, baseline, left_out)
            assert f"[{left_out}]" not in less.before
            assert drop == pytest.approx(sum(own) - sum(plainly(engine, less, k, ids)), abs=1e-3)
    assert max(abs(drop) for answer in attribution.answers for drop in answer.drops) > 0.01


def test_what_stands_before_the_passage_left_out_is_not_read_again(
    llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = compared(llama_engine, settings=ComparisonSettings((0,), 3, (), DecodingOptions(2)))
    read: list[int] = []
    inner = llama_engine.backbone.model.base_model.forward

    def forward(*args: object, **kwargs: torch.Tensor) -> object:
        read.append(kwargs["inputs_embeds"].shape[1])
        return inner(*args, **kwargs)

    monkeypatch.setattr(llama_engine.backbone.model.base_model, "forward", forward)
    attributed(llama_engine, comparison)
    tokenization = llama_engine.backbone.tokenization
    lengths = [len(tokenization.tokenizer(f"[1] {passage.text}\n")["input_ids"]) for passage in PASSAGES]
    questions = 5 * (len(tokenization.encode(comparison.prompt)[1]) + 1)
    assert sum(read) <= questions + lengths[1] + 2 * lengths[2] + 12  # the passages behind, once each time


def test_a_passage_whose_text_is_the_answers_has_the_largest_drop(default_engine: LocalEngine) -> None:
    settings = ComparisonSettings((50,), 3, (), DecodingOptions(8))
    comparison = compared(default_engine, [HITS[1], HITS[0], HITS[2]], settings)
    (answer,) = attributed(default_engine, comparison).answers
    assert answer.drops.index(max(answer.drops)) == 1  # FERRY
    assert "".join(answer.tokens).strip() == comparison.answers[0].text
    assert answer.log_probability > -3
    assert math.prod(answer.own) > math.prod(answer.without_passages)


def test_snapshots_come_after_every_step_and_figures_are_only_ever_added(llama_engine: LocalEngine) -> None:
    snapshots = list(attribute(llama_engine, compared(llama_engine)))
    assert [snapshot.done for snapshot in snapshots] == sorted(snapshot.done for snapshot in snapshots)
    assert snapshots[0].steps == snapshots[-1].done == 5
    assert snapshots[0].answers[0].drops == (None, None, None)
    assert len(snapshots) > 10
    found = [sum(drop is not None for drop in snapshot.answers[0].drops) for snapshot in snapshots]
    assert found == sorted(found)
    assert found[-1] == 3


def test_it_can_be_dropped_between_any_two_steps(llama_engine: LocalEngine) -> None:
    comparison = compared(llama_engine)
    expected = attributed(new_engine(llama_engine.backbone), comparison)
    for steps in (1, 3, 6):
        stream = attribute(llama_engine, comparison)
        for _ in range(steps):
            next(stream)
        stream.close()  # type: ignore[attr-defined]
    again = attributed(llama_engine, comparison)
    for one, other in zip(again.answers, expected.answers, strict=True):
        assert one.drops == pytest.approx(other.drops, abs=1e-4)
        assert one.own == pytest.approx(other.own, abs=1e-5)


def test_without_passages_and_without_tokens_there_is_little_to_tell(llama_engine: LocalEngine) -> None:
    comparison = compared(llama_engine, [], ComparisonSettings((0,), 3, (), DecodingOptions(3, ignore_eos=True)))
    (answer,) = attributed(llama_engine, comparison).answers
    assert (answer.drops, answer.with_tokens) == ((), ())
    assert answer.own == answer.without_tokens
    assert answer.own == pytest.approx(answer.without_passages, abs=1e-6)


def test_an_empty_answer_has_no_tokens_and_no_drops(llama_engine: LocalEngine) -> None:
    draft = PromptDraft(QUESTION, tuple(PASSAGES), (0, 5))
    *_, attribution = llama_engine.attribute(draft, [(), (7, 8)])
    empty, other = attribution.answers
    assert (empty.tokens, empty.own, empty.drops, empty.log_probability) == ((), (), (0.0, 0.0, 0.0), 0.0)
    assert len(other.own) == 2
    *_, nothing = llama_engine.attribute(draft, [(), ()])
    assert nothing.done == nothing.steps == 5


def test_the_chat_template_has_a_prefix_of_its_own(default_engine: LocalEngine) -> None:
    settings = ComparisonSettings((0,), 2, ("chat",), DecodingOptions(3, ignore_eos=True))
    comparison = compared(default_engine, HITS[:2], settings)
    chat = attributed(default_engine, comparison).answers[1]
    prompts = [comparison.prompt, build_prompt(PASSAGES[:2], QUESTION, left_out=1)]
    scores = []
    for prompt in prompts:
        before, after = default_engine.backbone.tokenization.encode(prompt, chat=True)
        ids = torch.tensor([[*before, *after, *comparison.progress.ids[1]]])
        with torch.inference_mode():
            logits = default_engine.backbone.model(ids, use_cache=False).logits[0, -4:-1]
        scores.append(torch.log_softmax(logits, -1)[range(3), list(comparison.progress.ids[1])].sum().item())
    assert chat.log_probability == pytest.approx(scores[0], abs=1e-3)
    assert chat.drops[0] == pytest.approx(scores[0] - scores[1], abs=1e-3)


def test_nothing_changes_in_the_model(llama_engine: LocalEngine) -> None:
    before = fingerprint(llama_engine.backbone)
    comparison = compared(llama_engine)
    attributed(llama_engine, comparison)
    assert fingerprint(llama_engine.backbone) == before
    assert compared(llama_engine).progress.ids == comparison.progress.ids


# --- what cannot be attributed ---


def test_an_answer_that_is_not_complete_is_refused(llama_engine: LocalEngine) -> None:
    snapshots = compare(llama_engine, None, QUESTION, SETTINGS, HITS)
    with pytest.raises(PromptError, match="Wait until the answers are complete") as error:
        attribute(llama_engine, next(snapshots))
    one_line(error)


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ([(1,)], "There are 1 answers for 2 prompts"),
        ([(1,), (10**6,)], "ids that are not of this model"),
        ([(1,), (-1,)], "ids that are not of this model"),
        ([(1,), (1,) * 500], r"need \d+ tokens, but tiny-llama takes 512"),
    ],
)
def test_other_answers_than_the_drafts_are_refused(
    llama_engine: LocalEngine, ids: list[tuple[int, ...]], reason: str
) -> None:
    with pytest.raises(PromptError, match=reason) as error:
        llama_engine.attribute(PromptDraft(QUESTION, tuple(PASSAGES), (0, 5)), ids)
    one_line(error)


@pytest.mark.parametrize("step", [1, 2, 5])
def test_too_little_memory_is_an_error_and_the_next_request_is_answered(
    llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    comparison, calls = compared(llama_engine), []
    inner = llama_engine.backbone.model.base_model.forward

    def forward(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == step:
            raise MemoryError
        return inner(*args, **kwargs)

    monkeypatch.setattr(llama_engine.backbone.model.base_model, "forward", forward)
    with pytest.raises(ModelError, match="not enough memory") as error:
        attributed(llama_engine, comparison)
    one_line(error)
    assert attributed(llama_engine, comparison).done == 5


# --- as text and JSON ---


def test_the_tokens_texts_make_the_answer(tiny: Backbone) -> None:
    text = " naïve 北京 🚢 nine"
    ids = tiny.tokenizer(text, add_special_tokens=False)["input_ids"]
    texts = token_texts(tiny.tokenization, ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == tiny.tokenization.decode_exactly(ids)
    assert not any("\N{REPLACEMENT CHARACTER}" in part for part in texts)


def test_as_json_there_is_an_object_for_each_answer(llama_engine: LocalEngine) -> None:
    attribution = attributed(llama_engine, compared(llama_engine))
    answers = as_dict(attribution)
    assert [(answer["virtual_tokens"], answer["baseline"]) for answer in answers] == [
        (0, "plain"),
        (1, ""),
        (50, ""),
        (0, "instruction"),
        (0, "examples"),
    ]
    assert set(answers[0]) == {
        "virtual_tokens",
        "baseline",
        "tokens",
        "log_probability",
        "drops",
        "own",
        "with_tokens",
        "without_tokens",
        "without_passages",
    }
    assert GenerationRequest(build_prompt([], QUESTION)).baseline == "plain"
