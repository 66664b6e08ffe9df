"""`python -m spring evaluate`: question files for several k, a row per answer, a table, and a report."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spring.cli.opening import open_corpus, open_engine, question_sets
from spring.cli.options import (
    add_baseline_options,
    add_engine_options,
    add_model_options,
    add_question_options,
    add_tokens_option,
    baselines_of,
    say,
    whole_number,
)

if TYPE_CHECKING:
    from spring.data.questions import Question
    from spring.evaluation.identity import IdentifiedEngine
    from spring.evaluation.results import RowsFile
    from spring.evaluation.runner import Row
    from spring.evaluation.summary import Group, Summary
    from spring.generation.comparison import ComparisonSettings
    from spring.rag.retriever import Retriever


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument(
        "questions", nargs="+", type=Path, metavar="QUESTIONS", help="question files; several are averaged as well"
    )
    add_question_options(parser)
    parser.add_argument(
        "--corpus", nargs="+", type=Path, metavar="PATH", help="files or folders to search, or an index"
    )
    parser.add_argument(
        "--virtual-tokens", nargs="+", type=int, metavar="K", help="default: 0 1 5 10 20 30 50, as far as there are"
    )
    parser.add_argument("--passages", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--max-new-tokens", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--limit", metavar="N", help="the first N questions of each file alone")
    parser.add_argument("--batch-size", default="auto", metavar="N", help="questions at once; default: auto")
    add_baseline_options(parser)
    parser.add_argument(
        "--against", default="0", metavar="ROW", help="compare the others with this k or baseline; default: 0"
    )
    parser.add_argument("--output", type=Path, metavar="CSV", help="a row per answer; continues an interrupted run")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help="a page with curve, table, gains and losses (needs matplotlib)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model_options(parser)
    add_tokens_option(parser)
    add_engine_options(parser)


def run(options: argparse.Namespace) -> None:
    """Ask, score, and print the table.

    Raises:
        PromptError: no question could be asked.

    """
    from spring.errors import PromptError
    from spring.evaluation.identity import run_identity
    from spring.evaluation.report import ReportedSet, report, require_report
    from spring.evaluation.results import RowsFile
    from spring.evaluation.runner import seen_passages, usual_ks
    from spring.evaluation.summary import group_of
    from spring.generation.comparison import ComparisonSettings
    from spring.generation.types import DecodingOptions

    settings = ComparisonSettings(
        virtual_tokens=tuple(sorted(set(options.virtual_tokens or ()))),
        passages=options.passages,
        baselines=baselines_of(options),
        decoding=DecodingOptions(options.max_new_tokens),
    )
    against = group_of(options.against)
    batch_size = None if options.batch_size == "auto" else whole_number("--batch-size", options.batch_size)
    limit = None if options.limit is None else whole_number("--limit", options.limit)
    if options.report:
        require_report(options.report)
    every = question_sets(options.questions, options)
    retriever, _ = open_corpus(options.corpus) if options.corpus else (None, None)
    engine = open_engine(options)
    if not options.virtual_tokens:
        settings = replace(settings, virtual_tokens=usual_ks(len(engine.tokens)))
    identity = run_identity(engine, settings, retriever, every)
    file = RowsFile(options.output, identity) if options.output else None
    _require_row(against, options.against, settings, file.rows if file else ())
    sets = {name: questions[:limit] for name, questions in every.items()}
    rows, failed = _ask(engine, sets, retriever, settings, batch_size, file)
    for line in failed:
        say(line)
    if not any(rows.values()):
        raise PromptError("No question could be asked, so there are no scores.")
    if options.report:
        reported = {
            name: ReportedSet(rows[name], asked, lambda question: seen_passages(engine, question, retriever, settings))
            for name, asked in sets.items()
        }
        options.report.write_text(report("Evaluation", identity, reported, against), encoding="utf-8")
        say(f"The report is in {options.report}.")
    _print(rows, failed, engine, settings, against, options.json)


def _require_row(against: "Group", named: str, settings: "ComparisonSettings", rows: Sequence["Row"]) -> None:
    from spring.errors import PromptError
    from spring.evaluation.summary import PLAIN

    there = {(k, "" if k else "plain") for k in settings.virtual_tokens} | {(0, word) for word in settings.baselines}
    there |= {(row.virtual_tokens, row.baseline) for row in rows}
    if against != PLAIN and against not in there:
        option = f"--virtual-tokens {named}" if named.isdecimal() else f"--baseline {named}"
        raise PromptError(f"--against {named} compares with answers that are not asked for: add {option}.")


def _ask(
    engine: "IdentifiedEngine",
    sets: "Mapping[str, Sequence[Question]]",
    retriever: "Retriever | None",
    settings: "ComparisonSettings",
    batch_size: int | None,
    file: "RowsFile | None",
) -> "tuple[dict[str, list[Row]], list[str]]":
    """The rows of each set, those of the file first, and the questions that could not be asked."""
    from tqdm import tqdm

    from spring.errors import ModelError
    from spring.evaluation.runner import evaluate, remaining

    failed: list[str] = []
    rows = {name: _kept(file, name, questions) for name, questions in sets.items()}
    waiting = [
        (name, asked, group)
        for name, questions in sets.items()
        for asked, group in remaining(questions, settings, rows[name])
    ]
    try:
        with tqdm(total=sum(len(group) for *_, group in waiting), unit="question", file=sys.stderr) as bar:
            for name, asked, group in waiting:
                for done in evaluate(engine, group, retriever, asked, batch_size):
                    new = [row._replace(set=name) for row in done.rows]
                    if file and new:
                        file.append(new)
                    rows[name] += new
                    failed += [f"{name}: {line}" if len(sets) > 1 else line for line in done.failed]
                    bar.update(len({row.id for row in new}) + len(done.failed))
    except ModelError as error:
        raise ModelError(
            f"{error} Or choose a smaller --batch-size; with --output the same command goes on."
        ) from error
    return rows, failed


def _kept(file: "RowsFile | None", name: str, questions: "Sequence[Question]") -> "list[Row]":
    wanted = {question.id for question in questions}
    return [row for row in file.rows if row.set == name and row.id in wanted] if file else []


def _print(
    rows: "dict[str, list[Row]]",
    failed: Sequence[str],
    engine: "IdentifiedEngine",
    settings: "ComparisonSettings",
    against: "Group",
    as_object: bool,
) -> None:
    """The table of each set, and their macro average if there are several."""
    from spring.evaluation.results import as_json, rows_as_json
    from spring.evaluation.summary import macro_average, summarize

    tables = {name: summarize(part, against) for name, part in rows.items()}
    mean = macro_average(rows, against)
    if not as_object:
        parts = [f"{name}\n{_table(table, 'No answers.')}" for name, table in tables.items()]
        average = _table(mean, "None: no k or baseline has answers in every file.")
        print("\n\n".join([*parts, f"Macro average\n{average}"]) if len(tables) > 1 else average)
        return
    result = as_json(mean, engine, settings, failed)
    if len(tables) > 1:
        result["sets"] = {name: rows_as_json(table) for name, table in tables.items()}
    print(json.dumps(result, ensure_ascii=False))


def _table(summaries: "Sequence[Summary]", otherwise: str) -> str:
    from spring.evaluation.results import as_frame

    return as_frame(summaries).to_string(index=False) if summaries else otherwise
