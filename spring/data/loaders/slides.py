"""Load PowerPoint presentations: one page for each slide, with its tables, charts and the speaker's notes."""

import io
from collections.abc import Iterator
from typing import Any

from spring.data.cleaning import table_row
from spring.data.loaders.archive import check_zip
from spring.data.loaders.content import Block, Content, build_page, check_pages, clean_title
from spring.data.types import Page

_GENERIC = ("PowerPoint Presentation", "PowerPoint-Präsentation", "Présentation PowerPoint")


def load_pptx(data: bytes, most_pages: int) -> Content:
    """One page for each slide; the title is the properties', else the first slide's."""
    check_zip(data, "presentation", ".pptx", "PowerPoint")
    from pptx.exc import PythonPptxError  # it takes 0.3 s
    from pptx.package import Package
    from pptx.parts.presentation import PresentationPart

    try:
        # Not `pptx.Presentation`, which refuses templates and shows.
        part = Package.open(io.BytesIO(data)).main_document_part
        if not isinstance(part, PresentationPart):
            raise ValueError("its main part is no presentation")
        presentation = part.presentation
        check_pages(len(presentation.slides), most_pages)
        pages = [build_page(_slide_blocks(slide)) for slide in presentation.slides]
        title = presentation.core_properties.title or ""
    except PythonPptxError as error:
        raise ValueError(str(error)) from error
    if not title.strip() or title in _GENERIC:
        title = next((page.headings[0].text for page in pages if page.headings), "")
    return Content(pages or [Page("")], [], clean_title(title))


def _slide_blocks(slide: Any) -> Iterator[Block]:
    """The blocks of a slide from its title down, then its notes."""
    title = slide.shapes.title
    if title is not None:
        yield Block(_spaced(title.text_frame.text), 1)
    for shape in _shapes(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield Block(table_row(cell.text_frame.text for cell in row.cells if not cell.is_spanned))
        elif getattr(shape, "has_chart", False):
            yield from map(Block, _chart_lines(shape.chart.element))
        elif shape.has_text_frame:
            yield from (Block(_spaced(paragraph.text)) for paragraph in shape.text_frame.paragraphs)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = [Block(_spaced(line.text)) for line in slide.notes_slide.notes_text_frame.paragraphs]
        if any(block.text.strip() for block in notes):
            yield Block("Notes", 2)
            yield from notes


def _chart_lines(chart: Any) -> Iterator[str]:
    """The title, and for each series its name and its values, as they were saved with the chart.

    By its elements, because python-pptx's plots are not of all types: it knows no pies in three dimensions.
    """
    yield "".join(chart.xpath("c:chart/c:title//a:t/text() | c:chart/c:title//c:v/text()"))
    for series in chart.xpath("c:chart/c:plotArea/*/c:ser"):
        yield " ".join(series.xpath("c:tx//c:v/text()"))
        names = {point.get("idx"): point.findtext("{*}v") for point in series.xpath("(c:cat | c:xVal)//c:pt")[::-1]}
        for point in series.xpath("(c:val | c:yVal)//c:pt"):
            yield ": ".join(filter(None, (names.get(point.get("idx")), _number(point.findtext("{*}v") or ""))))


def _number(text: str) -> str:
    """A number without the traces of its binary form: `0.28000000000000003` is 0.28."""
    try:
        return f"{float(text):.15g}"
    except ValueError:
        return text


def _shapes(shapes: Any) -> Iterator[Any]:
    """The shapes of a slide, those in groups too, in the order of drawing."""
    stack = [iter(shapes)]
    while stack:
        shape = next(stack[-1], None)
        if shape is None:
            stack.pop()
        elif hasattr(shape, "shapes"):
            stack.append(iter(shape.shapes))
        else:
            yield shape


def _spaced(text: str) -> str:
    """Line breaks within a paragraph, which PowerPoint writes as vertical tabs, as spaces."""
    return text.replace("\v", " ")
