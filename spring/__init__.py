"""SPRING: answer questions from documents, without and with learned virtual tokens (arXiv 2405.19670).

The names below are the public ones; docs/api.md explains them. They are imported when they are first used, so
`import spring` takes no time and does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spring.data.collection import read_collection as read_collection
    from spring.data.questions import Question as Question
    from spring.data.questions import QuestionSet as QuestionSet
    from spring.data.questions import read_questions as read_questions
    from spring.data.types import Collection as Collection
    from spring.data.types import Document as Document
    from spring.data.types import FileResult as FileResult
    from spring.data.types import Passage as Passage
    from spring.errors import BackboneError as BackboneError
    from spring.errors import BusyError as BusyError
    from spring.errors import DocumentError as DocumentError
    from spring.errors import ModelError as ModelError
    from spring.errors import PromptError as PromptError
    from spring.errors import SpringError as SpringError
    from spring.errors import TokenFileError as TokenFileError
    from spring.evaluation.runner import Row as Row
    from spring.evaluation.runner import evaluate as evaluate
    from spring.evaluation.summary import Summary as Summary
    from spring.evaluation.summary import summarize as summarize
    from spring.generation.comparison import Comparison as Comparison
    from spring.generation.comparison import ComparisonSettings as ComparisonSettings
    from spring.generation.comparison import compare as compare
    from spring.generation.engine import LocalEngine as LocalEngine
    from spring.generation.engine import load_engine as load_engine
    from spring.generation.interface import Engine as Engine
    from spring.generation.openai.engine import OpenAiEngine as OpenAiEngine
    from spring.generation.types import Answer as Answer
    from spring.generation.types import DecodingOptions as DecodingOptions
    from spring.generation.types import GenerationRequest as GenerationRequest
    from spring.models.backbone import Backbone as Backbone
    from spring.models.loader import load_backbone as load_backbone
    from spring.models.tokenization import Tokenization as Tokenization
    from spring.models.virtual_tokens import VirtualTokens as VirtualTokens
    from spring.rag.bm25 import Bm25Retriever as Bm25Retriever
    from spring.rag.index import IndexRetriever as IndexRetriever
    from spring.rag.index_build import build_index as build_index
    from spring.rag.prompt import Prompt as Prompt
    from spring.rag.prompt import build_prompt as build_prompt
    from spring.rag.retriever import Hit as Hit
    from spring.rag.retriever import Retriever as Retriever
    from spring.training.examples import Examples as Examples
    from spring.training.examples import SampleSettings as SampleSettings
    from spring.training.examples import gold_passages as gold_passages
    from spring.training.initializers import initial_tokens as initial_tokens
    from spring.training.settings import TrainingSettings as TrainingSettings
    from spring.training.trainer import TrainingResult as TrainingResult
    from spring.training.trainer import learn as learn

    __version__: str

_MODULES = {
    "spring.data.collection": ("read_collection",),
    "spring.data.questions": ("Question", "QuestionSet", "read_questions"),
    "spring.data.types": ("Collection", "Document", "FileResult", "Passage"),
    "spring.errors": (
        "BackboneError",
        "BusyError",
        "DocumentError",
        "ModelError",
        "PromptError",
        "SpringError",
        "TokenFileError",
    ),
    "spring.evaluation.runner": ("Row", "evaluate"),
    "spring.evaluation.summary": ("Summary", "summarize"),
    "spring.generation.comparison": ("Comparison", "ComparisonSettings", "compare"),
    "spring.generation.engine": ("LocalEngine", "load_engine"),
    "spring.generation.interface": ("Engine",),
    "spring.generation.openai.engine": ("OpenAiEngine",),
    "spring.generation.types": ("Answer", "DecodingOptions", "GenerationRequest"),
    "spring.models.backbone": ("Backbone",),
    "spring.models.loader": ("load_backbone",),
    "spring.models.tokenization": ("Tokenization",),
    "spring.models.virtual_tokens": ("VirtualTokens",),
    "spring.rag.bm25": ("Bm25Retriever",),
    "spring.rag.index": ("IndexRetriever",),
    "spring.rag.index_build": ("build_index",),
    "spring.rag.prompt": ("Prompt", "build_prompt"),
    "spring.rag.retriever": ("Hit", "Retriever"),
    "spring.training.examples": ("Examples", "SampleSettings", "gold_passages"),
    "spring.training.initializers": ("initial_tokens",),
    "spring.training.settings": ("TrainingSettings",),
    "spring.training.trainer": ("TrainingResult", "learn"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        value: Any = _version()
    elif name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module 'spring' has no attribute {name!r}")
    globals()[name] = value
    return value


def _version() -> str:
    """Return the installed version; that of pyproject.toml in a checkout that is not installed."""
    import tomllib
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    try:
        return version("spring-live")
    except PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
    if not project.is_file():
        return "unknown"  # in the folder of a Space
    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF, "__version__"})
