"""Gaps between groups that were given: counted over whole people, held against chance, and only from a usable table."""

import pytest

from emoreason.errors import ConfigError
from emoreason.evaluation.audits import subgroups
from emoreason.evaluation.results import SampleResult

LABELS = ("anger", "happiness")


def row(name, group, right):
    label = "anger" if right else "happiness"
    prediction = {"label": label, "confidence": 1.0, "probabilities": {}, "abstained": False}
    return SampleResult(id=name, group=group, status="answered", truth={"label": "anger"}, prediction=prediction)


def test_gaps_between_given_groups():
    rows = [row(f"s{n}-{k}", f"s{n}", right=n < 4 or k == 0) for n in range(8) for k in range(2)]
    group_of = {f"s{n}": "old" if n < 4 else "young" for n in range(7)}
    found = subgroups.gaps("age", rows, group_of, LABELS, draws=20)
    assert [(one.name, one.accuracy.value, one.few) for one in found.groups] == [("old", 1.0, True), ("young", 0.5, True)]
    assert found.accuracy_gap.value == 0.5 and found.unlabelled == 2
    assert 0 < found.expected["accuracy"] < 0.5


def test_a_gap_needs_two_groups():
    with pytest.raises(ConfigError, match="a gap needs two"):
        subgroups.gaps("age", [row("a", "s", True)], {"a": "old"}, LABELS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("id,age\n", "at least one row"), ("name,age\na,old\n", "column `id`"), ("id\na\n", "columns of groups"),
     ("id,age\na,old\na,young\n", "two rows")],
)  # fmt: skip
def test_a_table_of_groups_that_cannot_be_used(text, problem, tmp_path):
    file = tmp_path / "groups.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        subgroups.read_groups(file)
