"""A comparison in figures: tables like the paper's Table 1, each run's own numbers, and what is reached after equal
times and equal steps."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from hicmd_tf import tables
from hicmd_tf.errors import counted, some
from hicmd_tf.retrieval.evaluation import mean_map
from hicmd_tf.retrieval.report import COLUMNS, DIRECTIONS
from hicmd_tf.runs.changes import NOTHING
from hicmd_tf.runs.costs import Costs
from hicmd_tf.runs.progress import Figures, Point, until
from hicmd_tf.tables import spread

SHOWN = ("rank1", "rank10", "mAP", "mINP")
UNLEARNED = {
    "chance": "chance",
    "raw_pixels": "raw pixels",
    "colour_histogram": "colour histogram",
    "hog": "HOG",
    "lomo": "LOMO",
}
"""Rows that need no learning, in words; the first ones stand in every run's metrics.json."""
SIZED = ("raw_pixels", "colour_histogram", "hog")  # whose figures depend on the pictures' size; LOMO has its own
NONE = "-"
SIDES = "<>"
NAMED = 3  # rows that a note names
MOST = 0.75  # of a run's steps: what it gains afterwards says whether it still rises


class Found(NamedTuple):
    """One run. run: its folder. figures: direction -> figure -> fraction, of its last step. costs: none where an
    earlier version trained it. points: its evaluations, steps rising. places: machines, in words. at_chance: direction
    -> which of rank1 and mAP are not above chance in the end."""

    seed: int
    run: str
    figures: Figures
    steps: int
    costs: Costs | None
    points: list[Point]
    places: list[str]
    at_chance: Mapping[str, Sequence[str]] = NOTHING

    @property
    def seconds(self) -> float | None:
        """Of training; none where it is not known."""
        return self.costs and self.costs.seconds


class Compared(NamedTuple):
    """One learned row: its name, a run of each seed, and what else the table says of it, by column."""

    name: str
    runs: list[Found]
    words: Mapping[str, str] = NOTHING

    @property
    def directions(self) -> list[str]:
        """In which people are looked up."""
        return [*self.runs[0].figures]

    @property
    def seeds(self) -> str:
        """As the table has them."""
        return ", ".join(str(run.seed) for run in self.runs)

    def at_chance(self, figure: str) -> list[str]:
        """Directions in which no run of it is above chance by rank1 or mAP."""
        return [way for way in self.directions if all(figure in run.at_chance.get(way, ()) for run in self.runs)]


class Reached(NamedTuple):
    """What the rows have reached at an equal time, or after equal steps. limit: seconds, or steps, that are the whole
    training of a row. by: whose. points: of each row, the last evaluation of each run until then, of those that have
    one."""

    limit: float
    by: str
    points: dict[str, list[Point]]


def after_seconds(rows: Sequence[Compared]) -> Reached | None:
    """After the whole training of the row that trains for the shortest time: the longest of its seeds. None where no
    row's time is known."""
    times = {row.name: [run.seconds for run in row.runs] for row in rows}
    known = {name: max(filter(None, of)) for name, of in times.items() if all(of)}
    return _reached(rows, known, "seconds") if known else None


def after_steps(rows: Sequence[Compared]) -> Reached:
    """After as many steps as the row has that ends first."""
    return _reached(rows, {row.name: max(run.steps for run in row.runs) for row in rows}, "step")


def _reached(rows: Sequence[Compared], whole: Mapping[str, float], what: Literal["step", "seconds"]) -> Reached:
    by = min(whole, key=lambda name: whole[name])
    found = {row.name: [until(run.points, whole[by], what) for run in row.runs] for row in rows}
    points = {name: [point for point in of if point is not None] for name, of in found.items()}
    return Reached(whole[by], by, points)


class Best(NamedTuple):
    """The row with the highest mAP, mean over directions and seeds. figure: that mAP, a fraction. gain: of it since the
    last evaluation in the first `MOST` of a run's steps, mean over seeds. deviation: of the gains of single seeds, 0 of
    one. since: steps of these evaluations. at_chance: directions in which that row is not above chance by mAP."""

    row: str
    figure: float
    gain: float
    deviation: float
    since: list[int]
    at_chance: list[str]

    @property
    def rises(self) -> bool:
        """Whether it gained more than the seeds differ in it, as both are printed: in tenths of a per cent."""
        return round(self.gain, 3) > round(self.deviation, 3)


