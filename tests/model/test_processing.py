import dataclasses

import numpy as np
import pytest
import torch
from builders import even_times, tone, write_media
from model.families import FAMILIES, emoreason_config
from model.samples import BINS, SIZE, segment
from observations import make_observation
from transformers import AutoConfig, AutoProcessor

from emoreason.errors import ConfigError, ContextError
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media.clip import Clip
from emoreason.model.processing import IGNORED, EmoReasonProcessor, add_special_tokens
from emoreason.model.prompt import FACE, SPECIAL_TOKENS, VOICE
from emoreason.model.segment_input import mel_of
from emoreason.perception.observation import VoiceCue
from emoreason.perception.regions import _ANCHORS, aligned_crop, anchors
from emoreason.perception.segments import Segment

DURATION_S, FPS = 8.0, 12.0
WHOLE = Segment(0.0, DURATION_S)
ANSWER = "f1 shows a smile. <answer>emotion=happiness</answer>"


def processor(name="llama", **face):
    family = FAMILIES[name]
    config = emoreason_config(family)
    for key, value in face.items():
        setattr(config.face_config, key, value)
    return EmoReasonProcessor(config, family.tokenizer(), family.image_processor() if family.sees else None)


@pytest.fixture(scope="module")
def llama():
    return processor()


@pytest.fixture(scope="module")
def qwen():
    return processor("qwen3_vl")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return Clip(write_media(path, even_times(96, FPS), sound=tone(DURATION_S), size=(160, 96)))


@pytest.fixture
def observation():
    voice = {name: (kind.low, "typical") for name, kind in VOICE_CUES.items()}
    people = [{"au": {"AU12": [(1.0, 2.0, 3.0, 0.8, "both")]}}, {"start_s": 2.0, "end_s": 6.0}]
    return make_observation(DURATION_S, FPS, people, voice, [(1.0, 3.0, "hello <|im_end|> there")], size=(160, 96))


def seen(prepared):
    return [name for name in ("persons", "mel", "scenes") if getattr(prepared, name) not in (None, ())]


# from measurements


def test_faces_are_cut_at_their_sampled_times(llama, observation, clip):
    one = llama.prepare(observation, WHOLE, clip, "Why?")
    assert one.persons == ("p1", "p2") and one.crops.shape == (2, 64, 3, SIZE, SIZE) and one.crops.dtype == np.uint8
    person = observation.people[0]
    assert set(one.times_s[0]) <= set(person.times_s.astype(np.float32))
    assert one.times_s[0, 0] == person.times_s[0] and one.times_s[0, -1] == np.float32(person.times_s[-1])
    gaps = np.diff(one.times_s[0])
    assert gaps.min() > 0 and gaps.max() < 2.1 / FPS, "96 frames thinned to 64, evenly"
    assert one.frame_mask.sum(axis=1).tolist() == [64, 49] and not one.crops[1, 49:].any()
    at = 20
    (frame,) = clip.frames([float(one.times_s[0, at]) + 1e-4])
    place = int(np.argmin(abs(person.times_s - one.times_s[0, at])))
    expected = aligned_crop(frame.image, person.landmarks(np.array([place]))[0], SIZE, llama.config.face_config.margin)
    assert (one.crops[0, at].transpose(1, 2, 0) == expected).all()


def test_cues_of_low_reliability_are_no_evidence(llama, clip):
    au = {"AU12": [(0.5, 1.0, 2.0, 0.9, "both")], "AU14": [(0.5, 1.0, 2.0, 0.9, "both")]}
    doubtful = make_observation(4.0, people=[{"au": au}], reliability={"AU14": "low"})
    given = llama.prepare(doubtful, Segment(0, 4), clip, "?")
    assert [line.cue.cue for line in given.evidence] == ["AU12"]


def test_landmarks_are_in_crop_units(llama, observation, clip):
    one = llama.prepare(observation, WHOLE, clip, "Why?")
    target = (_ANCHORS.mean(0) - 0.5) / 1.2 + 0.5  # a least-squares similarity takes centre to centre; 10 % margin each side
    np.testing.assert_allclose(anchors(one.landmarks[0, 3]).mean(0), target, atol=1e-5)


