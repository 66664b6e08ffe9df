"""Which decode steps are recorded and kept, and what happens where one cannot be: with stand-ins for the recording."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch

from spring.errors import ModelError
from spring.generation.captured_step import GraphRecorder
from spring.generation.engine import LocalEngine
from spring.generation.model_thread import out_of_memory
from spring.generation.static_step import REHEARSED, StaticStep, StepShape
from spring.generation.step_pool import StepPool, steps_for
from spring.generation.types import DecodingOptions, GenerationRequest, Progress
from spring.models.backbone import Backbone
from spring.models.size import STEP_SLOTS
from spring.web.html.status import progress_line
from tests.conftest import PROMPT, asks, finish, forced_ids, new_engine

ROOM = 2**30
LACKING = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
ONE, TWO, LONG = (
    StepShape(rows, slots, False) for rows, slots in ((1, STEP_SLOTS), (2, STEP_SLOTS), (1, 2 * STEP_SLOTS))
)


class Recording:
    """Stands in for the recording of a graph: what it was asked for, and with what it fails next."""

    def __init__(self) -> None:
        self.shapes: list[StepShape] = []
        self.failures: list[Exception] = []

    def __call__(self, step: StaticStep) -> Callable[[], None]:
        self.shapes.append(step.shape)
        step.run()
        if self.failures:
            raise self.failures.pop()
        return step.run


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def pool(tiny_llama: Backbone, recording: Recording, said: list[str]) -> StepPool:
    return StepPool(tiny_llama, recording, ROOM, said.append)


@pytest.fixture
def engine(tiny_llama: Backbone, pool: StepPool) -> LocalEngine:
    engine = new_engine(tiny_llama, step="eager")
    engine.steps = pool
    return engine


@pytest.fixture
def expected(tiny_llama: Backbone) -> list[list[int]]:
    return forced_ids(new_engine(tiny_llama, step="eager"), asks())


def until_written(stream: Iterator[Progress]) -> Iterator[Progress]:
    """A stream that has written its first tokens."""
    while not next(stream).ids:
        pass
    return stream


def test_a_step_is_recorded_once_and_the_page_says_so(
    engine: LocalEngine, recording: Recording, expected: list[list[int]]
) -> None:
    first, again = (list(engine.stream(asks(), DecodingOptions(8, ignore_eos=True))) for _ in range(2))
    assert [list(ids) for ids in first[-1].ids] == [list(ids) for ids in again[-1].ids] == expected
    assert recording.shapes == [StepShape(4, STEP_SLOTS, False)]
    preparing = [place for place, progress in enumerate(first) if progress.preparing]
    assert preparing == [next(place for place, progress in enumerate(first) if progress.ids) - 1]
    assert not any(progress.preparing for progress in again)
    shown = SimpleNamespace(progress=first[preparing[0]], hits=[1])
    assert "preparing the graphics card" in progress_line(shown)


def test_each_shape_has_a_step_of_its_own(engine: LocalEngine, recording: Recording) -> None:
    for requests, options in ((asks(), {}), (asks(ks=(0,)), {}), (asks(), {"temperature": 1.0})):
        finish(engine, requests, **options)
    until_written(engine.stream(asks(), DecodingOptions(300))).close()
    assert recording.shapes == [
        StepShape(4, STEP_SLOTS, False),
        StepShape(1, STEP_SLOTS, False),
        StepShape(4, STEP_SLOTS, True),
        StepShape(4, 2 * STEP_SLOTS, False),
    ]
    finish(engine, asks(), 1)  # no step follows the first token
    assert len(recording.shapes) == 4


def test_the_steps_used_longest_ago_make_room(pool: StepPool, recording: Recording, said: list[str]) -> None:
    pool.give_back(pool.take(ONE))
    pool.budget = 3 * pool.nbytes
    for shape in (TWO, ONE, LONG, ONE):  # ONE is used again, so TWO goes
        pool.give_back(pool.take(shape))
    assert recording.shapes == [ONE, TWO, LONG]
    assert (pool.must_record(TWO), pool.must_record(ONE), pool.must_record(LONG)) == (True, False, False)
    assert pool.nbytes == pool.budget
    assert not said


def test_steps_on_loan_are_not_dropped_and_what_has_no_room_is_said_once(
    pool: StepPool, recording: Recording, said: list[str]
) -> None:
    lent = pool.take(ONE)
    pool.budget = pool.nbytes
    assert [pool.take(ONE), pool.take(ONE), pool.take(TWO)] == [None] * 3
    assert said == [
        f"There is no room to keep a decode step of {shape}: the eager one is used."
        for shape in ("1 row of 256 slots", "2 rows of 256 slots")
    ]
    assert not pool.must_record(ONE)
    pool.clear()
    pool.give_back(lent)
    assert pool.take(TWO) is None  # nothing is dropped for what would not fit even so
    assert pool.take(ONE) is lent
    assert recording.shapes == [ONE]


@pytest.mark.parametrize("hidden", [False, True])
def test_without_memory_for_it_the_answer_is_written_eagerly(
    engine: LocalEngine, recording: Recording, expected: list[list[int]], said: list[str], hidden: bool
) -> None:
    finish(engine, asks(ks=(0,)))
    failure: Exception = LACKING
    if hidden:  # as by the end of a recording that a lack of memory has broken off
        failure = RuntimeError("CUDA error: operation failed due to a previous error during capture")
        failure.__context__ = LACKING
    recording.failures.append(failure)
    assert forced_ids(engine, asks()) == expected
    assert said == ["There is not enough memory to record a decode step of 4 rows of 256 slots: the eager one is used."]
    assert engine.steps.nbytes == 0  # what was kept makes room
    assert engine.steps.budget == ROOM // 2
    assert forced_ids(engine, asks()) == expected
    assert recording.shapes[-1] == StepShape(4, STEP_SLOTS, False)
    assert engine.steps.nbytes > 0


def test_a_model_that_cannot_be_recorded_is_tried_once(
    engine: LocalEngine, recording: Recording, expected: list[list[int]], said: list[str]
) -> None:
    recording.failures.append(RuntimeError("it waits for the device\nmore"))
    for requests in (asks(), asks(), asks(ks=(0, 1))):
        last = finish(engine, requests, ignore_eos=True)
        assert [list(ids) for ids in last.ids] == expected[: len(requests)]
    assert len(recording.shapes) == 1
    assert said == ["The decode steps of tiny-llama cannot be recorded (it waits for the device): eager ones are used."]
    assert not any(progress.preparing for progress in engine.stream(asks()))


def test_a_question_that_runs_out_of_memory_drops_the_steps(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, expected: list[list[int]]
) -> None:
    finish(engine, asks())
    stream = until_written(engine.stream(asks(), DecodingOptions(8)))
    finish(engine, asks(ks=(0,)))

    def fail(*_: object) -> None:
        raise LACKING

    with monkeypatch.context() as patch:
        patch.setattr(StaticStep, "_keep", fail)
        with pytest.raises(ModelError, match="not enough memory for this question"):
            list(stream)
    assert engine.steps.must_record(ONE)
    assert forced_ids(engine, asks()) == expected


def test_another_error_of_a_step_is_no_lack_of_memory() -> None:
    assert not out_of_memory(RuntimeError("shape mismatch"))
    assert out_of_memory(RuntimeError("CUDA error: out of memory"))


# --- which engines have steps ---


@contextmanager
def placed(backbone: Backbone, monkeypatch: pytest.MonkeyPatch, *devices: str) -> Iterator[None]:
    """The backbone as if its parameters were on these devices."""
    parameters = [SimpleNamespace(device=torch.device(device), dtype=torch.float32) for device in devices]
    with monkeypatch.context() as patch:
        patch.setattr(type(backbone.model), "device", parameters[0].device)
        patch.setattr(backbone.model, "parameters", lambda: iter(parameters))
        yield


def test_only_a_model_on_one_card_is_recorded(
    tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    assert steps_for(tiny_llama, "auto", said.append) is None
    assert said == []
    with placed(tiny_llama, monkeypatch, "cuda:0", "cuda:1"):
        assert steps_for(tiny_llama, "eager", said.append) is None
        assert said == []
        assert steps_for(tiny_llama, "auto", said.append) is None
    assert said == ["tiny-llama is on several devices, so its decode steps are not recorded."]


# --- the recording itself, with stand-ins for CUDA ---


class Graph:
    """A graph whose replay is what ran while it was recorded."""

    recorded: Callable[[], None]
    random: torch.Generator | None = None

    def register_generator_state(self, random: torch.Generator) -> None:
        self.random = random

    def replay(self) -> None:
        self.recorded()


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """CUDA's functions that a recording calls, on the CPU; notes the modes of waiting, the pools and the graphs."""
    seen = SimpleNamespace(modes=["default"], pools=[], graphs=[], runs=0)
    run = StaticStep.run

    def counted(step: StaticStep) -> None:
        seen.runs += 1
        seen.latest = step
        run(step)

    @contextmanager
    def graph(made: Graph, pool: int, stream: object, capture_error_mode: str) -> Iterator[None]:
        seen.graphs.append(made)
        yield
        made.recorded = lambda step=seen.latest: run(step)

    fakes: dict[str, object] = {
        "Stream": lambda device: SimpleNamespace(wait_stream=lambda other: None),
        "current_stream": lambda: SimpleNamespace(wait_stream=lambda other: None),
        "stream": nullcontext,
        "device": nullcontext,
        "CUDAGraph": Graph,
        "graph": graph,
        "graph_pool_handle": lambda: seen.pools.append(len(seen.pools)) or seen.pools[-1],
        "get_sync_debug_mode": lambda: 0,
        "set_sync_debug_mode": seen.modes.append,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(StaticStep, "run", counted)
    return seen


def recorded(backbone: Backbone, said: list[str]) -> LocalEngine:
    engine = new_engine(backbone, step="eager")
    engine.steps = StepPool(backbone, GraphRecorder(torch.device("cpu")), ROOM, said.append)
    return engine


def test_a_graph_holds_the_step_that_was_warmed_up(tiny: Backbone, cuda: SimpleNamespace, said: list[str]) -> None:
    engine, eager = recorded(tiny, said), new_engine(tiny, step="eager")
    requests = [*asks(), GenerationRequest(PROMPT, 7)]
    for sampling in ({}, {"temperature": 1.0, "seed": 5}):
        for _ in range(2):
            assert finish(engine, requests, **sampling).ids == finish(eager, requests, **sampling).ids
    assert cuda.runs == 2 * (4 + REHEARSED)  # one that allocates, two to warm up, one recorded; and the comparison
    assert cuda.modes == ["default", *["default", "error", 0] * 2]
    assert [graph.random is None for graph in cuda.graphs] == [True, False]
    assert cuda.pools == [0]  # both use it
    assert not said


def test_a_graph_that_chooses_other_tokens_is_not_used(
    tiny_llama: Backbone,
    cuda: SimpleNamespace,
    said: list[str],
    expected: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = recorded(tiny_llama, said)

    def stuck(graph: Graph) -> None:
        graph.recorded()
        cuda.latest._slot.fill_(1)  # as if the slot had been a number when it was recorded

    monkeypatch.setattr(Graph, "replay", stuck)
    assert forced_ids(engine, asks()) == expected
    assert len(said) == 1
    assert "cannot be recorded (its replay chooses other tokens than the step): eager ones are used" in said[0]


def test_graphs_that_are_gone_leave_their_pool(tiny_llama: Backbone, cuda: SimpleNamespace, said: list[str]) -> None:
    engine = recorded(tiny_llama, said)
    finish(engine, asks())
    engine.steps.clear()
    cuda.graphs.clear()
    finish(engine, asks())
    assert cuda.pools == [0, 1]


def test_a_step_that_waits_fails_before_it_is_recorded(
    tiny_llama: Backbone,
    cuda: SimpleNamespace,
    said: list[str],
    expected: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, forward = recorded(tiny_llama, said), tiny_llama.model.forward

    def waiting(*args: object, **options: object) -> object:
        if cuda.modes[-1] == "error":
            raise RuntimeError("called a synchronizing CUDA operation")
        return forward(*args, **options)

    monkeypatch.setattr(tiny_llama.model, "forward", waiting)
    assert forced_ids(engine, asks()) == expected
    assert cuda.modes == ["default", "default", "error", 0]
    assert cuda.graphs == []
    assert "cannot be recorded" in said[0]
