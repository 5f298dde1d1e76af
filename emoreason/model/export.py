"""Export: one checkpoint -> `backbone/`, which any stock loader or server takes, and `emoreason/`, all other parts.

backbone/   the language model with its adapter merged, tokenizer with our special tokens, chat template
emoreason/  encoders, connectors, heads, configuration (labels, verdict), tokenizer again for the processor
"""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save_file
from transformers import PreTrainedModel

from emoreason import assets
from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.model.checkpoint_files import BACKBONE, PARTS, WEIGHTS
from emoreason.model.config import EmoReasonConfig
from emoreason.model.modeling import EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor

if TYPE_CHECKING:  # it takes seconds to import, and only checkpoints with an adapter need it
    from peft import PeftModel

README = "README.md"


def export(checkpoint: str | Path, out: str | Path) -> Path:
    """Write `out` from a checkpoint folder; returns it. All or nothing: a killed export leaves no folder of that name.

    Raises ConfigError when the checkpoint is none or `out` is there already, EnvironmentProblem when it cannot be written.
    """
    checkpoint, out = Path(checkpoint), Path(out)
    if not (checkpoint / WEIGHTS).is_file():
        raise ConfigError(f"{checkpoint} is no checkpoint: {WEIGHTS} is not in it")
    if out.exists():
        raise ConfigError(f"--out {out} is there already: name a new folder")
    config = EmoReasonConfig.from_pretrained(checkpoint)
    config.quantization = None  # an adapter is merged into full-precision weights only
    processor = EmoReasonProcessor.from_pretrained(checkpoint, config)
    model = EmoReasonForConditionalGeneration.from_pretrained(checkpoint, config)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            _write(model, processor, scratch)
            scratch.chmod(0o755)  # mkdtemp makes it private
            scratch.rename(out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise EnvironmentProblem(f"--out {out}: {error.strerror or error}; name a folder that can be written to") from error
    return out


def open_export(folder: str | Path) -> tuple[EmoReasonForConditionalGeneration, EmoReasonProcessor]:
    """The whole model again, soft tokens included, from both halves of an export. Raises ConfigError when one is missing."""
    folder = Path(folder)
    for half in (BACKBONE, PARTS):
        if not (folder / half / "config.json").is_file():
            raise ConfigError(f"{folder} is no export: {half}/config.json is not in it")
    config = EmoReasonConfig.from_pretrained(folder / PARTS)
    config.backbone = {"path": str(folder / BACKBONE)}
    model = EmoReasonForConditionalGeneration.from_pretrained(folder / PARTS, config)
    return model, EmoReasonProcessor.from_pretrained(folder / PARTS, config)


def merged(backbone: "PreTrainedModel | PeftModel", check: bool = False) -> PreTrainedModel:
    """The stock model with adapter and special-token rows merged in (in place). check: that all is finite, at a second's cost for
    a small model; raises ValueError."""
    return backbone.merge_and_unload(safe_merge=check) if hasattr(backbone, "merge_and_unload") else backbone


def _write(model: EmoReasonForConditionalGeneration, processor: EmoReasonProcessor, folder: Path) -> None:
    stock = merged(model.backbone, check=True)
    stock.save_pretrained(folder / BACKBONE)
    processor.tokenizer.save_pretrained(folder / BACKBONE)
    if processor.image_processor is not None:
        processor.image_processor.save_pretrained(folder / BACKBONE)
    (folder / README).write_text(_readme(model.config, stock), encoding="utf-8")

    config = EmoReasonConfig.from_dict(model.config.to_dict())
    config.backbone = {"path": f"../{BACKBONE}"}  # open_export fills in where that is
    config.lora = config.voice = config.face = config.base = None  # merged; and copied here, so that nothing has to be fetched
    config.language_config = stock.config
    processor.config = config
    processor.save_pretrained(folder / PARTS)
    own = {name: value.detach().contiguous() for name, value in model.state_dict().items() if not name.startswith("backbone.")}
    save_file(own, folder / PARTS / WEIGHTS, metadata={"format": "pt"})


def _readme(config: EmoReasonConfig, stock: PreTrainedModel) -> str:
    origins = [_origin(what, source) for what, source in (
        ("language model", config.backbone), ("voice encoder", config.voice), ("face trunk", config.face)) if source]  # fmt: skip
    trained = "" if config.trained else "\n**This model is untrained: what it says means nothing.**\n"
    return f"""# An emoreason model
{trained}
- `{BACKBONE}/`: a stock `{type(stock).__name__}` with the adapter merged in, its tokenizer and chat template. It answers from
  text evidence (lines such as `f1 p1 strong lip corner puller (AU12) 2.1-4.8`), which emoreason measures and writes. Serve it
  with anything that loads the family, for instance `vllm serve {BACKBONE}`, then
  `emoreason analyze FILE --model . --server http://HOST:8000/v1`.
- `{PARTS}/`: encoders, connectors, heads and settings. `emoreason.model.export.open_export` loads both halves: faces and voice
  then enter the language model as soft tokens too.

Labels: {", ".join(config.labels)}.

Weights were taken from, and keep the licence of:
{chr(10).join(origins) or "- nothing: all weights were made here"}

Expressions are not inner states. Inferring emotions at work or in education is prohibited in the EU (Regulation 2024/1689).
"""


def _origin(what: str, source: dict[str, str]) -> str:
    if "asset" in source:
        asset = assets.ASSETS[source["asset"]]
        return f"- {asset.what} ({asset.licence})"
    return f"- {what}: {source['path']} (see there)"
