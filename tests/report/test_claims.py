"""The claims checker: true sentences in many phrasings, five kinds of mutation, and the rules one by one."""

from dataclasses import replace

import numpy as np
import pytest
from observations import make_observation

from emoreason.labels.action_units import ACTION_UNITS, level
from emoreason.report.claims import check, coverage, faithfulness, verify
from emoreason.scoring.grammar import parse
from emoreason.scoring.statement import Statement

# Everyday phrasings: a noun phrase, a clause, and what it becomes when one says which side.
PHRASES = {
    "AU04": ("a furrowed brow", "the brows are lowered", "the {side} brow is lowered"),
    "AU05": ("wide eyes", "the upper lids are raised", "the {side} upper lid is raised"),
    "AU07": ("narrowed eyes", "the eyelids are tightened", "the {side} lower lid is tightened"),
    "AU09": ("a wrinkled nose", "the nose is wrinkled", None),
    "AU10": ("a raised upper lip", "the upper lip is raised", "the upper lip is raised on the {side}"),
    "AU12": ("a smile", "the lip corners are pulled up", "the {side} lip corner is pulled up"),
    "AU14": ("a dimpler", "a dimple forms", "a dimple forms on the {side}"),
    "AU15": ("downturned mouth corners", "the mouth corners are turned down", "the {side} corner of the mouth is pulled down"),
    "AU17": ("a wrinkled chin", "the chin is raised", None),
    "AU18": ("puckered lips", "the lips are pursed", None),
    "AU20": ("stretched lips", "the lips are stretched sideways", None),
    "AU24": ("pressed lips", "the lips are pressed together", None),
    "AU26": ("a dropped jaw", "the jaw drops", None),
    "AU43": ("closed eyes", "the eyes are closed", None),
}
TIMES = (
    "from {a:.1f} to {b:.1f} s", "between {a:.1f} and {b:.1f} seconds", "({a:.1f}-{b:.1f} s)", "at {m:.1f} s",
    "around second {m:.1f}",
)  # fmt: skip
NAMES = ("p{n}", "Person {n}", "person p{n}")
DURATION = 30.0


def person(rng: np.random.Generator) -> dict:
    """Three to five units, one or two events each, apart from each other; some on one side."""
    units = rng.choice(sorted(PHRASES), size=rng.integers(3, 6), replace=False)
    au = {}
    for unit in units:
        side = str(rng.choice(["left", "right", "both"])) if PHRASES[unit][2] else "both"
        starts = np.sort(rng.choice(np.arange(1.0, 25.0, 8.0), size=rng.integers(1, 3), replace=False)) + rng.uniform(0, 2)
        au[str(unit)] = [
            (float(s), float(s) + 1, float(s) + float(rng.uniform(1.5, 4)), float(rng.uniform(0.3, 1)), side) for s in starts
        ]
    return {"au": au}


def clips(count: int = 12) -> list:
    """Observations with two persons that share no unit kin, so that a swapped person is surely wrong."""
    rng = np.random.default_rng(7)
    made = []
    while len(made) < count:
        one, two = person(rng), person(rng)
        if not set(one["au"]) & set(two["au"]):
            made.append((make_observation(DURATION, people=[one, two]), (one["au"], two["au"])))
    return made


def say(rng, n: int, au: str, event, *, negated: bool = False, side: str | None = None) -> str:
    """One sentence in a phrasing drawn by `rng`; the level is said half of the time."""
    onset, apex, offset, peak, _ = event
    noun, clause, sided = PHRASES[au]
    time = TIMES[rng.integers(len(TIMES))].format(a=onset, b=offset, m=apex)
    name = NAMES[rng.integers(len(NAMES))].format(n=n)
    word = "" if negated or rng.random() < 0.5 else {"slight": "faint", "marked": "pronounced", "strong": "strong"}[level(peak)]
    where = f" on the {side} side" if side in ("left", "right") else ""
    official = f"{ACTION_UNITS[au].name} ({au})"
    options = [
        f"{name} shows {'no' if negated else 'a'} {word} {official}{where} {time}.",
        f"{time.capitalize()}, {name} {'does not show' if negated else 'shows'} {au}{where}.",
        f"{au} is {'not ' if negated else ''}active on {name}'s face{where} {time}.",
    ]
    if side in ("left", "right") and sided:
        options.append(f"On {name}, {_denied(sided.format(side=side)) if negated else sided.format(side=side)} {time}.")
    elif side not in ("left", "right"):
        options.append(f"There is {'no sign of ' if negated else ''}{noun} on {name} {time}.")
        options.append(f"On {name}'s face {_denied(clause) if negated else clause} {time}.")
        options.append(f"{time.capitalize()} {name} has {'no ' + noun.removeprefix('a ') if negated else noun}.")
    return options[rng.integers(len(options))]


