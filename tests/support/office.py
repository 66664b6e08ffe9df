"""Workbooks, presentations, books and OpenDocument texts for the tests, whole and with a part replaced."""

import io
import zipfile
from datetime import date, datetime

import openpyxl
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches


def zipped(parts: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({part: archive.read(part) for part in archive.namelist() if part != name} | {name: content})


def xlsx() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Stores"
    for row in (
        ["Stock of May"],
        [],
        ["item", "pieces", "since", None],
        ["Rope", 14, date(1932, 5, 1)],
        [None, 2.5, True],
    ):
        sheet.append(row)
    sheet["B5"].number_format = "0.0%"
    sheet["B9"] = "=1+1"
    staff = book.create_sheet("Staff")
    staff.append(["name", "seen"])
    staff.append(["Anna", datetime(2020, 5, 4, 10, 30)])
    book.create_sheet("Secret").sheet_state = "hidden"
    book["Secret"].append(["gone"])
    book.create_sheet("Empty")
    book.properties.title = "The stores"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def pptx() -> bytes:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "The new lock"
    slide.placeholders[1].text = "It fills\vin nine minutes\nSecond line"
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for place, text in enumerate(("Part", "Cost", "Gate", "40,000")):
        table.cell(place // 2, place % 2).text = text
    chart = CategoryChartData()
    chart.categories = ["Gates", "Walls"]
    chart.add_series("Cost in 1932", (0.1 + 0.2, 40_000))
    kind, area = XL_CHART_TYPE.PIE, (Inches(1), Inches(3), Inches(4), Inches(3))
    slide.shapes.add_chart(kind, *area, chart).chart.chart_title.text_frame.text = "Shares"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "In a group"
    slide.notes_slide.notes_text_frame.text = "Mention the flood."
    presentation.slides.add_slide(presentation.slide_layouts[6])
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def epub(chapter: str = "<h1>One</h1><p>The dam broke.</p>", **more: str | bytes) -> bytes:
    container = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
    items = "".join(f'<item id="{name}" href="{name}.xhtml"/>' for name in ("c%201", "c2", "gone"))
    package = f"""<!DOCTYPE package><package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The Miller
        </dc:title></metadata><manifest>{items}<item id="n" href="n.xhtml" properties="nav"/></manifest><spine>
        <itemref idref="c2"/><itemref idref="n"/><itemref idref="c%201"/><itemref idref="gone"/></spine></package>"""
    parts: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": container}
    parts |= {"OPS/book.opf": package, "OPS/c2.xhtml": f"<?xml version='1.0'?><html><body>{chapter}</body></html>"}
    return zipped(parts | {"OPS/c 1.xhtml": "<p>Geese.", "OPS/n.xhtml": "<nav>Contents</nav>"} | more)


def solid_pie() -> bytes:
    """The presentation with its chart in three dimensions."""
    data = pptx()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        name = next(part for part in archive.namelist() if part.startswith("ppt/charts/chart"))
        return with_part(data, name, archive.read(name).replace(b"c:pieChart", b"c:pie3DChart"))


def odt(body: str, styles: str = "") -> bytes:
    names = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{name}="{names}:{name}:1.0"' for name in ("office", "text", "table", "style"))
    content = f"""<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>
        <office:body><office:text>{body}</office:text></office:body></office:document-content>"""
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})
