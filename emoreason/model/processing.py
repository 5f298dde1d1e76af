"""EmoReasonProcessor: a SegmentInput becomes the chat text and the tensors of the model, one way for training and inference.

Placeholders are expanded here, in the text; pictures go through the backbone family's own processor and image tokens.
Letters: B batch, P persons, T frames, S sequence, M mel bins.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from transformers import PreTrainedTokenizerBase

from emoreason.errors import ConfigError, ContextError
from emoreason.media.clip import Clip
from emoreason.model.batch import FaceBatch, FaceOutput, VoiceBatch, VoiceOutput, as_tensors
from emoreason.model.interface import Interface
from emoreason.model.prompt import ANSWER_CLOSE, ANSWER_OPEN, FACE, SCENE, SPECIAL_TOKENS, VOICE, evidence, user_text
from emoreason.model.segment_input import (
    SegmentInput,
    face_arrays,
    log_mel,
    persons_in,
    prosody,
    scene_pictures,
    spoken_in,
    utterances,
)
from emoreason.model.utterances import words_batch
from emoreason.perception.cues import cues as measured_cues
from emoreason.perception.observation import Cue, Observation
from emoreason.perception.people import main_person
from emoreason.perception.segments import Segment

if TYPE_CHECKING:  # it takes seconds to import, and a graph is run without
    from emoreason.model.config import EmoReasonConfig

IGNORED = -100  # label of what is not supervised
MAX_SIDE = 1280  # frames are cut from pictures at most this long, as perception saw them
_ANSWER = re.compile(f"{ANSWER_OPEN}[^<]*(?:{ANSWER_CLOSE})?")
_PER_TOKEN = ("attention_mask", "mm_token_type_ids", "token_type_ids")
_IMAGES = "preprocessor_config.json"


def add_special_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Give each of our tokens exactly one id. Idempotent. Raises ConfigError when the tokenizer splits one."""
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)}, replace_extra_special_tokens=False)
    ids = {token: tokenizer(token, add_special_tokens=False)["input_ids"] for token in SPECIAL_TOKENS}
    if split := [token for token, found in ids.items() if len(found) != 1]:
        raise ConfigError(f"tokenizer {type(tokenizer).__name__} makes {len(ids[split[0]])} ids of {split[0]}, it must make one")
    return {token: found[0] for token, found in ids.items()}


