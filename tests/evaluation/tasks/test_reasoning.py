"""Explanations: against codes, other clips and their own copies without evidence lines."""

from dataclasses import replace

import pytest
from evaluation.made import FROWN, SMILE, Writing, context_of, row, sample_input, values


def test_explanations_are_held_against_codes_and_other_clips():
    one, other = (sample_input(name, {"units": {"AU12": True, "AU04": False}, "reference": None, "label": "joy"}, people=people)
                  for name, people in (("a", SMILE), ("b", FROWN)))  # fmt: skip
    (prediction,) = context_of("reasoning", others=[other]).predictions([one])
    counts = prediction.prediction["counts"]
    assert prediction.prediction["label"] == "joy" and "AU12" in prediction.text or "smile" in prediction.text
    assert counts["au_recall_human"] == [1, 1] and counts["specificity"] == [1, 1] and counts["claims_per_text"][0] >= 1


class Explaining(Writing):
    """Explains as the composer does; without the evidence lines it has nothing to say."""

    def judge(self, measured, on_text=None, explain=True):
        told = super().judge(measured)
        return [replace(one, clip=replace(one.clip, text="Nobody knows.")) for one in told] if self.left_out else told

    def without(self, part):
        blind = Explaining(*self.texts)
        blind.left_out = (part,)
        return blind


def test_explanations_of_a_model_are_measured_without_its_evidence_lines_too():
    one = sample_input("a", {"units": {"AU12": True}, "reference": None, "label": "joy"}, people=SMILE)
    judge = Explaining("Something. <answer>emotion=happiness</answer>")
    (prediction,) = context_of("reasoning", judge).predictions([one])
    counts = prediction.prediction["counts"]
    assert counts["supported_rate"][0] > 0 and counts["au_recall_human"] == [1, 1]
    assert counts["claims_per_text_without_evidence"] == [0, 1] and counts["au_recall_human_without_evidence"] == [0, 1]
    assert counts["free_parsed"] == [True, 1] and counts["conclusion_agreement"] == [True, 1]
    (blind,) = context_of("reasoning", judge.without("evidence")).predictions([one])
    assert blind.prediction["counts"]["claims_per_text"] == [0, 1]
    assert not any(name.endswith("_without_evidence") for name in blind.prediction["counts"])


def test_reasoning_sums_numerators_and_denominators():
    counts = {"claims_per_text": [2, 1], "supported_rate": [1, 2]}
    rows = [row("a", {"label": None}, {"label": None, "counts": counts}), row("b", {"label": None})]
    found = values("reasoning", rows, primary="claims_per_text")
    assert found["claims_per_text"].value == 1.0 and found["supported_rate"].value == 0.5


def test_descriptions_are_compared_where_somebody_wrote_one():
    truth = {"label": "joy", "units": {}, "reference": "He smiles widely"}
    counts = {"claims_per_text": [1, 1]}
    rows = [row("a", truth, {"label": "joy", "counts": counts}, text="He smiles widely"),
            row("b", truth | {"reference": None}, {"label": "joy", "counts": counts}, text="x")]  # fmt: skip
    found = values("reasoning", rows, metrics=["rege"], primary="rege_emotion", input="media")
    assert found["rege_emotion"].value == pytest.approx(200) and found["rege_emotion"].n == 1