def best(rows: Sequence[Compared]) -> Best | None:
    """The best row; none where a run of it was not evaluated before its last quarter."""
    means = {row.name: float(np.mean([mean_map(run.figures) for run in row.runs])) for row in rows}
    row = max(rows, key=lambda row: means[row.name])
    before = [until(run.points, MOST * run.steps, "step") for run in row.runs]
    known = [point for point in before if point is not None]
    if len(known) < len(before):
        return None
    gains = [mean_map(run.figures) - mean_map(point.figures) for run, point in zip(row.runs, known, strict=True)]
    deviation = float(np.std(gains, ddof=1)) if len(gains) > 1 else 0.0
    since = [point.step for point in known]
    return Best(row.name, means[row.name], float(np.mean(gains)), deviation, since, row.at_chance("mAP"))


# ------------------------------------------------------------------------------------------------------------- in words


def as_text(
    rows: Sequence[Compared], unlearned: Mapping[str, Any], who: str, size: str, more: Sequence[str] = ()
) -> str:
    """What is printed: the tables, and what is to be said of them. more: lines that are to be said, too."""
    return "\n\n".join(
        part if isinstance(part, str) else tables.as_text(part, SIDES)
        for _, part in _parts(rows, unlearned, who, size, more)
    )


def as_markdown(
    rows: Sequence[Compared], unlearned: Mapping[str, Any], who: str, size: str, more: Sequence[str] = ()
) -> str:
    """The same as a page."""
    pieces = []
    for title, part in _parts(rows, unlearned, who, size, more):
        heading = f"{title}\n\n" if title else ""
        body = (
            "".join(f"* {line}\n" for line in part.splitlines())
            if isinstance(part, str)
            else tables.as_markdown(part, SIDES)
        )
        pieces.append(f"{heading}{body}")
    return "\n".join(pieces)


Part = tuple[str, str | list[list[str]]]
"""A heading, and a table or lines."""


def _parts(
    rows: Sequence[Compared], unlearned: Mapping[str, Any], who: str, size: str, more: Sequence[str]
) -> list[Part]:
    directions = rows[0].directions
    notes = [*_notes(rows, unlearned, who, size), *more]
    parts: list[Part] = [("# Comparison", _main(rows, unlearned)), ("", "\n".join(notes))]
    if any(len(row.runs) > 1 for row in rows):
        parts.append(("## Each seed", _each(rows)))
    unequal = len({run.steps for row in rows for run in row.runs}) > 1  # otherwise the first table says it
    equal = {
        "## After equal times": after_seconds(rows),
        "## After equal steps": after_steps(rows) if unequal else None,
    }
    for title, reached in equal.items():
        if reached is not None:
            steps = counted(int(reached.limit), "step")
            within = steps if title.endswith("steps") else f"{reached.limit:.1f} seconds of training"
            said = f"the last evaluation of each run within {within}, {reached.by}'s whole training"
            parts += [(title, _at(reached, directions)), ("", said)]
    return parts


def _main(rows: Sequence[Compared], unlearned: Mapping[str, Any]) -> list[list[str]]:
    """Per cent, and what it took."""
    directions = rows[0].directions
    carded = any(run.costs and run.costs.card_bytes is not None for row in rows for run in row.runs)
    costs = ["training, s", "memory, GiB", *(["card, GiB"] if carded else []), "ms a picture", "describing", "trained"]
    words = rows[0].words
    found = [["", *words, "seeds", "steps", *_heads(directions), *costs]]
    for name, scores in unlearned.items():
        figures = [f"{100 * scores[way][figure]:.1f}" for way in directions for figure in SHOWN]
        found.append([UNLEARNED[name], *[NONE] * len(words), NONE, NONE, *figures, *[NONE] * len(costs)])
    for row in rows:
        known = [run.costs for run in row.runs if run.costs is not None]
        seconds = [run.seconds for run in row.runs if run.seconds is not None]
        memory = [one.memory_bytes / 2**30 for one in known]
        card = [one.card_bytes / 2**30 for one in known if one.card_bytes is not None]
        describing = [one.describing_ms for one in known if one.describing_ms is not None]
        found.append(
            [
                row.name,
                *row.words.values(),
                row.seeds,
                _range([run.steps for run in row.runs]),
                *_starred(row, directions),
                spread(seconds, 1 if max(seconds, default=0) < 1000 else 0),
                f"{max(memory):.2f}" if memory else NONE,
                *([f"{max(card):.2f}" if card else NONE] if carded else []),
                spread(describing, 2),
                *(_range([one.parameters[kind] for one in known]) for kind in ("describing", "trained")),
            ]
        )
    return found


