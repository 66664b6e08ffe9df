"""Load Markdown files: one page."""

import re

from spring.data.loaders.content import Content, clean_page


def load_markdown(text: str) -> Content:
    """One page; the first heading of level 1 is its title."""
    text = re.sub(r"^(#{1,6}[ \t].*)$", r"\n\1\n", text, flags=re.MULTILINE)  # a heading ends with its line
    heading = re.search(r"^#[ \t]+(.*)$", text.partition("```")[0], re.MULTILINE)
    if heading is None:
        return Content([clean_page(text)], [])
    title, closed = heading[1].strip(), heading[1].strip().rstrip("#")
    title = closed if closed.endswith((" ", "\t")) else title  # `# C#` is not closed, `# The lamp #` is
    return Content([clean_page(text[: heading.start()] + text[heading.end() :], title)], [])
