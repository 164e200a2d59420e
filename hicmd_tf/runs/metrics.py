"""metrics.json: the figures of a run, what they are compared with, and where they come from."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hicmd_tf.config import Config
from hicmd_tf.data.datasets import evaluated, published
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import counted
from hicmd_tf.files import read_json
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.baselines import SIMPLE, simple_figures
from hicmd_tf.retrieval.evaluation import Row, both_directions, by_direction, evaluate, main_figures, mean_map
from hicmd_tf.retrieval.modality import evaluate_modality
from hicmd_tf.retrieval.report import as_text, notes, read_scores, table, verification_as_text
from hicmd_tf.retrieval.threshold import LARGEST, WANTED, Threshold, choose, thinned, threshold_in, tried
from hicmd_tf.retrieval.tracks import Pool, evaluate_tracks, in_words, track_counts
from hicmd_tf.retrieval.verification import LEAST, Verified, verify
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import provenance

Array = np.ndarray[Any, Any]
Metrics = dict[str, Any]


def metrics_of(
    config: Config,
    folder: RunFolder,
    data: DataSplits,
    step: int,
    descriptors: Array,
    unlearned: Metrics | None = None,
    describe: Callable[[Samples], Array] | None = None,
    wanted: float = WANTED,
    pool: Pool = "mean",
) -> Metrics:
    """The content of metrics.json: the model's figures, in the published settings, without modality, and of tracks
    where there are some, those of the untrained network, which a converted run has not, of held-out identities the
    objective that settings are chosen by, what needs no learning, which main figures are not above chance, a threshold
    for similarities, and where all that comes from.

    Args:
        config: with which the last step was made.
        folder: of the run.
        data: its pictures.
        step: iterations of training.
        descriptors: (N, E), of those pictures that figures are computed on.
        unlearned: `simple_figures` of these pictures, where they are known already.
        describe: descriptors (N, E) of other pictures; without it no threshold is chosen.
        wanted: the false-accept rate that the threshold is for.
        pool: how tracks are compared.
    """
    samples = evaluated(config, data)
    searches = published(config.data, samples)
    of = descriptors, samples, searches
    rows = evaluate(*of) + evaluate_modality(*of) + evaluate_tracks(*of, pool)
    held_out = config.data.held_out > 0
    main = main_figures(rows)
    changes = [change._asdict() for change in folder.changes()]
    found = {
        **main,
        "method": config.method,
        "settings": [row._asdict() for row in rows],
        "verification": [one._asdict() for one in verify(*of)],
        **(unlearned or simple_figures(samples, searches, config.data.height, config.data.width)),
        "at_chance": {direction: row.at_chance for direction, row in by_direction(rows).items()},
        "split": "held_out" if held_out else "test",
        "identities": len(set(samples.identities[samples.known].tolist())),
        "pictures": {m: len(samples.of(m)) for m in MODALITIES},
        "steps": step,
        "seed": config.seed,
        "provenance": provenance(config, data, folder.origins(config), folder.first_step(), step, changes),
    }
    tracks = track_counts(samples, pool)
    if tracks:
        found["tracks"] = tracks
    if describe is not None:
        threshold = _threshold(config, data, descriptors, describe, wanted)
        found["threshold"] = None if threshold is None else threshold._asdict()
    if held_out:
        found["objective"] = mean_map(both_directions(descriptors, samples, config.data.name))
    if folder.untrained.exists():
        found["untrained"] = read_scores(folder.untrained, main)
    if folder.warnings.exists():  # in the order in which the run was warned
        warned = sorted(read_json(folder.warnings).values(), key=lambda one: one["step"])
        found["warnings"] = [one["warning"] for one in warned]
    if config.data.check == "skip":
        found["skipped"] = data.skipped
    return found


def _threshold(
    config: Config, data: DataSplits, descriptors: Array, describe: Callable[[Samples], Array], wanted: float
) -> Threshold | None:
    """Chosen on held-out people, where there are some, else on those who train: never on the test's, on whom it is then
    tried. descriptors: of the pictures that figures are computed on."""
    rules, samples = DATA_SETS[config.data.name].protocol, evaluated(config, data)
    if config.data.held_out:
        return choose(descriptors, samples, rules, "held_out", wanted)
    known = thinned(data.train)
    threshold = choose(describe(known), known, rules, "train", wanted)
    return threshold and tried(threshold, descriptors, samples, rules)


def shown(metrics: Metrics) -> str:
    """The printed text: the main figures beside those that they are compared with, notes on them, every published
    setting by its name where there are more, and verification, which an earlier version's metrics.json lacks."""
    rows = [Row(**row) for row in metrics["settings"]]
    main = [*by_direction(rows).values()]
    further = as_text(rows) if len(rows) > len(main) or any(row.trials > 1 for row in rows) else ""
    found = verified(metrics)
    tracks = in_words(metrics["tracks"]) if "tracks" in metrics else ""
    parts = [table(figures(metrics)), further or "\n".join(notes(main)), tracks]
    return "\n\n".join(filter(None, [*parts, verification_as_text(found) if found else "", *_said(metrics)]))


def size(metrics: Metrics) -> str:
    """On whom, and after how long a training, in words."""
    identities = counted(metrics["identities"], f"{metrics['split']} identity")
    return f"{identities}, {counted(metrics['steps'], 'step')}"


def _said(metrics: Metrics) -> list[str]:
    """The threshold in words, where one was looked for."""
    threshold = threshold_in(metrics, "metrics.json")
    if threshold is not None:
        return [threshold.words]
    return (
        [
            f"no threshold, so search marks nothing: it takes {round(LEAST / LARGEST)} pairs of strangers across "
            f"modalities, and some of one person, among people who are not tested; train on more people"
        ]
        if "threshold" in metrics
        else []
    )


def verified(metrics: Metrics) -> list[Verified]:
    """Verification by direction; none where an earlier version evaluated."""
    return [Verified(**one) for one in metrics.get("verification", [])]


def figures(metrics: Metrics) -> dict[str, Metrics]:
    """The rows of the main table."""
    ours = {key: value for key, value in metrics.items() if "_to_" in key}
    method = metrics.get("method", "hicmd")  # which earlier versions had alone
    return {method: ours, **{key: metrics[key] for key in ("untrained", *SIMPLE) if key in metrics}}
