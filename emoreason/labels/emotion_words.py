"""Words that name or show an emotion, for the composer: a small English list of our own, read with negation in mind.

It knows no irony, no context and no other language. A text without any listed word says nothing.
"""

import re

from emoreason.labels.emotions import ALIASES

_SHOWN = {
    "anger": "hate hates hated damn idiot stupid shut furious outrageous unfair bastard jerk liar fed",
    "disgust": "gross disgusting yuck eww nasty sick filthy revolting",
    "fear": "scary danger dangerous worried worry nervous panic afraid help terrifying horror",
    "happiness": "love loves loved wonderful great thanks congratulations fun laugh yay awesome delighted lovely beautiful glad",
    "sadness": "sorry miss lost alone cry crying died dead hurts hopeless tears goodbye regret apologize",
    "surprise": "wow unbelievable incredible really seriously suddenly unexpected omg",
    "contempt": "pathetic ridiculous loser whatever worthless",
}
_EMOTION_OF = {word: emotion for emotion, words in _SHOWN.items() for word in words.split()}
_EMOTION_OF |= {word: emotion for emotion, words in ALIASES.items() if emotion != "neutral" for word in words}
_NEGATIONS = {"not", "no", "never", "without", "don't", "doesn't", "didn't", "isn't", "wasn't", "aren't", "can't", "won't"}
_REACH = 3  # words a negation reaches forward
STRENGTH = 0.8  # log-odds of one word


def score_words(text: str) -> dict[str, float]:
    """Log-odds per emotion; empty when no listed word stands in `text` un-negated."""
    words = re.findall(r"[a-z']+", text.lower().replace("’", "'"))
    scores: dict[str, float] = {}
    for index, word in enumerate(words):
        emotion = _EMOTION_OF.get(word)
        if emotion and not _NEGATIONS.intersection(words[max(0, index - _REACH) : index]):
            scores[emotion] = min(scores.get(emotion, 0.0) + STRENGTH, 2 * STRENGTH)
    return scores