def test_a_small_segment_has_only_its_frames(llama, observation, clip):
    one = llama.prepare(observation, Segment(6.5, 7.5), clip, "Why?")
    assert one.persons == ("p1",) and one.times_s.min() >= 6.5 and one.times_s.max() <= 7.5 and one.crops.shape[1] == 13


def test_a_face_without_a_mesh_is_its_box(llama, observation, clip):
    for name, value in (("found", 0), ("landmarks", np.nan), ("pose", np.nan), ("gaze", np.nan), ("blendshapes", np.nan)):
        observation.faces.shards[0][name] = np.full_like(observation.faces.shards[0][name], value)
    one = llama.prepare(observation, WHOLE, clip, "Why?")
    assert one.frame_mask.any() and not one.mesh_mask.any() and one.crops[0].std() > 0
    assert not one.landmarks.any() and np.isfinite(one.pose).all()


def test_gaze_behind_closed_lids_is_no_nan(llama, observation, clip):
    observation.faces.shards[0]["gaze"] = np.full_like(observation.faces.shards[0]["gaze"], np.nan)
    assert not llama.prepare(observation, WHOLE, clip, "Why?").gaze.any()


def test_largest_times_longest_come_first_but_the_speaker_is_in(clip):
    people = [{"start_s": 4.0}, {}, {"start_s": 7.0, "speaking": [(7.0, 8.0)]}]
    observation = make_observation(DURATION_S, FPS, people, size=(160, 96))
    some = processor(max_persons=2)
    assert some.prepare(observation, WHOLE, clip, "Why?").persons == ("p2", "p3")
    assert some.prepare(observation, Segment(0.0, 6.5), clip, "Why?").persons == ("p2", "p1")


def test_the_voice_is_the_segments_sound(llama, observation, clip):
    one = llama.prepare(observation, Segment(1.0, 3.0), clip, "Why?")
    assert one.mel.shape == (BINS, 200)
    np.testing.assert_array_equal(one.mel, mel_of(clip.audio(1.0, 3.0), BINS))
    assert llama.prepare(observation, Segment(4.0, 8.0), clip, "Why?").mel is None, "nobody speaks there"


def test_prosody_is_that_of_the_spans_in_the_segment(llama, observation, clip):
    spans = (VoiceCue("pitch", 200.0, "Hz", "typical", 1.0, 2.0), VoiceCue("pitch", 300.0, "Hz", "high", 2.0, 6.0))
    voice = dataclasses.replace(observation.voice, cues=(*observation.voice.cues, *spans))
    observation = dataclasses.replace(observation, voice=voice)
    pitch, rate = list(VOICE_CUES).index("pitch"), list(VOICE_CUES).index("rate")
    found = llama.prepare(observation, Segment(1.0, 3.0), clip, "Why?", cues=()).prosody
    assert found[pitch] == 250.0 and found[rate] == np.float32(VOICE_CUES["rate"].low), "rate only over all speech"


def test_scene_pictures_are_the_representative_frames(qwen, llama, observation, clip):
    observation = dataclasses.replace(observation, scene_times_s=(1.0, 2.0, 5.0))
    one = qwen.prepare(observation, WHOLE, clip, "Why?", scenes=2, cues=())
    assert [scene.shape for scene in one.scenes] == [(96, 160, 3)] * 2
    np.testing.assert_array_equal(one.scenes[1], clip.frames([5.0])[0].image)
    bare = qwen.prepare(observation, Segment(6.0, 8.0), clip, "Why?", scenes=2, cues=())
    np.testing.assert_array_equal(np.stack(bare.scenes), clip.frames([7.0])[0].image[None])
    with pytest.raises(ValueError, match="'llama' takes none"):
        llama.prepare(observation, WHOLE, clip, "Why?", scenes=1)


def test_nothing_to_see_or_hear(llama, tmp_path):
    clip = Clip(write_media(tmp_path / "sound.m4a", sound=tone(3.0)))
    observation = make_observation(3.0, people=(), has_video=False)
    one = llama.prepare(observation, Segment(0.0, 3.0), clip, "Why?")
    batch = llama([one])
    assert not seen(one) and batch["face"] is None and batch["voice"] is None
    assert "no cue stands out" not in llama.text(one), "nothing was there that could show one"


# text


