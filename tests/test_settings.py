"""The page's settings from environment variables."""

from dataclasses import fields, replace

import pytest

from spring.errors import SpringError
from spring.settings import DEFAULT_BACKBONE, AppSettings

NUMBERS = (
    "SPRING_AT_ONCE",
    "SPRING_CACHE_MB",
    "SPRING_UPLOAD_MB",
    "SPRING_ANSWER_SECONDS",
    "SPRING_WAITING",
    "SPRING_WAITING_PER_ADDRESS",
    "SPRING_IDLE_MINUTES",
    "SPRING_SESSION_MB",
    "SPRING_SESSIONS_MB",
    "SPRING_EVALUATION_QUESTIONS",
    "SPRING_EVALUATION_SECONDS",
)


VALUES: dict[str, tuple[str, object]] = {
    "SPRING_BACKBONE": ("mistral-7b", "mistral-7b"),
    "SPRING_TOKENS": ("/data/tokens.safetensors", "/data/tokens.safetensors"),
    "SPRING_PRECISION": ("4bit", "4bit"),
    "SPRING_ENGINE_URL": ("http://gpu:8000/v1", "http://gpu:8000/v1"),
    "SPRING_ENGINE_MODEL": ("spring", "spring"),
    "SPRING_ENGINE_KEY": ("key", "key"),
    "SPRING_MCP": ("1", True),
    "SPRING_COLLECTIONS": ("Wiki=/data/wiki, Town minutes = /b", (("Wiki", "/data/wiki"), ("Town minutes", "/b"))),
    "SPACES_ZERO_GPU": ("true", True),
    **{name: (str(number), number) for number, name in enumerate(NUMBERS, start=3)},
}


def variables() -> dict[str, str]:
    """The field that each variable sets."""
    return {field.metadata["variable"]: field.name for field in fields(AppSettings)}


def test_every_field_has_a_variable_of_its_own_and_every_number_is_tested_here() -> None:
    assert set(variables()) == set(VALUES)
    assert {field.metadata["variable"] for field in fields(AppSettings) if field.type is int} == set(NUMBERS)


def test_without_variables_the_defaults_hold() -> None:
    assert AppSettings.from_environment({}) == AppSettings()
    assert AppSettings().backbone == DEFAULT_BACKBONE


@pytest.mark.parametrize("name", VALUES)
def test_a_variable_sets_its_field_and_no_other(name: str) -> None:
    text, value = VALUES[name]
    expected = replace(AppSettings(), **{variables()[name]: value})
    assert AppSettings.from_environment({name: text}) == expected != AppSettings()


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_spaces_says_where_a_gpu_is_lent_by_the_call(text: str, expected: bool) -> None:
    assert AppSettings.from_environment({"SPACES_ZERO_GPU": text}).zero_gpu is expected
    assert AppSettings.from_environment({}).zero_gpu is False


def test_an_empty_variable_is_as_one_that_is_not_set() -> None:
    assert AppSettings.from_environment(dict.fromkeys(VALUES, "")) == AppSettings()


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRING_UPLOAD_MB", "7")
    assert AppSettings.from_environment().upload_megabytes == 7


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", " ", "²", "1e3"])
def test_a_number_that_is_none_is_refused_by_the_variables_name(name: str, text: str) -> None:
    with pytest.raises(SpringError, match=rf"^{name} must be a whole number above 0, not .*\.$"):
        AppSettings.from_environment({name: text})


@pytest.mark.parametrize("text", ["wiki", "=dir", "a=", "a=1,a=2"])
def test_collections_are_pairs_with_each_name_once(text: str) -> None:
    with pytest.raises(SpringError, match="SPRING_COLLECTIONS must be NAME=DIR"):
        AppSettings.from_environment({"SPRING_COLLECTIONS": text})


def test_comparisons_run_at_once_where_the_model_is_served_and_its_key_is_not_shown() -> None:
    assert AppSettings.from_environment({}).comparisons_at_once == 1
    served = AppSettings.from_environment({"SPRING_ENGINE_URL": "http://gpu", "SPRING_ENGINE_KEY": "sekret"})
    assert served.comparisons_at_once > 1
    assert "sekret" not in repr(served)
    assert AppSettings.from_environment({"SPRING_AT_ONCE": "3"}).comparisons_at_once == 3
