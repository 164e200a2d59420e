"""How far a figure depends on whom it was computed on: an interval over people (imports no TensorFlow).

The queries of one person are alike, so people are what is counted, not queries. A figure p over P people with variance
V (of a mean of groups; Cochran, Sampling Techniques, 1977, Sec. 11.8) is as sure as a share of n = p (1 - p) / V
independent answers, less so by Student's t for V is estimated, and has the interval of Clopper and Pearson for n (Korn
and Graubard, Survey Methodology 24, 1998). Of fewer than ten people, or where all are alike and V is 0, V says nothing:
n is the number of people then, the least it can be. Resampling people instead, a bootstrap, gives no interval at all
where all are alike ("25.0 to 25.0" over four people), and holds the truth 70 to 90 times of 100 over ten. Model and
gallery stay as they are: nothing is said about another training.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import beta, norm, t

Array = np.ndarray[Any, Any]

SHARE = 0.95
FEW = 10  # people below whom their variance is not believed
TAIL = (1 - SHARE) / 2


class Interval(NamedTuple):
    """A figure on everyone, and its interval at 95 %; fractions."""

    figure: float
    low: float
    high: float


def over_identities(values: Array, identities: Array) -> Interval:
    """The mean of values (V,) from 0 to 1, one for each query, and its interval; identities (V,): whose each query
    is."""
    _, person, counts = np.unique(identities, return_inverse=True, return_counts=True)
    people, figure = len(counts), float(np.clip(np.mean(values), 0, 1))
    answers = float(people)
    if people >= FEW:
        off = np.bincount(person, values) - figure * counts
        variance = people / (people - 1) * np.square(off).sum() / counts.sum() ** 2
        if variance > 1e-12:
            answers = figure * (1 - figure) / variance * (norm.ppf(TAIL) / t.ppf(TAIL, people - 1)) ** 2
    right = figure * answers
    low = beta.ppf(TAIL, right, answers - right + 1) if right > 0 else 0.0
    high = beta.ppf(1 - TAIL, right + 1, answers - right) if right < answers else 1.0
    return Interval(figure, float(low), float(high))
