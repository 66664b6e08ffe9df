"""Bytes of old and new text files, and of some with a few bad bytes."""

import pytest

from spring.data.encoding import decode
from spring.errors import DocumentError


@pytest.mark.parametrize(
    ("data", "warnings"),
    [
        ("\ufeffDas Café: £5 – naïve.".encode(), []),
        ("Das Café: £5 – naïve.".encode("utf-16"), []),
        ("Das Café: £5 – naïve.".encode("cp1252"), ["it is not UTF-8 and was read as windows-1252"]),
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
    ],
)
def test_older_encodings(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding))[0] == text


LINE = "The café of the lighthouse burns whale oil.\n"


@pytest.mark.parametrize(
    ("bad", "warning"),
    [
        (b"\xe9", "1 byte was not UTF-8"),
        (b"\xff\xfe", "2 bytes were not UTF-8"),
        ("🚢".encode()[:3], "3 bytes were not UTF-8"),  # cut off
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_few_bad_bytes_in_utf_8(bad: bytes, warning: str, mark: str) -> None:
    data = (mark + LINE * 100).encode() + bad
    assert decode(data) == (LINE * 100 + "\ufffd" * len(bad), [warning])


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


@pytest.mark.parametrize("data", [b"lamp\0oil", bytes(range(1, 256)) * 9, "lamp".encode("utf-16-le")])
def test_what_is_no_text(data: bytes) -> None:
    with pytest.raises(DocumentError, match="does not look like text"):
        decode(data)
