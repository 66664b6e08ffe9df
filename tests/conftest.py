"""Markers by folder and fixture, tiny random models with real tokenizers, the default engine, shared helpers.

torch and transformers are imported where they are needed: pytest imports this file in every process, and the one that
starts the others needs neither.
"""

from __future__ import annotations

import copy
import gc
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spring.data.sandbox import files as sandbox_files
from spring.data.sandbox import parent as sandbox_parent
from spring.data.sandbox.parent import Sandbox
from spring.data.types import Passage
from spring.generation.types import DecodingOptions, GenerationRequest, Progress
from spring.rag.prompt import INSTRUCTION, Prompt, build_prompt
from tests.support.shares import (  # noqa: F401  # hooks
    pytest_configure_node,
    pytest_ignore_collect,
    pytest_sessionstart,
    pytest_xdist_make_scheduler,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from spring.generation.engine import LocalEngine
    from spring.models.backbone import Backbone

ROOT = Path(__file__).parent.parent
WINDOW = 24  # of the tiny Mistral's attention: shorter than every prompt with a passage

FERRY = "The ferry of Orlo Station leaves the northern pier at nine and carries wool, salt and letters."
MAST = "The radio mast on Long Agnes is ninety metres high, and its lamp is lit at dusk by the keeper."
KITES = "At the kite festival every child of Port Ninnow gets a bun, a ribbon and a reel of string."
QUESTION = "When does the ferry leave the northern pier?"
PASSAGES = [Passage(f"{i}.txt", 1, 0, text) for i, text in enumerate((FERRY, MAST, KITES))]
PROMPT = build_prompt(PASSAGES[:2], QUESTION)
KS = (0, 1, 10, 50)
READING_JOBS = ("spring.data.sandbox.jobs:document_job", "spring.data.sandbox.jobs:questions_job")
gc.disable()  # until all is imported and collected
os.environ.setdefault("SPRING_PRECISION", "fp32")  # of the pages that tests start: exact, and the same everywhere

_TRAINING_TEXT = [FERRY, MAST, KITES, INSTRUCTION, f"Question: {QUESTION}\nAnswer: nine"] * 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they need: their folder or their fixtures say it."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in ("live", "browser"):
            item.add_marker(folder)
        elif "needs_model" in getattr(item, "fixturenames", ()):
            item.add_marker("model")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through the millions of objects of the libraries again and again."""
    gc.freeze()
    gc.enable()


# --- the models; their tokenizers are saved as on a hub, so it is loading them that makes special tokens text ---


def _byte_level_tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["</s>", "<|im_start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TRAINING_TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="</s>",
        additional_special_tokens=["<|im_start|>"],
    )


def _metaspace_tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    metaspace = decoders.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([metaspace, decoders.ByteFallback(), decoders.Fuse()])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False)
    # As in Llama's vocabulary, a line end is a byte of its own, and bytes are no special tokens.
    tokenizer.train_from_iterator((line for text in _TRAINING_TEXT for line in text.split("\n")), trainer)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = state["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def _shape(tokenizer: PreTrainedTokenizerFast) -> dict[str, object]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": False,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "initializer_range": 0.25,  # wide enough for every token of the prompt to change the answer
    }


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved random Llama with grouped heads, an untied head and a byte-level tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _byte_level_tokenizer()
    torch.manual_seed(1)
    model = LlamaForCausalLM(LlamaConfig(**_shape(tokenizer)))
    return _save(model, tokenizer, tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_mistral_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved random Mistral with a sliding window and a SentencePiece-like tokenizer that adds <s>."""
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    tokenizer = _metaspace_tokenizer()
    torch.manual_seed(2)
    model = MistralForCausalLM(MistralConfig(**_shape(tokenizer), sliding_window=WINDOW))
    return _save(model, tokenizer, tmp_path_factory.mktemp("models") / "tiny-mistral")


@pytest.fixture(scope="session")
def tiny_llama(tiny_llama_folder: Path) -> Backbone:
    from spring.models.loader import load_backbone

    return load_backbone(str(tiny_llama_folder), "fp32")


@pytest.fixture(scope="session")
def tiny_mistral(tiny_mistral_folder: Path) -> Backbone:
    from spring.models.loader import load_backbone

    return load_backbone(str(tiny_mistral_folder), "fp32")


@pytest.fixture(scope="session")
def endless_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder and the token file of a random model that never ends an answer: 256 tokens take it seconds."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from spring.models.loader import load_backbone

    tokenizer, folder = _byte_level_tokenizer(), tmp_path_factory.mktemp("models") / "endless"
    torch.manual_seed(4)
    shape = _shape(tokenizer) | {"num_hidden_layers": 48, "max_position_embeddings": 4096}
    _save(LlamaForCausalLM(LlamaConfig(**shape)), tokenizer, folder)
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": 399}))
    new_engine(load_backbone(str(folder), "fp32")).tokens.save(folder / "tokens.safetensors")
    return folder, folder / "tokens.safetensors"


@pytest.fixture(params=["tiny_llama", "tiny_mistral"])
def tiny(request: pytest.FixtureRequest) -> Backbone:
    """Either of the tiny backbones."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def llama_engine(tiny_llama: Backbone) -> LocalEngine:
    return new_engine(tiny_llama)


@pytest.fixture
def tiny_engine(tiny: Backbone) -> LocalEngine:
    return new_engine(tiny)


@pytest.fixture(scope="session")
def _pt_child() -> Iterator[Sandbox]:
    """Starts with the first file, and again after a file that ended it. It takes no place from other children."""
    from spring.models.token_files import PT_LIMITS

    with Sandbox("spring.models.plain_tensor:pt_job", replace(PT_LIMITS, upload_seconds=10**9)) as child:
        sandbox_parent._places.release()
        yield child
        sandbox_parent._places.acquire()


@pytest.fixture
def pt_child(_pt_child: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all `.pt` files be read in the same child, which imports torch: that takes seconds."""
    from spring.models import token_files

    monkeypatch.setattr(token_files, "Sandbox", lambda job, limits: nullcontext(_pt_child))


@pytest.fixture(scope="module")
def _reading_children() -> Iterator[dict[str, Sandbox]]:
    """They start with the first file. They take no places from other children."""
    limits = replace(sandbox_files.local_limits([]), upload_seconds=10**9)
    children = {job: Sandbox(job, limits) for job in READING_JOBS}
    with ExitStack() as stack:
        for child in children.values():
            stack.enter_context(child)
            sandbox_parent._places.release()
            stack.callback(sandbox_parent._places.acquire)
        yield children


@pytest.fixture
def reading_child(_reading_children: dict[str, Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a module's documents be read in one child, and its questions in another: starting one takes longer.

    Limits are those for own files, and nobody presses Stop.
    """
    lock = threading.Lock()

    @contextmanager
    def open_sandbox(job: str, *given: Any) -> Iterator[Sandbox]:
        with lock:
            yield _reading_children[job]

    monkeypatch.setattr(sandbox_files, "Sandbox", open_sandbox)


@pytest.fixture(scope="session")
def needs_model() -> None:
    """Requested by fixtures that load the default backbone or start a model's process: marks their tests `model`."""


@pytest.fixture(scope="session")
def default_engine(needs_model: None) -> LocalEngine:
    """The embedded SmolLM2-135M-Instruct with the tokens that a user gets."""
    from spring.generation.engine import load_engine

    return load_engine(precision="fp32")


@pytest.fixture(scope="session")
def default_four_bit(needs_model: None) -> LocalEngine:
    """The same in 4 bits."""
    from spring.generation.engine import load_engine

    return load_engine(precision="4bit")


# --- what the tests share ---


def new_engine(backbone: Backbone, **options: int) -> LocalEngine:
    """An engine with seeded tokens that are no embeddings of words, and an empty cache."""
    import torch

    from spring.generation.engine import LocalEngine
    from spring.models.virtual_tokens import VirtualTokens

    values = torch.randn(50, backbone.hidden, generator=torch.Generator().manual_seed(3)) / 4
    return LocalEngine(backbone, VirtualTokens(values, backbone.name, "for the tests"), **options)


def asks(prompt: Prompt = PROMPT, ks: Sequence[int] = KS) -> list[GenerationRequest]:
    """Requests of one prompt for several k."""
    return [GenerationRequest(prompt, k) for k in ks]


def finish(
    engine: LocalEngine, requests: Sequence[GenerationRequest], new_tokens: int = 8, **options: object
) -> Progress:
    """The last snapshot of a stream."""
    *_, last = engine.stream(requests, DecodingOptions(new_tokens, **options))
    return last


def forced_ids(engine: LocalEngine, requests: Sequence[GenerationRequest], new_tokens: int = 8) -> list[list[int]]:
    """Greedy ids of every answer, going on past the end-of-sequence token."""
    return [list(ids) for ids in finish(engine, requests, new_tokens, ignore_eos=True).ids]


def texts(
    engine: LocalEngine, requests: Sequence[GenerationRequest], new_tokens: int = 8, **options: object
) -> list[str]:
    """The text of every answer."""
    return [answer.text for answer in finish(engine, requests, new_tokens, **options).answers]


def with_eos(backbone: Backbone, eos_id: int) -> Backbone:
    """The same weights and tokenizer, with another id that ends the answer."""
    from spring.models.backbone import Backbone

    model = copy.copy(backbone.model)
    model.generation_config = copy.deepcopy(model.generation_config)
    model.generation_config.eos_token_id = eos_id
    return Backbone(model, backbone.tokenization, backbone.precision)


def fingerprint(backbone: Backbone) -> str:
    """A digest of every bit of the weights, their quantization state and the tokenizer."""
    import torch

    digest = hashlib.sha256(backbone.tokenizer.backend_tokenizer.to_str().encode())
    for name, tensor in sorted(backbone.model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    """The message of an expected failure, which is one line that ends as a sentence does."""
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message
