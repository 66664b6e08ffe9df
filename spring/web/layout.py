"""The page: a header, the form, and the tabs."""

from typing import Any

import gradio as gr

from spring.errors import SpringError
from spring.web.api import add_api
from spring.web.html.comparison import facts
from spring.web.html.status import status
from spring.web.shared import Shared
from spring.web.tabs.compare import CompareTab
from spring.web.tabs.evaluate import EvaluateTab
from spring.web.tabs.form import Form
from spring.web.tabs.history import HistoryTab
from spring.web.tabs.link import Links
from spring.web.tabs.resume import Resume
from spring.web.tabs.sweep import SweepTab
from spring.web.tabs.tab import Tab
from spring.web.tabs.wiring import Updates, connect
from spring.web.visitors.requests import EXPECTED_TOKENS, visitor_of

TABS: tuple[type[Tab], ...] = (CompareTab, SweepTab, EvaluateTab, HistoryTab)  # the first one is open at first

PAPER = "https://arxiv.org/abs/2405.19670"
HEADER = f"""
<h1>SPRING Live</h1>
<p class="lead">A frozen language model answers from documents without and with <b>k virtual tokens</b>: learned
embeddings put between the retrieved passages and the question, while nothing in the model changes
(<a href="{PAPER}" target="_blank" rel="noopener">One Token Can Help!, AAAI 2025</a>).</p>
"""
POLL_SECONDS = 1.0  # between two requests whether the model is loaded
LOADING = '<p class="facts">The model is loading …</p>'


def theme() -> gr.themes.Base:
    """System fonts, so that the page loads nothing from elsewhere; colours with enough contrast (WCAG 2, AA)."""
    filled = dict.fromkeys(  # what has white text on it
        (
            "button_primary_background_fill",
            "button_primary_background_fill_dark",
            "button_secondary_background_fill_hover_dark",
            "checkbox_label_background_fill_selected",
            "checkbox_label_background_fill_selected_dark",
            "block_label_background_fill_dark",
        ),
        "*primary_700",
    )
    hovered = dict.fromkeys(
        ("button_primary_background_fill_hover", "button_primary_background_fill_hover_dark"), "*primary_800"
    )
    return gr.themes.Soft(
        primary_hue="emerald",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        block_border_width="1px",
        block_title_background_fill="transparent",
        block_title_text_color="*body_text_color",
        block_title_padding="0",
        block_label_text_color="*primary_800",
        body_text_color_subdued="*neutral_600",  # the theme's own is too pale to read at this size
        body_text_color_subdued_dark="*neutral_300",
        checkbox_border_color="*neutral_500",  # the theme's own are white on white
        checkbox_border_color_dark="*neutral_400",
        color_accent="*primary_700",  # in the dark, see style.css
        input_border_color="*neutral_300",
        link_text_color_dark="*secondary_300",
        **filled,
        **hovered,
    )


def build_demo(shared: Shared) -> gr.Blocks:
    """Lay out the page and connect its events."""
    form, tabs = Form(shared), [tab(shared) for tab in TABS]
    demo = gr.Blocks(title="SPRING Live", analytics_enabled=False)
    with demo:
        with gr.Column(elem_id="page"):  # page.js gives it the class `stage`
            gr.HTML(HEADER, elem_classes="spring", elem_id="header")
            model_facts = gr.HTML(LOADING, elem_id="facts")
            with gr.Row(elem_id="main"):  # in the order of a phone; style.css puts them side by side
                with gr.Column(elem_id="asking"):
                    form.lay_out_question()
                answering = gr.Column(elem_id="answering")
                with gr.Column(elem_id="settings"):
                    form.lay_out_settings()
            with answering:
                _add_tabs(form, tabs)
        opened = _poll_model(shared, demo, form, model_facts)
        resumed = Resume(shared, form).connect(opened)
        Links(shared, form).connect(resumed)  # what an address says wins
        _connect_leaving(shared, demo)
        add_api(shared)
    return demo


def _add_tabs(form: Form, tabs: list[Tab]) -> None:
    form.selected = gr.State(tabs[0].name)
    with gr.Tabs(selected=tabs[0].name, elem_id="tabs") as form.tabs:
        for tab in tabs:
            with gr.Tab(tab.name, id=tab.name):
                tab.lay_out(form)
    connect(form.tabs.select, _selected, name="select_tab", outputs={"selected": form.selected})


def _selected(event: gr.SelectData) -> Updates:
    """Remember which tab the visitor is on."""
    return {"selected": str(event.value)}


def _connect_leaving(shared: Shared, demo: gr.Blocks) -> None:
    """End a visitor's requests when the page is closed or the connection lost."""

    def leave(request: gr.Request) -> None:
        shared.leave(visitor_of(request)[0])

    demo.unload(leave)


def _poll_model(shared: Shared, demo: gr.Blocks, form: Form, model_facts: gr.HTML) -> Any:
    """Show what the model is once it is loaded; no request is held open until then, as a proxy would cut it.

    Returns:
        The event after which an opened page may be filled in: k has its range, if the model is loaded.

    """
    timer = gr.Timer(POLL_SECONDS)
    followers = {str(component._id): component for component in form.when_loaded}

    def show_model(k: float) -> Updates:
        if not shared.is_settled:
            return {}
        updates: dict[str, Any] = {"timer": gr.Timer(active=False)}
        try:
            engine = shared.engine
        except SpringError as error:
            return {**updates, "facts": status(str(error), kind="error")}
        if (count := len(engine.tokens)) != EXPECTED_TOKENS:
            updates |= {name: form.when_loaded[component](count) for name, component in followers.items()}
            if k != EXPECTED_TOKENS:  # chosen meanwhile, or by a link
                updates[str(form.inputs["k"]._id)]["value"] = min(k, count)
        return {**updates, "facts": facts(engine)}

    outputs = {"facts": model_facts, "timer": timer, **followers}
    connect(timer.tick, show_model, name="poll_model", inputs=form.inputs, outputs=outputs)
    return connect(demo.load, show_model, name="show_model", inputs=form.inputs, outputs=outputs)
