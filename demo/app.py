"""The layout: what is on the page and what is wired to what."""

from pathlib import Path

import gradio as gr

from .exports import FORMATS
from .page import Page
from .sessions import Sessions
from .studio import MODALITIES, Studio

HEAVY = {"concurrency_id": "heavy", "concurrency_limit": 1}  # one analysis at a time; the others wait in a visible queue
PRIVATE = {"api_visibility": "private"}
MEDIA = ["video", "image", "audio"]
LIMITS = """Expressions are what is shown, not what anybody feels. Measurements err with turned heads, poor light, unusual faces
and cultures. Not for decisions about people; inferring emotions at work and in education is prohibited in the European Union.
Files stay on this machine and are deleted after use; no data leave it."""


def build(studio: Studio, cache: Path) -> gr.Blocks:
    """cache: Gradio's own folder of uploads, where the sample clip is put."""
    page = Page(studio, Sessions(), cache)
    with gr.Blocks(title="emoreason", analytics_enabled=False, delete_cache=(600, 3600), fill_width=True) as blocks:
        gr.Markdown("# emoreason\nWhich emotion is shown, by whom, when, and why, with every claim checked.")
        with gr.Row():
            inputs = _inputs(page)
            with gr.Column(scale=8, min_width=320):
                state = gr.HTML(elem_id="state", apply_default_css=False, js_on_load=None)
                view = gr.HTML(elem_id="view", apply_default_css=False, js_on_load=None)
                ask = _ask(page, inputs)
                files = _take_away(page)
                _compare(page, inputs)
        gr.Markdown(LIMITS, elem_classes="er-limits")
        _wire(page, inputs, state, view, [*ask, *files])
        _api(page, inputs)
        blocks.unload(page.left)
    return blocks


class _Inputs:
    """The column on the left."""

    file: gr.File
    recorded: gr.Video
    spoken: gr.Audio
    model: gr.Dropdown
    modalities: gr.CheckboxGroup
    transcript: gr.Textbox
    language: gr.Textbox
    analyse: gr.Button
    sample: gr.Button
    cancel: gr.Button

    @property
    def choices(self) -> list:
        return [self.model, self.modalities, self.transcript, self.language]


def _inputs(page: Page) -> _Inputs:
    made = _Inputs()
    with gr.Column(scale=4, min_width=300):
        with gr.Tab("File"):
            made.file = gr.File(label="Video, picture or sound", file_types=MEDIA, height=140, elem_id="file")
        with gr.Tab("Camera"):
            made.recorded = gr.Video(label="Record yourself", sources=["webcam"], include_audio=True, height=240)
        with gr.Tab("Microphone"):
            made.spoken = gr.Audio(label="Record your voice", sources=["microphone"], type="filepath")
        made.sample = gr.Button("Use the sample clip", size="sm", elem_id="sample")
        with gr.Row():
            made.analyse = gr.Button("Analyse", variant="primary", elem_id="analyse")
            made.cancel = gr.Button("Cancel", elem_id="cancel")
        models = list(page.studio.models)
        made.model = gr.Dropdown(models, value=models[0], label="Who judges", elem_id="model")
        made.modalities = gr.CheckboxGroup(list(MODALITIES), value=list(MODALITIES), label="What counts", elem_id="modalities")
        with gr.Accordion("Words", open=False):
            made.transcript = gr.Textbox(label="Transcript", info="replaces what is heard", lines=2, max_length=5_000)
            made.language = gr.Textbox(label="Spoken language", info="two letters, such as en; detected when empty", max_length=3)
    return made


def _ask(page: Page, inputs: _Inputs) -> list:
    with gr.Accordion("Ask why", open=True, visible=False, elem_id="ask") as box:
        talk = gr.HTML(elem_id="talk", apply_default_css=False, js_on_load=None, autoscroll=True, max_height=360)
        question = gr.Textbox(
            placeholder="Why not fear?  Only from the voice?",
            show_label=False,
            max_length=300,
            submit_btn=True,
            elem_id="question",
        )
    question.submit(page.answer, [question, inputs.model], [talk, question], **HEAVY, **PRIVATE)
    return [box, talk]


def _take_away(page: Page) -> list:
    with gr.Accordion("Take away", open=False, visible=False, elem_id="files") as box:
        wanted = gr.CheckboxGroup(list(FORMATS), value=["json", "html"], label="Files")
        blurred = gr.Checkbox(label="and a copy of the video with blurred faces", value=False)
        make = gr.Button("Make files", elem_id="make")
        made = gr.Files(label="Download", elem_id="made")
    make.click(page.export, [wanted, blurred], [made], **HEAVY, **PRIVATE)
    return [box, made]


def _compare(page: Page, inputs: _Inputs) -> None:
    with gr.Accordion("Compare", open=False, elem_id="compare"):
        gr.Markdown("The clip above, with the choices made there, on the left. On the right:")
        with gr.Row():
            other = gr.File(label="Another clip (or the same one when empty)", file_types=MEDIA, height=100)
            with gr.Column():
                model = gr.Dropdown(list(page.studio.models), value=list(page.studio.models)[0], label="Judged by")
                modalities = gr.CheckboxGroup(
                    list(MODALITIES), value=list(MODALITIES), label="What counts", elem_id="modalities2"
                )
        button = gr.Button("Compare", elem_id="do-compare")
        progress = gr.HTML(apply_default_css=False, js_on_load=None)
        result = gr.HTML(elem_id="compared", apply_default_css=False, js_on_load=None)
    button.click(page.compare, [other, model, modalities], [progress, result], **HEAVY, **PRIVATE)


def _wire(page: Page, inputs: _Inputs, state: gr.HTML, view: gr.HTML, after: list) -> None:
    given = [inputs.file, inputs.recorded, inputs.spoken, *inputs.choices]
    # the queue is told of in one spot: moving frames around every output take from the processor what the work needs
    analyse = dict(fn=page.analyse, inputs=given, outputs=[state, view, *after], show_progress="minimal", show_progress_on=state)
    inputs.analyse.click(**analyse, **HEAVY, **PRIVATE)
    inputs.sample.click(page.sample, None, [inputs.file], **PRIVATE).then(**analyse, **HEAVY, **PRIVATE)
    inputs.cancel.click(page.cancel, None, None, queue=False, **PRIVATE)


def _api(page: Page, inputs: _Inputs) -> None:
    """Named endpoints for gradio_client; the buttons are there because an endpoint hangs on a component."""
    with gr.Row(visible=False):
        report, answer, question = gr.Textbox(), gr.JSON(), gr.Textbox()
        analyse, ask = gr.Button(), gr.Button()
    analyse.click(page.api_analyse, [inputs.file, *inputs.choices], report, api_name="analyze", **HEAVY)
    ask.click(page.api_ask, [question, inputs.model], answer, api_name="ask", **HEAVY)
