"""`python -m benchmarks.lora` on a tiny model: it learns, goes on where it was, and leaves the backbone alone."""

import copy
import json
from pathlib import Path

import pytest
import torch

from benchmarks.lora import Adapter, LoraSettings, main
from spring.errors import PromptError
from spring.models.backbone import Backbone
from spring.training.prefix_states import PrefixStates
from tests.conftest import FERRY, KITES, MAST, QUESTION

ROWS = [
    {"question": QUESTION, "target": "nine", "ret_passages": [FERRY, MAST]},
    {"question": "How high is the mast?", "target": ["ninety metres"], "ret_passages": [MAST, FERRY, KITES]},
    {"question": "What does a child get?", "target": "a bun", "ret_passages": [KITES]},
]


@pytest.mark.parametrize("scope", ["all", "question"])
def test_it_learns_and_goes_on_where_it_was(
    tiny_llama_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], scope: str
) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text("\n".join(map(json.dumps, ROWS)))
    command = [str(data), "--backbone", str(tiny_llama_folder), "--precision", "fp32", "--json", "--device", "cpu"]
    command += ["--scope", scope, "--steps", "6", "--batch", "3", "--micro-batch", "2", "--learning-rate", "0.02"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    main([*command, "--output", str(whole), "--dev", str(data), "--dev-limit", "1"])
    done = capsys.readouterr()
    figures = json.loads(done.out)
    losses = [float(line.split()[3].rstrip(",")) for line in done.err.splitlines() if line.startswith("step")]
    assert len(losses) == figures["steps"] == 6
    assert losses[-1] < losses[0] - 0.5
    assert figures["backbone_unchanged"]
    assert figures["numbers"] == {"adapter": 2 * 16 * (2 * 128 + 2 * 96 + 3 * 160), "tokens": 50 * 64}
    assert [(name, row["n"]) for name, row in figures["rows"].items()] == [("adapter", 1), ("50 tokens", 1)]
    for _ in range(2):
        main([*command, "--output", str(parts), "--steps-now", "3"])
    adapters = [torch.load(folder / "checkpoint.pt", weights_only=True)["adapter"] for folder in (whole, parts)]
    assert all(torch.equal(adapters[0][name], adapters[1][name]) for name in adapters[0])
    with pytest.raises(PromptError, match="holds a run with other data or settings"):
        main([*command, "--output", str(parts), "--rank", "8"])


def test_with_the_scope_question_the_passages_cache_stays_the_backbone_s(tiny_llama: Backbone) -> None:
    backbone = Backbone(copy.deepcopy(tiny_llama.model), tiny_llama.tokenization, "fp32")
    ids = torch.tensor([[5, 6, 7, 8]])
    before = PrefixStates(backbone).read([(5, 6, 7, 8)])[0].layers[1].keys
    plain = backbone.model(input_ids=ids).logits
    adapter = Adapter(backbone, LoraSettings(scope="question"))
    for name, parameter in adapter.parameters.items():
        torch.nn.init.normal_(parameter) if "lora_B" in name else None
    assert torch.equal(PrefixStates(backbone).read([(5, 6, 7, 8)])[0].layers[1].keys, before)
    assert not torch.allclose(backbone.model(input_ids=ids).logits, plain)
    adapter.take_out()
    assert torch.equal(backbone.model(input_ids=ids).logits, plain)
