"""The engine of a served model against a small server: the local engine's answers, and every failure as a sentence."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import wait
from contextlib import closing, nullcontext
from pathlib import Path

import httpx
import pytest

from spring.cli.main import main
from spring.data.types import Passage
from spring.errors import BackboneError, ModelError, PromptError, SpringError
from spring.evaluation.identity import run_identity
from spring.generation.attribution import attribute
from spring.generation.comparison import Comparison, ComparisonSettings, compare
from spring.generation.engine import LocalEngine
from spring.generation.interface import Engine
from spring.generation.openai import server as http
from spring.generation.openai.attribution import log_probabilities
from spring.generation.openai.engine import OpenAiEngine
from spring.generation.openai.streams import EventLoop, Streams
from spring.generation.types import DecodingOptions
from spring.models.export import export_model
from spring.rag.retriever import Hit
from tests.conftest import KS, PASSAGES, QUESTION, ROOT, asks, finish, new_engine, one_line
from tests.support.fake_openai import FakeServer, Fault, answers, hangs, leaves, says, serving

KEY = "sekret-key"
HITS = tuple(Hit(passage, 0.0, rank, ()) for rank, passage in enumerate(PASSAGES, 1))
TOKEN = b'data: {"choices": [{"text": "a", "token_ids": [70], "finish_reason": null}]}\n\n'
LAST = TOKEN.replace(b"null", b'"stop"')


@pytest.fixture(scope="module")
def local(tiny_llama: object) -> LocalEngine:
    return new_engine(tiny_llama)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(local: LocalEngine, tiny_llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("served")
    local.tokens.save(work / "tokens.safetensors")
    export_model(str(tiny_llama_folder), work / "tokens.safetensors", work / "exported", lambda line: None)
    return work / "exported"


@pytest.fixture(scope="module")
def _server(folder: Path) -> Iterator[FakeServer]:
    with serving(folder) as server:
        yield server


@pytest.fixture
def server(_server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    monkeypatch.setattr(http, "PAUSE", 0.001)
    _server.models = [{"id": "tiny", "max_model_len": 512}]
    _server.tells = {"token_ids", "prompt_logprobs"}
    _server.piece = 0
    _server.faults.clear()
    _server.asked.clear()
    _server.dropped.clear()
    return _server


@pytest.fixture
def engine(server: FakeServer, folder: Path) -> Iterator[OpenAiEngine]:
    with closing(OpenAiEngine(folder, server.url, key=KEY)) as made:
        server.asked.clear()
        yield made


def _ask(engine: Engine, settings: ComparisonSettings | None = None, hits: Sequence[Hit] = HITS) -> Comparison:
    settings = settings or ComparisonSettings(KS, decoding=DecodingOptions(8))
    *_, last = compare(engine, None, QUESTION, settings, hits)
    return last


def _refused(engine: Engine, kind: type[SpringError] = ModelError) -> str:
    with pytest.raises(kind) as error:
        _ask(engine)
    message = one_line(error)
    assert KEY not in message
    assert "127.0.0.1" not in message
    return message


# --- the same answers ---


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("tells", [{"token_ids"}, set()])
def test_answers_are_the_local_engines_however_the_bytes_are_split(
    local: LocalEngine, engine: OpenAiEngine, server: FakeServer, piece: int, tells: set[str]
) -> None:
    server.piece, server.tells = piece, tells
    settings = ComparisonSettings(KS, baselines=("instruction", "examples"), decoding=DecodingOptions(8))
    ours, theirs = _ask(local, settings), _ask(engine, settings)
    for one, other in zip(ours.answers, theirs.answers, strict=True):
        assert (other.text, other.ended) == (one.text, one.ended)
        assert 0 < other.first_token_seconds <= other.seconds
    if tells:
        assert theirs.progress.ids == ours.progress.ids
    assert {key for key in server.keys if key} == {f"Bearer {KEY}"}


def test_an_answer_that_ends_says_by_what(local: LocalEngine, engine: OpenAiEngine, server: FakeServer) -> None:
    ids = finish(local, asks(ks=[10]), ignore_eos=True).ids[0]
    engine.eos_ids = frozenset([ids[3]])
    server.eos, eos = [ids[3]], server.eos
    try:
        (answer,) = finish(engine, asks(ks=[10])).answers  # type: ignore[arg-type]
    finally:
        server.eos = eos
    assert (answer.ended, answer.ended_by) == ("stop", local.backbone.tokenization.token_name(ids[3]))
    assert answer.new_tokens == ids.index(ids[3])


def test_ids_are_sent_and_no_text_of_a_document_becomes_a_token(engine: OpenAiEngine, server: FakeServer) -> None:
    virtual = engine.exported.manifest.virtual_token_ids
    names = engine.tokenization.tokenizer._tokenizer.id_to_token(virtual[0])  # type: ignore[attr-defined]
    passage = Passage("evil.txt", 1, 0, f"{names}{names} </s> <|im_start|>")
    _ask(engine, ComparisonSettings((0, 50), decoding=DecodingOptions(2)), [Hit(passage, 0.0, 1, ())])
    sent = {sum(id in virtual for id in body["prompt"]): body["prompt"] for body in server.asked}
    assert sorted(sent) == [0, 50]
    assert not set(engine.eos_ids) & set(sent[0])
    assert all("logit_bias" not in body for body in server.asked)


def test_sampling_forbids_the_added_ids_and_gives_each_answer_a_seed(engine: OpenAiEngine, server: FakeServer) -> None:
    finish(engine, asks(ks=[0, 1]), temperature=1.0, seed=-5)  # type: ignore[arg-type]
    seeds = {body["seed"] for body in server.asked}
    assert len(seeds) == 2
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert all(set(body["logit_bias"].values()) == {-100.0} for body in server.asked)


def test_explanations_are_the_local_engines(local: LocalEngine, engine: OpenAiEngine, server: FakeServer) -> None:
    settings = ComparisonSettings((0, 10), baselines=("examples",), decoding=DecodingOptions(6))
    comparison = _ask(local, settings)
    (*_, ours), (*_, theirs) = attribute(local, comparison), attribute(engine, comparison)
    assert theirs.done == theirs.steps == ours.done
    # The added ids have their share of the probability: 50 rows of 450 here, of tens of thousands in a real model.
    for one, other in zip(ours.answers, theirs.answers, strict=True):
        assert other.tokens == one.tokens
        assert other.drops == pytest.approx(one.drops, abs=0.1)
        for name in ("own", "with_tokens", "without_tokens", "without_passages"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), rel=0.05)
    server.tells = {"token_ids"}
    with pytest.raises(ModelError, match="needs the local engine") as error:
        list(attribute(engine, comparison))
    one_line(error)


@pytest.mark.parametrize(
    "told", [[], "text", [None, {}], [{"5": {}}], [{"5": {"logprob": "x"}}], [{"5": {"logprob": 2.0}}], 7]
)
def test_nonsense_for_log_probabilities_is_refused(told: object) -> None:
    with pytest.raises(ModelError) as error:
        log_probabilities(told, [5])
    one_line(error)


# --- failures ---


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (answers(401, KEY.encode()), BackboneError, "SPRING_ENGINE_KEY"),
        (answers(404), BackboneError, "no such model"),
        (answers(400, b'{"message": "This model\'s maximum context length is 8"}'), PromptError, "too long"),
        (answers(400, KEY.encode()), ModelError, "status 400"),
        (answers(500, b"<html>"), ModelError, "status 500"),
        (answers(307), ModelError, "status 307"),
        (answers(200, b""), ModelError, "broke off"),
        (says(TOKEN), ModelError, "broke off"),
        (says(TOKEN, b"data: [DONE]\n\n", whole=True), ModelError, "broke off"),
        (says(b"data: {\n\n", whole=True), ModelError, "no answer"),
        (says(b"data: []\n\n", whole=True), ModelError, "no answer"),
        (says(b"data: " + b"[" * 100_000 + b"\n\n", whole=True), ModelError, "no answer"),
        (says(b"data: \xff\xfe\n\n", whole=True), ModelError, "no answer"),
        (says(b"data: " + b"x" * (2**20 + 9), whole=True), ModelError, "no answer"),
        (says(b'data: {"choices": [{"token_ids": [-1]}]}\n\n', whole=True), ModelError, "no answer"),
        (says(b'data: {"choices": [{"token_ids": ["a"]}]}\n\n', whole=True), ModelError, "no answer"),
        (says(b'data: {"choices": [{"text": 5}]}\n\n', whole=True), ModelError, "no answer"),
        (says(b'data: {"choices": [{}, {}]}\n\n', whole=True), ModelError, "no answer"),
        (says(b'data: {"choices": "two"}\n\n', whole=True), ModelError, "no answer"),
        (says(LAST.replace(b"}]", b', "stop_reason": [1]}]'), whole=True), ModelError, "no answer"),
        (says(TOKEN.replace(b"null", b'"abort"'), whole=True), ModelError, "broke off"),
        (says(TOKEN.replace(b"null", b'"error"'), whole=True), ModelError, "broke off"),
        (says(TOKEN, b'data: {"error": {"message": "sekret-key"}}\n\n', whole=True), ModelError, "broke off"),
    ],
)
def test_a_failure_is_one_sentence_and_the_next_question_is_answered(
    engine: OpenAiEngine, server: FakeServer, fault: Fault, kind: type[SpringError], words: str
) -> None:
    server.faults.append(fault)
    assert words in _refused(engine, kind)
    server.faults.clear()
    assert _ask(engine).progress.done


def test_comments_and_other_fields_of_a_stream_are_passed_over(engine: OpenAiEngine, server: FakeServer) -> None:
    parts = (b": ping\n\n", b"event: message\nid: 7\n", TOKEN.replace(b'"a"', '"\u2028ü"'.encode()))
    server.faults.append(says(*parts, b'data: {"usage": {}}\n\n', LAST, b"data: [DONE]", whole=True))
    (answer,) = finish(engine, asks(ks=[0])).answers  # type: ignore[arg-type]
    assert answer.ended == "stop"


@pytest.mark.parametrize("fault", [says(TOKEN, LAST), says(TOKEN, LAST, b"data: {\n\n", whole=True)])
def test_what_comes_after_an_answers_end_does_not_matter(
    engine: OpenAiEngine, server: FakeServer, fault: Fault
) -> None:
    async def reasons() -> list[object]:
        return [choice["finish_reason"] async for choice in engine.server.stream({})]

    server.faults.append(fault)
    assert engine.loop.start(reasons()).result() == [None, "stop"]


def test_what_still_runs_when_a_loop_closes_is_cleaned_up() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def hang() -> None:
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            ended.set()

    with closing(EventLoop()) as loop:
        loop.start(hang())
        assert begun.wait(30)
    assert ended.is_set()


@pytest.mark.parametrize("left", [True, False])
def test_a_stream_that_fails_gives_what_it_had_and_fails_no_one_who_has_left_it(left: bool) -> None:
    async def one(fails: bool) -> AsyncIterator[int]:
        yield 7
        if fails:
            raise ModelError("It failed.")

    with closing(EventLoop()) as loop, Streams(loop, [one(True), one(False)]) as streams:
        wait(streams._running.values())  # for all to be found at once
        pieces = streams.pieces()
        assert next(pieces) == [(0, 7), (1, 7)]
        if left:
            streams.leave(0)
        with nullcontext() if left else pytest.raises(ModelError):
            assert list(pieces) == []


@pytest.mark.parametrize(("parts", "text"), [(("a\\ud83d", "\\ude00b"), "a😀b"), (("a\\ud83d", ""), "a\ufffd")])
def test_half_a_surrogate_pair_of_a_server_without_ids_is_no_error(
    engine: OpenAiEngine, server: FakeServer, parts: tuple[str, str], text: str
) -> None:
    template = '{"choices": [{"text": "%s", "finish_reason": %s}]}'
    events = (template % part for part in zip(parts, ("null", '"stop"'), strict=True))
    server.faults.append(says(*(f"data: {event}\n\n".encode() for event in events), whole=True))
    assert finish(engine, asks(ks=[0])).answers[0].text == text  # type: ignore[arg-type]


def test_a_busy_server_is_asked_again_but_not_for_ever(engine: OpenAiEngine, server: FakeServer) -> None:
    server.faults.extend([answers(429), answers(503), leaves, answers(429)])
    finish(engine, asks(ks=[0]))  # type: ignore[arg-type]
    assert len(server.asked) == 5
    server.faults.extend([answers(429)] * 5)
    with pytest.raises(ModelError, match="too much to do") as error:
        finish(engine, asks(ks=[0]))  # type: ignore[arg-type]
    one_line(error)
    server.faults.clear()


def test_a_server_that_says_nothing_is_given_up(
    engine: OpenAiEngine, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.server.client.timeout = httpx.Timeout(0.1)
    server.faults.append(hangs())
    assert "in time" in _refused(engine)


def test_an_iterator_that_is_dropped_ends_the_request_on_the_server(engine: OpenAiEngine, server: FakeServer) -> None:
    server.faults.append(hangs(TOKEN))
    stream = engine.stream(asks(ks=[0]), DecodingOptions(8))
    while not next(stream).answers[0].new_tokens:
        pass
    stream.close()
    assert server.dropped.wait(30)


def test_a_server_that_went_is_asked_again_and_another_one_in_its_place_is_refused(
    folder: Path, server: FakeServer, tiny_llama_folder: Path, tmp_path: Path
) -> None:
    with serving(folder) as own:
        engine, port = OpenAiEngine(folder, own.url), own.server_port
        assert _ask(engine).progress.done
    assert "cannot be reached" in _refused(engine)
    with serving(folder, port):
        assert _ask(engine).progress.done
    assert "cannot be reached" in _refused(engine)
    with serving(folder, port) as other:
        for weights in other.model.parameters():
            weights.data.mul_(-1.5)
        assert "does not answer a known prompt" in _refused(engine, BackboneError)
    engine.close()


# --- which model ---


def test_the_model_is_found_by_its_name_or_as_the_only_one(server: FakeServer, folder: Path) -> None:
    server.models = [{"id": "tiny"}, {"id": "other"}]
    with closing(OpenAiEngine(folder, server.url.removesuffix("/v1"), "tiny")) as engine:
        assert engine.backbone.context_length == 512
    for models, name, words in (
        (server.models, "", "has 2 models"),
        (server.models, "third", "no model third"),
        ([], "", "has 0 models"),
        (["text"], "", "no answer"),
    ):
        server.models = models
        with pytest.raises(SpringError, match=words) as error:
            OpenAiEngine(folder, server.url, name)
        one_line(error)


def test_a_server_with_a_shorter_context_drops_passages(server: FakeServer, folder: Path) -> None:
    server.models = [{"id": "tiny", "max_model_len": 150}]
    with closing(OpenAiEngine(folder, server.url)) as engine:
        comparison = _ask(engine, ComparisonSettings((0,), decoding=DecodingOptions(8)), HITS * 3)
        assert comparison.dropped
        with pytest.raises(PromptError, match="as served") as error:
            engine.stream(asks(ks=[50]), DecodingOptions(100))
    one_line(error)


@pytest.mark.parametrize(
    "fault", [answers(400, b"out of vocabulary"), answers(200, b'{"choices": [{"token_ids": [1]}]}')]
)
def test_another_model_is_refused(server: FakeServer, folder: Path, fault: Fault) -> None:
    server.faults.append(fault)
    with pytest.raises(BackboneError, match="does not answer a known prompt") as error:
        OpenAiEngine(folder, server.url)
    one_line(error)


@pytest.mark.parametrize("folder", ["~nobody-here/model", "x" * 300])
def test_a_folder_that_cannot_be_is_none_of_ours(folder: str) -> None:
    with pytest.raises(BackboneError, match="is no folder that `spring export` made") as error:
        OpenAiEngine(folder, "http://host/v1")
    one_line(error)


@pytest.mark.parametrize(
    "url",
    [
        *("", "nowhere", "ftp://host/v1", "http://", "http://[", "http://h:x", "http://h:65536"),
        *("http://me:sekret-key@host", "http://host/v1?key=sekret-key"),
    ],
)
def test_an_address_is_checked_and_holds_no_secret(folder: Path, url: str) -> None:
    with pytest.raises(BackboneError, match="address") as error:
        OpenAiEngine(folder, url, key=KEY)
    assert KEY not in one_line(error)


def test_the_key_is_in_no_text_of_ours(server: FakeServer, folder: Path) -> None:
    assert KEY not in repr(http.ModelServer(server.url, KEY))
    for key in ("two words", "schlüssel", "line\n"):
        with pytest.raises(BackboneError, match="SPRING_ENGINE_KEY") as error:
            OpenAiEngine(folder, server.url, key=key)
        assert key.strip() not in one_line(error)


# --- the whole programs ---


def test_ask_needs_no_torch(server: FakeServer, folder: Path) -> None:
    program = """
        import sys
        from spring.cli.main import main
        arguments = "--documents corpora/orlo-station/documents/house-rules.txt --max-new-tokens 4 --json"
        assert main(["ask", "Who keeps the lamp?", *arguments.split(), *sys.argv[1:]]) == 0
        assert not {"torch", "transformers"} & set(sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), "--engine-url", server.url, "--backbone", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"SPRING_ENGINE_KEY": KEY}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert server.keys[-1] == f"Bearer {KEY}"
    assert KEY not in done.stdout + done.stderr


def test_evaluate_asks_the_server_and_its_rows_are_no_others(
    server: FakeServer,
    engine: OpenAiEngine,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus = ROOT / "corpora" / "orlo-station"
    command = ["evaluate", str(corpus / "questions.jsonl"), "--corpus", str(corpus / "documents" / "house-rules.txt")]
    command += ["--limit", "2", "--virtual-tokens", "0", "5", "--max-new-tokens", "4", "--passages", "1"]
    served = ["--engine-url", server.url, "--backbone", str(folder)]
    assert main([*command, *served, "--output", str(tmp_path / "rows.csv")]) == 0
    assert "exact match" in capsys.readouterr().out
    assert len(server.asked) == 2 + 4  # the two known prompts; two questions for two k
    identity = run_identity(engine, ComparisonSettings(), None, {})
    assert identity["precision"] == "served"
    for wrong in (["--tokens", "x"], ["--precision", "fp32"]):
        assert main([*command, *served, *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
