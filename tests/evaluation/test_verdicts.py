"""Verdicts of seconds and of whole files, as the product gives them."""

import pytest
from evaluation.made import FROWN, SMILE, sample_input
from inference.toys import judged, make_judge, noise_clip, observed

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.verdicts import Question, segment_inputs, verdicts
from emoreason.inference.judges.composer import ComposerJudge
from emoreason.instructions.record import Span


def test_the_span_of_a_record_is_what_counts():
    long = ({"au": {"AU12": [(1.0, 3.0, 9.0, 0.9, "both")], "AU04": [(21.0, 24.0, 29.0, 0.9, "both")]}},)
    one = sample_input("a", {}, people=long, duration_s=30.0, cuts_s=(10.0, 20.0))
    late = one.record.model_copy(update={"span": Span(start_s=20.0, end_s=30.0)})
    whole, end = verdicts(ComposerJudge(), [one, SampleInput(one.sample, late, one.observation, None)])
    assert end.probabilities["anger"] > whole.probabilities["anger"]
    assert end.probabilities["happiness"] < whole.probabilities["happiness"]


@pytest.fixture(scope="module")
def toy():
    return make_judge(trained=True).with_settings(most_tokens=4)  # what it writes means nothing anyway


def test_a_model_judges_media_as_the_product_does(toy, tmp_path):
    clip = noise_clip(tmp_path)
    seen = sample_input("a", {"label": "joy"})
    one = SampleInput(seen.sample, seen.record, observed(clip), clip)
    (told,) = verdicts(toy, [one])
    product = judged(toy, one.observation, clip).clip.verdict()
    assert told.probabilities == pytest.approx(product.probabilities, abs=1e-4) and told.emotion == product.emotion
    assert len(toy.reply(segment_inputs(toy, [Question(one, "Which emotion is shown?")]), 4)) == 1


def test_several_clips_are_judged_together_as_alone(toy, tmp_path):
    clip = noise_clip(tmp_path)
    seen = [SampleInput(one.sample, one.record, observed(clip, people), clip)
            for one, people in ((sample_input("a", {}), SMILE), (sample_input("b", {}), FROWN))]  # fmt: skip
    together, alone = verdicts(toy, seen), [verdicts(toy, [one])[0] for one in seen]
    for a, b in zip(together, alone, strict=True):
        assert a.probabilities == pytest.approx(b.probabilities, abs=2e-3)
