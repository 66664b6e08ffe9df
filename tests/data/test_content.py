"""Pages built of blocks: one clean line each, and headings where their offsets say."""

import pytest

from spring.data.loaders.content import Block, build_page, clean_title


def test_headings_stand_at_their_offsets_in_the_final_text() -> None:
    page = build_page(
        [
            Block(" The\u00ad  lamp \n manual", 1),
            Block(""),
            Block("Cafe\u0301 wraps\nhere.\n\nA new line."),
            Block("\t", 2),
            Block("Oil\x00", 2),
            Block("Of whales."),
        ]
    )
    assert page.text == "The lamp manual\nCafé wraps here.\nA new line.\nOil\nOf whales."
    assert [(heading.level, heading.text) for heading in page.headings] == [(1, "The lamp manual"), (2, "Oil")]
    assert all(page.text[heading.start :].startswith(f"{heading.text}\n") for heading in page.headings)


def test_preformatted_blocks_keep_lines_and_indentation() -> None:
    page = build_page([Block("Save:"), Block("\n\ndef f():\r\n\treturn  1\x00\n\n" + " " * 90 + "deep\n", 0, True)])
    assert page.text == "Save:\ndef f():\n    return 1\n" + " " * 32 + "deep"


def test_nothing_makes_an_empty_page() -> None:
    assert build_page([Block(" "), Block("\n", 1), Block(" \n ", 0, True)]).text == ""


@pytest.mark.parametrize(("title", "clean"), [(" The\nlamp ", "The lamp"), ("word " * 100, ""), ("", "")])
def test_a_title_is_one_line(title: str, clean: str) -> None:
    assert clean_title(title) == clean
