"""What a search found: a ranked table, which settings mattered, a picture, and the best configuration."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf import tables
from hicmd_tf.config import Config, dump
from hicmd_tf.files import replacing, write_text
from hicmd_tf.retrieval.report import COMPARED
from hicmd_tf.tuning.space import SEARCHED, Space

Array = np.ndarray[Any, Any]

SHOWN = 10  # trials on the terminal
TREES = 300
FEWEST = 6  # trials from which importance is estimated


class Outcome(NamedTuple):
    """One trial. objective: a fraction; None where it failed, for `reason`. config: what it trained, steps among it."""

    name: str
    objective: float | None
    config: Config
    values: dict[str, float]
    reason: str


class Importance(NamedTuple):
    """How much a setting mattered. correlation: Spearman's of setting and objective, -1 to 1. permutation: by how much
    R^2 of a random forest falls when the setting's values are shuffled. predicted: R^2 of the forest on trials that its
    trees have not seen, the same for all settings; where it is not clearly above 0 the rest means nothing."""

    setting: str
    correlation: float
    permutation: float
    predicted: float


def ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Best first, failed ones last."""
    return sorted(outcomes, key=lambda one: -1.0 if one.objective is None else one.objective, reverse=True)


def write_report(
    out: Path, outcomes: Sequence[Outcome], space: Space, seed: int, unlearned: Mapping[str, float]
) -> str:
    """Writes trials.csv, trials.md, importance.csv, trials.png and best.yaml into a folder; returns what to print.

    unlearned: the objective of what needs no learning, chance among it, by name.
    """
    outcomes = ranked(outcomes)
    done = [one for one in outcomes if one.objective is not None]
    write_text(out / "trials.csv", as_csv(outcomes, space))
    write_text(out / "trials.md", as_markdown(outcomes, space) + f"\n{compared(done, unlearned)}\n")
    if not done:
        return f"no trial came to its end: {outcomes[0].reason if outcomes else 'none was begun'}"
    write_text(out / "best.yaml", dump(done[0].config))
    parts = [f"{as_text(outcomes)}\n{compared(done, unlearned)}"]
    estimates = importance(done, space, seed)
    if estimates:
        write_text(out / "importance.csv", tables.as_csv([Importance._fields, *estimates]))
        parts.append(_in_words(estimates, len(done)))
    with replacing(out / "trials.png") as file:
        file.write(parallel_coordinates(done, space))
    parts.append(f"best: trial {done[0].name}; hicmd fit --config {out / 'best.yaml'} --run DIR repeats it")
    return "\n\n".join(parts)


def compared(done: Sequence[Outcome], unlearned: Mapping[str, float]) -> str:
    """What the same figure is without any learning, and how many trials are no better than chance. done: trials that
    came to their end."""
    shown = ", ".join(f"{COMPARED[name]} {100 * value:.2f}" for name, value in unlearned.items())
    low = [one for one in done if one.objective is not None and one.objective <= unlearned["chance"]]
    judged = f"; {len(low)} of {len(done)} trials not above chance" if low else ""
    return f"mAP %: {shown}{judged}"


def as_csv(outcomes: Sequence[Outcome], space: Space) -> str:
    """Every trial: rank, name, objective, steps, values, why it failed."""
    head = ["rank", "trial", "objective", "steps", *space, "reason"]
    rows = [
        [
            str(rank) if one.objective is not None else "",
            one.name,
            "" if one.objective is None else f"{one.objective:.6f}",
            str(one.config.training.steps),
            *(f"{one.values[key]:g}" for key in space),
            one.reason,
        ]
        for rank, one in enumerate(outcomes, 1)
    ]
    return tables.as_csv([head, *rows])


