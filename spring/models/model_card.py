"""The model card of virtual tokens on the hub, written from their metadata alone.

Its fields: https://huggingface.co/docs/hub/model-cards, `model-index` for the scores.
"""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # mypy: exported by a list alone
from jinja2 import Environment

from spring.data.cleaning import clean_text, one_line
from spring.errors import TokenFileError
from spring.models.catalog import KNOWN_BACKBONES
from spring.models.figures import DETAIL, Figures, figures_of
from spring.models.virtual_tokens import VirtualTokens

TEMPLATE = Path(__file__).with_name("card.md")
TAGS = ["spring", "virtual-tokens", "soft-prompt", "retrieval-augmented-generation"]
_APART = {DETAIL, "license", "licences", "datasets", "position"}  # details with a place of their own
# Markdown, so nothing is escaped but by `_cell`.
_TEMPLATES = Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
_BAR = 20  # blocks of an exact match of 1
_LONGEST = 500  # characters of a detail


def base_model_of(tokens: VirtualTokens, named: str | None = None) -> str:
    """The id on the hub of the tokens' backbone.

    Args:
        tokens: they name it as it was loaded.
        named: the id that the user gives, if any.

    Raises:
        TokenFileError: it is none, or none is known.

    """
    known = KNOWN_BACKBONES.get(named or tokens.backbone)
    base = known.hub_id if known else named or tokens.backbone
    try:
        require_repository(base)
    except TokenFileError as error:
        raise TokenFileError(
            f"{base} is no id of a model on the hub: name the model that the tokens belong to with --base-model."
        ) from error
    return base


def require_repository(name: str) -> None:
    """Refuse what is no `OWNER/NAME`.

    Raises:
        TokenFileError: it is none.

    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise TokenFileError(f"{name[:100]!r} is no name on the hub: give OWNER/NAME.") from error
    if name.count("/") != 1:
        raise TokenFileError(f"{name!r} is no name on the hub: give OWNER/NAME.")


def model_card(
    tokens: VirtualTokens, repository: str, base_model: str, license: str | None = None, datasets: Sequence[str] = ()
) -> str:
    """The text of README.md.

    Args:
        tokens: what is given away; their details say how they were learned and how they did.
        repository: `OWNER/NAME` that they go to.
        base_model: id on the hub of their backbone.
        license: id of the hub's list, such as "mit"; None: that of the details, if any.
        datasets: ids on the hub; none: those of the details, parted by commas.

    Raises:
        TokenFileError: a name is none of the hub's, or the figures in the details cannot be read.

    """
    details = {_line(name): _line(text) for name, text in tokens.details.items()}
    given = [*datasets] or [name.strip() for name in details.get("datasets", "").split(",") if name.strip()]
    for name in given:
        require_repository(name)
    figures, name = figures_of(tokens.details), repository.partition("/")[2]
    data = ModelCardData(
        base_model=base_model,
        base_model_relation="adapter",
        datasets=given or None,
        language=None,
        library_name="spring-live",
        license=license or details.get("license"),
        metrics=["exact_match", "f1"] if figures else None,
        model_name=name,
        pipeline_tag="text-generation",
        tags=TAGS,
        eval_results=[result for number, one in enumerate(figures, 1) for result in _results(one, number)] or None,
    )
    apart = {*_APART, "dev"} if figures else _APART
    text = _TEMPLATES.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        card_data=data.to_yaml(),
        base_model=base_model,
        model_name=name,
        repository=repository,
        backbone=tokens.backbone,
        n=len(tokens),
        hidden=tokens.hidden,
        learned=_cell(tokens.learned) or "which are initial values and not learned",
        front=tokens.at_front,
        figures=figures,
        licences=_cell(details.get("licences", "")),
        details={_cell(name): _cell(text) for name, text in sorted(details.items()) if name not in apart},
        cell=_cell,
        bar=lambda share: "█" * round(share * _BAR),
    )
    return str(ModelCard(text))


def _results(figures: Figures, number: int) -> list[EvalResult]:
    """The scores of the largest k and of k = 0, as the hub's `model-index` has them."""
    ks = [score for score in figures.scores if score.baseline in ("", "plain")]
    chosen = {
        score.virtual_tokens: score for score in ks if score.virtual_tokens in (0, max(s.virtual_tokens for s in ks))
    }
    return [
        EvalResult(
            task_type="question-answering",
            task_name="Question answering from retrieved passages",
            dataset_type="custom",
            dataset_name=_line(figures.data),
            dataset_config=f"{number}, {score.name}",
            metric_type=metric,
            metric_name=f"{shown}, {score.name}",
            metric_value=round(value, 4),
        )
        for score in chosen.values()
        for metric, shown, value in (("exact_match", "Exact match", score.exact_match), ("f1", "F1", score.f1))
    ]


def _line(text: str) -> str:
    return one_line(clean_text(text))


def _cell(text: str) -> str:
    """A detail as a cell of a table in Markdown: no bar ends it, no tag begins in it."""
    text = _line(text)
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
    return cut.replace("|", "\\|").replace("<", "&lt;")
