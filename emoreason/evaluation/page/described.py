"""What each metric says, in a line for the reader of a page."""

from emoreason.evaluation.explanations import REPORTED as EXPLANATIONS

_TEXTS = {
    "war": "accuracy: share of all samples that are named rightly (weighted average recall)",
    "uar": "recall of each class, averaged without weights",
    "macro_f1": "F1 of each class, averaged without weights",
    "weighted_f1": "F1 of each class, weighted by how often it is true",
    "ece": "expected calibration error: how far confidence is from accuracy; 0 is best",
    "aurc": "area under the risk-coverage curve: mean error rate over all thresholds; 0 is best",
    "brier": "squared error of the probabilities over all classes; 0 is best, 2 worst",
    "coverage": "share of samples for which the verdict names an emotion instead of abstaining",
    "selective_accuracy": "accuracy on those samples alone",
    "pair_f1": "F1 of (utterance, cause), whatever the emotion",
    "emotion_pair_f1": "F1 of (utterance, emotion, cause)",
    "emotion_pair_weighted_f1": "F1 of (utterance, emotion, cause) for each emotion, weighted by how often it is annotated",
    "hallucination_overall": "pairs of questions with both answers right",
    "yes_bias": "share of yes minus the true share; 0 is best",
    "false_yes": "share of the wrong answers that are a false yes",
    "list_length": "words per answer",
    "unknown_words": "share of answered words that no wheel knows",
    "neutral_false_alarm": "share of neutral samples that are called something else",
    "mean_ccc": "concordance of valence and arousal, averaged",
    "mae": "mean absolute error, in units of the scale",
    "pearson": "correlation with the human score",
    "intensity_icc31": "agreement of graded units with the coder, ICC(3,1), mean over units",
    "intensity_mae": "mean absolute error of graded units, on the coder's scale of 0 to 5",
    "polarity_waf": "F1 of positive against the rest, weighted by how often each is true, zeros left out",
    "polarity_acc": "positive against the rest, zeros left out; a neutral answer counts as not positive",
    "rege_emotion": "100 x accuracy + 100 x ROUGE-L of the human text: rewards wording, not truth",
}
_BEGINNINGS = {
    "judged_": "points from 1 to 10 that the named language model gives for shared clues; compares with itself alone",
    "hit_": "MER-UniBench: samples off the wheels (all neutral ones) are skipped, and a list of everything always hits",
    "mscore_": "MER-UniBench: the true label's share of the set's labels that the answer names",
    "mosi_": "as MMSA scores CMU-MOSI, on its scale of -3 to 3",
    "megc_": "MEGC 2019: negative, positive, surprise; the other emotions are left out",
    "set_precision": "precision of the same sets: what a long list of guesses loses",
}
_ENDINGS = {
    "_mean_f1": "F1 of each unit, averaged over the units that occur",
    "_sample_f1": "F1 of each sample's set of units, averaged over samples",
    "_with_neutral": "set F with neutral as a class, so that no sample is skipped",
    "_inner": "F of the sets of emotion words, mapped to the inner ring, mean over wheels",
    "_ccc": "concordance correlation",
    "_rmse": "root of the mean squared error",
    "_pearson": "correlation",
    "_sagr": "share of samples with the right sign",
}


def described(metric: str) -> str:
    """Empty for a metric that nobody has described."""
    if metric in EXPLANATIONS:
        return EXPLANATIONS[metric]
    if metric in _TEXTS:
        return _TEXTS[metric]
    begun = next((text for beginning, text in _BEGINNINGS.items() if metric.startswith(beginning)), "")
    return begun or next((text for ending, text in _ENDINGS.items() if metric.endswith(ending)), "")
