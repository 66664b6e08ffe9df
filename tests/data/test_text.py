"""Plain text: wrapped paragraphs are joined, short lines stay."""

import pytest

from spring.data.loaders.text import load_text


def text_of(text: str) -> str:
    (page,) = load_text(text).pages
    return page.text


WRAPPED = (
    "The old mill stands at the bend of the river, and its wheel has not turned\n"
    "since the spring flood carried away the upper dam and left the race without\n"
    "water for the rest of that long and very dry summer."
)


def test_a_wrapped_paragraph_is_one_line() -> None:
    assert text_of(f"{WRAPPED}\n\nAnother.\n \n{WRAPPED}") == "\n".join(
        [WRAPPED.replace("\n", " "), "Another.", WRAPPED.replace("\n", " ")]
    )


@pytest.mark.parametrize(
    "lines",
    [
        "Monday 9 to 12\nTuesday closed\nWednesday 14 to 18",
        "Q: Who keeps the key?\nA: The porter of the east wing.\nQ: Where is the ladder?\nA: Behind the stove.",
        "Q: Who keeps the key of the east wing when the porter has gone home in the evening?\n"
        "A: The neighbour of the porter, who lives behind the stove and sleeps very little.",
        "I wandered lonely as a cloud\nThat floats on high o'er vales and hills,\nWhen all at once I saw a crowd,\n"
        "A host, of golden daffodils;\nBeside the lake, beneath the trees,\nFluttering and dancing in the breeze.",
        "Anna Holm\nThe east wing of the mill, second floor\n4410 Ostgate",
        "Short title of it\nA first line that nobody wrapped, which is longer than all of the others, and which ends."
        " It goes on after that so that no editor would have put it on one line.\nEnd.",
    ],
)
def test_short_lines_stay(lines: str) -> None:
    assert text_of(lines) == lines
    assert text_of(f"{WRAPPED}\n\n{lines}").endswith(f"\n{lines}")


def test_items_are_lines_and_wrapped_ones_are_joined() -> None:
    item = "- an item that is wrapped at the same width as everything else in this text,\n  as people do\n"
    assert text_of(f"{item}- short\n- last") == (
        "- an item that is wrapped at the same width as everything else in this text, as people do\n- short\n- last"
    )


def test_rows_of_a_table_drawn_with_spaces_stay() -> None:
    rows = [f"{town:20}{height:20}{1900 + year:8}" for year, (town, height) in enumerate([("Arnheld", "12 m")] * 4)]
    assert text_of("\n".join(rows)).split("\n") == [f"Arnheld 12 m {1900 + year}" for year in range(4)]


def test_japanese_lines_are_joined_without_a_space() -> None:
    line = "東京は日本の首都であり、人口は約千四百万人である、そして"
    assert text_of(f"{line}\n多くの人が住んでいる。") == f"{line}多くの人が住んでいる。"
