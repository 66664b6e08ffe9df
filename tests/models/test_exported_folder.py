"""Exported folders: the backbone's own bytes, the tokens behind them, and logits as ours for every k."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from spring.cli.main import main
from spring.data.types import Passage
from spring.errors import BackboneError, PromptError, SpringError
from spring.models import export, export_check
from spring.models.export import export_model
from spring.models.export_weights import own_weights, tensors_with_tokens
from spring.models.exported import read_exported
from spring.models.finder import Source
from spring.models.loader import load_backbone
from spring.models.manifest import read_manifest
from spring.models.virtual_tokens import VirtualTokens
from spring.models.weight_files import write_model
from spring.rag.prompt import build_prompt
from tests.conftest import PROMPT, one_line

SHARD = 200_000  # bytes: several files


def _silent(line: str) -> None:
    pass


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    return found


def _tied(folder: Path, dtype: torch.dtype, path: Path) -> Path:
    """A random Llama with tied embeddings, in several files, with three rows that its tokenizer does not use."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "<|im_start|>{{ messages[0]['content'] }}</s>\nA:"
    config = LlamaConfig.from_pretrained(folder, tie_word_embeddings=True, vocab_size=len(tokenizer) + 3)
    torch.manual_seed(7)
    LlamaForCausalLM(config).to(dtype).save_pretrained(path, max_shard_size="100KB")
    tokenizer.save_pretrained(path)
    return path


def _token_file(path: Path, backbone: str) -> Path:
    values = torch.randn(50, 64, generator=torch.Generator().manual_seed(3)) / 4
    VirtualTokens(values, backbone, "for the tests").save(path)
    return path


@pytest.fixture(scope="module", params=["untied", "tied", "tied bf16", "sliding"])
def made(
    request: pytest.FixtureRequest,
    tiny_llama_folder: Path,
    tiny_mistral_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path, Path]:
    """The folder of a backbone, its token file, and the exported folder."""
    work = tmp_path_factory.mktemp("export")
    match request.param:
        case "untied":
            folder = tiny_llama_folder
        case "sliding":
            folder = tiny_mistral_folder
        case _:
            folder = _tied(
                tiny_llama_folder, torch.bfloat16 if "bf16" in request.param else torch.float32, work / "own"
            )
    tokens, output = _token_file(work / "tokens.safetensors", folder.name), work / "deeper" / "exported"
    exported = export_model(str(folder), tokens, output, _silent, shard_bytes=SHARD)
    assert exported.checked
    assert exported.checked.largest_difference <= 1e-4
    assert not list(output.parent.glob(".exporting*"))
    return folder, tokens, output


def test_every_own_row_is_the_backbones_and_the_added_ones_are_the_tokens(made: tuple[Path, Path, Path]) -> None:
    folder, tokens, output = made
    own, there = _tensors(folder), _tensors(output)
    embeddings = own["model.embed_tokens.weight"]
    head = own.get("lm_head.weight", embeddings)
    rows, dtype = len(embeddings), embeddings.dtype
    for name, tensor in own.items():
        assert torch.equal(there[name][: len(tensor)], tensor), name
        assert there[name].dtype == tensor.dtype
    assert torch.equal(there["lm_head.weight"][:rows], head)
    learned = VirtualTokens.load(tokens).embeddings
    assert torch.equal(there["model.embed_tokens.weight"][rows:], learned.to(dtype))
    assert torch.equal(there["lm_head.weight"][rows:], head.double().mean(0).to(dtype).expand(50, -1))
    assert len(list(output.glob("*.safetensors"))) > 1
    assert read_manifest(output).virtual_token_ids == tuple(range(rows, rows + 50))


def test_transformers_alone_loads_it_and_its_logits_are_ours(made: tuple[Path, Path, Path]) -> None:
    folder, tokens, output = made
    ours = load_backbone(str(folder), "fp32")
    model = AutoModelForCausalLM.from_pretrained(output, dtype=torch.float32)
    ids = read_manifest(output).virtual_token_ids
    stored = _tensors(folder)["model.embed_tokens.weight"].dtype
    learned = VirtualTokens.load(tokens).embeddings.to(stored).float()
    before, after = ours.tokenization.encode(PROMPT)
    with torch.inference_mode():
        for k in (0, 1, 10, 50):
            halves = [ours.embed(torch.tensor([before])), learned[None, :k], ours.embed(torch.tensor([after]))]
            wanted = ours.model(inputs_embeds=torch.cat(halves, 1)).logits
            found = model(input_ids=torch.tensor([[*before, *ids[:k], *after]])).logits
            torch.testing.assert_close(found[..., : ids[0]], wanted, atol=1e-4, rtol=0)
            assert bool((found[..., ids[0] :].amax(-1) < found[..., : ids[0]].amax(-1)).all())