def _denied(clause: str) -> str:
    for verb, instead in (("are", "are not"), ("is", "is not"), ("forms", "does not form"), ("drops", "does not drop")):
        if f" {verb}" in clause:
            return clause.replace(f" {verb}", f" {instead}", 1)
    raise ValueError(clause)


def verdicts(text: str, observation) -> set[str]:
    return {claim.verdict for claim in check(text, observation)}


def cases():
    """(rng, observation, units of both persons, person, unit, event) for every event of every clip."""
    for seed, (observation, units) in enumerate(clips()):
        for n, own in enumerate(units, 1):
            for au, events in own.items():
                for event in events:
                    yield np.random.default_rng([seed, n, int(au[2:]), int(event[0])]), observation, units, n, au, event


def rates(render, wanted) -> tuple[float, list[str]]:
    """Share of the rendered sentences whose verdicts are as wanted, and the others; sentences that say nothing are others."""
    texts = [(text, clip) for rng, clip, units, n, au, event in cases() for text in render(rng, units, n, au, event)]
    wrong = [text for text, clip in texts if not wanted(verdicts(text, clip))]
    assert len(texts) >= 100
    return 1 - len(wrong) / len(texts), wrong


def truths(rng, units, n, au, event):
    for _ in range(4):
        yield say(rng, n, au, event)
        if event[4] != "both":
            yield say(rng, n, au, event, side=event[4])


def negated(rng, units, n, au, event):
    yield from (say(rng, n, au, event, negated=True) for _ in range(4))


def flipped(rng, units, n, au, event):
    for _ in range(4):
        if event[4] != "both":
            yield say(rng, n, au, event, side={"left": "right", "right": "left"}[event[4]])


def swapped_unit(rng, units, n, au, event):
    other = [unit for unit in PHRASES if unit not in units[n - 1] and {unit, au} not in ({"AU25", "AU26"},)]
    yield from (say(rng, n, str(rng.choice(other)), event) for _ in range(4))


def shifted(rng, units, n, au, event):
    free = [
        t for t in np.arange(0.5, DURATION - 4, 0.5)
        if all(e[2] + 1 < t or e[0] - 1 > t + event[2] - event[0] for e in units[n - 1][au])
    ]  # fmt: skip
    for _ in range(4):
        by = float(rng.choice(free)) - event[0]
        yield say(rng, n, au, (event[0] + by, event[1] + by, event[2] + by, *event[3:]))


def swapped_person(rng, units, n, au, event):
    yield from (say(rng, 3 - n, au, event) for _ in range(2))
    yield from (say(rng, 7, au, event) for _ in range(2))


def test_true_sentences_are_supported():
    rate, wrong = rates(truths, lambda found: found == {"supported"})
    assert rate >= 0.97, (rate, wrong[:10])


@pytest.mark.parametrize("mutation", [negated, flipped, swapped_unit, shifted, swapped_person])
def test_mutations_are_caught(mutation):
    rate, wrong = rates(mutation, lambda found: bool(found) and "supported" not in found)
    assert rate >= 0.95, (rate, wrong[:10])


def test_denials_of_what_is_absent_are_supported():
    def absent(rng, units, n, au, event):
        other = [unit for unit in PHRASES if unit not in units[n - 1]]
        yield from (say(rng, n, str(rng.choice(other)), event, negated=True) for _ in range(4))

    rate, wrong = rates(absent, lambda found: found == {"supported"})
    assert rate >= 0.97, (rate, wrong[:10])


# --- the rules ------------------------------------------------------------------------------------------------------------

SMILE = {"AU12": [(2.0, 3.0, 4.8, 0.8, "both")]}


