"""Synthetic records say what they are made of, never cross splits, and label each modality by what it shows."""

from collections import Counter

import numpy as np
import pytest

from emoreason.errors import ConfigError
from emoreason.instructions.pairing import SCHEME, audio_visual, blends, conflicts, left_out, neutral_to_peak
from emoreason.instructions.record import AuLabel, ClosedLabel, Media, Record


def record(n: int, emotion: str, split: str = "train", dataset: str = "faces", image: str | None = None) -> Record:
    media = Media(image=image or f"{split}/{n}.png") if dataset == "faces" else Media(audio=f"{split}/{n}.wav")
    label = ClosedLabel(scheme=dataset, value=emotion)
    shared = {"split": split, "group": f"g{n % 3}", "licence": f"licence of {dataset}", "labels": [label]}
    return Record(id=f"{dataset}:{split}:{n}", dataset=dataset, media=media, cropped_face=dataset == "faces", **shared)


def emotion(one: Record) -> str | None:
    return one.labels[0].value if one.labels[0].value != "?" else None


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


NAMES = ("happiness", "sadness", "neutral", "?")
FACES = [record(n, NAMES[n % 4], split) for split in ("train", "test") for n in range(12)]
VOICES = [record(n, NAMES[n % 4], split, "voices") for split in ("train", "test") for n in range(8)]
BY_ID = {one.id: one for one in [*FACES, *VOICES]}


def test_pairs_agree_in_emotion_and_split():
    pairs = list(audio_visual(FACES, VOICES, emotion, rng()))
    assert len(pairs) == 18  # 24 faces, a quarter without an emotion
    for pair in pairs:
        face, voice = (BY_ID[name] for name in pair.synthetic)
        assert emotion(face) == emotion(voice) == pair.label(SCHEME).value
        assert face.split == voice.split == pair.split
        assert pair.media.image == f"faces/{face.media.image}" and pair.media.audio == f"voices/{voice.media.audio}"
        assert pair.licence == "licence of faces; licence of voices"
        assert pair.cropped_face


def test_voices_are_used_equally_often():
    used = Counter(pair.synthetic[1] for pair in audio_visual(FACES, VOICES, emotion, rng(), rounds=2))
    assert set(used.values()) == {3} and len(used) == 12


def test_a_face_without_a_partner_stays_alone():
    sad = [voice for voice in VOICES if emotion(voice) == "sadness" and voice.split == "train"]
    pairs = list(audio_visual(FACES, sad, emotion, rng()))
    assert {(pair.split, pair.label(SCHEME).value) for pair in pairs} == {("train", "sadness")}


def test_conflicts_are_mixed_and_keep_what_each_modality_shows():
    made = list(conflicts(FACES, VOICES, emotion, rng()))
    assert len(made) == 12  # neither neutral nor unlabelled faces
    for one in made:
        face, voice = (BY_ID[name] for name in one.synthetic)
        assert one.label(SCHEME).shares == {emotion(face): 0.5, emotion(voice): 0.5}
        assert one.label(SCHEME).value is None and one.open_labels == ["mixed"]
        assert one.label("emoreason.face").value == emotion(face) != emotion(voice) == one.label("emoreason.voice").value
        assert face.split == voice.split


def test_the_same_rng_makes_the_same_pairs():
    assert list(conflicts(FACES, VOICES, emotion, rng())) == list(conflicts(FACES, VOICES, emotion, rng()))


def test_what_cannot_be_paired_is_said():
    with pytest.raises(ConfigError, match="no sound"):
        list(audio_visual(FACES, FACES, emotion, rng()))
    with pytest.raises(ConfigError, match="no picture"):
        list(audio_visual(VOICES, VOICES, emotion, rng()))
    with pytest.raises(ConfigError, match="'joy' is no canonical emotion"):
        list(audio_visual([record(1, "joy")], VOICES, emotion, rng()))


def test_blends_share_label_between_two_emotions_of_one_split():
    faces = [record(n, ("happiness", "surprise", "neutral")[n % 3], split) for split in ("train", "test") for n in range(9)]
    made = list(blends(faces, emotion, rng(), "cutmix"))
    assert len(made) == 12
    for blend in made:
        one = blend.record("made/1.png")
        assert one.label(SCHEME).shares == pytest.approx({blend.emotions[0]: blend.share, blend.emotions[1]: 1 - blend.share})
        assert 0.3 <= blend.share <= 0.7 and blend.first.split == blend.second.split
        assert one.compound == "happily surprised" and one.synthetic == [blend.first.id, blend.second.id]


def test_sequences_run_from_neutral_to_the_labelled_peak():
    def picture(frame: str, name: str) -> Record:
        return record(int(frame[1:4]), name, image=f"{name}/{frame}.png").model_copy(
            update={"action_units": [AuLabel(au="AU12", present=name != "neutral")]}
        )

    pictures = [
        picture("S010_006_00000015", "happiness"),
        picture("S010_006_00000001", "neutral"),
        picture("S011_002_00000020", "fear"),  # no start
        picture("S012_001_00000001", "neutral"),  # no peak
    ]
    (made,) = neutral_to_peak(pictures, emotion)
    assert made.media.frames == ["neutral/S010_006_00000001.png", "happiness/S010_006_00000015.png"]
    assert made.media.image is None
    assert made.labels[0].value == "happiness" and made.action_units[0].present
    assert made.synthetic == [pictures[1].id, pictures[0].id]


def test_dropout_keeps_its_rates_and_at_least_one_input():
    source, present = rng(), ["face", "voice", "evidence"]
    gone = [left_out(present, {"face": 0.3, "voice": 0.5, "evidence": 0.9}, source) for _ in range(4000)]
    counts = Counter(name for names in gone for name in names)
    all_dropped = 0.3 * 0.5 * 0.9  # then the face is kept
    assert counts["face"] / 4000 == pytest.approx(0.3 - all_dropped, abs=0.03)
    assert counts["voice"] / 4000 == pytest.approx(0.5, abs=0.03)
    assert counts["evidence"] / 4000 == pytest.approx(0.9, abs=0.03)
    assert max(len(names) for names in gone) == 2
    assert left_out(["face"], {"face": 1.0}, source) == ()
    assert left_out([], {"face": 1.0}, source) == ()


@pytest.mark.parametrize("rates", [{"smell": 0.1}, {"face": 1.5}])
def test_wrong_rates_are_refused(rates):
    with pytest.raises(ConfigError, match="rates of 0 to 1"):
        left_out(["face"], rates, rng())