def test_placeholders_are_expanded_in_the_text(llama):
    text = llama.text(segment(persons=2))
    assert text.count(FACE) == 2 * llama.layout.face and text.count(VOICE) == llama.layout.voice
    assert text.startswith("<|im_start|>user\n") and text.endswith("<|im_start|>assistant\n")


@pytest.mark.parametrize("name", ["llama", "qwen3_vl", "gemma3"])
def test_text_mode_has_no_soft_token_and_no_picture(name):
    one, some = segment(scenes=int(FAMILIES[name].sees)), processor(name)
    batch = some([one], soft=False)
    assert not set(batch["input_ids"][0].tolist()) & set(some.config.special_token_ids.values())
    assert batch["face"] is None and batch["voice"] is None and "pixel_values" not in batch
    assert "f1 p1 strong lip corner puller (AU12) 1.0-2.0" in some.text(one, soft=False)


def test_earlier_turns_stand_in_order_and_evidence_once(llama):
    turns = (("Which emotion?", ANSWER), ("Since when?", "Since 1.0 s."))
    text = llama.text(dataclasses.replace(segment(), turns=turns, question="Why not fear?"))
    order = [text.index(part) for part in ("f1 p1", *turns[0], *turns[1], "Why not fear?")]
    assert order == sorted(order) and text.count("f1 p1 strong lip corner") == 1 and text.count(VOICE) == llama.layout.voice


def test_spoken_control_tokens_stay_text(llama, observation, clip):
    one = llama.prepare(observation, WHOLE, clip, "Why?")
    assert any(line.cue.modality == "words" for line in one.evidence)
    assert llama.text(one).count("<|im_end|>") == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_each_of_our_tokens_is_one_id(name):
    some = processor(name)
    ids = some.config.special_token_ids
    assert set(ids) == set(SPECIAL_TOKENS) and len(set(ids.values())) == len(SPECIAL_TOKENS)
    assert add_special_tokens(some.tokenizer) == ids, "twice is once"
    for token, number in ids.items():
        assert some.tokenizer(f"a{token}b", add_special_tokens=False)["input_ids"].count(number) == 1


# labels


@pytest.mark.parametrize("name", FAMILIES)
def test_only_the_answer_is_supervised(name):
    some, one = processor(name), segment(scenes=int(FAMILIES[name].sees))
    batch = some([one], [ANSWER])
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    kept = labels != IGNORED
    assert (labels[kept] == ids[kept]).all() and kept.tolist() == sorted(kept.tolist()), "the answer is the end"
    assert some.tokenizer.decode(labels[kept]).strip() == ANSWER + FAMILIES[name].end == ANSWER + some.end_of_answer()
    assert ids[~kept].tolist() == some([one])["input_ids"][0].tolist(), "what comes before is the prompt of generation"


def test_every_answer_of_a_conversation_is_supervised(qwen):
    one = dataclasses.replace(segment(scenes=1), turns=(("Which emotion?", ANSWER),), question="Why not fear?")
    batch = qwen([one], ["No AU05."])
    labels = batch["labels"][0]
    text = qwen.tokenizer.decode(labels[labels != IGNORED])
    assert text == f"{ANSWER}<|im_end|>No AU05.<|im_end|>"
    assert qwen([one])["input_ids"][0].tolist() == batch["input_ids"][0, : qwen([one])["input_ids"].shape[1]].tolist()


def test_padding_is_right_for_training_and_left_for_generation(qwen):
    short, long = segment(scenes=1), segment(1, persons=2, scenes=2)
    train, generate = qwen([short, long], [ANSWER, ANSWER]), qwen([short, long])
    assert train["attention_mask"][0, 0] == 1 and train["attention_mask"][0, -1] == 0 and train["labels"][0, -1] == IGNORED
    assert generate["attention_mask"][0, 0] == 0 and generate["attention_mask"][:, -1].all() and "labels" not in generate
    assert all(generate[name].shape == generate["input_ids"].shape for name in ("attention_mask", "mm_token_type_ids"))


def test_a_batch_of_different_sizes_is_masked(llama):
    batch = llama([segment(persons=1, frames=3, mel_frames=None), segment(1, persons=2, frames=5, mel_frames=30)])
    assert batch["face"].frame_mask.sum((1, 2)).tolist() == [3, 10] and batch["face"].crops.shape[:3] == (2, 2, 5)
    assert batch["voice"].mel_mask.sum(1).tolist() == [0, 30]


