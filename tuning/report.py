"""Results of a search: a ranked table, which settings mattered, a picture, and the best configuration."""

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


def write_report(
    out: Path, outcomes: Sequence[Outcome], space: Space, seed: int, unlearned: Mapping[str, float]
) -> str:
    """Writes trials.csv, trials.md, importance.csv, trials.png and best.yaml into a folder; returns what to print.

    unlearned: the objective of what needs no learning, chance among it, by name.
    """
    outcomes = sorted(outcomes, key=lambda one: -1.0 if one.objective is None else one.objective, reverse=True)
    done = [one for one in outcomes if one.objective is not None]
    rows = [["rank", "trial", "mAP %", "steps", *(SEARCHED[key].symbol for key in space)]]
    stored = [["rank", "trial", "objective", "steps", *space, "reason"]]
    for rank, (name, objective, config, values, reason) in enumerate(outcomes, 1):
        steps = str(config.training.steps)
        figure = "failed" if objective is None else f"{100 * objective:.2f}"
        rows.append([str(rank), name, figure, steps, *(f"{values[key]:.3g}" for key in space)])
        ranked = ["", name, ""] if objective is None else [str(rank), name, f"{objective:.6f}"]
        stored.append([*ranked, steps, *(f"{values[key]:g}" for key in space), reason])
    beside = compared(done, unlearned)
    write_text(out / "trials.csv", tables.as_csv(stored))
    write_text(out / "trials.md", f"{tables.as_markdown(rows, '>')}\n{beside}\n")
    if not done:
        return f"no trial came to its end: {outcomes[0].reason if outcomes else 'none was begun'}"
    write_text(out / "best.yaml", dump(done[0].config))
    with replacing(out / "trials.png") as file:
        draw(done, space, file)
    parts = [f"{tables.as_text([row[:4] for row in rows[: SHOWN + 1]], '>')}\n{beside}"]
    estimates = importance(done, space, seed)
    if estimates:
        write_text(out / "importance.csv", tables.as_csv([Importance._fields, *estimates]))
        parts.append(_in_words(estimates, len(done)))
    parts.append(f"best: trial {done[0].name}; hicmd fit --config {out / 'best.yaml'} --run DIR repeats it")
    return "\n\n".join(parts)


def compared(done: Sequence[Outcome], unlearned: Mapping[str, float]) -> str:
    """The same figure without any learning, and how many trials are no better than chance. done: trials that came to
    their end."""
    shown = ", ".join(f"{COMPARED[name]} {100 * value:.2f}" for name, value in unlearned.items())
    low = [one for one in done if one.objective is not None and one.objective <= unlearned["chance"]]
    judged = f"; {len(low)} of {len(done)} trials not above chance" if low else ""
    return f"mAP %: {shown}{judged}"


def importance(done: Sequence[Outcome], space: Space, seed: int) -> list[Importance]:
    """The settings by importance; empty for fewer than `FEWEST` trials. Failed trials are left out."""
    if len(done) < FEWEST:
        return []
    from scipy.stats import spearmanr
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    x = np.log([[one.values[key] for key in space] for one in done])  # (trials, settings)
    y = np.array([one.objective for one in done])
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=seed).fit(x, y)
    falls = permutation_importance(forest, x, y, n_repeats=20, random_state=seed).importances_mean

    def correlation(column: Array) -> float:  # 0 where one of the two is constant
        return float(spearmanr(column, y).statistic) if np.ptp(column) and np.ptp(y) else 0.0

    found = [
        Importance(key, correlation(column), float(fall), float(forest.oob_score_))
        for key, column, fall in zip(space, x.T, falls, strict=True)
    ]
    return sorted(found, key=lambda one: one.permutation, reverse=True)


def _in_words(estimates: Sequence[Importance], trials: int) -> str:
    predicted = estimates[0].predicted
    trust = "read little into it" if predicted < 0.3 else "a hint, not a proof"  # a third of the variance
    head = f"importance by {trials} trials (a random forest predicts unseen ones with R^2 = {predicted:.2f}: {trust})"
    lines = [["setting", "fall of R^2", "correlation"]]
    lines += [[one.setting, f"{one.permutation:.3f}", f"{one.correlation:+.2f}"] for one in estimates[:5]]
    return f"{head}\n{tables.as_text(lines)}"


def draw(done: Sequence[Outcome], space: Space, file: Any) -> None:
    """Writes a PNG: one line per trial through its settings, each on a logarithmic axis of its own, coloured by
    objective. done: the best first."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    scores = 100 * np.array([one.objective for one in done])
    colours = ScalarMappable(Normalize(scores.min(), max(scores.max(), scores.min() + 1e-6)), "viridis")
    figure = Figure(figsize=(2 + 1.1 * len(space), 5), layout="constrained")
    axes = figure.subplots()
    low, high, first = np.log(list(space.values())).T
    for one, score in reversed([*zip(done, scores, strict=True)]):  # the best on top
        heights = (np.log([one.values[key] for key in space]) - low) / (high - low)
        best = one is done[0]
        axes.plot(heights, color=colours.to_rgba(score), linewidth=3 if best else 1.2, alpha=1 if best else 0.7)
    axes.plot((first - low) / (high - low), "k_", markersize=12)
    for place, span in enumerate(space.values()):
        axes.axvline(place, color="0.8", linewidth=0.8, zorder=0)
        axes.annotate(f"{span.high:.3g}", (place, 1.02), ha="center", fontsize=8)
        axes.annotate(f"{span.low:.3g}", (place, -0.06), ha="center", fontsize=8)
    labels = [SEARCHED[key].symbol.replace(" of ", "\nof ") for key in space]
    axes.set_xticks(range(len(space)), labels, rotation=30, ha="right")
    axes.set_yticks([])
    axes.set_ylim(-0.1, 1.08)
    axes.spines[:].set_visible(False)
    axes.set_title("Trials through their settings (dash: the configuration's own value; thick: the best)", fontsize=10)
    figure.colorbar(colours, ax=axes, label="mAP on held-out identities, %")
    figure.savefig(file, format="png", dpi=110)
