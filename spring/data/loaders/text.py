"""Load plain text files: one page."""

from spring.data.loaders.content import Content, clean_page


def load_text(text: str) -> Content:
    """One page."""
    return Content([clean_page(text)], [])
