"""From a checkpoint or an export to the ONNX engine: encoders, heads and embeddings in torch, the language model as a graph."""

from pathlib import Path

from emoreason.model.base import checkpoint_folder
from emoreason.model.config import EmoReasonConfig
from emoreason.model.engines.build import GRAPH, load_backbone_part
from emoreason.model.engines.graph import graph_for
from emoreason.model.engines.onnx import Graph, OnnxEngine
from emoreason.model.export import PARTS
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor

PHRASES = "phrases.txt"  # texts of the model, a line each: beside its weights, so that its first text is guessed ahead, too


def onnx_engine(checkpoint: str | Path, build: bool = False, threads: int | None = None) -> tuple[OnnxEngine, EmoReasonProcessor]:
    """The engine (its `model` holds the torch parts) and the processor. `build`: also where there is no graph yet.

    Raises GraphProblem, whose message says why the torch engine must do, ConfigError for something that is not a checkpoint.
    """
    graph = graph_for(checkpoint, build)
    folder = Path(checkpoint)
    parts = folder / PARTS if (folder / PARTS).is_dir() else checkpoint_folder(folder)
    config = EmoReasonConfig.from_pretrained(parts)
    model = EmoReasonForConditionalGeneration.from_pretrained(parts, config, load_backbone_part(graph))
    processor = EmoReasonProcessor.from_pretrained(parts, config)
    engine = OnnxEngine(model, processor.tokenizer, Graph(graph / GRAPH, threads))
    if (parts / PHRASES).is_file():
        for text in (parts / PHRASES).read_text(encoding="utf-8").splitlines():
            engine.phrases.add(engine.texts.ids(text))
    return engine, processor
