"""`python -m spring evaluate`: a question file for several k, a row per answer and a table."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from spring.cli.options import (
    add_baseline_options,
    add_model_options,
    add_tokens_option,
    baselines_of,
    load,
    open_corpus,
    say,
    whole_number,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument("questions", type=Path, metavar="QUESTIONS", help="JSON Lines (FlashRAG's, SPRING's) or CSV")
    parser.add_argument(
        "--corpus", nargs="+", type=Path, metavar="PATH", help="files or folders to search, or an index"
    )
    parser.add_argument(
        "--virtual-tokens", nargs="+", type=int, metavar="K", help="default: 0 1 5 10 20 30 50, as far as there are"
    )
    parser.add_argument("--passages", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--max-new-tokens", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--limit", metavar="N", help="the first N questions alone")
    parser.add_argument("--batch-size", default="auto", metavar="N", help="questions at once; default: auto")
    add_baseline_options(parser)
    parser.add_argument("--output", type=Path, metavar="CSV", help="a row per answer; continues an interrupted run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model_options(parser)
    add_tokens_option(parser)


def run(options: argparse.Namespace) -> None:
    """Ask, score, and print the table."""
    from tqdm import tqdm

    from spring.data.questions import read_questions
    from spring.errors import ModelError
    from spring.evaluation.results import RowsFile, as_frame, as_json, run_name
    from spring.evaluation.runner import Row, evaluate, remaining, usual_ks
    from spring.evaluation.summary import summarize
    from spring.generation.comparison import ComparisonSettings
    from spring.generation.types import DecodingOptions

    settings = ComparisonSettings(
        virtual_tokens=tuple(sorted(set(options.virtual_tokens or ()))),
        passages=options.passages,
        baselines=baselines_of(options),
        decoding=DecodingOptions(options.max_new_tokens),
    )
    batch_size = None if options.batch_size == "auto" else whole_number("--batch-size", options.batch_size)
    limit = None if options.limit is None else whole_number("--limit", options.limit)
    read = read_questions(options.questions)
    if read.note:
        say(read.note)
    questions = read.questions[:limit]
    retriever, _ = open_corpus(options.corpus) if options.corpus else (None, None)
    engine = load(options)
    if not options.virtual_tokens:
        settings = replace(settings, virtual_tokens=usual_ks(len(engine.tokens)))
    given = [passage for question in read.questions for passage in question.passages]
    file = RowsFile(options.output, run_name(engine, given, settings, retriever)) if options.output else None
    wanted = {question.id for question in questions}
    rows: list[Row] = [row for row in file.rows if row.id in wanted] if file else []
    failed: list[str] = []
    waiting = remaining(questions, settings, rows)
    try:
        with tqdm(total=sum(len(group) for _, group in waiting), unit="question", file=sys.stderr) as bar:
            for asked, group in waiting:
                for done in evaluate(engine, group, retriever, asked, batch_size):
                    if file and done.rows:
                        file.append(done.rows)
                    rows += done.rows
                    failed += done.failed
                    bar.update(len({row.id for row in done.rows}) + len(done.failed))
    except ModelError as error:
        raise ModelError(
            f"{error} Or choose a smaller --batch-size; with --output the same command goes on."
        ) from error
    for line in failed:
        say(line)
    summaries = summarize(rows)
    if options.json:
        print(json.dumps(as_json(summaries, engine, settings, failed), ensure_ascii=False))
    else:
        print(as_frame(summaries).to_string(index=False))
