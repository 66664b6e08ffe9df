"""What DESIGN.md promises of the source, read from its syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Each line may import from the lines above it, and a module from those before it on its own line.
TABLE = """
    errors limits sandbox text_size
    text markup decoding splitting archive kinds readers documents
    retrieval prompt answers
    plain_tensor token_files virtual_tokens
    embedded known_backbones hub finding
    memory cpu seam backbone loading quantization
    prefix_cache model_thread generation comparison
    messages model_server model_process
    dataset metrics samples parsing sandbox_child
    reader loss examples schedule run_folder training
    evaluation report evaluation_run
    render render_evaluation settings
    inputs presence turns sessions uploads gradio_state
    shelf page
    sweep_tab evaluate_tab api bodies headers receiving server
    ui serving zero_gpu
    commands ask_command evaluate_command train_command backbones_command __main__
"""
ORDER = {module: place for place, module in enumerate(TABLE.split())}
WITH_TORCH = {"token_files", "virtual_tokens", "embedded", "memory", "cpu", "seam", "backbone", "loading"}
WITH_TORCH |= {"quantization", "prefix_cache", "model_thread", "generation"}
WITH_TORCH |= {"reader", "loss", "training", "train_command", "zero_gpu"}
WITH_GRADIO = {"gradio_state", "shelf", "api", "receiving", "page", "sweep_tab", "evaluate_tab"}
WITH_GRADIO |= {"server", "ui", "serving", "zero_gpu", "app"}

MODULES = {path.stem: path for path in (ROOT / "spring").rglob("*.py") if path.stem != "__init__"}
SOURCES = MODULES | {"app": ROOT / "app.py"}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}
EVERY = pytest.mark.parametrize("name", sorted(SOURCES))


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Dotted names that the import statements among the nodes bring in."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def ours(names: set[str]) -> set[str]:
    """Modules of the package among dotted names."""
    return {name.split(".")[1] for name in names if name.startswith("spring.")}


def at_start(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when a module is imported: not those in functions or below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not lazy and not for_types:
            yield node
            yield from at_start(node)


def loaded_with(name: str) -> set[str]:
    """Packages that importing one of our modules imports, over all of our modules that it imports."""
    seen, waiting, found = set(), [name], set()
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            names = imported(at_start(TREES[module]))
            waiting += ours(names)
            found |= packages(names)
    return found


def test_every_module_has_a_place_in_the_table() -> None:
    assert sorted(ORDER) == sorted(MODULES)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_go_up_the_table_only(name: str) -> None:
    assert {other for other in ours(imported(ast.walk(TREES[name]))) if ORDER[other] >= ORDER[name]} == set()


@EVERY
def test_gradio_is_imported_by_the_page_alone(name: str) -> None:
    assert name in WITH_GRADIO or "gradio" not in packages(imported(ast.walk(TREES[name])))


@EVERY
def test_torch_is_imported_by_the_model_side_alone(name: str) -> None:
    assert name in WITH_TORCH or not {"torch", "transformers"} & packages(imported(ast.walk(TREES[name])))


@pytest.mark.parametrize(
    "name",
    [
        "documents",
        "retrieval",
        "prompt",
        "dataset",
        "metrics",
        "samples",
        "parsing",
        "settings",
        "comparison",
        "ui",
        "app",
        "__main__",
    ],
)
def test_what_needs_no_model_starts_without_torch(name: str) -> None:
    assert not {"torch", "transformers", "bitsandbytes"} & loaded_with(name)


def test_the_model_side_does_load_torch() -> None:  # so that the test above shows something
    assert {"torch", "transformers"} <= loaded_with("generation")


@EVERY
def test_no_handler_catches_everything(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            assert not {"Exception", "BaseException"} & set(map(ast.unparse, caught))


@EVERY
def test_nothing_runs_the_code_of_a_model_or_a_token_file(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert "trust_remote_code" not in options
            assert options.get("weights_only", "True") == "True"
            assert ast.unparse(node.func) != "torch.load" or "weights_only" in options
            assert ast.unparse(node.func) not in {"eval", "exec", "pickle.load", "pickle.loads", "os.system"}
        assert not (isinstance(node, ast.Constant) and node.value == "trust_remote_code")


def test_prompt_strings_are_in_one_module() -> None:
    for name, tree in TREES.items():
        strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert name == "prompt" or not any("\nAnswer:" in str(string) for string in strings)


def test_the_sources_are_found() -> None:
    assert {"generation", "app"} <= set(SOURCES)
    assert all(isinstance(path, Path) and path.is_file() for path in SOURCES.values())
