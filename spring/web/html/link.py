"""Render a link and its QR code as escaped HTML."""

import segno

from spring.web.html.text import escape


def link_view(address: str, copied: bool) -> str:
    """The address, for whoever has to copy it by hand, and its QR code for an audience."""
    done = "Link copied: it opens this page and asks this question." if copied else "Copy this address:"
    return (
        f'<details class="linked" open><summary><span role="status">{done}</span></summary>'
        f'<input readonly aria-label="Link" value="{escape(address)}">{_qr_code(address)}</details>'
    )


def _qr_code(address: str) -> str:
    """The code as inline SVG, black on white in both themes, as cameras want it."""
    try:
        code = segno.make(address, error="l", micro=False)
    except segno.DataOverflowError:
        return "<p>The question is too long for a QR code.</p>"
    drawn = code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True)
    return f'<figure role="img" aria-label="QR code of this link">{drawn}</figure>'
