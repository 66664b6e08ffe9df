"""How the page starts."""

from tests.support.imports import HEAVY, imported_by


def test_it_starts_without_torch() -> None:
    # The model has a process of its own.
    loaded = imported_by("spring.web.launch")
    assert "spring.web.layout" in loaded
    assert not loaded & HEAVY
