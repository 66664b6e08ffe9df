"""Which ids stand beside the virtual tokens, against the recipe of the authors' README on real tokenizers.

In training (the authors' collator) the whole text is encoded at once; their README writes `[ref1]...` into the text,
so the tokenizer encodes both sides apart. See `spring.models.tokenization` for what that comes to.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.recipe import Recipe
from spring.cli.main import main
from spring.data.types import Passage
from spring.errors import BackboneError
from spring.generation.engine import LocalEngine
from spring.generation.types import GenerationRequest
from spring.models.backbone import Backbone
from spring.models.loader import load_backbone
from spring.models.tokenization import Tokenization
from spring.rag.prompt import build_prompt
from tests.conftest import FERRY, PASSAGES, PROMPT, QUESTION, fingerprint, forced_ids, new_engine, one_line

SCHEMES = ("always", "first", "never")
K = (1, 10, 50)


def with_spaces(tokenizer: PreTrainedTokenizerBase, scheme: str) -> PreTrainedTokenizerBase:
    """The tiny SentencePiece-like tokenizer with its space marks put as a scheme says, or by a normalizer."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    if scheme == "normalizer":  # Llama's and Mistral's tokenizer.json of the papers' days
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.pre_tokenizer = None
        backend.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
        metaspace = decoders.Metaspace(prepend_scheme=scheme, split=False)
        backend.decoder = decoders.Sequence([metaspace, decoders.ByteFallback(), decoders.Fuse()])
    return type(tokenizer)(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", split_special_tokens=True
    )


def model_of(tiny: Backbone, other: Backbone) -> PreTrainedModel:
    """A tiny Llama or Mistral whose vocabulary is the SentencePiece-like tokenizer's."""
    config = type(tiny.model.config)(**{**tiny.model.config.to_dict(), "vocab_size": len(other.tokenizer)})
    torch.manual_seed(11)
    return type(tiny.model)(config)


@pytest.fixture(params=["tiny_llama", "tiny_mistral"])
def kind(request: pytest.FixtureRequest) -> Backbone:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[*SCHEMES, "normalizer"])
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


def backbone_of(kind: Backbone, tiny_mistral: Backbone, scheme: str, layout: str = "training") -> Backbone:
    tokenization = Tokenization(kind.name, with_spaces(tiny_mistral.tokenizer, scheme), layout)
    return Backbone(model_of(kind, tiny_mistral), tokenization, "fp32")


def recipe_ids(recipe: Recipe, k: int) -> list[int]:
    """Ids of the text as the authors' README writes it."""
    names = "".join(f"[ref{i}]" for i in range(1, k + 1))
    return list(recipe.tokenizer(f"{PROMPT.before}{names}{PROMPT.after}")["input_ids"])


def answer(engine: LocalEngine, k: int) -> tuple[list[int], torch.Tensor]:
    """Our first six ids, and the logits (1, vocabulary) of the first."""
    caught: list[torch.Tensor] = []
    hook = engine.backbone.model.register_forward_hook(lambda *args: caught.append(args[-1].logits[:, -1]))
    ids = forced_ids(engine, [GenerationRequest(PROMPT, k)], 6)[0]
    hook.remove()
    return ids, caught[0]


def theirs(recipe: Recipe, ids: list[int]) -> tuple[list[int], torch.Tensor]:
    """The same of the recipe's extended model."""
    recipe.model.generation_config.eos_token_id = None
    input_ids = torch.tensor([ids])
    options = {"attention_mask": torch.ones_like(input_ids), "do_sample": False, "pad_token_id": 0}
    with torch.inference_mode():
        output = recipe.model.generate(input_ids, max_new_tokens=6, **options)
        return output[0, len(ids) :].tolist(), recipe.model(input_ids).logits[:, -1]


def assert_same(ours: tuple[list[int], torch.Tensor], expected: tuple[list[int], torch.Tensor]) -> None:
    assert ours[0] == expected[0]
    torch.testing.assert_close(ours[1], expected[1], atol=1e-4, rtol=0)


def seam(engine: LocalEngine, recipe: Recipe, k: int) -> list[int]:
    """Our ids, with those of the recipe's tokens where ours go in."""
    before, after = engine.backbone.tokenization.encode(PROMPT)
    return [*before, *recipe.tokenizer.convert_tokens_to_ids([f"[ref{i}]" for i in range(1, k + 1)]), *after]


# --- what the recipe's text comes to ---


@pytest.mark.parametrize("k", K)
@pytest.mark.parametrize("scheme", ["first", "never"])
def test_without_a_space_mark_after_the_tokens_the_recipe_is_as_training(
    kind: Backbone, tiny_mistral: Backbone, scheme: str, k: int
) -> None:
    engine = new_engine(backbone_of(kind, tiny_mistral, scheme))
    recipe = Recipe.extend(engine.backbone, engine.tokens)
    assert recipe_ids(recipe, k) == seam(engine, recipe, k)


@pytest.mark.parametrize("k", K)
def test_with_always_the_recipe_puts_a_space_mark_that_training_did_not_see(
    kind: Backbone, tiny_mistral: Backbone, k: int
) -> None:
    engine = new_engine(backbone_of(kind, tiny_mistral, "always"))
    recipe = Recipe.extend(engine.backbone, engine.tokens)
    written = recipe_ids(recipe, k)
    assert written != seam(engine, recipe, k)
    first = written[len(engine.backbone.tokenization.encode(PROMPT)[0]) + k]
    assert recipe.tokenizer.convert_ids_to_tokens(first).startswith("▁")


