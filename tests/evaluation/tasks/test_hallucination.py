"""Yes or no: of the verdict, read from text, and scored in pairs."""

import pytest
from evaluation.made import SMILE, Writing, context_of, row, sample_input, samples_of, values, write_suite
from inference.toys import make_judge

from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.run import run


def test_probes_are_answered_by_the_verdict():
    answers = context_of("hallucination").predictions(
        [sample_input("a", {"asked": asked}, people=SMILE) for asked in ("joy", "anger")]
    )
    assert [prediction.prediction["answer"] for prediction in answers] == ["yes", "no"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No, it is fear.", {"answer": "no"}),
        ("Perhaps yes.", None),
        ("<answer>emotion=joy</answer>", {"answer": "yes"}),
        ("<answer>emotion=happiness</answer>", {"answer": "yes"}),  # which the set calls joy
        ("<answer>emotion=fear</answer>", {"answer": "no"}),
        ("<answer>emotion=unclear</answer>", None),
    ],
)
def test_what_a_judge_writes_is_read_strictly(text, expected):
    one = sample_input("a", {"asked": "joy"})
    words = SampleInput(one.sample, one.record, None, None)
    (made,) = context_of("hallucination", Writing(text), input="words").predictions([words])
    assert made.prediction == expected and made.status == ("answered" if expected else "unparsable") and made.text == text


def test_a_model_replies_to_every_question(tmp_path):
    samples = samples_of(write_suite(tmp_path, kind="hallucination", primary="hallucination_overall"))
    rows = run(samples, make_judge(trained=True), tmp_path / "out", tmp_path)
    assert {row.status for row in rows} == {"unparsable"} and len(rows) == 10  # an untrained toy says neither yes nor no


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr("emoreason.evaluation.tasks.task.MOST_TOKENS", 4)


def test_probes_count_pairs():
    rows = []
    for identity, basic, made_up in (("a", "yes", "no"), ("b", "yes", "yes"), ("c", "no", None)):
        rows.append(row(f"{identity}#yes", {"answer": "yes", "pair": identity}, {"answer": basic}, group=identity))
        rows.append(row(f"{identity}#no", {"answer": "no", "pair": identity}, made_up and {"answer": made_up}, group=identity))
    found = values("hallucination", rows, primary="hallucination_overall")["hallucination_overall"]
    assert found.value == pytest.approx(1 / 3) and found.n == 3 and found.unanswered == 1
