"""The real server: texts as ours, Stop, the page, an evaluation, an explanation; a server that goes and comes back."""

import csv
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from spring.cli.main import main
from spring.data.questions import Question, read_questions
from spring.data.sandbox.files import parse_collection
from spring.errors import BackboneError, ModelError
from spring.generation.attribution import attribute
from spring.generation.comparison import Comparison, ComparisonSettings, compare
from spring.generation.engine import LocalEngine
from spring.generation.interface import Engine
from spring.generation.openai.engine import OpenAiEngine
from spring.generation.types import DecodingOptions, GenerationRequest
from spring.models.backbone import Backbone
from spring.models.export import export_model
from spring.rag.bm25 import Bm25Retriever
from tests.browser.conftest import Visitor, browser  # noqa: F401  # a fixture
from tests.conftest import KS, ROOT, asks, new_engine, one_line
from tests.support.servers import start, stop
from tests.support.vllm import Vllm

CORPUS = ROOT / "corpora" / "orlo-station"
TIE = 1e-3  # of two logits


@pytest.fixture(scope="module")
def retriever() -> Bm25Retriever:
    return Bm25Retriever(parse_collection([CORPUS / "documents"]).passages)


@pytest.fixture(scope="module")
def questions() -> tuple[Question, ...]:
    return read_questions(CORPUS / "questions.jsonl").questions[:20]


def _ask(engine: Engine, retriever: Bm25Retriever, question: str, new_tokens: int, *ks: int) -> Comparison:
    *_, last = compare(engine, retriever, question, ComparisonSettings(ks, 3, (), DecodingOptions(new_tokens)))
    return last