def test_with_a_normalizer_the_recipes_tokens_are_not_found_in_the_text(tiny_mistral: Backbone) -> None:
    engine = new_engine(backbone_of(tiny_mistral, tiny_mistral, "normalizer"))
    recipe = Recipe.extend(engine.backbone, engine.tokens)
    names = set(recipe.tokenizer.convert_tokens_to_ids([f"[ref{i}]" for i in range(1, 51)]))
    assert not names & set(recipe_ids(recipe, 50))


def test_the_whole_text_has_the_same_ids_with_every_scheme_but_the_first_mark(tiny_mistral: Backbone) -> None:
    ids = {scheme: with_spaces(tiny_mistral.tokenizer, scheme)(str(PROMPT))["input_ids"] for scheme in SCHEMES}
    assert ids["always"] == ids["first"]
    assert ids["never"] != ids["first"]
    assert ids["never"][-10:] == ids["first"][-10:]


# --- our answers: those of training, or with the layout "recipe" the recipe's own ---


@pytest.mark.parametrize("k", K)
def test_our_ids_and_logits_are_those_of_the_training_layout(
    kind: Backbone, tiny_mistral: Backbone, scheme: str, k: int
) -> None:
    engine = new_engine(backbone_of(kind, tiny_mistral, scheme))
    recipe = Recipe.extend(engine.backbone, engine.tokens)
    before, after = engine.backbone.tokenization.encode(PROMPT)
    assert before + after == engine.backbone.tokenizer(str(PROMPT))["input_ids"]
    assert_same(answer(engine, k), theirs(recipe, seam(engine, recipe, k)))


@pytest.mark.parametrize("k", K)
def test_with_the_recipes_layout_our_ids_and_logits_are_the_recipes(
    kind: Backbone, tiny_mistral: Backbone, k: int
) -> None:
    for scheme in SCHEMES:
        engine = new_engine(backbone_of(kind, tiny_mistral, scheme, "recipe"))
        recipe = Recipe.extend(engine.backbone, engine.tokens)
        ids = recipe_ids(recipe, k)
        assert seam(engine, recipe, k) == ids
        assert_same(answer(engine, k), theirs(recipe, ids))


def test_with_a_normalizer_the_recipes_layout_is_as_with_always(tiny_mistral: Backbone) -> None:
    sides = [
        backbone_of(tiny_mistral, tiny_mistral, scheme, "recipe").tokenization.encode(PROMPT)
        for scheme in ("normalizer", "always")
    ]
    assert sides[0] == sides[1]


def test_the_default_backbones_recipe_joins_the_line_ends(default_engine: LocalEngine) -> None:
    trained = default_engine.backbone
    recipe = Backbone(trained.model, replace(trained.tokenization, layout="recipe"), trained.precision)
    ids = recipe.tokenization.encode(PROMPT), trained.tokenization.encode(PROMPT)
    assert ids[0] != ids[1]
    assert [trained.tokenizer.decode([*before, *after]) for before, after in ids] == [str(PROMPT)] * 2


# --- the recipe's layout keeps what the other promises ---

WRITTEN = "see [ref7] and [seam 0]<|im_start|>user </s> <s> [ref1]"


def test_documents_stay_text(tiny_mistral: Backbone) -> None:
    recipe = backbone_of(tiny_mistral, tiny_mistral, "always", "recipe")
    before, after = recipe.tokenization.encode(build_prompt([Passage("a", 1, 0, WRITTEN)], WRITTEN))
    assert before.count(recipe.tokenizer.bos_token_id) == 1
    assert recipe.tokenizer.eos_token_id not in before + after
    assert max(before + after) < len(recipe.tokenizer)
    assert WRITTEN in recipe.tokenizer.decode(before)


def test_the_tokenizer_stays_as_it_is(tiny_mistral: Backbone) -> None:
    recipe = backbone_of(tiny_mistral, tiny_mistral, "always", "recipe")
    before = fingerprint(recipe)
    recipe.tokenization.encode(build_prompt(PASSAGES, QUESTION))
    assert fingerprint(recipe) == before


def test_an_unknown_layout_is_refused(tiny_llama_folder: Path) -> None:
    with pytest.raises(BackboneError, match="no layout 'chat': choose one of training, recipe") as error:
        load_backbone(str(tiny_llama_folder), "fp32", layout="chat")
    one_line(error)


def test_the_command_line_takes_the_layout(
    tiny_mistral_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(FERRY)
    asked = ["ask", QUESTION, "--documents", str(tmp_path), "--backbone", str(tiny_mistral_folder), "--json"]
    texts = []
    for layout in ("training", "recipe"):
        assert main([*asked, "--precision", "fp32", "--max-new-tokens", "4", "--layout", layout]) == 0
        texts.append([answer["text"] for answer in json.loads(capsys.readouterr().out)["answers"]])
    assert texts[0] == texts[1]  # this tokenizer puts its mark before the first piece alone


# --- which scheme transformers makes of a published tokenizer ---


@pytest.mark.parametrize(
    ("config", "legacy", "scheme"),
    [
        ("llama", False, "first"),
        ("llama", True, "always"),
        ("mistral", True, "normalizer"),
        ("mistral", False, "normalizer"),
    ],
)
def test_what_transformers_makes_of_llamas_and_mistrals_files(
    tiny_mistral: Backbone, tmp_path: Path, config: str, legacy: bool, scheme: str
) -> None:
    with_spaces(tiny_mistral.tokenizer, "normalizer").backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    about = {"tokenizer_class": "LlamaTokenizer", "legacy": legacy, "bos_token": "<s>", "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(about | {"unk_token": "<unk>"}))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": config}))
    loaded = json.loads(AutoTokenizer.from_pretrained(tmp_path).backend_tokenizer.to_str())
    made = loaded["pre_tokenizer"]["prepend_scheme"] if loaded["pre_tokenizer"] else "normalizer"
    assert made == scheme
    assert (loaded["normalizer"] is None) == (scheme != "normalizer")
