"""JSON and XML that are no rows of text: lines of names and values, and what harmful ones get."""

import json

import pytest
from lxml.etree import XMLSyntaxError

from spring.data.loaders.records import load_json, load_xml
from spring.errors import DocumentError


def test_json_as_names_and_values() -> None:
    tower = {"name": "North Light", "height": 31.5, "lit": True, "keepers": ["Anna", "Bert"], "note": None}
    content = load_json(json.dumps({"title": "Towers", "towers": [tower, tower | {"address": {"town": "Ostgate"}}]}))
    line = "towers: name: North Light; height: 31.5; lit: true; keepers: Anna, Bert"
    assert content.title == "Towers"
    assert content.pages[0].text.split("\n") == ["title: Towers", line, line, "towers > address: town: Ostgate"]


def test_json_rows_beside_others_are_names_and_values() -> None:
    shop = {
        "founded": 1931,
        "faq": [{"q": "Abroad?", "a": "Yes."}],
        "pumps": [{"name": "A", "body": "Small.", "fee": 9}],
    }
    assert load_json(json.dumps(shop)).pages[0].text.split("\n") == [
        "founded: 1931",
        "faq: q: Abroad?; a: Yes.",
        "pumps: name: A; body: Small.; fee: 9",
    ]


def test_json_rows_under_a_name() -> None:
    content = load_json('{"data": [{"title": "Lamp", "text": "It burns."}, {"text": "Oil."}]}')
    assert [(page.title, page.text) for page in content.pages] == [("Lamp", "It burns."), ("", "Oil.")]


def test_long_texts_have_lines_of_their_own() -> None:
    text = "word " * 60
    assert load_json(json.dumps({"a": {"b": text, "c": 1}})).pages[0].text == f"a: c: 1\na > b: {text.strip()}"


def test_xml_as_names_and_values() -> None:
    content = load_xml(
        """<?xml version="1.0" encoding="utf-16"?><!-- x --><r xmlns="urn:x"><title>Towers</title>
        <t id="7"><name>Süd</name><height unit="m">31</height></t><p>Lit <b>in</b> 1932.</p></r>"""
    )
    assert content.title == "Towers"
    assert content.pages[0].text.split("\n") == [
        "r: title: Towers; p: Lit in 1932.",
        "r > t: id: 7; name: Süd",
        "r > t > height: unit: m; 31",
    ]


@pytest.mark.parametrize("entity", ["<!ENTITY a 'ha'>", "<!ENTITY a SYSTEM 'file:///etc/hostname'>"])
def test_entities_are_refused(entity: str) -> None:
    with pytest.raises(DocumentError, match="it defines entities, which are not read"):
        load_xml(f"<!DOCTYPE r [{entity}]><r>&a;</r>")


def test_what_is_nested_deeply_gets_a_sentence() -> None:
    with pytest.raises(DocumentError, match="nested too deeply"):
        load_json("[" * 100_000 + "]" * 100_000)
    with pytest.raises(DocumentError, match="nested too deeply"):
        load_json('{"a":[' * 400 + "1" + "]}" * 400)
    with pytest.raises(DocumentError, match="nested too deeply"):
        load_xml("<a>" * 200 + "x" + "</a>" * 200)
    with pytest.raises(XMLSyntaxError):
        load_xml("<a>" * 100_000)
