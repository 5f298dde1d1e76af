"""Values between the frames that a network judged."""

import numpy as np

MOST_GAP_S = 0.5  # between judged frames no further apart than this, values are interpolated
SAME_S = 0.005  # segments keep times in single precision


def interpolated(times_s: np.ndarray, judged_s: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`values` [N, K] at `judged_s` [N], ascending, carried over to `times_s` [T]: ([T, K], known [T]).

    A frame is known where it was judged itself or lies between judged ones at most MOST_GAP_S apart; other rows mean nothing.
    """
    out = np.stack([np.interp(times_s, judged_s, column) for column in values.T], axis=1)
    after = np.searchsorted(judged_s, times_s).clip(max=len(judged_s) - 1)
    before = (np.searchsorted(judged_s, times_s, side="right") - 1).clip(min=0)
    since, until = times_s - judged_s[before], judged_s[after] - times_s
    itself = np.minimum(np.abs(since), np.abs(until)) <= SAME_S
    return out, itself | ((since >= 0) & (until >= 0) & (since + until <= MOST_GAP_S))
