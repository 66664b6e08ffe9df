"""What docs/api.md calls of the page is there."""

import inspect
import re

from spring.web.api import Api
from tests.support.documentation import python_examples


def test_every_argument_that_is_documented_is_one_of_the_page() -> None:
    called = set(re.findall(r"^    (\w+)=", python_examples()[0], re.MULTILINE)) | {"collection"}
    assert called - {"api_name"} <= set(inspect.signature(Api.compare).parameters)
