"""Which protocol asks which stage; what the stages then do is tested with them."""

import pytest

from emoreason.errors import ConfigError
from emoreason.training.protocols import protocol
from emoreason.training.run import load_run
from emoreason.training.stages.face import FaceStage
from emoreason.training.stages.stage import Workspace
from emoreason.training.stages.voice import VoiceStage


@pytest.fixture
def asked(monkeypatch):
    """(stage, protocol, phases) of every stage that is asked."""
    calls = []
    monkeypatch.setattr(FaceStage, "protocol", lambda self, name, progress: calls.append((self.name, name)) or {"face": 1})
    monkeypatch.setattr(
        VoiceStage, "protocol",
        lambda self, name, asked, progress: calls.append((self.name, name, *(p.name for p in asked.phases))) or {"voice": 1},
    )  # fmt: skip
    return calls


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("cv", [("face", "cv"), ("voice", "cv", "voices")]),
        ("leave:ckplus48", [("face", "leave:ckplus48")]),
        ("leave:lfw_emotion", [("face", "leave:lfw_emotion")]),
        ("leave:nemo", [("voice", "leave:nemo", "ravdess")]),  # by settings of its own: RAVDESS is less to learn from
        ("leave:ravdess", [("voice", "leave:ravdess", "nemo")]),
    ],
)
def test_each_protocol_asks_the_stages_that_it_is_for(asked, tmp_path, name, calls):
    figures = protocol(name, Workspace(load_run("tiny"), tmp_path))
    assert asked == calls and set(figures) == {call[0] for call in calls}


def test_an_unknown_one_is_refused(asked, tmp_path):
    with pytest.raises(ConfigError, match="has no stage for a protocol 'leave:meld': cv, leave:ckplus48, leave:lfw_emotion"):
        protocol("leave:meld", Workspace(load_run("tiny"), tmp_path))
    assert not asked


def test_without_nemo_nothing_is_learned_from_it():
    from emoreason.training.settings.read import load_stage_file

    shipped, alone = load_stage_file("voice"), load_stage_file("voice-without-nemo")
    [phase] = alone.phases
    assert phase.data_names() == ["ravdess"] and alone.effects == shipped.effects
    assert (phase.lr, phase.dropout, phase.plan(0).steps, phase.plan(0).evaluate_every) == (1e-3, 0.5, 400, 80)
    assert phase.plan(0).batch == 32 and phase.plan(0).ema == 0.99 and phase.plan(0).precision == "fp32"


@pytest.mark.parametrize("base", ["voice", "voice-tuned"])
@pytest.mark.parametrize(("left", "learned"), [("nemo", "ravdess"), ("ravdess", "nemo")])
def test_a_corpus_left_out_has_settings_of_its_own(base, left, learned):
    from emoreason.training.settings.read import load_stage_file

    shipped, alone = load_stage_file(base), load_stage_file(f"{base}-without-{left}")
    assert {name for phase in alone.phases for name in phase.data_names()} == {learned}
    assert alone.effects == shipped.effects and alone.adapter == shipped.adapter
    assert len(alone.phases) == len(shipped.phases)


def test_the_run_of_the_encoders_alone_tunes_the_voice(asked, tmp_path):
    run = load_run("encoders")
    assert list(run.stages) == ["face", "voice"] and run.stages["voice"].adapter.rank == 8
    protocol("leave:ravdess", Workspace(run, tmp_path))
    assert asked == [("voice", "leave:ravdess", "nemo", "tuned")]
