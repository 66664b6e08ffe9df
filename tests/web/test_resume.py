"""The form and the documents after a reload."""

import gc
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from spring.data.types import Collection
from spring.rag.library import Library
from spring.web.shared import Shared
from spring.web.tabs.form import Form
from spring.web.tabs.resume import Resume
from spring.web.visitors.documents import OWN
from tests.conftest import PASSAGES

SAMPLE = "The station"
SAVED = {
    "question": "Typed?",
    "expected": "",
    "k": 7,
    "passage_count": 4,
    "baseline": "none",
    "blind": True,
    "max_new_tokens": 9,
    "temperature": 0.5,
    "collection": OWN,
}


# Of each input, what it cannot be.
WRONG = {
    "question": [None, "x" * 2001, "\ud800", 7],
    "expected": [{}, "x" * 2001],
    "k": [-1, 51, 1.5, True, "7", float("nan"), float("inf"), 10**400, None],
    "passage_count": [0, 11, 2.5, [3]],
    "baseline": ["told", "", None, ["none"], 1],
    "blind": [1, "true", None],
    "max_new_tokens": [0, 257, 9.5],
    "temperature": [-0.1, 2.1, "0", float("nan")],
    "collection": ["<b>", OWN, None, ["x"]],
}


def session(name: str, **headers: str) -> SimpleNamespace:
    return SimpleNamespace(session_hash=name, headers=headers)


def upload(form: Form, page: SimpleNamespace, file: Path, key: str = "") -> str:
    """Read a file; returns the key for the browser."""
    file.write_text(f"The word of {file.name} is turquoise.")
    *_, last = form.upload(page, [str(file)], key)
    return str(last["key"])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Gradio leaves its event loop open
def test_a_reloaded_page_has_the_form_and_the_documents_of_its_key(tmp_path) -> None:
    engine: Future = Future()
    engine.set_result(SimpleNamespace(tokens=range(50)))
    shared = Shared(engine, [Library.build(SAMPLE, Collection((), tuple(PASSAGES), ()))])
    with gr.Blocks() as demo:
        form = Form(shared)
        form.lay_out_question()
        form.lay_out_settings()
    resume = Resume(shared, form).resume

    key = upload(form, session("me"), tmp_path / "a.txt")
    restored = resume(session("again"), key, SAVED)
    assert {name: restored[name] for name in SAVED} == SAVED
    assert "a.txt" in restored["files"]
    assert upload(form, session("again"), tmp_path / "b.txt", key) == ""  # the browser has it
    for name in ("me", "again"):
        assert len(shared.documents.library(OWN, name).collection.results) == 2
    without = {name: value for name, value in SAVED.items() if name != "collection"}
    for unknown in ("A" * 43, "", None):  # as after a restart
        assert resume(session("stranger"), unknown, SAVED) == without
    assert resume(session("foreign", **{"sec-fetch-site": "cross-site"}), key, SAVED) == without

    for saved in (None, [], "x", 7, [SAVED], {"foo": 1}):
        assert resume(session("stranger"), None, saved) == {}
    assert WRONG.keys() == SAVED.keys() == form.inputs.keys()
    for name, values in WRONG.items():
        for value in values:
            assert resume(session("stranger"), None, {name: value}) == {}, (name, value)
    demo.close(verbose=False)
    del demo, form, resume
    gc.collect()
