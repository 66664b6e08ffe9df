"""`spring index`: put large collections on disk, to be searched without reading them again."""

import argparse
import os
import sys
from pathlib import Path

from spring.cli.options import say
from spring.data.corpus import Fields


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the documents, the output folder and the names of fields."""
    parser.add_argument(
        "documents",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="files or folders; JSON Lines of FlashRAG and BEIR also as .jsonl.gz and .jsonl.zst",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the index; replaced when it is whole"
    )
    parser.add_argument("--add", action="store_true", help="add to the index that is there")
    parser.add_argument("--title-field", default="", metavar="NAME", help='of JSON Lines rows; default: "title"')
    parser.add_argument("--text-field", default="", metavar="NAME", help='default: "contents" (FlashRAG), else "text"')


def run(options: argparse.Namespace) -> None:
    """Build or extend an index."""
    from tqdm import tqdm

    from spring.data.sandbox.files import local_files
    from spring.rag.index_build import build_index

    size = sum(path.stat().st_size for path, _ in local_files(options.documents) if os.path.isfile(path))
    with tqdm(total=size, unit="B", unit_scale=True, mininterval=1, file=sys.stderr) as bar:
        bar.set_postfix_str("looking for copies")  # by their content, before the first row is read

        def report(passages: int, position: int) -> None:
            bar.update(position - bar.n)
            bar.set_postfix_str(f"{passages:,} passages", refresh=False)

        fields = Fields(options.title_field, options.text_field)
        built = build_index(options.documents, options.output, fields, add=options.add, report=report)
    for line in (*built.errors, *built.copies):
        say(line)
    for reason, count in built.skipped.items():
        say(f"{count:,} row{'s' if count > 1 else ''} skipped: {reason}.")
    noun = "document" if built.documents == 1 else "documents"
    did = "added to" if options.add else "in"
    print(f"{built.passages:,} passages of {built.documents:,} {noun} {did} {options.output}.")