def test_texts_are_encoded_as_before_and_no_document_can_name_a_token(made: tuple[Path, Path, Path]) -> None:
    folder, _, output = made
    own, there = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(output)
    for text in (str(PROMPT), "[ref1][ref2] </s> [spring 1] naïve 東京\n\n"):
        assert there(text)["input_ids"] == own(text)["input_ids"]
    names = {there.convert_ids_to_tokens(id) for id in read_manifest(output).virtual_token_ids}
    again = Tokenizer.from_file(str(output / "tokenizer.json"))
    assert len(names) == 50
    assert all(again.token_to_id(name) >= len(own) and len(name) > 40 for name in names)


def test_a_folder_says_how_it_is_served(made: tuple[Path, Path, Path]) -> None:
    *_, output = made
    readme, config = (output / "README.md").read_text(), json.loads((output / "config.json").read_text())
    first = read_manifest(output).virtual_token_ids[0]
    assert f"ids {first} to {first + 49}" in readme
    assert all(word in readme for word in ("--tensor-parallel-size", "ray start", "SPRING_ENGINE_URL"))
    assert config["vocab_size"] == first + 50
    assert not config["tie_word_embeddings"]
    assert json.loads((output / "generation_config.json").read_text()).keys() <= {
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "transformers_version",
        "_from_model_config",
    }
    probes = read_manifest(output).probes
    assert [sum(id >= first for id in probe.prompt) for probe in probes] == [0, 50]
    assert all(probe.answer for probe in probes)


