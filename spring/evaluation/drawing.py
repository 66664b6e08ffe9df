"""Drawings of a page that is one file: matplotlib's SVG, the same for the same data, in the colours of the page."""

import io
from collections.abc import Callable
from typing import Any

PIP_INSTALL = 'pip install "matplotlib>=3.10,<4"'
_INK = "#010203"  # becomes the colour of the page's text, which is another one in the dark
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "spring",
    "font.family": "sans-serif",
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def drawing(size: tuple[float, float], label: str, draw: Callable[[Any], None]) -> str:
    """Draw a figure as SVG.

    Args:
        size: width and height in inches.
        label: what the drawing is, for who does not see it.
        draw: takes matplotlib's empty `Figure`.

    """
    import matplotlib as mpl
    from matplotlib.figure import Figure  # not pyplot, which looks for a screen

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]  # without the XML declaration, which HTML does not have
    return svg.replace(_INK, "currentColor").replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
