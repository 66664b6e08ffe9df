"""Learn virtual tokens: `python examples/train.py QUESTIONS DOCUMENTS OUTPUT.safetensors [BACKBONE]`.

Learns for one epoch and keeps the log and the checkpoint beside the output. `spring train` has all the options.
"""

import sys
from pathlib import Path

import spring

questions, documents, output = map(Path, sys.argv[1:4])
backbone = spring.load_backbone(sys.argv[4] if len(sys.argv) > 4 else "smollm2-135m-instruct", "fp32")
collection = spring.read_collection(documents)
examples = spring.Examples(
    backbone,
    spring.read_questions(questions).questions,
    spring.Bm25Retriever(collection.passages),
    settings=spring.SampleSettings(number=10, shared_k=3),
)
result = spring.learn(
    [backbone],
    examples,
    spring.initial_tokens(backbone, "examples", number=10),
    spring.TrainingSettings(epochs=1),
    folder=output.with_suffix(".run"),
    report=print,
)
tokens = spring.VirtualTokens(result.tokens, backbone.name, learned=f"learned from {questions.name}")
tokens.save(output)
print(f"{output}: {len(tokens)} virtual tokens for {tokens.backbone}, learned in {result.steps} steps")
