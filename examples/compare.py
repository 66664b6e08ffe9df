"""Ask a folder of documents: `python examples/compare.py FOLDER QUESTION`."""

import sys

import spring

folder, question = sys.argv[1:]
collection = spring.read_collection(folder)
for file in collection.results:
    print(file.line)
engine = spring.load_engine()
settings = spring.ComparisonSettings(virtual_tokens=(0, len(engine.tokens)))
*_, comparison = spring.compare(engine, spring.Bm25Retriever(collection.passages), question, settings)
for hit in comparison.hits:
    print(f"[{hit.rank}] {hit.passage.document}, page {hit.passage.page}: {hit.passage.text}")
for answer in comparison.answers:
    print(f"{answer.title}: {answer.text}")
