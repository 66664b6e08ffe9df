"""Answers for several k over one passage cache are those of separate, plain runs of an unchanged model."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from benchmarks.recipe import Recipe
from spring.data.types import Passage
from spring.errors import PromptError, TokenFileError
from spring.generation.comparison import ComparisonSettings, as_dict, compare
from spring.generation.engine import LocalEngine, load_engine
from spring.generation.kv_cache import keep_rows, new_cache
from spring.generation.stream import PREFILL_CHUNK
from spring.generation.types import Answer, DecodingOptions, GenerationRequest, Progress
from spring.models.backbone import Backbone
from spring.models.cpu import MOST_ROWS, speed_up_linear
from spring.models.loader import load_backbone
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.bm25 import Bm25Retriever
from spring.rag.prompt import Prompt, build_prompt
from spring.web.html import comparison as render
from tests.conftest import (
    FERRY,
    KS,
    PASSAGES,
    PROMPT,
    QUESTION,
    WINDOW,
    asks,
    fingerprint,
    finish,
    forced_ids,
    new_engine,
    one_line,
    texts,
    with_eos,
)

OTHER_PROMPT = build_prompt(PASSAGES[2:], "What does every child get?")
SHORT_PROMPT = build_prompt([], "Why?")
BRIEF = build_prompt(PASSAGES[:1], QUESTION)  # for the default backbone, which is slower
INSTRUCTION_PROMPT = build_prompt(PASSAGES[:2], QUESTION, "instruction")
MIXED = [
    GenerationRequest(PROMPT, 0),
    GenerationRequest(OTHER_PROMPT, 10),
    GenerationRequest(SHORT_PROMPT, 3),
    GenerationRequest(INSTRUCTION_PROMPT, 0, "instruction"),
]


def generated(backbone: Backbone, prompt: Prompt, new_tokens: int = 8) -> list[int]:
    """What `generate` answers to the plain text of a prompt."""
    ids = backbone.tokenizer(str(prompt), return_tensors="pt")["input_ids"].to(backbone.model.device)
    mask = torch.ones_like(ids)
    output = backbone.model.generate(
        ids, attention_mask=mask, max_new_tokens=new_tokens, do_sample=False, pad_token_id=0
    )
    return [token for token in output[0, ids.shape[1] :].tolist() if token not in backbone.eos_ids]


def first_logits(engine: LocalEngine, requests: list[GenerationRequest]) -> Tensor:
    """Logits (rows, vocabulary) of the first token, caught on their way out of the model."""
    caught: list[Tensor] = []
    hook = engine.backbone.model.register_forward_hook(lambda *args: caught.append(args[-1].logits.flatten(0, 1)))
    try:
        finish(engine, requests, 1)
    finally:
        hook.remove()
    return caught[0]


# --- the same as the recipe that users know ---


def test_the_ids_are_those_of_the_recipe(tiny_engine: LocalEngine) -> None:
    recipe = Recipe.extend(tiny_engine.backbone, tiny_engine.tokens)
    expected = [recipe.generate(PROMPT, k, 20, forced=True) for k in KS]
    assert forced_ids(tiny_engine, asks(), 20) == expected
    assert len(set(map(tuple, expected))) == len(KS)  # k makes a difference


def test_the_logits_are_those_of_the_recipe(tiny_engine: LocalEngine) -> None:
    recipe = Recipe.extend(tiny_engine.backbone, tiny_engine.tokens)
    with torch.inference_mode():
        expected = torch.stack([recipe.model(recipe.input_ids(PROMPT, k)).logits[0, -1] for k in KS])
    torch.testing.assert_close(first_logits(tiny_engine, asks()), expected, atol=1e-4, rtol=0)


def test_the_default_backbones_ids_are_those_of_the_recipe(default_engine: LocalEngine) -> None:
    recipe = Recipe.extend(default_engine.backbone, default_engine.tokens)
    assert forced_ids(default_engine, asks(BRIEF), 5) == [recipe.generate(BRIEF, k, 5, True) for k in KS]


# --- without virtual tokens: the plain model ---


@pytest.mark.parametrize("prompt", [PROMPT, SHORT_PROMPT, INSTRUCTION_PROMPT], ids=["passages", "none", "instruction"])
def test_without_virtual_tokens_the_answer_is_the_plain_models(tiny_engine: LocalEngine, prompt: Prompt) -> None:
    answers = finish(tiny_engine, [GenerationRequest(prompt, 50), GenerationRequest(prompt, 0)], 20)
    assert list(answers.ids[1]) == generated(tiny_engine.backbone, prompt, 20)


def test_the_default_backbone_without_virtual_tokens_is_the_plain_model(default_engine: LocalEngine) -> None:
    answers = finish(default_engine, asks(BRIEF, (0, 50)), 6)
    assert list(answers.ids[0]) == generated(default_engine.backbone, BRIEF, 6)


def test_a_prompt_longer_than_the_sliding_window_is_answered_as_by_generate(tiny_mistral: Backbone) -> None:
    long_prompt = build_prompt(PASSAGES, QUESTION)
    assert sum(map(len, tiny_mistral.tokenization.encode(long_prompt))) > 3 * WINDOW
    assert forced_ids(new_engine(tiny_mistral), [GenerationRequest(long_prompt)]) == [
        generated(tiny_mistral, long_prompt)
    ]


def test_the_sliding_window_makes_a_difference(tiny_mistral_folder: Path, tiny_mistral: Backbone) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_mistral_folder, sliding_window=None)
    whole = Backbone(model, tiny_mistral.tokenization, "fp32")
    assert generated(whole, PROMPT) != generated(tiny_mistral, PROMPT)


def test_a_model_with_windows_in_some_layers_is_answered_as_by_generate(tiny_llama: Backbone) -> None:
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
    mixed = Backbone(Qwen2ForCausalLM(config), tiny_llama.tokenization, "fp32")
    answers = finish(new_engine(mixed), asks())
    assert list(answers.ids[0]) == generated(mixed, PROMPT)
    assert finish(new_engine(mixed, step="static"), asks()).ids == answers.ids


# --- a batch is as its rows alone ---


def test_a_batch_of_several_k_is_as_single_runs(tiny_engine: LocalEngine) -> None:
    alone = [forced_ids(new_engine(tiny_engine.backbone), [request])[0] for request in asks()]
    assert forced_ids(tiny_engine, asks()) == alone


def test_prompts_of_different_lengths_are_answered_as_alone(tiny_engine: LocalEngine) -> None:
    alone = [forced_ids(new_engine(tiny_engine.backbone), [request])[0] for request in MIXED]
    assert forced_ids(tiny_engine, MIXED) == alone
    assert len(set(map(tuple, alone))) == len(MIXED)


def test_the_default_backbones_batch_is_as_its_rows_alone(default_engine: LocalEngine) -> None:
    alone = [forced_ids(default_engine, [request], 3)[0] for request in MIXED]
    assert forced_ids(default_engine, MIXED, 3) == alone


def test_passages_read_in_pieces_give_the_same_answers(
    tiny_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = forced_ids(new_engine(tiny_engine.backbone), asks())
    monkeypatch.setitem(PREFILL_CHUNK, tiny_engine.backbone.model.device.type, 7)
    assert forced_ids(tiny_engine, asks()) == whole


def test_answers_tell_what_they_were_asked_with(llama_engine: LocalEngine) -> None:
    answers = finish(llama_engine, MIXED, 1).answers
    assert [(answer.virtual_tokens, answer.baseline) for answer in answers] == [
        (0, "plain"),
        (10, ""),
        (3, ""),
        (0, "instruction"),
    ]


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        (Answer(0), "without virtual tokens"),
        (Answer(1), "with 1 virtual token"),
        (Answer(50), "with 50 virtual tokens"),
        (Answer(0, "instruction"), "in words (instruction)"),
        (Answer(0, "examples"), "in words (worked examples)"),
        (Answer(0, "chat"), "in words (chat template)"),
    ],
)
def test_an_answer_has_a_title(answer: Answer, title: str) -> None:
    assert answer.title == title


# --- the prefix cache ---


def test_the_first_time_nothing_is_in_the_cache(llama_engine: LocalEngine) -> None:
    assert finish(llama_engine, asks()).prefix_hits == 0


@pytest.mark.parametrize("ks", [(0,), (5,), (50,), (0, 50), (20, 10)])
def test_asking_again_with_another_k_finds_the_passages_and_gives_the_same_ids(
    tiny_engine: LocalEngine, ks: tuple[int, ...]
) -> None:
    uncached = forced_ids(new_engine(tiny_engine.backbone), asks(ks=ks))
    finish(tiny_engine, asks(ks=(0, 10)))
    again = finish(tiny_engine, asks(ks=ks), ignore_eos=True)
    assert again.prefix_hits == 1
    assert [list(ids) for ids in again.ids] == uncached


def test_the_default_backbone_finds_its_passages_again(default_engine: LocalEngine) -> None:
    default_engine.prefixes.clear()
    uncached = forced_ids(default_engine, asks(BRIEF, (0, 50)), 3)
    default_engine.prefixes.clear()
    finish(default_engine, asks(BRIEF, (0, 5)), 1)
    again = finish(default_engine, asks(BRIEF, (0, 50)), 3, ignore_eos=True)
    assert again.prefix_hits == 1
    assert [list(ids) for ids in again.ids] == uncached


def test_k_may_grow_and_shrink_over_one_cache(tiny_engine: LocalEngine) -> None:
    for k in (5, 50, 1, 20, 0, 50):
        uncached = forced_ids(new_engine(tiny_engine.backbone), asks(ks=(k,)))
        assert forced_ids(tiny_engine, asks(ks=(k,))) == uncached


def test_another_question_on_the_same_passages_finds_them(llama_engine: LocalEngine) -> None:
    finish(llama_engine, asks(), 1)
    other = GenerationRequest(build_prompt(PASSAGES[:2], "Who lights the lamp?"), 50)
    uncached = forced_ids(new_engine(llama_engine.backbone), [other])
    again = finish(llama_engine, [other], ignore_eos=True)
    assert again.prefix_hits == 1
    assert [list(ids) for ids in again.ids] == uncached


def test_the_first_snapshot_of_known_passages_has_them_all_read(llama_engine: LocalEngine) -> None:
    finish(llama_engine, asks(), 1)
    first = next(llama_engine.stream(asks(), DecodingOptions(1)))
    assert first.prefix_read == first.prefix_tokens == len(llama_engine.backbone.tokenization.encode(PROMPT)[0])


def test_a_cache_that_is_full_drops_the_passages_used_longest_ago(llama_engine: LocalEngine) -> None:
    finish(llama_engine, [GenerationRequest(PROMPT)], 1)
    budget = llama_engine.prefixes.nbytes * 3 // 2
    engine = new_engine(llama_engine.backbone, cache_bytes=budget)
    for prompt in (PROMPT, OTHER_PROMPT):
        finish(engine, [GenerationRequest(prompt)], 1)
    assert len(engine.prefixes) == 1
    assert 0 < engine.prefixes.nbytes <= budget
    assert finish(engine, [GenerationRequest(OTHER_PROMPT)], 1).prefix_hits == 1
    assert finish(engine, [GenerationRequest(PROMPT)], 1).prefix_hits == 0


def test_a_use_keeps_passages_in_the_cache(llama_engine: LocalEngine) -> None:
    prompts = [build_prompt([passage], QUESTION) for passage in PASSAGES]
    for prompt in prompts:
        finish(llama_engine, [GenerationRequest(prompt)], 1)
    engine = new_engine(llama_engine.backbone, cache_bytes=llama_engine.prefixes.nbytes - 1)
    for prompt in (prompts[0], prompts[1], prompts[0], prompts[2]):
        finish(engine, [GenerationRequest(prompt)], 1)
    assert finish(engine, [GenerationRequest(prompts[0])], 1).prefix_hits == 1


def test_without_a_budget_nothing_is_kept_and_the_answers_are_the_same(llama_engine: LocalEngine) -> None:
    engine = new_engine(llama_engine.backbone, cache_bytes=0)
    for _ in range(2):
        assert forced_ids(engine, MIXED) == forced_ids(llama_engine, MIXED)
    assert len(engine.prefixes) == 0


# --- streaming ---


@pytest.fixture(scope="module")
def snapshots(tiny_llama: Backbone) -> list[Progress]:
    """All snapshots of one batch."""
    return list(new_engine(tiny_llama).stream(MIXED, DecodingOptions(12, ignore_eos=True)))


def test_every_token_has_a_snapshot(snapshots: list[Progress]) -> None:
    counts = [progress.answers[0].new_tokens for progress in snapshots]
    assert [count for count in counts if count] == list(range(1, 13))


def test_new_tokens_counts_the_ids(snapshots: list[Progress]) -> None:
    for progress in snapshots[-12:]:
        assert [len(ids) for ids in progress.ids] == [answer.new_tokens for answer in progress.answers]


def test_ids_are_only_ever_added(snapshots: list[Progress]) -> None:
    for earlier, later in pairwise(snapshots[-12:]):
        assert all(b[: len(a)] == a for a, b in zip(earlier.ids, later.ids, strict=True))


def test_texts_only_ever_grow(snapshots: list[Progress]) -> None:
    for earlier, later in pairwise(snapshots):
        for a, b in zip(earlier.answers, later.answers, strict=True):
            assert b.text.startswith(a.text)


def test_the_text_is_that_of_the_ids(snapshots: list[Progress], tiny_llama: Backbone) -> None:
    last = snapshots[-1]
    assert [answer.text for answer in last.answers] == [tiny_llama.tokenization.decode(ids) for ids in last.ids]
    assert any(answer.text for answer in last.answers)


def test_the_reading_of_the_passages_only_ever_goes_on(snapshots: list[Progress]) -> None:
    read = [progress.prefix_read for progress in snapshots]
    assert read == sorted(read)
    assert 0 < read[0] < read[-1] == snapshots[-1].prefix_tokens


def test_shared_passages_count_once(snapshots: list[Progress], tiny_llama: Backbone) -> None:
    distinct = {tuple(tiny_llama.tokenization.encode(request.prompt)[0]) for request in MIXED}
    assert len(distinct) == 3  # the instruction comes after the seam
    assert snapshots[-1].prefix_tokens == sum(map(len, distinct))


def test_only_the_last_snapshot_is_done(snapshots: list[Progress]) -> None:
    assert [progress.done for progress in snapshots] == [False] * (len(snapshots) - 1) + [True]


def test_the_clock_goes_from_asking_to_the_latest_token(snapshots: list[Progress]) -> None:
    seconds = [progress.answers[0].seconds for progress in snapshots]
    last = snapshots[-1].answers[0]
    assert seconds == sorted(seconds)
    assert 0 < snapshots[-1].prefill_seconds < last.first_token_seconds < last.seconds
    assert last.tokens_per_second == pytest.approx(11 / (last.seconds - last.first_token_seconds))


def test_half_of_a_character_is_not_shown_before_its_end(tiny_llama: Backbone) -> None:
    texts_ = [
        answer.text
        for progress in new_engine(tiny_llama).stream(asks(), DecodingOptions(20, ignore_eos=True))
        for answer in progress.answers
        if not answer.ended
    ]
    assert not any(text.endswith("\N{REPLACEMENT CHARACTER}") for text in texts_)


@pytest.mark.parametrize("new_tokens", [1, 2, 7])
def test_an_answer_is_cut_at_the_maximum(llama_engine: LocalEngine, new_tokens: int) -> None:
    last = finish(llama_engine, asks(), new_tokens, ignore_eos=True)
    assert {(answer.new_tokens, answer.ended) for answer in last.answers} == {(new_tokens, "length")}


def test_every_answer_ends_where_the_model_ends_it(tiny_llama: Backbone) -> None:
    forced = forced_ids(new_engine(tiny_llama), asks(), 12)
    eos = next(token for token in forced[0][2:] if token not in forced[1])
    expected = [ids[: ids.index(eos)] if eos in ids else ids for ids in forced]
    last = finish(new_engine(with_eos(tiny_llama, eos)), asks(), 12)
    assert [list(ids) for ids in last.ids] == expected
    ended = ["stop" if len(ids) < 12 else "length" for ids in expected]
    assert [answer.ended for answer in last.answers] == ended
    assert {"stop", "length"} == set(ended)  # rows that went on beside one that had ended


def test_the_end_of_sequence_is_no_part_of_the_answer(tiny_llama: Backbone) -> None:
    eos = forced_ids(new_engine(tiny_llama), asks(ks=(0,)), 1)[0][0]
    answer = finish(new_engine(with_eos(tiny_llama, eos)), asks(ks=(0,))).answers[0]
    assert (answer.text, answer.new_tokens, answer.ended) == ("", 0, "stop")


# --- several streams ---


def test_a_dropped_stream_leaves_the_engine_usable(tiny_engine: LocalEngine) -> None:
    expected = forced_ids(new_engine(tiny_engine.backbone), asks())
    for steps in (1, 2, 5):  # while reading, after the first token, later
        stream = tiny_engine.stream(asks())
        for _ in range(steps):
            next(stream)
        stream.close()
    assert forced_ids(tiny_engine, asks()) == expected


def test_passages_of_which_a_part_was_read_are_not_taken_for_read(
    llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = forced_ids(new_engine(llama_engine.backbone), asks())
    monkeypatch.setitem(PREFILL_CHUNK, llama_engine.backbone.model.device.type, 7)
    stream = llama_engine.stream(asks())
    assert 0 < next(stream).prefix_read < len(llama_engine.backbone.tokenization.encode(PROMPT)[0])
    stream.close()
    assert forced_ids(llama_engine, asks()) == expected


def test_a_stream_that_is_never_read_does_no_work(llama_engine: LocalEngine) -> None:
    llama_engine.stream(asks())
    assert finish(llama_engine, asks(), 1).prefix_hits == 0


@pytest.mark.parametrize("other", [asks(ks=(0, 20)), [GenerationRequest(OTHER_PROMPT, 7)]], ids=["same", "other"])
def test_two_streams_in_turns_are_as_alone(tiny_engine: LocalEngine, other: list[GenerationRequest]) -> None:
    alone = [forced_ids(new_engine(tiny_engine.backbone), requests) for requests in (asks(), other)]
    streams = [tiny_engine.stream(requests, DecodingOptions(8, ignore_eos=True)) for requests in (asks(), other)]
    last = list(zip(*streams, strict=False))[-1]
    assert [[list(ids) for ids in progress.ids][: len(alone[i])] for i, progress in enumerate(last)] == alone


def test_streams_of_several_threads_are_as_alone(llama_engine: LocalEngine) -> None:
    batches = [asks(ks=(k, 50 - k)) for k in range(0, 50, 7)] + [MIXED, [GenerationRequest(OTHER_PROMPT, 7)]]
    alone = [forced_ids(new_engine(llama_engine.backbone), batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda batch: forced_ids(llama_engine, batch), batches))
    assert together == alone


@pytest.mark.parametrize("steps", range(1, 7))
def test_a_stream_may_come_between_any_two_steps_of_another(
    llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Both add virtual tokens to the same cached passages."""
    few, many, between = ([GenerationRequest(PROMPT, k)] for k in (5, 50, 30))
    alone = [forced_ids(new_engine(llama_engine.backbone), requests) for requests in (few, many, between)]
    finish(llama_engine, [GenerationRequest(PROMPT, 0)], 1)
    on_worker, taken, answers = llama_engine.on_worker, iter(range(1, 1000)), {}

    def interrupted(function: Callable[..., object], *args: object) -> object:
        result = on_worker(function, *args)
        if next(taken) == steps:
            answers["few"] = forced_ids(llama_engine, few)
        return result

    monkeypatch.setattr(llama_engine, "on_worker", interrupted)
    answers["many"] = forced_ids(llama_engine, many)
    answers["between"] = forced_ids(llama_engine, between)
    assert [answers[name] for name in ("few", "many", "between")] == alone