def clip(**more):
    return make_observation(10.0, **({"people": [{"au": SMILE}]} | more))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("p1 smiles.", "supported"),
        ("p1 smiles from 2.0 to 4.8 s.", "supported"),
        ("p1 smiles from 2.3 to 4.5 s.", "supported"),
        ("p1 smiles between 1 and 6 s.", "supported"),
        ("p1 smiles at 5.2 s.", "supported"),
        ("p1 smiles at 5.5 s.", "contradicted"),
        ("p1 smiles throughout.", "contradicted"),
        ("p1 smiles at the beginning.", "supported"),
        ("p1 smiles at the end.", "contradicted"),
        ("p1 smiles in the last two seconds.", "contradicted"),
        ("p1 smiles after 6 s.", "contradicted"),
        ("p1 smiles until 3 s.", "supported"),
        ("p1 smiles at 20 s.", "contradicted"),
        ("p1 does not smile at 20 s.", "contradicted"),
        ("p1 smiles slightly.", "contradicted"),
        ("p1 shows a moderate smile.", "supported"),
        ("p1 smiles broadly.", "supported"),
        ("p1 smiles on the left side.", "contradicted"),
        ("A lopsided smile.", "contradicted"),
        ("Both lip corners are raised.", "supported"),
        ("There is no smile.", "contradicted"),
        ("There is no smile at 8 s.", "supported"),
        ("There is no smile from 5 to 8 s.", "supported"),
        ("There is no smile from 1 to 8 s.", "contradicted"),
        ("There is no slight smile.", "contradicted"),
        ("There is no frown.", "supported"),
        ("p7 smiles.", "contradicted"),
        ("p7 does not smile.", "contradicted"),
        ("The left inner brow is not raised.", "unverifiable"),
        ("AU13 is active.", "unverifiable"),
        ("p1 crosses the arms.", "unverifiable"),
        ("The room is dark.", "unverifiable"),
        ("Tears run down the face.", "unverifiable"),
        ("The voice is loud.", "unverifiable"),
        ('p1 says "hello".', "unverifiable"),
    ],
)
def test_rules_on_a_silent_smile(text, verdict):
    assert verdicts(text, clip()) == {verdict}


def test_a_low_reliability_unit_is_unverifiable():
    low = clip(people=[{"au": {"AU06": [(2, 3, 4, 0.9, "both")]}}], reliability={"AU06": "low"})
    assert verdicts("p1's cheeks are raised.", low) == verdicts("p1's cheeks are not raised.", low) == {"unverifiable"}


def test_absence_means_nothing_where_the_face_was_not_seen():
    gap = clip(people=[{"au": SMILE, "gaps": [(6.0, 9.0)]}])
    assert verdicts("p1 frowns from 6.5 to 8.5 s.", gap) == {"unverifiable"}
    assert verdicts("p1 does not frown from 6.5 to 8.5 s.", gap) == {"unverifiable"}
    assert verdicts("p1 frowns from 2 to 4 s.", gap) == {"contradicted"}


def test_no_face_at_all_is_unverifiable():
    assert verdicts("p1 smiles.", clip(people=[])) == {"unverifiable"}


@pytest.mark.parametrize(("end_s", "verdict"), [(6.0, "contradicted"), (8.0, "supported")])
def test_throughout_means_most_of_the_clip(end_s, verdict):
    assert verdicts("p1 smiles throughout.", clip(people=[{"au": {"AU12": [(0.0, 3.0, end_s, 0.8, "both")]}}])) == {verdict}


def test_units_that_show_each_other():
    jaw = clip(people=[{"au": {"AU26": [(2, 3, 4, 0.6, "both")], "AU24": [(6, 7, 8, 0.6, "both")]}}])
    assert verdicts("The lips are parted at 3 s.", jaw) == {"supported"}
    assert verdicts("The lips are tightened at 7 s.", jaw) == {"supported"}
    assert verdicts("AU27 is active at 3 s.", jaw) == {"contradicted"}
    assert verdicts("The lips are closed at 3 s.", jaw) == {"contradicted"}


def test_sides():
    left = clip(people=[{"au": {"AU14": [(2, 3, 4, 0.6, "left")]}}])
    assert verdicts("A dimple forms on the left.", left) == {"supported"}
    assert verdicts("A one-sided dimpler.", left) == {"supported"}
    assert verdicts("A dimple forms on the right.", left) == {"contradicted"}
    assert verdicts("A dimple forms on both sides.", left) == {"contradicted"}
    assert verdicts("No dimple forms on the right.", left) == {"supported"}
    assert verdicts("No dimple forms on the left.", left) == {"contradicted"}


def test_persons():
    two = clip(people=[{"au": SMILE, "speaking": [(1.0, 5.0)]}, {"au": {}}], voice={"rate": (6.5, "high")})
    assert verdicts("p2 smiles.", two) == {"contradicted"}
    assert verdicts("Somebody smiles.", two) == {"supported"}
    assert verdicts("Everyone smiles.", two) == {"contradicted"}
    assert verdicts("Nobody smiles.", two) == {"contradicted"}
    assert verdicts("Nobody frowns.", two) == {"supported"}
    assert verdicts("The speaker smiles.", two) == {"supported"}
    assert verdicts("p1 speaks fast.", two) == {"supported"}
    assert verdicts("p2 speaks fast.", two) == {"contradicted"}
    assert verdicts("p2 is silent.", two) == {"supported"}


