"""Why, in plain language, and what became of each claim; the same for the answer to a question."""

from typing import Literal

from pydantic import Field

from emoreason.report.schema.base import Number, Part, Probability, Span

Modality = Literal["face", "voice", "words", "scene"]


class Claim(Part):
    """One checkable statement of the explanation. `text` is the exact words, found in the explanation's text."""

    text: str
    modality: Modality
    cue: str
    person: str | None
    start_s: Number | None
    end_s: Number | None
    verdict: Literal["supported", "contradicted", "unverifiable"]
    measured: str | None = Field(None, description="what was measured, in words; null where nothing was")
    evidence: list[str] | None = Field(None, description="ids of the evidence lines cited, such as f1; null where none can be")


class Sentence(Part):
    """One sentence of the explanation and who wrote it."""

    text: str
    generator: str
    claims: list[Claim]


class Explanation(Part):
    """Why, in plain language, and what became of each claim."""

    text: str = Field(description="plain prose")
    raw: str | None = Field(None, description="as the model wrote it, with ids of evidence; null where nobody wrote ids")
    brief: str | None = Field(None, description="one sentence")
    sentences: list[Sentence] | None = Field(None, description="of the text, in order; null where they are not told apart")
    claims: list[Claim]
    faithfulness: Probability | None = Field(None, description="supported / (supported + contradicted); null without such claims")
    coverage: Probability | None = Field(None, description="share of the strongest measured cues that the text mentions")
    generator: str


class Answer(Part):
    """The answer to a question about the clip. `times`: the moments it speaks of."""

    question: str
    text: str
    claims: list[Claim]
    times: list[Span]
