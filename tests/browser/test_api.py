"""The endpoint `/compare` as programs use it."""

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


def test_compare_answers_from_a_collection(client):
    result = client.predict(
        question="Who designed the lighthouse tower at Skerl Point?",
        virtual_tokens=5,
        collection="Orlo station",
        max_new_tokens=4,
        api_name="/compare",
    )
    assert [answer["virtual_tokens"] for answer in result["answers"]] == [0, 5]
    assert result["passages"][0]["document"] == "skerl-point-lighthouse.md"
    assert result["prompt"]["after"].endswith("\nAnswer:")


def test_compare_answers_from_files(client, tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("# Notes\n\nThe zorbek orchard was planted by Ulla Menk.")
    result = client.predict(
        question="Who planted the zorbek orchard?",
        documents=[handle_file(path)],
        baseline=["examples"],
        instruction=True,
        max_new_tokens=2,
        api_name="/compare",
    )
    assert result["passages"][0]["document"] == "notes.md"
    assert [answer["baseline"] for answer in result["answers"]] == ["plain", "", "instruction", "examples"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"question": " "}, "Please type a question"),
        ({"question": "Who?", "virtual_tokens": 99}, "99 virtual tokens"),
        ({"question": "Who?", "passages": 0}, "passages must be 1 to"),
        ({"question": "Who?", "collection": "Atlantis"}, "no collection 'Atlantis'"),
        ({"question": "Who?", "max_new_tokens": 100000}, "1 to 256"),
        ({"question": "x" * 3000}, "3,000 characters"),
        ({"question": "Who?", "baseline": "plain, told"}, "no baseline 'told'"),
        ({"question": "Who?", "baseline": {"examples": 1}}, "one or several of plain"),
        ({"question": "Who?", "baseline": ["examples", 7]}, "one or several of plain"),
    ],
)
def test_wrong_input_gets_one_sentence(client, wrong, message):
    with pytest.raises(AppError, match=message):
        client.predict(**wrong, api_name="/compare")


def test_only_compare_is_public_and_its_docstring_is_its_documentation(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/compare"]
    assert "virtual tokens" in endpoints["/compare"]["description"]
