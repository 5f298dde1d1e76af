"""Rates are exact at every moment; runs repeat; shards neither overlap nor miss; a run resumes where it stopped."""

import json
from collections import Counter
from itertools import islice

import pytest

from emoreason.errors import ConfigError
from emoreason.instructions.mixture import Mixture, Part, next_part, whole_weights

PARTS = [Part("faces", 50, 5), Part("voices", 7, 2), Part("clips", 3, 0.5), Part("words", 11, 1.5)]


def take(mixture: Mixture, n: int) -> list:
    return list(islice(mixture, n))


@pytest.mark.parametrize("weights", [[1], [1, 1], [5, 2, 0.5, 1.5], [0.1, 0.2, 0.3, 0.4], [97, 1, 1, 1, 1], [1 / 3, 2 / 3]])
def test_no_part_is_ever_a_whole_draw_off_its_share(weights):
    whole, counts = whole_weights(weights), [0] * len(weights)
    for step in range(1, 1500):
        counts[next_part(whole, counts)] += 1
        worst = max(abs(weight / sum(weights) * step - count) for weight, count in zip(weights, counts, strict=True))
        assert worst < 1


def test_counts_over_a_whole_run_are_exact():
    counts = Counter(draw.part for draw in take(Mixture(PARTS, seed=3), 1800))
    assert counts == {"faces": 1000, "voices": 400, "clips": 100, "words": 300}


def test_every_item_comes_once_an_epoch_in_another_order_each_time():
    draws = take(Mixture([Part("a", 20)], seed=1), 60)
    rounds = [[draw.item for draw in draws[start : start + 20]] for start in (0, 20, 40)]
    assert all(sorted(items) == list(range(20)) for items in rounds)
    assert rounds[0] != rounds[1] != rounds[2]
    assert [draw.epoch for draw in draws] == [0] * 20 + [1] * 20 + [2] * 20


def test_the_seed_decides_everything():
    first, again, other = (take(Mixture(PARTS, seed=seed), 200) for seed in (5, 5, 6))
    assert first == again
    assert [draw.item for draw in first] != [draw.item for draw in other]
    assert first[17].rng().integers(1 << 30) == again[17].rng().integers(1 << 30) != first[18].rng().integers(1 << 30)


@pytest.mark.parametrize("shards", [2, 3, 4])
def test_shards_together_make_the_whole_run(shards):
    n = 40
    whole = take(Mixture(PARTS, seed=9), n * shards)
    split = [take(Mixture(PARTS, seed=9, shard=shard, shards=shards), n) for shard in range(shards)]
    assert sorted((draw for part in split for draw in part), key=lambda draw: draw.index) == whole


def test_no_shard_meets_one_part_or_one_class_only():
    parts = [Part("a", 40, classes=["x", "y"] * 20), Part("b", 40)]
    for shard in range(4):
        draws = take(Mixture(parts, seed=0, shard=shard, shards=4), 60)
        assert {draw.part for draw in draws} == {"a", "b"}
        assert {draw.item % 2 for draw in draws if draw.part == "a"} == {0, 1}


@pytest.mark.parametrize("after", [0, 1, 37])
def test_resumes_mid_run(after):
    whole = Mixture(PARTS, seed=2, shard=1, shards=2)
    take(whole, after)
    state = json.loads(json.dumps(whole.state()))
    rest = take(whole, 50)
    assert take(Mixture(PARTS, seed=2, shard=1, shards=2).resume(state), 50) == rest


def test_resumes_with_another_number_of_shards():
    one = Mixture(PARTS, seed=2)
    take(one, 30)
    state = one.state()
    split = [take(Mixture(PARTS, seed=2, shard=shard, shards=3).resume(state), 10) for shard in range(3)]
    assert sorted((draw for part in split for draw in part), key=lambda draw: draw.index) == take(one, 30)


def test_balance_draws_every_class_equally_often():
    classes = ["joy"] * 30 + ["fear"] * 3 + ["anger"] * 7
    draws = take(Mixture([Part("a", 40, classes=classes)], seed=4), 90)
    assert Counter(classes[draw.item] for draw in draws) == {"joy": 30, "fear": 30, "anger": 30}
    assert {draw.item for draw in draws} == set(range(40))
    assert Counter(draw.item for draw in draws)[31] == 10


def test_another_part_does_not_reorder_the_first():
    alone = [draw.item for draw in take(Mixture([Part("a", 30)], seed=1), 30)]
    beside = [draw.item for draw in take(Mixture([Part("b", 5), Part("a", 30)], seed=1), 60) if draw.part == "a"]
    assert alone == beside


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Mixture([], 0), "got: none"),
        (lambda: Mixture([Part("a", 1), Part("a", 2)], 0), "a, a"),
        (lambda: Part("a", 0), "is empty"),
        (lambda: Part("a", 1, 0), "weight 0"),
        (lambda: Part("a", 1, float("nan")), "weight nan"),
        (lambda: Part("a", 2, classes=["x"]), "1 class names"),
        (lambda: Mixture([Part("a", 1)], 0, 2, 2), "shard 2 of 2"),
        (lambda: Mixture([Part("a", 1, 1e9), Part("b", 1, 1)], 0), "never be drawn"),
        (lambda: Mixture([Part("a", 2)], 0).resume(Mixture([Part("a", 3)], 0).state()), "sizes"),
        (lambda: Mixture([Part("a", 2)], 0).resume(Mixture([Part("a", 2)], 1).state()), "seed"),
    ],
)
def test_what_cannot_work_is_said(make, said):
    with pytest.raises(ConfigError, match=said):
        make()