# --- sampling ---


def test_the_same_seed_gives_the_same_text(llama_engine: LocalEngine) -> None:
    first, second = (texts(llama_engine, asks(), temperature=1.0, seed=7) for _ in range(2))
    assert first == second


def test_different_seeds_give_different_texts(llama_engine: LocalEngine) -> None:
    first, second = (texts(llama_engine, asks(), temperature=1.0, seed=seed) for seed in (7, 8))
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_sampling_is_not_greedy(llama_engine: LocalEngine) -> None:
    assert texts(llama_engine, asks(), temperature=2.0) != texts(llama_engine, asks())


def test_a_low_temperature_is_nearly_greedy(llama_engine: LocalEngine) -> None:
    assert texts(llama_engine, asks(), temperature=0.001) == texts(llama_engine, asks())


def test_greedy_decoding_does_not_look_at_the_seed(llama_engine: LocalEngine) -> None:
    assert texts(llama_engine, asks(), seed=7) == texts(llama_engine, asks(), seed=8)


def test_sampling_leaves_the_global_random_state_alone(llama_engine: LocalEngine) -> None:
    before = torch.get_rng_state()
    texts(llama_engine, asks(), temperature=1.0, seed=7)
    assert torch.equal(torch.get_rng_state(), before)


# --- what cannot be asked ---