@pytest.mark.model
def test_a_large_model_is_written_piece_by_piece(tmp_path: Path) -> None:
    rows, hidden, layers = 32_000, 2_048, 5
    shape = {"hidden_size": hidden, "intermediate_size": 5_632, "num_hidden_layers": layers, "vocab_size": rows}
    config = LlamaConfig(**shape, num_attention_heads=32, num_key_value_heads=4, tie_word_embeddings=True)
    folder = tmp_path / "large"
    config.save_pretrained(folder)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    header, end = {}, 0
    for name, weights in model.named_parameters():
        size = 2 * weights.numel()
        header[name] = {"dtype": "BF16", "shape": list(weights.shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    random = torch.randn((1_000, hidden), generator=torch.Generator().manual_seed(1)).bfloat16()
    with (folder / "model.safetensors").open("wb") as file:  # random embeddings; the layers are a hole of zeros
        file.write(len(text).to_bytes(8, "little") + text)
        for _ in range(rows // len(random)):
            file.write(random.view(torch.uint8).numpy().tobytes())
        file.truncate(8 + len(text) + end)
    own = own_weights(Source("large", str(folder)))
    assert sum(tensor.size for tensor in own.tensors.values()) > 5e8
    tokens = VirtualTokens(torch.randn(50, hidden), "large")
    (output := tmp_path / "exported").mkdir()
    tracemalloc.start()
    files = write_model(output, tensors_with_tokens(own, tokens), shard_bytes=3 * 10**8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # less than the embeddings alone
    assert len(files) == 3
    with safe_open(files[-1], "pt") as file:
        mean = random.double().mean(0).bfloat16()
        assert torch.equal(file.get_slice("lm_head.weight")[rows:], mean.expand(50, -1))
        assert torch.equal(file.get_slice("lm_head.weight")[:1_000], random)


def test_what_cannot_be_exported_is_said_in_a_sentence(
    tmp_path: Path, tiny_llama_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, tokens = str(tiny_llama_folder), _token_file(tmp_path / "tokens.safetensors", "tiny-llama")

    def refused(match: str, backbone: str = name, token_file: Path | None = tokens, output: str = "out") -> None:
        with pytest.raises(SpringError, match=match) as error:
            export_model(backbone, token_file, tmp_path / output, _silent)
        one_line(error)
        assert not (tmp_path / "out").exists()
        assert not list(tmp_path.glob(".exporting*"))

    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    refused("is there already", output="there")
    refused("could not be exported", output="tokens.safetensors/out")
    refused("no learned tokens", token_file=None)
    refused("made for the backbone other", token_file=_token_file(tmp_path / "other.safetensors", "other"))
    bare = tmp_path / "tiny-llama"
    bare.mkdir()
    for path in tiny_llama_folder.iterdir():
        if path.suffix != ".safetensors":
            (bare / path.name).write_bytes(path.read_bytes())
    refused("no weights in safetensors files", backbone=str(bare))
    whole = (tiny_llama_folder / "model.safetensors").read_bytes()
    for broken in (b"", b"\xff" * 20, whole[:-5], whole[:100]):
        (bare / "model.safetensors").write_bytes(broken)
        refused("not a readable safetensors", backbone=str(bare))
    monkeypatch.setattr(export, "SPARE", 2**60)
    refused("GB free")
    assert main(["export", "--backbone", name, "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_memory_to_load_it_the_bytes_are_compared_alone(
    tmp_path: Path, tiny_llama_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise BackboneError("The backbone needs more memory.")

    monkeypatch.setattr(export_check, "load_backbone", full)
    tokens = _token_file(tmp_path / "tokens.safetensors", "tiny-llama")
    command = ["--backbone", str(tiny_llama_folder), "--tokens", str(tokens), "--output", str(tmp_path / "out")]
    assert main(["export", *command]) == 0
    assert "its logits were not" in capsys.readouterr().out
    assert read_manifest(tmp_path / "out").probes == ()


def test_a_model_that_scales_its_embeddings_is_not_served(
    tmp_path: Path, tiny_llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = _token_file(tmp_path / "tokens.safetensors", "tiny-llama")
    monkeypatch.setattr(
        "spring.models.export.tensors_with_tokens",
        lambda own, tokens: tensors_with_tokens(own, VirtualTokens(2 * tokens.embeddings, tokens.backbone)),
    )
    with pytest.raises(BackboneError, match="logits differ") as error:
        export_model(str(tiny_llama_folder), tokens, tmp_path / "out", _silent)
    one_line(error)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"version": 2}', b"[1]", b"\xff", b"{" * 100_000])
def test_a_broken_manifest_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "spring.json").write_bytes(text)
    with pytest.raises(BackboneError, match="export the model again") as error:
        read_manifest(tmp_path)
    one_line(error)
    with pytest.raises(BackboneError, match="no folder that"):
        read_manifest(tmp_path / "nowhere")


def test_a_folder_with_another_tokenizer_is_refused(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    folder, _, output = made
    for name in ("spring.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((output / name).read_bytes())
    assert read_exported(tmp_path).manifest == read_manifest(output)
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    with pytest.raises(BackboneError, match="not the one that was exported") as error:
        read_exported(tmp_path)
    one_line(error)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(BackboneError, match="is missing"):
        read_exported(tmp_path)
    with pytest.raises(BackboneError, match="no layout"):
        read_exported(tmp_path, "upside down")


def test_without_weights_texts_are_encoded_and_decoded_as_with_them(made: tuple[Path, Path, Path]) -> None:
    folder, _, output = made
    ours = load_backbone(str(folder), "fp32").tokenization
    there = read_exported(output).tokenization
    prompts = [PROMPT, build_prompt([Passage("a", 1, 0, "</s> <|im_start|> naïve \U0001f600 東京")], "Who?\n")]
    for layout in ("training", "recipe"):
        ours, there = replace(ours, layout=layout), replace(there, layout=layout)
        for prompt in prompts:
            assert there.encode(prompt) == ours.encode(prompt)
            ids = ours.encode(prompt)[1]
            assert there.decode(ids) == ours.decode(ids)
            assert [there.token_name(id) for id in ids] == [ours.token_name(id) for id in ids]
    assert there.ids_of("a lamp") == ours.ids_of("a lamp")
    if ours.tokenizer.chat_template:
        assert there.encode(PROMPT, chat=True) == ours.encode(PROMPT, chat=True)
    else:
        with pytest.raises(PromptError, match="no chat template"):
            there.encode(PROMPT, chat=True)
