"""Line formats of other trainers: both ways without loss, and nothing malformed."""

import json
from dataclasses import replace

import pytest
from observations import make_observation
from PIL import Image
from training_data import keep

from emoreason.errors import ConfigError
from emoreason.instructions.collator import Source
from emoreason.instructions.interchange import Conversation, Message, conversations_of, read_conversations, write_conversations
from emoreason.instructions.observe_all import clip_jobs, data_store
from emoreason.instructions.record import ClosedLabel, Media, Record
from emoreason.instructions.tasks import tasks_for

TALK = Conversation(
    [
        Message("system", "You look closely."),
        Message("user", "<image><audio>Which emotion?"),
        Message("assistant", "Grief – seen at the brows."),
        Message("user", "Sure?"),
        Message("assistant", "Yes."),
    ],
    images=["a.png"],
    audios=["a.wav"],
)
PLAIN = Conversation([Message("user", "Hello"), Message("assistant", "Hello")])


@pytest.mark.parametrize("format", ["ms-swift", "llama-factory"])
def test_there_and_back(tmp_path, format):
    path = tmp_path / "x.jsonl"
    assert write_conversations([TALK, PLAIN], path, format) == 2
    assert list(read_conversations(path)) == [TALK, PLAIN]


def test_the_keys_are_those_of_the_trainers(tmp_path):
    path = tmp_path / "x.jsonl"
    write_conversations([TALK], path, "ms-swift")
    line = json.loads(path.read_text(encoding="utf-8"))
    assert set(line) == {"messages", "images", "audios"}
    assert line["messages"][1] == {"role": "user", "content": "<image><audio>Which emotion?"}
    write_conversations([TALK], path, "llama-factory")
    line = json.loads(path.read_text(encoding="utf-8"))
    assert set(line) == {"conversations", "system", "images", "audios"}
    assert line["conversations"][0] == {"from": "human", "value": "<image><audio>Which emotion?"}


def test_llava_writes_one_image_as_text(tmp_path):
    path = tmp_path / "x.jsonl"
    turns = [{"from": "human", "value": "<image>\nWho?"}, {"from": "gpt", "value": "A man."}]
    path.write_text(json.dumps({"id": "1", "image": "a.jpg", "conversations": turns}))
    assert next(read_conversations(path)).images == ["a.jpg"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "x.jsonl:1"),
        ('{"text": "a"}', "neither 'messages' nor 'conversations'"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "take turns"),
        ('{"messages": [{"role": "tool", "content": "a"}]}', "role 'tool'"),
        ('{"messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "b"}]}', "1 <image>"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    path = tmp_path / "x.jsonl"
    path.write_text(line)
    with pytest.raises(ConfigError, match="x.jsonl:1") as caught:
        list(read_conversations(path))
    assert message in str(caught.value)


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="ms-swift or llama-factory"):
        write_conversations([PLAIN], tmp_path / "x", "other")


def test_a_set_is_exported_with_its_files_and_what_was_measured(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    label = ClosedLabel(scheme="set", value="joy")
    shared = {"dataset": "set", "group": "g", "licence": "x", "labels": [label]}
    seen = Record(id="1", split="train", media=Media(image="a.png"), **shared)
    words = Record(id="2", split="test", transcript="I won!", **shared)
    store = data_store(tmp_path / "store")
    clip = clip_jobs(seen, tmp_path)[0]
    smile = make_observation(0.08, people=[{"au": {"AU12": [(0.0, 0.04, 0.08, 0.9, "both")]}}], size=(20, 20))
    keep(store, replace(smile, source=clip.clip().source, settings=clip.settings.to_dict()), 1)
    source = Source([seen, words], tmp_path, {"": tasks_for("set", ("joy", "anger"))}, 1, words=True)
    (split, picture), (other, text) = conversations_of(source, store)
    assert (split, other) == ("train", "test") and picture.images == [str((tmp_path / "a.png").resolve())]
    assert picture.messages[0].text.startswith("<image>") and "f1 p1 " in picture.messages[0].text
    assert "I won!" in text.messages[0].text and not text.images
    assert conversations_of(source, data_store(tmp_path / "empty")).__next__() == ("train", None)  # not observed
    [_, (_, loud)] = conversations_of(source, store, reword=lambda exchange: exchange._replace(answer=exchange.answer.upper()))
    assert loud.messages[1].text == text.messages[1].text.upper()
    write_conversations([picture, text], tmp_path / "x.jsonl", "llama-factory")
    assert list(read_conversations(tmp_path / "x.jsonl")) == [picture, text]