def as_markdown(outcomes: Sequence[Outcome], space: Space) -> str:
    """The same as a table to read, objective in per cent."""
    head = ["rank", "trial", "mAP %", "steps", *(SEARCHED[key].symbol for key in space)]
    lines = [head]
    for rank, one in enumerate(outcomes, 1):
        figure = "failed" if one.objective is None else f"{100 * one.objective:.2f}"
        cells = [str(rank), one.name, figure, str(one.config.training.steps)]
        lines.append([*cells, *(f"{one.values[key]:.3g}" for key in space)])
    return tables.as_markdown(lines, ">")


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The best trials, and the worst, for a terminal."""
    lines = [["trial", "mAP %", "steps", "most changed settings"]]
    shown = outcomes if len(outcomes) <= SHOWN else [*outcomes[: SHOWN - 1], outcomes[-1]]
    first = {one.name: one for one in outcomes}[min((one.name for one in outcomes), key=int)]
    for one in shown:
        figure = "failed" if one.objective is None else f"{100 * one.objective:.2f}"
        changes = {key: one.values[key] / first.values[key] for key in one.values}
        most = sorted(changes, key=lambda key: abs(np.log(changes[key])), reverse=True)[:3]
        words = ", ".join(f"{SEARCHED[key].symbol} x {changes[key]:.2g}" for key in most if changes[key] != 1)
        lines.append([one.name, figure, str(one.config.training.steps), words or "the configuration itself"])
    return tables.as_text(lines, ">>><")


def importance(done: Sequence[Outcome], space: Space, seed: int) -> list[Importance]:
    """The settings by importance; empty for fewer than `FEWEST` trials. Failed trials are left out."""
    if len(done) < FEWEST:
        return []
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    x = np.log([[one.values[key] for key in space] for one in done])  # (trials, settings)
    y = np.array([one.objective for one in done])
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=seed).fit(x, y)
    fall = permutation_importance(forest, x, y, n_repeats=20, random_state=seed).importances_mean
    found = [
        Importance(key, _correlation(column, y), float(mattered), float(forest.oob_score_))
        for key, column, mattered in zip(space, x.T, fall, strict=True)
    ]
    return sorted(found, key=lambda one: one.permutation, reverse=True)


def _correlation(column: Array, y: Array) -> float:
    """Spearman's, 0 where one of the two is constant."""
    from scipy.stats import spearmanr

    return float(spearmanr(column, y).statistic) if np.ptp(column) and np.ptp(y) else 0.0


def _in_words(estimates: Sequence[Importance], trials: int) -> str:
    predicted = estimates[0].predicted
    trust = "read little into it" if predicted < 0.3 else "a hint, not a proof"  # a third of the variance
    head = f"importance by {trials} trials (a random forest predicts unseen ones with R^2 = {predicted:.2f}: {trust})"
    lines = [["setting", "fall of R^2", "correlation"]]
    lines += [[one.setting, f"{one.permutation:.3f}", f"{one.correlation:+.2f}"] for one in estimates[:5]]
    return f"{head}\n{tables.as_text(lines)}"


def parallel_coordinates(done: Sequence[Outcome], space: Space) -> bytes:
    """A PNG: one line a trial through its settings, each on a logarithmic axis of its own, coloured by objective."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    scores = 100 * np.array([one.objective for one in done])
    colours = ScalarMappable(Normalize(scores.min(), max(scores.max(), scores.min() + 1e-6)), "viridis")
    figure = Figure(figsize=(2 + 1.1 * len(space), 5), layout="constrained")
    axes = figure.subplots()
    for one, score in sorted(zip(done, scores, strict=True), key=lambda pair: pair[1]):  # the best on top
        heights = [_height(one.values[key], space, key) for key in space]
        best = one is done[0]
        axes.plot(heights, color=colours.to_rgba(score), linewidth=3 if best else 1.2, alpha=1 if best else 0.7)
    for place, (key, span) in enumerate(space.items()):
        axes.axvline(place, color="0.8", linewidth=0.8, zorder=0)
        axes.plot(place, _height(span.first, space, key), "k_", markersize=12)
        axes.annotate(f"{span.high:.3g}", (place, 1.02), ha="center", fontsize=8)
        axes.annotate(f"{span.low:.3g}", (place, -0.06), ha="center", fontsize=8)
    labels = [SEARCHED[key].symbol.replace(" of ", "\nof ") for key in space]
    axes.set_xticks(range(len(space)), labels, rotation=30, ha="right")
    axes.set_yticks([])
    axes.set_ylim(-0.1, 1.08)
    axes.spines[:].set_visible(False)
    axes.set_title("Trials through their settings (dash: the configuration's own value; thick: the best)", fontsize=10)
    figure.colorbar(colours, ax=axes, label="mAP on held-out identities, %")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _height(value: float, space: Space, key: str) -> float:
    low, high, _ = space[key]
    return float(np.log(value / low) / np.log(high / low))