def _at(reached: Reached, directions: Sequence[str]) -> list[list[str]]:
    found = [["", "runs", "steps", "training, s", *_heads(directions)]]
    for name, points in reached.points.items():
        seconds = [point.seconds for point in points if point.seconds is not None]
        figures = _spreads([point.figures for point in points], directions)
        steps = _range([point.step for point in points])
        found.append([name, str(len(points)), steps, spread(seconds), *figures])
    return found


def _each(rows: Sequence[Compared]) -> list[list[str]]:
    """A line per run."""
    directions = rows[0].directions
    found = [["", "seed", "steps", *_heads(directions)]]
    for row in rows:
        for run in row.runs:
            figures = _starred(row._replace(runs=[run]), directions)
            found.append([row.name, str(run.seed), f"{run.steps:,}", *figures])
    return found


def _heads(directions: Sequence[str]) -> list[str]:
    return [
        f"{DIRECTIONS[way]} {COLUMNS[SHOWN[0]]}" if figure == SHOWN[0] else COLUMNS[figure]
        for way in directions
        for figure in SHOWN
    ]


def _spreads(figures: Sequence[Figures], directions: Sequence[str]) -> list[str]:
    return [spread([100 * one[way][name] for one in figures]) for way in directions for name in SHOWN]


def _starred(row: Compared, directions: Sequence[str]) -> list[str]:
    """A row's figures in the end, with a star where no run of it is above chance."""
    cells = iter(_spreads([run.figures for run in row.runs], directions))
    low = {name: row.at_chance(name) for name in SHOWN}
    return [next(cells) + "*" * (way in low[name]) for way in directions for name in SHOWN]


def _range(values: Sequence[int]) -> str:
    """One number where all are equal; least to greatest otherwise."""
    if not values:
        return NONE
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _notes(rows: Sequence[Compared], unlearned: Mapping[str, Any], who: str, size: str) -> list[str]:
    several = any(len(row.runs) > 1 for row in rows)
    lines = [f"per cent on {who}" + ("; mean ± deviation of a sample over seeds" if several else "")]
    if any(row._replace(runs=[run]).at_chance(name) for row in rows for run in row.runs for name in SHOWN):
        lines.append("*: not above chance: the 95 % interval over people of no seed begins above it")
    lines.append(_of_the_best(rows))
    sized = [UNLEARNED[name] for name in SIZED if name in unlearned]
    if sized:
        lines.append(f"{', '.join(sized)}: of pictures of {size}, the first row's size")
    lines.append(
        "training: seconds of the iterations and of what the first one builds, without evaluations, pictures and "
        "checkpoints; memory: the process' peak, data and evaluations among it, the largest of the seeds; ms a "
        "picture: to describe one of a batch in memory"
    )
    lines.append("describing: numbers of all that describes pictures; trained: weights that optimisers change")
    without = [row.name for row in rows if any(run.seconds is None for run in row.runs)]
    if without:
        lines.append(f"{some(without, NAMED)}: begun by an earlier version, which counted no seconds")
    beside = [row.name for row in rows if any(run.costs and run.costs.beside for run in row.runs)]
    if beside:
        lines.append(f"{some(beside, NAMED)}: seconds and ms were taken beside other runs on the machine")
    places = {place: None for row in rows for run in row.runs for place in run.places}
    if len(places) > 1:
        named = "; ".join(
            f"{row.name}: {' and '.join(dict.fromkeys(place for run in row.runs for place in run.places))}"
            for row in rows
        )
        lines.append(f"seconds, memory and ms are not of one machine and engine: {named}")
    return lines


