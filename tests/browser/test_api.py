"""The endpoint `/compare` as programs use it."""

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from spring.web.gateway.gateway import NOT_FOUND


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
    described = {each["parameter_name"]: each["python_type"] for each in endpoints["/compare"]["parameters"]}
    assert described["passages"] == {"type": "int", "description": "how many passages are retrieved, 1 to 20."}
    assert described["documents"]["type"] == "list[filepath]"
    assert all(each["description"] for each in described.values())


def test_there_is_no_tool_for_assistants_unless_it_is_switched_on(address):
    for method in ("GET", "POST"):
        response = httpx.request(method, f"{address}gradio_api/mcp/", json={})
        assert (response.status_code, response.json()["detail"]) == (404, NOT_FOUND)


def test_the_page_about_the_api_shows_every_parameter_and_how_to_call_it_by_curl(page):
    page.page.get_by_text("Use via API").click()
    page.wait("/how many passages are retrieved, 1 to 20/.test(document.body.innerText)")
    page.page.get_by_text("cURL").first.click()
    page.wait("/call.v2.compare/.test(document.body.innerText)")
