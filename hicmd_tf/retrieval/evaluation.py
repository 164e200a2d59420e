"""Descriptors judged as a data set's published tables do."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy.stats import beta, norm, t
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import ProtocolName, Search, all_against_all, refuse_hidden
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import Scores, score, summary

Array = np.ndarray[Any, Any]
Figures = dict[str, float]
Directed = TypeVar("Directed", "Row", Search)
Labelled = tuple[Array, Array, Array, Array, ProtocolName]
"""Arguments of `score`, from ids to protocol."""
Scorer = Callable[[Array, Array, Labelled, bool], Scores]
"""Rows of queries and of a gallery, what is known of them, whether to re-rank -> scores."""

BOUNDED = ("rank1", "mAP")
"""Figures that have an interval."""
SHARE = 0.95
FEW = 10  # people below whom their variance is not believed
TAIL = (1 - SHARE) / 2


class Row(NamedTuple):
    """One line of a table.

    mean, deviation: over `trials` galleries, fractions by name as `summary` has them; the deviation is that of a
    population, as the literature prints, 0 for one gallery. queries: how many were asked. unanswered: how many of them,
    summed over trials, had no picture of their identity that they may see, and count nowhere.
    people: who was asked for, and has an answer. chance: the same figures of a random ranking. between: lowest and
    highest of the 95 % interval of rank1 and mAP over these people. These three are missing where several models were
    averaged, or an earlier version wrote the row. hidden: in words, which cameras hide all matches of some queries;
    empty where none do, or where the published tables are made so.
    """

    setting: str
    direction: str
    reranked: bool
    trials: int
    queries: int
    unanswered: int
    mean: Figures
    deviation: Figures
    people: int = 0
    chance: Figures | None = None
    between: dict[str, list[float]] | None = None
    hidden: str = ""

    @property
    def at_chance(self) -> list[str]:
        """Which of rank1 and mAP are not above chance: their intervals do not begin above it."""
        if self.chance is None or self.between is None:
            return []
        return [name for name, (low, _) in self.between.items() if low <= self.chance[name]]

    @property
    def title(self) -> str:
        """The setting in words."""
        return f"{self.setting}, re-ranked" if self.reranked else self.setting


def evaluate(descriptors: Array, samples: Samples, searches: Iterable[Search], rerank: bool = False) -> list[Row]:
    """One row per search, and with `rerank` another after it. descriptors: (N, E), one for each sample.

    Raises UserError when the rules hide all matches of all queries, and as `score` does.
    """

    def scored(queries: Array, gallery: Array, of: Labelled, again: bool) -> Scores:
        return score(descriptors[queries], descriptors[gallery], *of, again, own_modality(samples, queries, gallery))

    return judged(scored, samples, searches, rerank)


def judged(scored: Scorer, samples: Samples, searches: Iterable[Search], rerank: bool = False) -> list[Row]:
    """As `evaluate`, by whatever scores."""
    jobs = [(search, again) for search in searches for again in ((False, True) if rerank else (False,))]
    total = sum(len(search.galleries) for search, _ in jobs)
    with tqdm(total=total, desc="scoring", unit="gallery", leave=False) as bar:
        return [_row(scored, samples, search, again, bar) for search, again in jobs]


def labels(samples: Samples, search: Search, gallery: Array) -> Labelled:
    """Arguments of `score`, `score_distances` and `chance` for one of a search's galleries, from ids to protocol."""
    queries, ids, cameras = search.queries, samples.identities, samples.cameras
    return ids[queries], ids[gallery], cameras[queries], cameras[gallery], search.protocol


def own_modality(samples: Samples, queries: Array, gallery: Array) -> Array | None:
    """Which pictures of a gallery are of the queries' modality, (G,) bool; None where none are, as in the published
    tables. queries: rows of one modality."""
    own = np.isin(samples.infrared[gallery], samples.infrared[queries])
    return own if own.any() else None


def _row(scored: Scorer, samples: Samples, search: Search, rerank: bool, bar: Any) -> Row:
    hidden = refuse_hidden(samples, search)
    trials, random = [], []
    answered, first, precision = np.zeros((3, len(search.queries)))
    for gallery in search.galleries:
        of = labels(samples, search, gallery)
        scores = scored(search.queries, gallery, of, rerank)
        trials.append(summary(scores))
        random.append(chance(*of, own_modality(samples, search.queries, gallery)))
        answered += scores.valid
        first[scores.valid] += scores.first_rank == 1
        precision[scores.valid] += scores.average_precision
        bar.update()
    there = answered > 0
    people = samples.identities[search.queries][there]
    intervals = [over_identities(of[there] / answered[there], people) for of in (first, precision)]
    return Row(
        search.setting,
        str(search.direction),
        rerank,
        len(trials),
        len(search.queries),
        int((len(trials) - answered).sum()),
        *spread(trials),
        len(np.unique(people)),
        spread(random)[0],
        {name: [one.low, one.high] for name, one in zip(BOUNDED, intervals, strict=True)},
        hidden.words if hidden.lost and search.protocol == "market1501" else "",
    )