def _of_the_best(rows: Sequence[Compared]) -> str:
    """Whether the best row still rises, in words."""
    found = best(rows)
    if found is None:
        return "whether the best row still rises is not known: no evaluation before its last quarter"
    several = len(found.since) > 1
    gain = f"{100 * found.gain:+.1f}" + (f" ± {100 * found.deviation:.1f}" if several else "")
    rises = "still rises" if found.rises else "has stopped rising"
    why = "the deviation over seeds" if several else "nothing, for one seed has no deviation"
    how = f"{'more' if found.rises else 'no more'} than {why}"
    since = f"since step {_range(found.since)}"
    figure = f"{100 * found.figure:.1f} over both directions"
    best_of = f"is best by mAP, {figure}"
    if found.at_chance:
        where = " and ".join(DIRECTIONS[way] for way in found.at_chance)
        best_of = f"has the highest mAP, {figure}, but is not above chance {where}"
    return f"{found.row} {best_of}, and {rises}: {gain} {since}, {how}"


# ------------------------------------------------------------------------------------------------------------- in files


def as_csv(rows: Sequence[Compared], unlearned: Mapping[str, Any]) -> str:
    """One line per row, seed and direction: fractions, and what the run took."""
    kinds = ("describing", "trained")
    costs = ["steps", "training_seconds", "memory_bytes", "card_bytes", "describing_ms", *kinds, "beside"]
    found: list[list[object]] = [["row", "seed", "run", "direction", *COLUMNS, *costs]]
    for name, scores in unlearned.items():
        for way, of in scores.items():
            found.append([UNLEARNED[name], None, None, way, *(of[key] for key in COLUMNS), *[None] * len(costs)])
    for row in rows:
        for run in row.runs:
            taken = _costs(run)
            for way, of in run.figures.items():
                found.append(
                    [row.name, run.seed, run.run, way, *(of[key] for key in COLUMNS), *(taken[key] for key in costs)]
                )
    return tables.as_csv(found)


def curves(rows: Sequence[Compared]) -> str:
    """One line per evaluation and direction of every run, fractions."""
    found: list[list[object]] = [["row", "seed", "step", "training_seconds", "direction", *COLUMNS]]
    for row in rows:
        for run in row.runs:
            for point in run.points:
                for way, of in point.figures.items():
                    found.append([row.name, run.seed, point.step, point.seconds, way, *(of[key] for key in COLUMNS)])
    return tables.as_csv(found)


def as_json(rows: Sequence[Compared], unlearned: Mapping[str, Any], who: str) -> dict[str, Any]:
    """All but the curves: means, deviations (none of one seed), each run, the best row, equal times and equal steps."""
    timed, stepped, first = after_seconds(rows), after_steps(rows), best(rows)
    return {
        "of": who,
        "without_learning": dict(unlearned),
        "rows": [
            {
                "name": row.name,
                **row.words,
                **statistics([run.figures for run in row.runs]),
                "runs": [
                    {
                        "seed": run.seed,
                        "run": run.run,
                        "figures": run.figures,
                        "at_chance": dict(run.at_chance),
                        **_costs(run),
                    }
                    for run in row.runs
                ],
            }
            for row in rows
        ],
        "best": first and {**first._asdict(), "rises": first.rises},
        "after_equal_seconds": timed and {"seconds": timed.limit, "rows": _points(timed)},
        "after_equal_steps": {"steps": stepped.limit, "rows": _points(stepped)},
    }


def _points(reached: Reached) -> dict[str, Any]:
    return {
        name: {**statistics([point.figures for point in points]), "evaluations": [point._asdict() for point in points]}
        for name, points in reached.points.items()
    }


def statistics(figures: Sequence[Figures]) -> dict[str, Figures | None]:
    if not figures:
        return {"mean": None, "deviation": None}
    values = {way: {name: [one[way][name] for one in figures] for name in COLUMNS} for way in figures[0]}
    mean = {way: {name: float(np.mean(of)) for name, of in named.items()} for way, named in values.items()}
    if len(figures) == 1:
        return {"mean": mean, "deviation": None}
    deviation = {way: {name: float(np.std(of, ddof=1)) for name, of in named.items()} for way, named in values.items()}
    return {"mean": mean, "deviation": deviation}


def _costs(run: Found) -> dict[str, Any]:
    """By the names of the columns."""
    costs = run.costs
    return {
        "steps": run.steps,
        "training_seconds": run.seconds,
        "memory_bytes": costs and costs.memory_bytes,
        "card_bytes": costs and costs.card_bytes,
        "describing_ms": costs and costs.describing_ms,
        "describing": costs and costs.parameters["describing"],
        "trained": costs and costs.parameters["trained"],
        "beside": costs and costs.beside,
    }
