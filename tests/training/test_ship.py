"""From the parts of finished stages to a checkpoint folder that loads, small, with a card that claims nothing it was not told."""

import pytest
import torch
from safetensors.torch import load_file
from training_data import make_model

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.engines.transformers import TransformersEngine
from emoreason.model.modeling import WEIGHTS, EmoReasonForConditionalGeneration
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.untrained import untrained
from emoreason.model.voice import VoiceAdapter, VoiceBatch
from emoreason.training.parts import save_parts
from emoreason.training.run import load_run
from emoreason.training.ship import ship, unfinished


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ship")
    file = make_model(folder)
    shipped = resolve("runs", "tiny-smoke").read_text()
    (folder / "run.yaml").write_text(shipped.replace("model: tiny\n", f"model: {file}\n"))
    return folder


def finish(model, out, stage, parts, seed, info):
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if "connector" in name or "lora_" in name:
                value.normal_()
    save_parts(model, parts, out / stage / "final", info=info)


def test_the_last_stage_that_trained_a_part_wins(folder, tmp_path):
    run = load_run(folder / "run.yaml")
    model, _ = untrained(run.model)
    finish(model, tmp_path, "align", ["connectors"], 1, {"align": {"loss": 2.5}})
    finish(model, tmp_path, "multitask", ["connectors", "language", "heads"], 2, {"multitask": {"loss": 1.25}})
    wanted = {name: value.clone() for name, value in model.state_dict().items() if "connector" in name or "lora_" in name}
    assert unfinished(run, tmp_path) == ["face", "voice", "reason", "words"]

    target = tmp_path / "weights"
    assert set(ship(run, tmp_path, target, {"temperature": 1.5})) == {"align", "multitask"}
    loaded = EmoReasonForConditionalGeneration.from_pretrained(target)
    assert loaded.config.language_config._name_or_path == "", "no path of the machine that trained"
    assert loaded.config.trained and loaded.config.verdict == {"temperature": 1.5}
    for name, value in wanted.items():
        stored = value.half().float() if value.dim() > 1 else value
        torch.testing.assert_close(loaded.state_dict()[name], stored, msg=name)
    kinds = {name: value.dtype for name, value in load_file(target / WEIGHTS).items()}
    assert kinds["heads.emotion.out.weight"] == torch.float16 and kinds["heads.emotion.log_prior"] == torch.float32
    assert not any(name.startswith("backbone.") and "lora_" not in name and "trainable" not in name for name in kinds)
    assert EmoReasonProcessor.from_pretrained(target, loaded.config).layout == EmoReasonProcessor.from_pretrained(target).layout

    card = (target / "README.md").read_text()
    assert "FER2013 competition terms" in card and "CC BY-NC-SA 4.0" in card and "prohibited" in card
    assert "| multitask | multitask.loss | 1.250 |" in card and "**Not finished**: face, voice, reason, words" in card


def test_nothing_finished_and_too_large_are_refused(folder, tmp_path):
    run = load_run(folder / "run.yaml")
    with pytest.raises(ConfigError, match="no stage of run run is finished"):
        ship(run, tmp_path, tmp_path / "weights")
    model, _ = untrained(run.model)
    finish(model, tmp_path, "align", ["connectors"], 1, {})
    with pytest.raises(ConfigError, match="would be .* MB, more than the 0 MB that the package may carry"):
        ship(run, tmp_path, tmp_path / "weights", most_mb=0.001)
    assert not list((tmp_path / "weights").iterdir())


def test_the_adapter_of_the_voice_is_shipped_and_heard(folder, tmp_path):
    """Saved small, loaded by nothing but the folder, and part of what the engine perceives; Whisper itself is not copied."""
    run = load_run(folder / "run.yaml")
    model, processor = untrained(run.model)
    model.voice.adapter = VoiceAdapter(model.voice.encoder, 2, [0])
    torch.manual_seed(4)
    for name in ("v_proj", "fc1", "fc2"):
        torch.nn.init.normal_(model.voice.adapter.layers["0"][name][1].weight)
    finish(model, tmp_path, "voice", ["voice", "heads.voice_emotion"], 4, {})
    ship(run, tmp_path, tmp_path / "weights")
    loaded = EmoReasonForConditionalGeneration.from_pretrained(tmp_path / "weights")
    assert loaded.config.voice_config.adapter == {"rank": 2, "layers": [0]}
    state = load_file(tmp_path / "weights" / WEIGHTS)
    assert "voice.adapter.layers.0.fc1.0.weight" in state and not any(name.startswith("voice.encoder.") for name in state)
    batch = VoiceBatch(torch.randn(1, 8, 60), torch.ones(1, 60, dtype=torch.bool), torch.full((1, len(VOICE_CUES)), torch.nan))
    heard = torch.from_numpy(TransformersEngine(loaded, processor.tokenizer).perceive({"voice": batch})["voice_emotion"])
    with torch.no_grad():
        wanted = model.eval().head_logits(None, model.voice(batch))["voice_emotion"]
        torch.testing.assert_close(heard, wanted, atol=2e-2, rtol=2e-2)  # stored in half precision
        loaded.voice.adapter = None
        assert not torch.allclose(heard, loaded.head_logits(None, loaded.voice(batch))["voice_emotion"], atol=1e-4)