def spread(trials: Sequence[Figures]) -> tuple[Figures, Figures]:
    """Mean and standard deviation of each figure over trials."""
    values = {name: [trial[name] for trial in trials] for name in trials[0]}
    mean, deviation = ({name: float(of(each)) for name, each in values.items()} for of in (np.mean, np.std))
    return mean, deviation


def over_trials(tables: Sequence[Sequence[Row]]) -> list[Row]:
    """One table for several models, one per split: mean and deviation of their mean figures, setting by setting. Warns
    of settings that not every table has, as one by an earlier version: they are left out."""
    found = []
    by_name = [{row[:3]: row for row in table} for table in tables]
    names = dict.fromkeys(name for table in by_name for name in table)
    shared = [name for name in names if all(name in table for table in by_name)]
    lacking = dict.fromkeys(name[0] for name in names if name not in shared)
    if lacking:
        warnings.warn(
            f"left out of the means, for not each of the {len(tables)} models has them: {', '.join(lacking)}; evaluate "
            "all again with hicmd evaluate --run",
            stacklevel=2,
        )
    for rows in ([table[name] for table in by_name] for name in shared):
        mean, deviation = spread([row.mean for row in rows])
        known = [row.chance for row in rows if row.chance is not None]
        found.append(
            rows[0]._replace(
                trials=len(rows),
                queries=sum(row.queries for row in rows) // len(rows),
                unanswered=sum(row.unanswered for row in rows),
                mean=mean,
                deviation=deviation,
                people=0,  # who differ from split to split
                chance=spread(known)[0] if len(known) == len(rows) else None,
                between=None,
            )
        )
    return found


def by_direction(rows: Iterable[Directed]) -> dict[str, Directed]:
    """The first row, or search, of each direction."""
    found: dict[str, Directed] = {}
    for row in rows:
        found.setdefault(str(row.direction), row)
    return found


def main_figures(rows: Iterable[Row]) -> dict[str, Figures]:
    """The mean figures of the first row of each direction."""
    return {direction: row.mean for direction, row in by_direction(rows).items()}


def both_directions(descriptors: Array, samples: Samples, data: str) -> dict[str, Figures]:
    """Figures of every picture of one modality looked up among all of the other, in each direction.

    descriptors: (N, E), one for each sample. data: the data set by name, whose rules hold; which directions and
    galleries its published tables have does not matter here. Raises UserError as `evaluate` does.
    """
    return main_figures(evaluate(descriptors, samples, all_against_all(samples, DATA_SETS[data].protocol)))


def mean_map(figures: Mapping[str, Figures]) -> float:
    """The one figure that settings are chosen by: mean mAP of both directions, a fraction."""
    return float(np.mean([figure["mAP"] for figure in figures.values()]))


class Interval(NamedTuple):
    """A figure on everyone, and its interval at 95 %; fractions."""

    figure: float
    low: float
    high: float


def over_identities(values: Array, identities: Array) -> Interval:
    """How far a figure depends on whom it was computed on: the mean of values, and its interval over people.

    The queries of one person are alike, so people are counted, not queries. A figure p over P people with variance V
    (of a mean of groups; Cochran, Sampling Techniques, 1977, Sec. 11.8) is as sure as a share of n = p (1 - p) / V
    independent answers, less so by Student's t, for V is estimated, and has the interval of Clopper and Pearson for n
    (Korn and Graubard, Survey Methodology 24, 1998). Of fewer than ten people, or where all are alike and V is 0, V
    says nothing: n is the number of people then, the least it can be. (A bootstrap over people gives no interval where
    all are alike.) Model and gallery stay as they are: nothing is said about another training.

    Args:
        values: (V,) from 0 to 1, one for each query.
        identities: (V,), whose each query is.
    """
    _, person, counts = np.unique(identities, return_inverse=True, return_counts=True)
    people, figure = len(counts), float(np.clip(np.mean(values), 0, 1))
    off = np.bincount(person, values) - figure * counts
    variance = people / max(people - 1, 1) * np.square(off).sum() / counts.sum() ** 2
    return of_variance(figure, float(variance), people)


def of_variance(figure: float, variance: float, people: int) -> Interval:
    """As `over_identities`, of a figure from 0 to 1 whose variance over people is known."""
    answers = float(people)
    if people >= FEW and variance > 1e-12:
        answers = figure * (1 - figure) / variance * (norm.ppf(TAIL) / t.ppf(TAIL, people - 1)) ** 2
    right = figure * answers
    low = beta.ppf(TAIL, right, answers - right + 1) if right > 0 else 0.0
    high = beta.ppf(1 - TAIL, right + 1, answers - right) if right < answers else 1.0
    return Interval(figure, float(low), float(high))
