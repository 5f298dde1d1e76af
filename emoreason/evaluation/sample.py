"""One sample of a suite: a record, or one question about it, with its truth."""

from dataclasses import dataclass

from emoreason.instructions.record import Record


@dataclass(frozen=True)
class EvalSample:
    """One thing to be answered. `id` is unique in its suite; intervals resample by `group`; `truth` has the form of its task."""

    id: str
    group: str
    fold: int | None
    record: Record
    truth: dict

    @property
    def media(self) -> str | None:
        media = self.record.media
        return media and (media.video or media.image or media.audio or (media.frames[-1] if media.frames else None))


def text_of(record: Record, which: str = "transcript") -> str:
    """The words a judge may be shown: the transcript, or a human description (`explanation`)."""
    if which == "explanation":
        return " ".join(sentence.text for sentence in record.explanation)
    return record.transcript or " ".join(turn.text for turn in record.turns)