LONG = build_prompt([Passage("a", 1, 0, FERRY * 40)], QUESTION)


@pytest.mark.parametrize(
    ("requests", "options", "reason"),
    [
        ([], {}, "at least one answer"),
        ([GenerationRequest(PROMPT, -1)], {}, "-1 virtual tokens are out of range: there are 0 to 50"),
        ([GenerationRequest(PROMPT), GenerationRequest(PROMPT, 51)], {}, "51 virtual tokens are out of range"),
        ([GenerationRequest(LONG)], {}, r"need \d+ tokens, but tiny-llama takes 512"),
        ([GenerationRequest(PROMPT), GenerationRequest(LONG, 50)], {}, "takes 512"),
        ([GenerationRequest(PROMPT, 50)], {"max_new_tokens": 512}, "takes 512"),
        ([GenerationRequest(PROMPT)], {"max_new_tokens": 0}, "1 to 1024 tokens, not 0"),
        ([GenerationRequest(PROMPT)], {"max_new_tokens": 1025}, "1 to 1024 tokens, not 1025"),
        ([GenerationRequest(PROMPT)], {"temperature": -0.1}, "temperature must be 0 .greedy. to 5"),
        ([GenerationRequest(PROMPT)], {"temperature": 5.1}, "temperature must be"),
        ([GenerationRequest(PROMPT)], {"temperature": float("nan")}, "temperature must be"),
        ([GenerationRequest(PROMPT)], {"seed": 2**64}, "seed must be a number of 64 bits"),
        ([GenerationRequest(PROMPT)], {"seed": -(2**63) - 1}, "seed must be a number of 64 bits"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(
    llama_engine: LocalEngine, requests: list[GenerationRequest], options: dict[str, float], reason: str
) -> None:
    with pytest.raises(PromptError, match=reason) as error:
        llama_engine.stream(requests, DecodingOptions(**options))
    one_line(error)


def test_a_prompt_that_just_fits_is_answered(llama_engine: LocalEngine) -> None:
    room = 512 - llama_engine.backbone.tokenization.count(PROMPT) - 50
    assert finish(llama_engine, [GenerationRequest(PROMPT, 50)], room, ignore_eos=True).answers[0].new_tokens == room
    with pytest.raises(PromptError, match="need 513 tokens"):
        llama_engine.stream([GenerationRequest(PROMPT, 50)], DecodingOptions(room + 1))


def test_tokens_of_another_backbone_are_refused(tiny_llama: Backbone) -> None:
    with pytest.raises(TokenFileError, match="made for the backbone tiny-mistral, not for tiny-llama"):
        LocalEngine(tiny_llama, VirtualTokens(torch.ones(50, 64), "tiny-mistral"))


def test_an_engine_is_loaded_with_a_token_file(tiny_llama_folder: Path, tmp_path: Path) -> None:
    VirtualTokens(torch.ones(4, 64), "tiny-llama", "by hand").save(tmp_path / "t.safetensors")
    engine = load_engine(str(tiny_llama_folder), tmp_path / "t.safetensors", "fp32")
    assert (len(engine.tokens), engine.tokens.learned) == (4, "by hand")


def test_an_engine_without_a_token_file_has_the_initial_values(tiny_llama_folder: Path, tiny_llama: Backbone) -> None:
    engine = load_engine(str(tiny_llama_folder), precision="fp32")
    assert torch.equal(engine.tokens.embeddings, tiny_llama.initial_virtual_tokens().embeddings)


# --- nothing changes ---


def test_comparing_changes_no_bit_of_the_model_or_the_tokenizer(tiny: Backbone) -> None:
    before = fingerprint(tiny)
    engine = new_engine(tiny)
    finish(engine, MIXED)
    finish(engine, asks(), temperature=1.0)
    engine.stream(asks()).close()
    assert fingerprint(tiny) == before


def test_comparing_changes_no_bit_of_the_default_backbone(default_engine: LocalEngine) -> None:
    before = fingerprint(default_engine.backbone)
    finish(default_engine, asks(BRIEF), 2)
    assert fingerprint(default_engine.backbone) == before


def test_a_changed_bit_would_be_seen(tiny_llama_folder: Path, tiny_llama: Backbone) -> None:
    changed = load_backbone(str(tiny_llama_folder), "fp32")
    assert fingerprint(changed) == fingerprint(tiny_llama)
    with torch.no_grad():
        changed.model.lm_head.weight[0, 0] += 1e-6
    assert fingerprint(changed) != fingerprint(tiny_llama)


# --- few rows on a CPU ---


@pytest.fixture(params=[True, False], ids=["bias", "no bias"])
def linear(request: pytest.FixtureRequest) -> nn.Linear:
    torch.manual_seed(5)
    layer = nn.Linear(48, 40, bias=request.param)
    speed_up_linear(layer)
    return layer


@pytest.mark.parametrize("rows", [1, 2, 5, MOST_ROWS, MOST_ROWS + 1])
@pytest.mark.parametrize("lead", [(), (1,), (2,)], ids=["2-D", "3-D", "two rows of a batch"])
def test_a_sped_up_layer_computes_the_same(linear: nn.Linear, rows: int, lead: tuple[int, ...]) -> None:
    input_ = torch.randn(*lead, rows, 48, generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        expected = functional.linear(input_, linear.weight, linear.bias)
        torch.testing.assert_close(linear(input_), expected, atol=1e-5, rtol=0)


@pytest.fixture
def no_mm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the other way round fail."""

    def mm(*_: Tensor) -> Tensor:
        raise AssertionError("the other way round")

    monkeypatch.setattr(torch, "mm", mm)


@pytest.mark.usefixtures("no_mm")
@pytest.mark.parametrize("rows", [2, MOST_ROWS])
def test_few_rows_are_computed_the_other_way_round(linear: nn.Linear, rows: int) -> None:
    with torch.inference_mode(), pytest.raises(AssertionError, match="the other way round"):
        linear(torch.ones(rows, 48))


@pytest.mark.usefixtures("no_mm")
@pytest.mark.parametrize("rows", [1, MOST_ROWS + 1])
def test_one_row_and_many_are_computed_the_plain_way(linear: nn.Linear, rows: int) -> None:
    with torch.inference_mode():
        assert linear(torch.ones(rows, 48)).shape == (rows, 40)


@pytest.mark.usefixtures("no_mm")
def test_with_gradients_the_plain_way_is_taken(linear: nn.Linear) -> None:
    input_ = torch.ones(5, 48, requires_grad=True)
    linear(input_).sum().backward()
    torch.testing.assert_close(input_.grad[0], linear.weight.detach().sum(0))


def test_speeding_up_leaves_the_weights_where_they_are() -> None:
    layer = nn.Linear(4, 4)
    before = dict(layer.named_parameters())
    speed_up_linear(layer)
    assert {name: id(weight) for name, weight in layer.named_parameters()} == {
        name: id(weight) for name, weight in before.items()
    }


def test_layers_of_another_kind_are_left_alone() -> None:
    class Quantized(nn.Linear):
        """Derives from nn.Linear, as bitsandbytes' layers do."""

    layers = nn.ModuleList([Quantized(4, 4), nn.Linear(4, 4, dtype=torch.bfloat16), nn.Embedding(4, 4)])
    speed_up_linear(layers)
    assert not any("forward" in vars(layer) for layer in layers)


# --- 4-bit ---


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_mistral"])
def four_bit(request: pytest.FixtureRequest) -> Backbone:
    return load_backbone(str(request.getfixturevalue(f"{request.param}_folder")), "4bit")


def test_the_precision_is_recorded(four_bit: Backbone) -> None:
    assert four_bit.precision == "4bit"


def test_the_weights_are_packed_in_bytes_beside_their_quantization_state(four_bit: Backbone) -> None:
    state = four_bit.model.state_dict()
    weight = "model.layers.0.mlp.up_proj.weight"
    assert (state[weight].dtype, state[weight].numel()) == (torch.uint8, 64 * 96 // 2)
    assert f"{weight}.absmax" in state


def test_a_4_bit_model_streams_two_answers_and_stays_as_it_is(four_bit: Backbone) -> None:
    before = fingerprint(four_bit)
    *_, last = new_engine(four_bit).stream(asks(ks=(0, 50)), DecodingOptions(5, ignore_eos=True))
    assert [answer.new_tokens for answer in last.answers] == [5, 5]
    assert last.ids[0] != last.ids[1]
    assert fingerprint(four_bit) == before


def test_a_4_bit_model_without_virtual_tokens_is_the_plain_4_bit_model(four_bit: Backbone) -> None:
    assert forced_ids(new_engine(four_bit), asks(ks=(0,))) == [generated(four_bit, PROMPT)]


# --- rows of a batch that are dropped ---


@pytest.mark.parametrize("keep", [[0], [3], [0, 1, 2, 3], [1, 3], [0, 3], [2, 3], [1, 2, 3]])
def test_rows_are_kept_in_place(keep: list[int]) -> None:
    cache = new_cache(2, 6)
    states = torch.arange(4.0)[:, None, None, None].expand(4, 3, 5, 2)
    for layer in range(2):
        cache.update(states, -states, layer)
    order = keep_rows(cache, keep)
    assert sorted(order) == keep
    more = torch.tensor(order)[:, None, None, None].expand(len(keep), 3, 1, 2) + 10.0
    for layer in range(2):
        keys, values = cache.update(more, -more, layer)
        assert torch.equal(keys[:, 0, 0, 0], torch.tensor(order, dtype=torch.float32))
        assert torch.equal(keys[:, :, 5:], more)
        assert torch.equal(values, -keys)


def test_the_whole_path_in_4_bit_gives_the_recipes_ids(four_bit: Backbone) -> None:
    engine = new_engine(four_bit)
    recipe = Recipe.extend(four_bit, engine.tokens)
    expected = [recipe.generate(PROMPT, k, 12, forced=True) for k in KS]
    assert forced_ids(engine, asks(), 12) == expected
    assert forced_ids(engine, asks(ks=(50, 0)), 12) == [expected[3], expected[0]]  # over the cached passages
    assert len(set(map(tuple, expected))) == len(KS)


def test_4_bit_is_not_full_precision(four_bit: Backbone, request: pytest.FixtureRequest) -> None:
    full = request.getfixturevalue(four_bit.name.replace("-", "_"))
    assert forced_ids(new_engine(four_bit), asks(), 12) != forced_ids(new_engine(full), asks(), 12)


def test_with_double_quantization_the_scales_are_numbers_of_8_bits(tiny_llama_folder: Path) -> None:
    engine = new_engine(load_backbone(str(tiny_llama_folder), "4bit-double"))
    scales = engine.backbone.model.state_dict()["model.layers.0.mlp.up_proj.weight.absmax"]
    assert (engine.backbone.precision, scales.dtype) == ("4bit-double", torch.uint8)
    assert forced_ids(engine, asks(ks=(0,))) == [generated(engine.backbone, PROMPT)]


def test_the_default_backbone_in_4_bit_answers_as_the_recipe_does(default_four_bit: LocalEngine) -> None:
    recipe = Recipe.extend(default_four_bit.backbone, default_four_bit.tokens)
    assert forced_ids(default_four_bit, asks(BRIEF, (0, 50)), 4) == [
        recipe.generate(BRIEF, k, 4, True) for k in (0, 50)
    ]


def test_the_default_backbone_in_4_bit_compares_documents(default_four_bit: LocalEngine) -> None:
    before = fingerprint(default_four_bit.backbone)
    *_, last = compare(
        default_four_bit, Bm25Retriever(PASSAGES), QUESTION, ComparisonSettings((0, 50), decoding=DecodingOptions(6))
    )
    assert [answer.new_tokens > 0 for answer in last.answers] == [True, True]
    assert "nine" in last.answers[1].text
    assert as_dict(last, default_four_bit)["precision"] == "4bit"
    assert "precision <b>4bit</b>" in render.facts(default_four_bit)
    assert fingerprint(default_four_bit.backbone) == before
