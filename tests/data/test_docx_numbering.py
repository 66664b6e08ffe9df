"""The numbers before list items and headings of Word files."""

import pytest

from spring.data.loaders.docx import load_docx
from spring.data.loaders.docx_numbering import format_number
from tests.support.word import forms, item, level, numbers, paragraph, style, word_package

CHAPTERS = forms(1, level(0, "%1"), level(1, "%1.%2"), level(2, "(%3)", "lowerLetter"))


def lines(body: str, numbering: str, styles: str = "") -> list[str]:
    return load_docx(word_package(body, {"numbering": numbering, "styles": styles})).pages[0].text.split("\n")


def items(*levels: int, number: int = 1) -> str:
    return "".join(item("x", number, level) for level in levels)


def test_levels_count_below_each_other() -> None:
    body = items(0, 1, 1, 2, 0, 1, 2, 2)
    assert lines(body, CHAPTERS + numbers(1, 1)) == ["1 x", "1.1 x", "1.2 x", "(a) x", "2 x", "2.1 x", "(a) x", "(b) x"]


def test_a_level_without_one_above_it_begins_below_the_first() -> None:
    assert lines(items(1, 1, 0, 1), CHAPTERS + numbers(1, 1)) == ["1.1 x", "1.2 x", "1 x", "1.1 x"]


def test_lists_of_the_same_forms_count_on_unless_one_starts_anew() -> None:
    anew = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    numbering = CHAPTERS + numbers(1, 1) + numbers(2, 1) + numbers(3, 1, anew)
    body = items(0) + items(0, number=2) + items(0, 0, number=3) + items(0)
    assert lines(body, numbering) == ["1 x", "2 x", "5 x", "6 x", "7 x"]


def test_levels_of_a_list_in_the_place_of_those_of_its_forms() -> None:
    other = f'<w:lvlOverride w:ilvl="0">{level(0, "Article %1.", "upperRoman")}</w:lvlOverride>'
    assert lines(items(0, 0), CHAPTERS + numbers(1, 1, other)) == ["Article I. x", "Article II. x"]


def test_levels_that_do_not_begin_anew_or_are_decimal() -> None:
    through = level(1, "%2)", more='<w:lvlRestart w:val="0"/>')
    legal = level(2, "%1.%2.%3", more="<w:isLgl/>")
    numbering = forms(1, level(0, "%1.", "upperRoman"), through, legal) + numbers(1, 1)
    assert lines(items(0, 1, 0, 1, 2), numbering) == ["I. x", "1) x", "II. x", "2) x", "2.2.1 x"]


def test_bullets_have_no_mark_and_empty_items_a_number() -> None:
    numbering = forms(1, level(0, "\uf0b7", "bullet")) + numbers(1, 1) + forms(2, level(0, "%1.")) + numbers(2, 2)
    hidden = paragraph("", properties='<w:numPr><w:numId w:val="2"/></w:numPr><w:rPr><w:vanish/></w:rPr>')
    body = items(0) + item("One", 2) + item("", 2) + hidden + item("Three", 2)
    assert lines(body, numbering) == ["x", "1. One", "3. Three"]


def test_numbers_of_styles() -> None:
    chapter = style("Chapter", paragraph_='<w:numPr><w:numId w:val="1"/></w:numPr>')
    part = style("Part", "Chapter")
    numbering = forms(
        1, level(0, "%1", more='<w:pStyle w:val="Chapter"/>'), level(1, "%1.%2", more='<w:pStyle w:val="Part"/>')
    )
    none = paragraph("None", "Part", '<w:numPr><w:numId w:val="0"/></w:numPr>')
    body = paragraph("A", "Chapter") + paragraph("B", "Part") + none + paragraph("C", "Part")
    assert lines(body, numbering + numbers(1, 1), chapter + part) == ["1 A", "1.1 B", "None", "1.2 C"]


def test_forms_that_stand_at_the_list_of_a_style() -> None:
    link = '<w:abstractNum w:abstractNumId="2"><w:numStyleLink w:val="Outline"/></w:abstractNum>'
    outline = style("Outline", paragraph_='<w:numPr><w:numId w:val="1"/></w:numPr>', kind="numbering")
    numbering = CHAPTERS + link + numbers(1, 1) + numbers(2, 2)
    assert lines(items(0, 1, number=2), numbering, outline) == ["1 x", "1.1 x"]


@pytest.mark.parametrize(
    ("number", "form", "written"),
    [
        (1994, "upperRoman", "MCMXCIV"),
        (4, "lowerRoman", "iv"),
        (28, "lowerLetter", "bb"),
        (7, "decimalZero", "07"),
        (22, "ordinal", "22nd"),
        (112, "ordinal", "112th"),
        (3, "decimalEnclosedCircle", "③"),
        (21, "chineseCounting", "二十一"),
        (10, "japaneseCounting", "十"),
        (3, "russianLower", "в"),
        (0, "upperRoman", "0"),
        (10**6, "upperRoman", "1000000"),
        (2, "an unknown one", "2"),
        (2, "none", ""),
    ],
)
def test_forms_of_numbers(number: int, form: str, written: str) -> None:
    assert format_number(number, form) == written