def _distance(engine: LocalEngine, request: GenerationRequest, ids: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Between the logits of the first two ids that differ."""
    place = next(place for place, (one, two) in enumerate(zip((*ids, -1), (*other, -1), strict=False)) if one != two)
    before, after = engine.backbone.tokenization.encode(request.prompt)
    left, right = (engine.backbone.embed(torch.tensor([part])) for part in (before, [*after, *ids[:place]]))
    virtual = engine.tokens.embeddings[None, : request.virtual_tokens]
    with torch.inference_mode():
        logits = engine.backbone.model(inputs_embeds=torch.cat([left, virtual, right], 1), logits_to_keep=1).logits
    first, second = ((*them, engine.backbone.end_id)[place] for them in (ids, other))
    return abs(float(logits[0, -1, first] - logits[0, -1, second]))


def test_greedy_texts_are_the_local_engines(
    engine: OpenAiEngine, default_engine: LocalEngine, retriever: Bm25Retriever, questions: tuple[Question, ...]
) -> None:
    assert len(questions) == 20
    differ = 0
    for question in questions:
        ours = _ask(default_engine, retriever, question.question, 32, *KS)
        theirs = _ask(engine, retriever, question.question, 32, *KS)
        for place, request in enumerate(ours.requests):
            ids, other = ours.progress.ids[place], theirs.progress.ids[place]
            if ids != other:
                differ += 1
                assert _distance(default_engine, request, ids, other) < TIE
            else:
                assert theirs.answers[place].text == ours.answers[place].text
                assert theirs.answers[place].ended_by == ours.answers[place].ended_by
    print(f"{differ} of {len(questions) * len(KS)} texts differ, all by ties")


def test_words_come_one_by_one_and_stop_ends_the_request_on_the_server(engine: OpenAiEngine, vllm: Vllm) -> None:
    vllm.wait_idle()
    written = vllm.metric("generation_tokens_total")
    stream = engine.stream(asks(ks=[0, 50]), DecodingOptions(512, ignore_eos=True))
    texts = [next(stream).answers[0].text]
    while len(set(texts)) < 6:
        texts.append(next(stream).answers[0].text)
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    began = time.monotonic()
    stream.close()
    vllm.wait_idle()
    print(f"the server was idle {time.monotonic() - began:.1f} s after Stop")
    assert vllm.metric("generation_tokens_total") - written < 512


def test_explanations_are_the_local_engines(
    engine: OpenAiEngine, default_engine: LocalEngine, retriever: Bm25Retriever, questions: tuple[Question, ...]
) -> None:
    comparison = _ask(default_engine, retriever, questions[0].question, 8, 0, 50)
    (*_, ours), (*_, theirs) = attribute(default_engine, comparison), attribute(engine, comparison)
    for one, other in zip(ours.answers, theirs.answers, strict=True):
        assert other.tokens == one.tokens
        assert other.drops == pytest.approx(one.drops, abs=0.02)
        assert other.own == pytest.approx(one.own, abs=1e-3)
        assert other.without_passages == pytest.approx(one.without_passages, abs=1e-3)


def test_an_evaluation_gives_the_local_engines_answers(vllm: Vllm, exported: Path, tmp_path: Path) -> None:
    command = ["evaluate", str(CORPUS / "questions.jsonl"), "--corpus", str(CORPUS / "documents"), "--limit", "6"]
    command += ["--virtual-tokens", "0", "50", "--max-new-tokens", "16"]
    served = ["--engine-url", vllm.url, "--backbone", str(exported)]
    answers = []
    for name, options in (("served.csv", served), ("local.csv", ["--precision", "fp32"])):
        assert main([*command, *options, "--output", str(tmp_path / name)]) == 0
        with (tmp_path / name).open(encoding="utf-8") as file:
            answers.append({(row["id"], row["virtual_tokens"]): row["answer"] for row in csv.DictReader(file)})
    assert len(answers[0]) == 12
    assert sum(answers[0][key] != answers[1][key] for key in answers[0]) <= 1  # a tie


def test_the_page_answers_stops_and_explains_in_a_browser(browser, vllm: Vllm, exported: Path, tmp_path: Path) -> None:  # noqa: F811
    settings = {"SPRING_ENGINE_URL": vllm.url, "SPRING_ENGINE_KEY": "sekret-key"}
    page_server = start(exported, Path(), tmp_path / "files", tmp_path / "log", **settings)
    page = browser.new_page()
    try:
        visitor = Visitor(page, page_server.url)
        visitor.shorten(24)
        visitor.ask()
        assert len(visitor.answer(0)) > 3
        assert "served" in visitor.text("#facts")
        visitor.shorten(256)
        visitor.type("Tell everything about the bell shrew and its nests.")
        visitor.start()
        visitor.wait_writing()
        page.click("#stop")
        visitor.wait_idle()
        vllm.wait_idle()
        assert "sekret-key" not in page.content() + page_server.log.read_text()
        assert visitor.errors == []
        maps = Path(f"/proc/{page_server.process.pid}/maps").read_text()
        assert "libtorch" not in maps
    finally:
        page.close()
        stop(page_server)


def test_another_folder_than_the_served_one_is_refused(
    vllm: Vllm, tiny_llama: Backbone, tiny_llama_folder: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.safetensors"
    new_engine(tiny_llama).tokens.save(tokens)
    export_model(str(tiny_llama_folder), tokens, tmp_path / "other", print)
    with pytest.raises(BackboneError, match="does not answer a known prompt") as error:
        OpenAiEngine(tmp_path / "other", vllm.url)
    one_line(error)


def test_a_server_that_is_killed_is_a_sentence_and_answers_when_it_is_back(engine: OpenAiEngine, vllm: Vllm) -> None:
    stream = engine.stream(asks(ks=[50]), DecodingOptions(512, ignore_eos=True))
    while not next(stream).answers[0].new_tokens:
        pass
    vllm.kill()
    with pytest.raises(ModelError, match="broke off") as error:
        list(stream)
    one_line(error)
    with pytest.raises(ModelError, match="cannot be reached"):
        list(engine.stream(asks(ks=[50])))
    vllm.start()
    *_, last = engine.stream(asks(ks=[50]), DecodingOptions(4))
    assert last.done
