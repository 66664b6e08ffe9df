"""The Gradio page: its layout, and which handler answers which event."""

from typing import Any

import gradio as gr

from spring.data.loaders.registry import FILE_TYPES
from spring.web.api import Api
from spring.web.tabs.compare import COMPARE, EXPECTED_TOKENS, PRIVATE, Page
from spring.web.tabs.evaluate import EVALUATE, add_evaluate_tab
from spring.web.tabs.sweep import SWEEP, add_sweep_tab
from spring.web.visitors.collections import EXAMPLES, GOLD_SEPARATOR
from spring.web.visitors.requests import LONGEST_QUESTION, MOST_NEW_TOKENS

PAPER = "https://arxiv.org/abs/2405.19670"

# On a phone the answers are below the form: go there when they are asked for.
SCROLL = "() => { if (innerWidth < 800) document.getElementById('tabs')?.scrollIntoView({behavior: 'smooth'}) }"

HEADER = f"""
<h1>SPRING Live</h1>
<p class="lead">A frozen language model answers from documents without and with <b>k virtual tokens</b>: learned
embeddings put between the retrieved passages and the question, while nothing in the model changes
(<a href="{PAPER}" target="_blank" rel="noopener">One Token Can Help!, AAAI 2025</a>).</p>
"""
LOOK_EVERY = 1.0  # seconds between two looks whether the model is loaded
LOADING = '<p class="facts">The model is loading …</p>'
# Gradio's slider tells of its release by the pointer alone; this tells of that by the keyboard.
KEYBOARD = """() => {
  let timer;
  document.addEventListener('keyup', event => {
    if (!event.target.matches('#k input[type=range]') || !/^(Arrow|Home|End|Page)/.test(event.key)) return;
    clearTimeout(timer);
    timer = setTimeout(() => event.target.dispatchEvent(new PointerEvent('pointerup', {bubbles: true})), 300);
  });
}"""
WAITING = """
<div class="cards n2">
<section class="card without"><h3>without virtual tokens</h3><div class="answer"><span class="empty">
The frozen model answers from the passages alone.</span></div></section>
<section class="card with"><h3>with virtual tokens</h3><div class="answer"><span class="empty">
The same model, passages and question, with k virtual tokens between them.</span></div></section>
</div>
"""


def theme() -> gr.themes.Base:
    """Fonts of the visitor's own system: the page asks no other machine for anything."""
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
        body_text_color_subdued="*neutral_600",  # the theme's own is too pale to read at this size
        body_text_color_subdued_dark="*neutral_300",
        checkbox_border_color="*neutral_500",  # the theme's own are white on white
        checkbox_border_color_dark="*neutral_400",
        input_border_color="*neutral_300",
    )


