"""The first measure: every known factor read from every code."""

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.factors import Factor, classes, numbers
from hicmd_tf.disentanglement.measurement import Measurement, Networks
from hicmd_tf.disentanglement.probes import PROBES, Fold, identity_folds, people_folds, read

Array = np.ndarray[Any, Any]


def questions(samples: Samples, reference: Samples, seed: int) -> list[tuple[Factor, list[Fold]]]:
    """What is asked, with its folds; reference: see `factors.numbers`. Raises UserError as `identity_folds` does."""
    asked = [
        (Factor(name, "class", samples.identities), folds) for name, folds in identity_folds(samples, seed).items()
    ]
    others = people_folds(samples)
    return asked + [(factor, others) for factor in (*classes(samples), *numbers(samples, reference))]


def read_codes(
    codes: dict[str, Array], asked: list[tuple[Factor, list[Fold]]], networks: Networks
) -> list[Measurement]:
    """One figure a code (N, D), factor and probe."""
    found = []
    jobs = [(name, factor, folds, probe) for name in codes for factor, folds in asked for probe in PROBES]
    with threadpool_limits(1):  # the matrices are so small that threads wait for one another most of the time
        for name, factor, folds, probe in tqdm(jobs, f"reading codes, {networks}", unit="probe", leave=False):
            score = read(codes[name], factor, folds, probe)
            found.append(Measurement("reading", name, "", factor.name, probe, networks, *score))
    return found