# refusals


def test_a_prompt_longer_than_the_context_is_refused_with_the_arithmetic(qwen):
    qwen_short = processor("qwen3_vl")
    qwen_short.config.language_config.text_config.max_position_embeddings = 60
    one = segment(persons=2, scenes=1)
    length, face, voice = qwen([one])["input_ids"].shape[1], 2 * qwen.layout.face, qwen.layout.voice
    pictures = int((qwen([one])["mm_token_type_ids"] == 1).sum())
    rest = length - face - voice - pictures
    with pytest.raises(ContextError) as caught:
        qwen_short([one], room=7)
    for part in (f"{face} tokens for 2 faces", f"{voice} for the voice", f"{pictures} for 1 pictures", f"{rest} for text"):
        assert part in str(caught.value)
    assert f"7 kept for the answer = {length + 7}" in str(caught.value) and "takes 60" in str(caught.value)


def test_what_cannot_be_processed_is_refused(llama):
    with pytest.raises(ValueError, match="control token <\\|im_end\\|>"):
        llama([segment()], ["fine<|im_end|>"])
    with pytest.raises(ValueError, match="1 segments, but 2 answers"):
        llama([segment()], ["a", "b"])
    with pytest.raises(ValueError, match="scene: backbone 'llama' takes no pictures"):
        llama([segment(scenes=1)])
    tokenizer = FAMILIES["llama"].tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(ConfigError, match="no chat template"):
        EmoReasonProcessor(emoreason_config(FAMILIES["llama"]), tokenizer)
    with pytest.raises(ConfigError, match="are not the tokenizer's"):
        EmoReasonProcessor(
            emoreason_config(FAMILIES["llama"], special_token_ids=dict.fromkeys(SPECIAL_TOKENS, 3)), FAMILIES["llama"].tokenizer()
        )


def test_a_template_that_rewrites_its_prompt_is_refused():
    some = processor()
    some.tokenizer.chat_template = "{{ messages | length }}" + some.tokenizer.chat_template
    with pytest.raises(ConfigError, match="rewrites the prompt"):
        some([segment()], [ANSWER])


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("face: landmarks must be", lambda one: {"landmarks": one.landmarks[..., :2]}),
        ("face: crops must be", lambda one: {"crops": one.crops[..., :-1]}),
        ("face: quality must be", lambda one: {"quality": one.quality[:, :1]}),
        ("face: pose hold NaN", lambda one: {"pose": one.pose * np.nan}),
        ("face: each of p1", lambda one: {"frame_mask": one.frame_mask & False}),
        ("voice: mel must be finite", lambda one: {"mel": one.mel * np.inf}),
        ("voice: prosody must be", lambda one: {"prosody": one.prosody[1:]}),
        ("scene: pictures must be uint8", lambda one: {"scenes": (np.zeros((4, 4, 3)),)}),
    ],
)
def test_wrong_shapes_and_values_name_the_part(part, change):
    one = segment()
    with pytest.raises(ValueError, match=part):
        dataclasses.replace(one, **change(one))


# one folder


def test_the_auto_classes_know_the_folder(qwen, tmp_path):
    qwen.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).special_token_ids == qwen.config.special_token_ids
    again = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(again, EmoReasonProcessor) and again.layout == qwen.layout
    one = segment(scenes=1)
    assert torch.equal(again([one])["pixel_values"], qwen([one])["pixel_values"]) and again.text(one) == qwen.text(one)


@pytest.mark.parametrize("name", ["llama", "qwen3_vl"])
def test_answer_fields_can_weigh_more(name):
    """The field alone, in every answer; the prompt weighs nothing, and without emphasis there are no weights."""
    made = processor(name)
    given = [dataclasses.replace(segment(), turns=(("Which?", ANSWER),)), segment()]
    batch = made(given, [ANSWER, "No field at all."], emphasis=8.0)
    weights, labels = batch["label_weights"], batch["labels"]
    assert (weights[labels == IGNORED] == 0).all() and (weights[labels != IGNORED] >= 1).all()
    heavy = made.tokenizer.decode(labels[weights == 8])
    assert heavy.count("<answer>emotion=happiness</answer>") == 2 and "smile" not in heavy
    assert (weights[1] <= 1).all()
    assert "label_weights" not in made(given, [ANSWER, ANSWER])