def build_demo(page: Page) -> gr.Blocks:
    """Lay out the page."""
    shelf, samples = page.shelf, list(page.shelf.samples.values())
    first = samples[0].questions[0] if samples and samples[0].questions else None
    demo = gr.Blocks(title="SPRING Live", analytics_enabled=False)
    with demo:
        gr.HTML(HEADER, elem_classes="spring")
        facts = gr.HTML(LOADING, elem_id="facts")
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320):
                collection = gr.Radio(shelf.collections, value=shelf.collections[0], label="Documents")
                with gr.Accordion("Upload your own documents", open=not samples):
                    gr.HTML('<p class="legend">PDF, Word, HTML, Markdown, text, CSV, JSON Lines</p>')
                    upload = gr.File(
                        file_count="multiple",
                        file_types=list(FILE_TYPES),
                        height=120,
                        elem_id="upload",
                        label="Files",
                    )
                    files = gr.HTML()
                    forget = gr.Button("Remove my documents", size="sm")
                question = gr.Textbox(
                    value=first.question if first else "",
                    label="Question",
                    placeholder="What do you want to know from the documents?",
                    lines=1,
                    max_lines=4,
                    elem_id="question",
                )
                with gr.Row():
                    ask = gr.Button("Compare", variant="primary", scale=3, elem_id="compare")
                    stop = gr.Button("Stop", interactive=False, scale=1, elem_id="stop")
                k = gr.Slider(0, EXPECTED_TOKENS, value=EXPECTED_TOKENS, step=1, label="k, virtual tokens", elem_id="k")
                with gr.Accordion("Example questions", open=True, elem_id="examples"):
                    examples = [
                        gr.Button(q.question, size="sm", elem_classes="example")
                        for q in (samples[0].questions[:EXAMPLES] if samples else ())
                    ]
                    examples += [
                        gr.Button("", size="sm", elem_classes="example", visible=False)
                        for _ in range(EXAMPLES - len(examples))
                    ]
                passages = gr.Slider(1, 10, value=3, step=1, label="Passages retrieved")
                told = gr.Checkbox(label="Third answer: told in words instead of by tokens", elem_id="told")
                with gr.Accordion("Advanced settings", open=False):
                    gold = gr.Textbox(
                        value=GOLD_SEPARATOR.join(first.golden_answers) if first else "",
                        label="Expected answer (optional)",
                        info="Gives exact match and F1 for each answer; several are parted by |",
                        max_length=LONGEST_QUESTION,
                    )
                    length = gr.Slider(
                        1, MOST_NEW_TOKENS, value=50, step=1, label="Longest answer, tokens", elem_id="length"
                    )
                    heat = gr.Slider(0, 2, value=0, step=0.1, label="Temperature", info="0 is greedy")
            with gr.Column(scale=8, min_width=320), gr.Tabs(selected=COMPARE, elem_id="tabs") as tabs:
                with gr.Tab(COMPARE, id=COMPARE):
                    status = gr.HTML('<div class="status">Press Compare, or choose an example.</div>', elem_id="status")
                    answers = gr.HTML(WAITING, elem_id="answers")
                    with gr.Accordion("Retrieved passages", open=True):
                        found = gr.HTML(elem_id="passages")
                    with gr.Accordion("What the model saw", open=False):
                        prompt = gr.HTML(elem_id="prompt")
                with gr.Tab(SWEEP):
                    sweeping = add_sweep_tab(page, [question, collection, passages, gold, length], [ask, stop])
                with gr.Tab(EVALUATE):
                    evaluate, ks = add_evaluate_tab(page, demo, [collection, passages, length])
        tab, ticket = gr.State(COMPARE), gr.Number(0, visible=False)

        inputs = [ticket, question, collection, k, passages, told, gold, length, heat]
        outputs = [status, answers, found, prompt, ask, stop]
        asking: dict[str, Any] = dict(
            fn=page.ask,
            inputs=inputs,
            outputs=outputs,
            concurrency_limit=None,  # the page has a queue of its own
            trigger_mode="multiple",
            show_progress="minimal",
            show_progress_on=[status],
            **PRIVATE,
        )
        begin: dict[str, Any] = dict(
            outputs=[ticket, status, ask, stop, *sweeping],
            queue=False,
            show_progress="hidden",
            trigger_mode="multiple",
            **PRIVATE,
        )
        gr.on([ask.click, question.submit, *(button.click for button in examples)], js=SCROLL, fn=None, **PRIVATE)
        failed: dict[str, Any] = dict(fn=page.fail, outputs=[status, ask, stop], queue=False, **PRIVATE)
        begin_here = dict(fn=page.begin_here, inputs=[tab], **begin)
        ask.click(lambda: (gr.Tabs(selected=COMPARE), COMPARE), outputs=[tabs, tab], queue=False, **PRIVATE)
        ask.click(page.begin, **begin).then(**asking).failure(**failed)
        gr.on([question.submit, k.release], **begin_here).then(**asking).failure(**failed)
        for index, button in enumerate(examples):
            chosen = button.click(shelf.example(index), collection, [question, gold], queue=False, **PRIVATE)
            chosen.then(**begin_here).then(**asking).failure(**failed)
        stop.click(page.stop, outputs=[status, ask, stop], queue=False, show_progress="hidden", **PRIVATE)
        collection.change(shelf.choose, [collection, question], [question, gold, *examples], queue=False, **PRIVATE)
        upload.upload(shelf.upload, [upload], [upload, collection, files], concurrency_limit=None, **PRIVATE)
        forget.click(shelf.forget, outputs=[collection, files], queue=False, **PRIVATE)

        def show_model() -> tuple[Any, ...]:
            return *page.show_model(), evaluate.show_choices(), gr.Timer(active=not page.known)

        # No request is held open until then: a proxy would cut it, and a browser has few.
        loading = gr.Timer(LOOK_EVERY)
        gr.on(
            [demo.load, loading.tick],
            show_model,
            outputs=[facts, k, ks, loading],
            queue=False,
            show_progress="hidden",
            **PRIVATE,
        )
        tabs.select(_selected, outputs=[tab], queue=False, show_progress="hidden", **PRIVATE)
        demo.unload(page.leave)
        _add_api(page)
    return demo


def _selected(event: gr.SelectData) -> str:
    """The tab that the visitor is on."""
    return str(event.value)


def _add_api(page: Page) -> None:
    """The endpoint `/compare` for programs; its inputs are components that the page does not show."""
    inputs = [
        gr.Textbox(visible=False),
        gr.Number(EXPECTED_TOKENS, visible=False),
        gr.Number(3, visible=False),
        gr.Textbox(page.shelf.collections[0], visible=False),
        gr.File(None, file_count="multiple", file_types=list(FILE_TYPES), visible=False),
        gr.Checkbox(False, visible=False),
        gr.Number(50, visible=False),
        gr.Number(0, visible=False),
    ]
    gr.Button(visible=False).click(
        Api(page).compare,
        inputs,
        gr.JSON(visible=False),
        api_name="compare",
        concurrency_limit=None,
    )