class EmoReasonProcessor:
    """Writes the ids of our special tokens into a configuration that has none. Build the model after it.

    image_processor: the backbone's own; without one (text models) there are no scene pictures.
    """

    def __init__(self, config: Interface, tokenizer: PreTrainedTokenizerBase, image_processor: Any = None):
        if tokenizer.chat_template is None:
            raise ConfigError("the tokenizer has no chat template; set tokenizer.chat_template to the backbone's own")
        ids = add_special_tokens(tokenizer)
        if config.special_token_ids not in (None, ids):
            raise ConfigError(f"special tokens of the configuration {config.special_token_ids} are not the tokenizer's {ids}")
        if config.special_token_ids is None:
            config.special_token_ids = ids
        self.config, self.tokenizer, self.image_processor = config, tokenizer, image_processor
        self.pictures = None
        if image_processor is not None:
            from emoreason.model.backbones import picture_processor

            self.pictures = picture_processor(config.language_config, tokenizer, image_processor)
        self.layout = config.layout

    # from measurements

    def prepare(
        self,
        observation: Observation,
        segment: Segment,
        clip: Clip,
        question: str,
        scenes: int = 0,
        cues: Sequence[Cue] | None = None,
        faces: SegmentInput | None = None,
    ) -> SegmentInput:
        """Cut what the model sees. `cues` saves measuring them again for each segment of a long clip, `faces` (`prepare_faces`)
        cutting those again. Raises MediaError.

        Cues of faces and voices of low reliability are left out: training has the model set them aside, and what it said of them
        all the same could not be checked (on validation faces and voices, verdicts stay, supported claims gain 6 to 15 points).
        """
        if scenes and self.pictures is None:
            raise ValueError(f"{scenes} scene pictures asked for, but backbone '{self.config.family}' takes none; use scenes=0")
        side = min(int(observation.settings.get("max_side", MAX_SIDE)), MAX_SIDE)
        main = main_person(observation, segment)
        measured = measured_cues(observation) if cues is None else cues
        return replace(
            faces or self.prepare_faces(observation, segment, clip),
            question=question,
            evidence=tuple(evidence([cue for cue in measured if cue.modality == "words" or cue.reliability != "low"], segment)),
            mel=log_mel(observation, segment, clip, self.config.mel_bins),
            prosody=prosody(observation, segment),
            scenes=scene_pictures(observation, segment, clip, scenes, side),
            words=utterances(observation, segment, self.languages),
            main=main and main.person,
            segment=segment,
            speech_s=spoken_in(observation, segment),
        )

    def prepare_faces(self, observation: Observation, segment: Segment, clip: Clip) -> SegmentInput:
        """The faces alone, for the encoder and its heads. Raises MediaError."""
        side = min(int(observation.settings.get("max_side", MAX_SIDE)), MAX_SIDE)
        people = persons_in(observation, segment, self.config.face_config.max_persons)
        arrays = face_arrays(people, segment, clip, side, self.config.face_config)
        nothing = SegmentInput.of_tokens("", (), (), None, None)
        return replace(nothing, persons=tuple(person.person for person in people), **arrays)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those in which the head on utterances understands words; none for a model without it."""
        return tuple((self.config.words or {}).get("languages", ()))

    # text

    def messages(self, inputs: SegmentInput, soft: bool = True) -> list[dict[str, Any]]:
        """The conversation up to the question, as chat messages: also what a server of the merged backbone is sent."""
        questions = [question for question, _ in inputs.turns] + [inputs.question]
        scenes = len(inputs.scenes) if soft else 0
        first = user_text(inputs.persons, inputs.has_voice, inputs.evidence, questions[0], self.layout if soft else None, scenes)
        messages = [self._message("user", first)]
        for (_, answer), question in zip(inputs.turns, questions[1:], strict=True):
            messages += [self._message("assistant", self._plain(answer)), self._message("user", question)]
        return messages

    def text(self, inputs: SegmentInput, soft: bool = True) -> str:
        """The rendered prompt. A picture is the family's one mark; how many tokens it takes is known once it is processed."""
        return self._render(self.messages(inputs, soft))

    def end_of_answer(self) -> str:
        """What the chat template puts after an answer, such as <|im_end|>."""
        asked = [self._message("user", "?")]
        return self._spoken(asked, self._message("assistant", "x"))[1].strip().removeprefix("x")

    def _message(self, role: str, text: str) -> dict[str, Any]:
        """Templates of families with pictures want a list of parts, those of text models a string."""
        if not self.config.sees_pictures:
            return {"role": role, "content": text}
        *marks, text = text.split(SCENE)
        return {"role": role, "content": [{"type": "image"} for _ in marks] + [{"type": "text", "text": text.lstrip("\n")}]}

    def _plain(self, answer: str) -> str:
        """Raises ValueError when an answer spells a control token, which would become one when it is encoded."""
        for token in self.tokenizer.added_tokens_decoder.values():
            if token.special and token.content in answer:
                raise ValueError(f"an answer holds the control token {token.content}; answers are plain text")
        return answer.strip()

    def _render(self, messages: list[dict[str, Any]], ask: bool = True) -> str:
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)

    def _spoken(self, asked: list[dict[str, Any]], answer: dict[str, Any]) -> tuple[str, str]:
        """(prompt, what the assistant adds to it: the answer and the token that ends it)."""
        prompt, whole = self._render(asked), self._render([*asked, answer], ask=False)
        if not whole.startswith(prompt):
            raise ConfigError("the chat template rewrites the prompt once it is answered; answers cannot be told apart from it")
        return prompt, whole[len(prompt) :].rstrip("\n")

    def pieces(self, inputs: SegmentInput, answer: str | None = None, soft: bool = True) -> list[tuple[str, bool]]:
        """(text, is an answer) in turn, joined they are the conversation. Encoded one by one, so that an answer's tokens are
        the same in training as when they are generated after the prompt."""
        messages = self.messages(inputs, soft)
        if answer is not None:
            messages.append(self._message("assistant", self._plain(answer)))
        pieces, done = [], ""
        for n, message in enumerate(messages):
            if message["role"] == "assistant":
                prompt, spoken = self._spoken(messages[:n], message)
                pieces += [(prompt[len(done) :], False), (spoken, True)]
                done = prompt + spoken
        return pieces if answer is not None else [*pieces, (self._render(messages)[len(done) :], False)]

    def next_turn(self, inputs: SegmentInput, answer: str, question: str, soft: bool = True) -> list[int]:
        """The tokens that go on from the prompt of `inputs`: its answer, then the next question up to where the reply begins."""
        told = replace(inputs, turns=(*inputs.turns, (inputs.question, answer)), question=question)
        *_, spoken, asked = [text for text, _ in self.pieces(told, soft=soft)]
        return [token for text in (spoken, asked) for token in self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    # tensors

    def __call__(
        self,
        inputs: Sequence[SegmentInput],
        answers: Sequence[str] | None = None,
        soft: bool = True,
        room: int = 0,
        emphasis: float | None = None,
        return_tensors: Literal["pt", "np"] = "pt",
    ) -> dict[str, Any]:
        """Arguments of the model's `forward`, or of `generate` without `answers`.

        With answers the batch is padded on the right and `labels` supervise them, those of earlier turns too; without, it is
        padded on the left. soft=False is the text-evidence prompt: no soft tokens, no pictures. room: tokens kept free for what
        will be generated. emphasis: weight of the tokens of answer fields, those of the text around them having 1.
        return_tensors: "pt" for torch, "np" for NumPy (pictures stay as their family's processor gives them). Raises
        ContextError when a prompt is longer than the language model's context.
        """
        if answers is not None and len(answers) != len(inputs):
            raise ValueError(f"{len(inputs)} segments, but {len(answers)} answers")
        pieces = [self.pieces(one, answer, soft) for one, answer in zip(inputs, answers or [None] * len(inputs), strict=True)]
        pictures = [list(one.scenes) if soft else [] for one in inputs]
        rows, images = self._encode([parts[0][0] for parts in pieces], pictures)
        for row, parts, one in zip(rows, pieces, inputs, strict=True):
            row["labels"] = [IGNORED] * len(row["input_ids"])
            row["label_weights"] = [0.0] * len(row["input_ids"])
            for text, spoken in parts[1:]:
                self._append(row, text, spoken, emphasis or 1.0)
            self._check_length(row, one, soft, room)
        out = {name: self._padded([row[name] for row in rows], name, left=answers is None) for name in rows[0]}
        if answers is None:
            del out["labels"]
        if answers is None or emphasis is None:
            del out["label_weights"]
        face, voice, words = _faces(inputs), _voices(inputs), words_batch(self.tokenizer, [one.words for one in inputs])
        parts = {"face": face, "voice": voice, "words": words} if soft else dict.fromkeys(("face", "voice", "words"))
        whole = {**out, **parts, **images}
        return as_tensors(whole) if return_tensors == "pt" else whole

    def _encode(self, texts: list[str], pictures: list[list[np.ndarray]]) -> tuple[list[dict[str, list[int]]], dict[str, Any]]:
        """Per-token lists of each text, its pictures expanded by the family's own processor, and the batch's picture tensors."""
        options = {"padding": False, "add_special_tokens": False}  # the chat template has put them in
        if self.pictures is None:
            if any(pictures):
                raise ValueError(f"scene: backbone '{self.config.family}' takes no pictures")
            found = dict(self.tokenizer(texts, **options))
        else:
            images = pictures if any(pictures) else None
            found = dict(self.pictures(images=images, text=texts, text_kwargs=options, images_kwargs={"return_tensors": "pt"}))
        lists = {name: found.pop(name) for name in ("input_ids", *_PER_TOKEN) if name in found}
        if self.pictures is None:
            lists.pop("token_type_ids", None)  # only families with pictures read them
        return [{name: list(values[n]) for name, values in lists.items()} for n in range(len(texts))], found

    def _append(self, row: dict[str, list], text: str, spoken: bool, emphasis: float) -> None:
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=spoken)
        ids = found["input_ids"]
        added = {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": ids if spoken else [IGNORED] * len(ids)}
        if spoken:
            field = _ANSWER.search(text)
            start, end = field.span() if field else (0, 0)
            inside = [first < end and start < last for first, last in found["offset_mapping"]]
            added["label_weights"] = [emphasis if heavy else 1.0 for heavy in inside]
        for name in row:
            row[name] += added.get(name, [0] * len(ids))

    def _padded(self, rows: list[list[int]], name: str, left: bool) -> np.ndarray:
        tokenizer, longest = self.tokenizer, max(map(len, rows))
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        fill = {"input_ids": pad, "labels": IGNORED}.get(name, 0)
        dtype = np.float32 if name == "label_weights" else np.int64
        pads = [[fill] * (longest - len(row)) for row in rows]
        return np.array([pad + row if left else row + pad for row, pad in zip(rows, pads, strict=True)], dtype)  # [B, S]

    def _check_length(self, row: dict[str, list[int]], inputs: SegmentInput, soft: bool, room: int) -> None:
        ids, context = row["input_ids"], self.config.positions
        if len(ids) + room <= context:
            return
        counted = {name: ids.count(self.config.special_token_ids[name]) for name in (FACE, VOICE)}
        seen = sum(ids.count(token) for token in self.pictures.image_token_ids) if self.pictures and soft else 0
        rest = len(ids) - sum(counted.values()) - seen
        raise ContextError(
            f"the prompt is too long: {counted[FACE]} tokens for {len(inputs.persons)} faces + {counted[VOICE]} for the voice "
            f"+ {seen} for {len(inputs.scenes)} pictures + {rest} for text + {room} kept for the answer "
            f"= {len(ids) + room}, but backbone '{self.config.family}' takes {context}; use fewer or smaller pictures, "
            "fewer turns"
        )

    # one folder

    def save_pretrained(self, folder: str | Path) -> None:
        """Next to the weights: configuration, tokenizer with its chat template, image processor."""
        self.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        if self.image_processor is not None:
            self.image_processor.save_pretrained(folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path, config: "EmoReasonConfig | None" = None, **_: Any) -> "EmoReasonProcessor":
        from transformers import AutoImageProcessor, AutoTokenizer

        from emoreason.model.config import EmoReasonConfig

        has_images = (Path(folder) / _IMAGES).is_file()
        images = AutoImageProcessor.from_pretrained(folder, backend="pil") if has_images else None
        return cls(config or EmoReasonConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder), images)


