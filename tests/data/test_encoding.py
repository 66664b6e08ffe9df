"""Bytes of old and new text files, and of some with a few bad bytes."""

import pytest

from spring.data.encoding import decode
from spring.errors import DocumentError
from tests.support.languages import TEXTS


@pytest.mark.parametrize(
    ("data", "warnings"),
    [
        ("\ufeffDas Café: £5 – naïve.".encode(), []),
        ("Das Café: £5 – naïve.".encode("utf-16"), []),
        ("Das Café: £5 – naïve.".encode("cp1252"), ["it is not UTF-8 and was read as windows-1252, which is a guess"]),
    ],
)
def test_encodings(data: bytes, warnings: list[str]) -> None:
    assert decode(data) == ("Das Café: £5 – naïve.", warnings)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Le café de l'été est déjà fermé à midi.", "latin-1"),
        ("Der Käse schmeckt über alle Maßen gut. " * 50, "latin-1"),
        ("Temperature 20 °C, 5 µm, © 2020, × 3", "cp1252"),
        ("Zażółć gęślą jaźń, proszę państwa.", "cp1250"),
        ("Московский государственный университет имени Ломоносова.", "cp1251"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", "shift_jis"),
        ("北京是中华人民共和国的首都，是全国的政治中心。", "gb18030"),
        ("Müller;Königstraße 5;12\nJäger;Äußere Straße 7;30\n", "mac_roman"),
        ("Le café de l'été est déjà fermé à midi, garçon.", "cp850"),
        ("Московский государственный университет имени Ломоносова.", "cp866"),
        ("Московский государственный университет имени Ломоносова.", "iso8859_5"),
        ("A long word—another word—and “quotes” – here.", "cp1252"),
    ],
)
def test_older_encodings(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding))[0] == text


LINE = "The café of the lighthouse burns whale oil.\n"


@pytest.mark.parametrize(
    ("bad", "read", "warning"),
    [
        (b"\xe9", "é", "1 byte was not UTF-8 and read as windows-1252"),
        (b"f\xfcr m\xfcde \x93G\xe4ste\x94", "für müde “Gäste”", "5 bytes were not UTF-8 and read as windows-1252"),
        (b"\xff\xfe", "\ufffd\ufffd", "2 bytes were not UTF-8"),
        ("🚢".encode()[:3], "\ufffd\ufffd\ufffd", "3 bytes were not UTF-8"),  # cut off
        (
            "Мост через реку построен".encode("cp1251"),
            "Мост через реку построен",
            "line 101 was not UTF-8 and read by a guess",
        ),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_some_bytes_and_lines_of_utf_8_are_not(bad: bytes, read: str, warning: str, mark: str) -> None:
    assert decode((mark + LINE * 100).encode() + bad) == (LINE * 100 + read, [warning])


def test_a_byte_that_is_not_utf_8_in_a_line_that_is() -> None:
    text = "Die Brücke über den Fluß ist schön."
    assert decode(text.encode() + b" Caf\xe9") == (f"{text} Café", ["1 byte was not UTF-8 and read as windows-1252"])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["lamp", "Мост через реку. ", "北京是中华人民共和国的首都，是全国的政治中心。"])
def test_wide_characters_without_a_mark(text: str, encoding: str) -> None:
    name = encoding[:6].upper()
    assert decode(text.encode(encoding)) == (text, [f"it has no byte order mark and was read as {name}"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "iso2022_jp"])
def test_what_marks_itself_needs_no_warning(encoding: str) -> None:
    assert decode("この橋は、千九百年に。".encode(encoding)) == ("この橋は、千九百年に。", [])


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="iso-8859-5">', "iso8859_5"),
        ("<meta http-equiv=Content-Type content='text/html; charset=windows-1251'>", "cp1251"),
        ('<?xml version="1.0" encoding="KOI8-R"?>', "koi8_r"),
        ('<meta charset="x-mac-cyrillic">', "mac_cyrillic"),
        ('<meta charset="utf-8">', "cp866"),  # which is wrong
        ('<meta charset="raw_unicode_escape">', "cp866"),  # which is none of a page
        ('<meta charset="no such thing">', "cp866"),
    ],
)
def test_a_declared_encoding_counts(head: str, encoding: str) -> None:
    text = head + "<p>Мост через реку построен в 1932 году."
    decoded, warnings = decode(text.encode(encoding), markup=True)
    assert decoded == text
    assert bool(warnings) == (encoding == "cp866")


def test_a_page_in_utf_8_may_declare_what_it_was_once_in() -> None:
    text = '<meta charset="iso-8859-1"><p>für müde Gäste'
    assert decode(text.encode(), markup=True) == (text, [])
    assert decode(text.encode("latin-1"), markup=True) == (text, [])


@pytest.mark.parametrize(
    "text",
    [
        "The lighthouse burns oil.\n" * 100 + "Le café",  # nothing that is UTF-8 and not ASCII
        "Le café de l'été est déjà fermé à midi.\n" * 30,
        "Ã© est un é mal lu. " + "Le café de l'été est déjà fermé à midi.\n" * 30,
    ],
)
def test_what_is_not_utf_8_is_guessed(text: str) -> None:
    assert decode(text.encode("cp1252"))[0] == text


@pytest.mark.parametrize("data", [b"lamp\0oil", bytes(range(1, 256)) * 9, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0"])
def test_what_is_no_text(data: bytes) -> None:
    with pytest.raises(DocumentError, match="does not look like text"):
        decode(data)


@pytest.mark.parametrize("language", TEXTS)
def test_old_encodings_are_told_apart_by_common_words(language: str) -> None:
    text, encodings = TEXTS[language]
    assert {encoding: decode(text.encode(encoding))[0] for encoding in encodings.split()} == dict.fromkeys(
        encodings.split(), text
    )


def test_few_words_beyond_ascii_in_a_long_text() -> None:
    text = "The lamp burns oil.\n" * 5_000 + "Der Wächter zündet über dem Fluss für die Schiffe die Lampe an.\n"
    assert decode(text.encode("cp850"))[0] == text