def test_head_and_gaze():
    pose = lambda t: np.stack([0 * t, 25.0 * (t > 5), 0 * t], axis=1)  # noqa: E731
    turned = clip(people=[{"au": {"AU64": [(2, 3, 4, 0.6, "both")]}, "pose": pose}])
    assert verdicts("p1 turns the head to the left.", turned) == {"supported"}
    assert verdicts("p1 turns the head to the right.", turned) == {"contradicted"}
    assert verdicts("The head is turned left at 2 s.", turned) == {"contradicted"}
    assert verdicts("p1 looks down at 3 s.", turned) == verdicts("p1 averts the gaze.", turned) == {"supported"}
    assert verdicts("p1 looks up.", turned) == {"contradicted"}


VOICE = {"pitch": (280.0, "high"), "rate": (4.0, "typical"), "pitch_range": (3.0, "low")}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The voice is high-pitched.", "supported"),
        ("The pitch is low.", "contradicted"),
        ("The pitch is not low.", "supported"),
        ("The intonation is flat.", "supported"),
        ("She speaks fast.", "contradicted"),
        ("The speech rate is moderate.", "supported"),
        ("The voice is high-pitched at 8 s.", "contradicted"),  # nobody speaks then
        ("The voice trembles.", "unverifiable"),
        ("There is speech.", "supported"),
        ("There is no speech.", "contradicted"),
        ("There is no speech from 6 to 9 s.", "supported"),
        ('p1 says "what a wonderful day".', "supported"),
        ('p1 says "what a wonderfull day this is" at 2 s.', "supported"),
        ('p1 says "what a terrible mess".', "contradicted"),
        ('p1 says "wonderful day" at 8 s.', "contradicted"),
        ('p1 never says "sorry".', "supported"),
        ('p1 never says "wonderful".', "contradicted"),
        ("p1 speaks English.", "supported"),
        ("p1 speaks German.", "contradicted"),
    ],
)
def test_rules_of_voice_and_words(text, verdict):
    spoken = clip(people=[{"speaking": [(1.0, 4.0)]}], voice=VOICE, words=[(1.0, 4.0, "What a wonderful day this is!")])
    assert verdicts(text, spoken) == {verdict}


def test_sound_without_speech_contradicts():
    silent = clip(voice={})
    silent = replace(silent, voice=replace(silent.voice, spans=(), cues=()))
    assert verdicts("The voice is high-pitched.", silent) == {"contradicted"}
    assert verdicts('p1 says "hello".', silent) == {"contradicted"}
    assert verdicts("Nobody speaks.", silent) == {"supported"}


def test_claims_carry_words_time_and_measurement():
    text = "In the first half p1 smiles. No smile at 8 s."
    first, second = check(text, clip())
    assert first.text in text and second.text in text
    assert (first.start_s, first.end_s, first.person, first.modality) == (0.0, 5.0, "p1", "face")
    assert first.measured == "AU12 strong 2.0-4.8 s on p1"
    assert second.measured == "no AU12 on p1 in 8.0-8.0 s"
    (untimed,) = check("p1 smiles.", clip())
    assert (untimed.start_s, untimed.end_s) == (2.0, 4.8)


def test_faithfulness_and_coverage():
    observation = clip(people=[{"au": SMILE | {"AU04": [(6, 7, 8, 0.6, "both")]}}])
    claims = check("p1 smiles. The brows are raised. The room is dark.", observation)
    assert faithfulness(claims) == pytest.approx(1 / 3)  # raised brows are two units
    assert coverage(claims, observation) == 0.5
    assert coverage(claims, observation, start_s=5.0, end_s=9.0) == 0.0
    assert coverage(check("No frown at 2 s.", observation), observation) == 0.0
    assert faithfulness(check("The room is dark.", observation)) is None
    assert coverage([], clip(people=[])) is None


def test_verify_takes_a_statement():
    statement = Statement("smile", 0, 5, "face", "AU12", person="p1")
    assert verify(statement, clip()) == "supported"
    assert [verify(s, clip()) for s in parse("p1 frowns.")] == ["contradicted"]


def test_a_picture_is_checked_without_times():
    observation = make_observation(0.05, fps=20.0, people=[{"au": {"AU12": [(0.0, 0.0, 0.0, 0.8, "both")]}}])
    assert verdicts("p1 smiles.", observation) == {"supported"}
    assert verdicts("p1 frowns.", observation) == {"contradicted"}