def _faces(inputs: Sequence[SegmentInput]) -> FaceBatch | FaceOutput | None:
    """Persons and frames padded to the most of the batch, masked. None when nobody is seen in any segment. Cached tokens stand
    for what the encoder would say; a batch has them for all segments with faces or for none."""
    seen = [one for one in inputs if one.persons]
    if not seen:
        return None
    if any(one.face_tokens is not None for one in seen):
        tokens, mask = _stacked([one.face_tokens if one.persons else None for one in inputs], "face")
        return FaceOutput(frames=None, tokens=tokens, person_mask=mask)
    lead = (len(inputs), max(len(one.persons) for one in seen), max(one.frame_mask.shape[1] for one in seen))
    out = {}
    for name in ("crops", "landmarks", "blendshapes", "pose", "gaze", "times_s", "frame_mask", "mesh_mask"):
        example = getattr(seen[0], name)
        out[name] = np.zeros((*lead, *example.shape[2:]), example.dtype)
        for b, one in enumerate(inputs):
            value = getattr(one, name)
            if one.persons:
                out[name][b, : value.shape[0], : value.shape[1]] = value
    return FaceBatch(**out)


def _voices(inputs: Sequence[SegmentInput]) -> VoiceBatch | VoiceOutput | None:
    if any(one.voice_tokens is not None for one in inputs):
        tokens, mask = _stacked([None if one.voice_tokens is None else one.voice_tokens[None] for one in inputs], "voice")
        return VoiceOutput(tokens=tokens[:, 0], pooled=None, mask=mask[:, 0])  # [B, Q, D], [B]
    heard = [one.mel for one in inputs if one.mel is not None]
    if not heard:
        return None
    mel = np.zeros((len(inputs), heard[0].shape[0], max(one.shape[1] for one in heard)), np.float32)  # [B, M, T]
    mask = np.zeros((len(inputs), mel.shape[2]), bool)
    for b, one in enumerate(inputs):
        if one.mel is not None:
            mel[b, :, : one.mel.shape[1]], mask[b, : one.mel.shape[1]] = one.mel, True
    prosody = np.stack([one.prosody for one in inputs])
    return VoiceBatch(mel, mask, prosody)


def _stacked(groups: Sequence[np.ndarray | None], part: str) -> tuple[np.ndarray, np.ndarray]:
    """Cached tokens [P, N, D] of each segment -> [B, P, N, D] and mask [B, P]."""
    example = next(group for group in groups if group is not None)
    most = max(len(group) for group in groups if group is not None)
    out, mask = np.zeros((len(groups), most, *example.shape[1:]), np.float32), np.zeros((len(groups), most), bool)
    for b, group in enumerate(groups):
        if group is not None:
            out[b, : len(group)], mask[b, : len(group)] = group, True
    return out, mask
