"""Connect events to handlers: inputs and outputs go by name."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import Any

import gradio as gr

Updates = Mapping[str, Any]  # new values by the output's name; what is not in it stays as it is
Components = Mapping[str, Any]  # components by name


def connect(
    triggers: Any,
    handler: Callable[..., Any],
    *,
    name: str,
    inputs: Components | None = None,
    outputs: Components | None = None,
    queue: bool = False,
    **options: Any,
) -> Any:
    """Call a handler on events and show the `Updates` that it returns, or yields.

    Args:
        triggers: an event or several, such as `button.click`.
        handler: called with those of the inputs that it has a parameter for; `request: gr.Request` comes first.
        name: unique name of the handler in Gradio's configuration.
        inputs: components whose values may be passed, by parameter name.
        outputs: components that may change, by the names that the handler uses.
        queue: False to call the handler directly, True for what streams or takes time.
        options: of `gr.on`.

    Returns:
        Gradio's dependency, which has `then` and `failure`.

    """
    shown = outputs or {}

    def ordered(updates: Updates | None) -> Any:
        updates = updates or {}
        if unknown := updates.keys() - shown.keys():
            raise KeyError(f"{name} has no output {sorted(unknown)}")
        values = [updates.get(output, gr.skip()) for output in shown]
        return values[0] if len(values) == 1 else values or None

    @wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        return ordered(handler(*args, **kwargs))

    @wraps(handler)
    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for updates in handler(*args, **kwargs):
            yield ordered(updates)

    listen = triggers if callable(triggers) else partial(gr.on, triggers)
    return listen(
        stream if inspect.isgeneratorfunction(handler) else call,
        inputs_kwargs=parameters(handler, inputs or {}),
        outputs=list(shown.values()),
        api_name=name,
        api_visibility="private",
        queue=queue,
        **({"show_progress": "hidden"} | options),
    )


def parameters(handler: Callable[..., Any], components: Components) -> dict[str, Any]:
    """Those of the components that a handler has a parameter for; all of them if it takes `**inputs`."""
    expected = inspect.signature(handler).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in expected.values())
    return dict(components) if takes_all else {name: components[name] for name in expected if name in components}
