"""Documents, pages and passages: frozen values that cannot be wrong."""

from dataclasses import dataclass

LONGEST_TITLE = 200  # characters; it is repeated in every passage
SECTION_MARK = " > "  # between the headings of a section


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a page's text."""

    start: int  # offset of its first character
    level: int  # from 1, the highest
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a PDF, one row of a JSON Lines file, the whole of any other file.

    text: paragraphs, table rows and list items, each on one line. title: one line, or "" where there is none.
    id: what a row of a collection calls itself; question files name the passage with the answer by it.
    """

    text: str
    title: str = ""
    id: str = ""
    headings: tuple[Heading, ...] = ()  # in the order of their start
    rows: bool = False  # each line is a row of a table, which is never cut

    def __post_init__(self) -> None:
        if "\n" in self.title:
            raise ValueError("The title of a page is one line.")


@dataclass(frozen=True, slots=True)
class Document:
    """The pages of one file in order (some may be empty), and what the user should know of the reading.

    title: its own, else its name without the ending.
    """

    name: str
    pages: tuple[Page, ...]
    warnings: tuple[str, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.pages:
            raise ValueError("A document has a name and at least one page.")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one page.

    document: the file's name. page: from 1. index: its place among all passages of the document, from 0.
    section: the headings above its text, outermost first, joined by `SECTION_MARK`; "" where there are none.
    title: of the document, or of the row of a corpus that it comes from. id: what that row calls itself.
    """

    document: str
    page: int
    index: int
    text: str
    section: str = ""
    title: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        if self.page < 1 or self.index < 0 or not self.text.strip():
            raise ValueError("A passage has text, a page from 1 and an index from 0.")

    @property
    def titled(self) -> str:
        """The text below its title, which is not repeated where it is the first line of the text: for the prompt."""
        titled = not self.title or self.text.partition("\n")[0] == self.title
        return self.text if titled else f"{self.title}\n{self.text}"

    @property
    def searched(self) -> str:
        """What a search compares with a question: the headings that the text does not repeat, the title, the text."""
        above = [heading for heading in self.section.split(SECTION_MARK) if heading not in self.text]
        return "\n".join([*filter(None, above), self.titled])


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file.

    error: the sentence of its DocumentError, name included, or None. digest: SHA-256 of its content, if it was read.
    Of a copy of another file there are no pages, and a warning that names the other.
    """

    name: str
    pages: int = 0
    passages: int = 0
    warnings: tuple[str, ...] = ()
    error: str | None = None
    title: str = ""
    digest: str = ""

    @property
    def line(self) -> str:
        """One line for the user, such as `report.pdf: 12 pages, 31 passages; pages 2 and 5 have no text`."""
        if self.error is not None:
            return self.error
        counts = [f"{_count(self.pages, 'page')}, {_count(self.passages, 'passage')}"] if self.pages else []
        return f"{self.name}: {'; '.join([*counts, *self.warnings])}"


@dataclass(frozen=True, slots=True)
class Collection:
    """All that was read from a user's files. results: one for each file, in the order of reading.

    documents: none of a visitor's upload, of which the passages alone are kept.
    """

    documents: tuple[Document, ...]
    passages: tuple[Passage, ...]
    results: tuple[FileResult, ...]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
