"""Is it our model that the server has? Its list of models and prompts with known answers say so."""

import sys
from typing import Any

from spring.data.cleaning import one_line
from spring.errors import BackboneError, PromptError
from spring.generation.openai.server import ModelServer, RefusedError
from spring.models.exported import ExportedModel

SHOWN_NAMES = 5


async def find_model(server: ModelServer, wanted: str) -> tuple[str, int]:
    """The name of the model on the server, and the most tokens that it takes.

    Args:
        server: where to look.
        wanted: the name; empty: the only one.

    Raises:
        BackboneError: the server has no model of that name, or several and none is named.

    """
    models = {str(entry.get("id")): entry for entry in await server.models()}
    names = ", ".join(one_line(name)[:100] for name in list(models)[:SHOWN_NAMES]) or "none"
    if wanted and wanted not in models:
        raise BackboneError(f"The server has no model {wanted}: set SPRING_ENGINE_MODEL to one that it has ({names}).")
    if not wanted and len(models) != 1:
        raise BackboneError(f"The server has {len(models)} models: set SPRING_ENGINE_MODEL to one of them ({names}).")
    name = wanted or next(iter(models))
    longest = models[name].get("max_model_len")  # vLLM's
    return name, longest if type(longest) is int and longest > 0 else sys.maxsize


async def require_known_answers(server: ModelServer, name: str, exported: ExportedModel) -> None:
    """Ask what the exported model's answers are known to.

    Raises:
        BackboneError: an answer differs, so it is another model, or one without these virtual tokens.

    """
    for probe in exported.manifest.probes:
        body: dict[str, Any] = {"model": name, "prompt": list(probe.prompt), "max_tokens": len(probe.answer)}
        try:
            choice = await server.complete(body | {"temperature": 0, "top_p": 1, "return_token_ids": True})
        except (RefusedError, PromptError) as error:  # ids that it does not know, for one
            raise _other(exported) from error
        ids, decode = choice.get("token_ids"), exported.tokenization.decode
        if (decode(ids) if ids is not None else choice.get("text", "").strip()) != decode(probe.answer):
            raise _other(exported)


def _other(exported: ExportedModel) -> BackboneError:
    return BackboneError(
        f"The server's model does not answer a known prompt as {exported.manifest.backbone} with its virtual tokens "
        f"does: serve the folder {exported.folder.name}, or name the folder of the one that is served."
    )
