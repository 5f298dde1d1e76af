"""From a checkpoint or an export to the engine on its graph."""

import json
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from emoreason.model.checkpoint_files import CONFIG, PARTS, checkpoint_folder
from emoreason.model.engines.graph import graph_for
from emoreason.model.engines.layout import TOKENIZER, About
from emoreason.model.engines.onnx import OnnxEngine
from emoreason.model.processing import EmoReasonProcessor

PHRASES = "phrases.txt"  # texts of the model, a line each: beside its weights, so that its first text is guessed ahead, too


def onnx_engine(checkpoint: str | Path, build: bool = False, threads: int | None = None) -> tuple[OnnxEngine, EmoReasonProcessor]:
    """The engine and the processor. `build`: also where there is no graph yet.

    Raises GraphProblem, whose message says why the torch engine must do, ConfigError for something that is not a checkpoint.
    """
    graph = graph_for(checkpoint, build)
    folder = Path(checkpoint)
    parts = folder / PARTS if (folder / PARTS).is_dir() else checkpoint_folder(folder)
    about = About.read(graph, json.loads((parts / CONFIG).read_text(encoding="utf-8")))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(graph / TOKENIZER)
    engine = OnnxEngine(graph, about, tokenizer, threads)
    if (parts / PHRASES).is_file():
        for text in (parts / PHRASES).read_text(encoding="utf-8").splitlines():
            engine.phrases.add(engine.texts.ids(text))
    return engine, EmoReasonProcessor(about.interface, tokenizer)
