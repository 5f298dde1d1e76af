"""The shipped settings are those that the shipped weights were trained with."""

from dataclasses import asdict

import pytest

from emoreason.training.run import load_run

RUN = load_run("tiny")
FACE, VOICE = RUN.stages["face"], RUN.stages["voice"]
FACE_AUGMENT = {
    "mirror": 0.5, "turn_deg": 8.0, "scale": 0.2, "stretch": 0.07, "shift": 0.06, "jitter": 0.2, "loose": 1.6, "gamma": 0.3,
    "light": 0.2, "light_slope": 0.3, "light_gain": 0.3, "light_offset": 0.1, "soften": 0.15, "noise": 0.02, "erase": 0.25,
    "erase_from": 0.12, "erase_span": 0.4, "points": 0.004, "no_mesh": 0.1, "no_signals": 0.15, "mixed": 0.1,
    "side_light": 0.15, "dark": 0.12, "blur": 0.12, "small": 0.15, "jpeg": 0.1, "cover": 0.25, "points_hurt": 0.01,
}  # fmt: skip
NO_PICTURE = {"alone": 0.0, "joint": 0.05}
FACE_LOSS = {
    "emotion": 1.0, "coded": 1.0, "measured": 0.3, "tokens": 0.3, "units": 0.2, "series": 0.5,
    "trust": {"high": 1.0, "medium": 0.5, "low": 0.25}, "positive": 1.0, "logit_adjust": 0.0, "focus": 0.0,
}  # fmt: skip
CLIPS = {
    "frames": 6, "another": 0.5, "back": 0.3, "onset": 0.25, "apex": 0.6, "emotion_from": 0.15, "emotion_over": 0.55,
}  # fmt: skip
SOURCES = {
    "alone": {("ferplus", "still"): 1.0},
    "joint": {
        ("ferplus", "still"): 0.4, ("ferplus", "turns"): 0.06, ("lfw", "still"): 0.12, ("ckplus48", "still"): 0.18,
        ("ckplus48", "last"): 0.06, ("ckplus_neutral_peak", "still"): 0.1, ("ckplus_neutral_peak", "course"): 0.08,
    },
}  # fmt: skip
CHOSEN_BY = {  # data, damaged, metrics
    "alone": [
        ("ferplus", False, ["accuracy", "uar_even"]), ("lfw", False, ["uar_even"]), ("ckplus48", False, ["accuracy_even"]),
        ("ferplus", True, ["accuracy", "uar_even"]), ("lfw", True, ["uar_even"]), ("ckplus48", True, ["accuracy_even"]),
    ],
    "joint": [
        ("ferplus", False, ["accuracy", "uar_even"]), ("lfw", False, ["uar_even"]),
        ("ferplus", True, ["accuracy", "uar_even"]), ("lfw", True, ["uar_even"]),
    ],
}  # fmt: skip
SAME = {
    "accumulate": 1, "clip": 1.0, "patience": None, "seed": 0, "window": 1, "workers": 0, "log_every": 10, "track": (),
}  # fmt: skip
FACE_PLAN = {"batch": 112, "weight_decay": 0.05, "save_every_s": 240, "precision": "auto"}
PLANS = {
    "alone": FACE_PLAN | {"steps": 10740, "ema": 0.9985, "evaluate_every": None, "warmup": 0.05},
    "joint": FACE_PLAN | {"steps": 1200, "ema": 0.995, "evaluate_every": None, "warmup": 0.1},
}
EFFECTS = {
    "crop": 0.4, "crop_keeps": 0.6, "crop_least_s": 1.2, "speed": 0.6, "speeds": (0.87, 1.15), "silence": 0.5,
    "silence_most_s": 0.8, "elsewhere": 0.5, "room": 0.4, "rt60_s": (0.15, 0.8), "noise": 0.5, "snr_db": (8.0, 35.0),
    "microphone": 0.4, "tilt_db": 4.0, "line": 0.25, "codec": 0.1, "level_db": (-45.0, -15.0),
}  # fmt: skip


def test_every_phase_of_the_face_is_listed():
    assert [phase.name for phase in FACE.phases] == ["alone", "joint"] and FACE.seed == 0


@pytest.mark.parametrize(
    ("number", "name", "rates", "kept"), [(0, "alone", (1.5e-3, 1.5e-3), 0.0), (1, "joint", (1e-4, 4e-4), 0.2)]
)
def test_a_phase_of_the_face(number, name, rates, kept):
    phase = FACE.phases[number]
    assert asdict(phase.plan(FACE.seed)) == SAME | PLANS[name]
    assert (phase.lr.trunk, phase.lr.rest) == rates and phase.kept == kept
    assert phase.augment.model_dump() == FACE_AUGMENT | {"no_picture": NO_PICTURE[name]} and phase.loss.model_dump() == FACE_LOSS
    assert phase.clips.model_dump() == CLIPS and phase.balance.model_dump() == {"power": 0.5, "most": 6.0, "least_votes": 0.5}
    assert {(source.data, source.clip): source.weight for source in phase.sources} == SOURCES[name]
    assert [(one.data, bool(one.damaged), one.metric) for one in phase.entries] == CHOSEN_BY[name] and phase.prior == "ferplus"
    assert (phase.start, phase.teacher) == (None, None)


def test_data_of_the_face():
    assert {name: (one.recipe, one.train, one.votes) for name, one in FACE.data.items()} == {
        "ferplus": ("ferplus", ["train"], True),
        "ckplus48": ("ckplus48", ["train", "valid"], True),
        "ckplus_neutral_peak": ("ckplus_neutral_peak", ["train", "valid"], True),
        "lfw": ("lfw_emotion", ["train"], True),
    }
    assert (FACE.data["lfw"].smooth, FACE.data["lfw"].doubt.where) == (0.1, {"happiness": "no_smile", "neutral": "smile"})
    assert FACE.data["ckplus48"].frame_rate == 30 and FACE.data["ferplus"].sequence is None


def test_the_voice():
    [phase] = VOICE.phases
    assert {name: (one.recipe, one.train, one.copies) for name, one in VOICE.data.items()} == {
        "ravdess": ("ravdess", ["train"], 3), "nemo": ("nemo", ["train"], 1),
    }  # fmt: skip
    assert [(source.data, source.weight) for source in phase.sources] == [("ravdess", 1.0), ("nemo", 1.0)]
    assert phase.validation == ["ravdess", "nemo"] and VOICE.effects.model_dump() == EFFECTS and VOICE.seed == 0
    plan = {"steps": 500, "batch": 32, "ema": 0.99, "weight_decay": 0.1, "evaluate_every": 125, "precision": "fp32"}
    assert asdict(phase.plan(VOICE.seed)) == SAME | plan | {"warmup": 0.05, "save_every_s": 180.0}
    assert (phase.lr, phase.dropout, phase.kept) == (2e-3, 0.3, 0.0)
    assert phase.augment.model_dump() == {"shortest": 0.5, "masked": 0.2, "no_prosody": 0.5, "mixing": 0.3}
    loss = {"emotion": 1.0, "tokens": 0.5, "smoothing": 0.05, "invariance": 0.0, "invariant_to": "data"}
    assert phase.loss.model_dump() == loss and phase.tuning is VOICE.adapter is None


def test_the_words():
    assert RUN.stages["words"].decays == [1.0, 0.3, 0.1, 0.03, 0.01]
