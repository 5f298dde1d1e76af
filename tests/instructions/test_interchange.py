"""Line formats of other trainers: both ways without loss, and nothing malformed."""

import json

import pytest

from emoreason.errors import ConfigError
from emoreason.instructions.interchange import Conversation, Message, read_conversations, write_conversations

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
