"""What docs/api.md calls of the page is there."""

import inspect
import re
from concurrent.futures import Future

import gradio as gr
import pytest

from spring.data.types import Collection
from spring.errors import PromptError
from spring.rag.library import Library
from spring.web.api import NO_FLAG, Api
from spring.web.shared import Shared
from spring.web.visitors.documents import OWN
from tests.support.documentation import python_examples


def test_every_argument_that_is_documented_is_one_of_the_page() -> None:
    called = set(re.findall(r"^    (\w+)=", python_examples()[0], re.MULTILINE)) | {"collection"}
    assert called - {"api_name"} <= set(inspect.signature(Api.compare).parameters)


@pytest.mark.parametrize("value", ["false", 0, [True]])
def test_the_instruction_is_a_boolean(value: object) -> None:
    with pytest.raises(gr.Error, match=NO_FLAG):
        Api(Shared(Future(), [])).compare("Who?", instruction=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [["Station", "Station"], ["Station", OWN]])
def test_every_collection_has_a_name_of_its_own(names: list[str]) -> None:
    libraries = [Library.build(name, Collection((), (), ())) for name in names]
    with pytest.raises(PromptError, match=f"There is a collection {names[1]} already: choose .* SPRING_COLLECTIONS"):
        Shared(Future(), libraries)
