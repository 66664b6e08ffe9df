"""The page's settings from environment variables."""

import pytest

from spring.errors import SpringError
from spring.settings import AppSettings

NUMBERS = (
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


def test_without_variables_the_defaults_hold() -> None:
    assert AppSettings.from_environment({}) == AppSettings(
        "smollm2-135m-instruct", None, "auto", 512, 20, 120, 32, 1, 60, 100, 1000, 50, 300
    )


def test_every_variable_is_read() -> None:
    environment = {
        "SPRING_BACKBONE": "mistral-7b",
        "SPRING_TOKENS": "/data/tokens.safetensors",
        "SPRING_PRECISION": "4bit",
        "SPRING_CACHE_MB": "64",
        "SPRING_UPLOAD_MB": "5",
        "SPRING_ANSWER_SECONDS": "30",
        "SPRING_WAITING": "8",
        "SPRING_WAITING_PER_ADDRESS": "4",
        "SPRING_IDLE_MINUTES": "15",
        "SPRING_SESSION_MB": "20",
        "SPRING_SESSIONS_MB": "200",
        "SPRING_EVALUATION_QUESTIONS": "10",
        "SPRING_EVALUATION_SECONDS": "60",
    }
    expected = AppSettings("mistral-7b", "/data/tokens.safetensors", "4bit", 64, 5, 30, 8, 4, 15, 20, 200, 10, 60)
    assert AppSettings.from_environment(environment) == expected


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_spaces_says_where_a_gpu_is_lent_by_the_call(text: str, expected: bool) -> None:
    assert AppSettings.from_environment({"SPACES_ZERO_GPU": text}).zero_gpu is expected
    assert AppSettings.from_environment({}).zero_gpu is False


def test_an_empty_variable_is_as_one_that_is_not_set() -> None:
    names = ("SPRING_BACKBONE", "SPRING_TOKENS", "SPRING_PRECISION", *NUMBERS)
    assert AppSettings.from_environment(dict.fromkeys(names, "")) == AppSettings.from_environment({})


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


def test_collections_of_the_page() -> None:
    settings = AppSettings.from_environment(
        {"SPRING_COLLECTIONS": "Wikipedia=/data/wiki, Town minutes = /data/minutes"}
    )
    assert settings.collections == (("Wikipedia", "/data/wiki"), ("Town minutes", "/data/minutes"))
