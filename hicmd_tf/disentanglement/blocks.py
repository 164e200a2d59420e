"""The fourth measure: how far each factor has one code, and each code one factor, by what the probes read.

MIG, SAP and DCI are defined for single entries of a code; codes of thousands of entries are compared whole here.
"""

from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.disentanglement.factors import IDENTITY, MODALITY
from hicmd_tf.disentanglement.measurement import CODES, Measurement, Measurements, Networks
from hicmd_tf.disentanglement.probes import IDENTITY_ACROSS, PROBES

Array = np.ndarray[Any, Any]

ALL = "all codes"  # the subject of what is said of them together
SHARE, GAP, DISENTANGLEMENT, COMPLETENESS = "share", "gap", "disentanglement", "completeness"


class Dci(NamedTuple):
    """Disentanglement (D,) of D codes and completeness (K,) of K factors, NaN where nothing is read; both as one."""

    disentanglement: Array
    completeness: Array
    overall: tuple[float, float]


def block_figures(found: Measurements, networks: Networks) -> list[Measurement]:
    """Shares, gaps, disentanglement and completeness of the codes that the probes read.

    Identity is read across modalities, the mean of both ways; of the two probes the better one counts. Modality, which
    reading can't judge (`claims.UNJUDGED`), is left out.
    """
    read = [
        row
        for row in found.where(section="reading", networks=networks, setting="")
        if row.factor not in (IDENTITY, MODALITY)
    ]
    if not read:
        return []
    names = {IDENTITY if row.factor in IDENTITY_ACROSS else row.factor: None for row in read}
    shares = np.array([[_share(read, code, factor) for factor in names] for code in CODES])
    dci, gap = dci_of(shares), gaps(shares)

    def figure(subject: str, factor: str, measure: str, value: float) -> Measurement:
        return Measurement("blocks", subject, "", factor, measure, networks, float(value))

    made = [
        figure(c, f, SHARE, value)
        for c, of in zip(CODES, shares, strict=True)
        for f, value in zip(names, of, strict=True)
    ]
    made += [figure(code, "", DISENTANGLEMENT, value) for code, value in zip(CODES, dci.disentanglement, strict=True)]
    for measure, values in ((GAP, gap), (COMPLETENESS, dci.completeness)):
        made += [figure(ALL, factor, measure, value) for factor, value in zip(names, values, strict=True)]
    overall = zip((GAP, DISENTANGLEMENT, COMPLETENESS), (gap.mean(), *dci.overall), strict=True)
    made += [figure(ALL, "", measure, value) for measure, value in overall]
    return [row for row in made if not np.isnan(row.value)]


def _share(read: list[Measurement], code: str, factor: str) -> float:
    """(score - chance) / (1 - chance), from 0, a guess or worse, to 1, every answer right."""
    named = [*IDENTITY_ACROSS] if factor == IDENTITY else [factor]
    rows = [row for row in read if row.subject == code and row.factor in named]
    score = max(float(np.mean([row.value for row in rows if row.measure == probe])) for probe in PROBES)
    chance = float(np.mean([row.chance for row in rows]))
    return max(score - chance, 0.0) / max(1 - chance, 1e-12)


def gaps(shares: Array) -> Array:
    """Of each factor (K,) the largest share less the second largest of D codes, (D, K): 1 where one code alone has it.

    The mutual information gap (Chen et al., Isolating sources of disentanglement in VAEs, 2018) and the separated
    attribute predictability (Kumar et al., Variational inference of disentangled latent concepts, 2018), with a whole
    code in the place of an entry and a probe's share in that of mutual information or a score.
    """
    ordered = np.sort(shares, axis=0)
    apart: Array = ordered[-1] - ordered[-2]
    return apart


def dci_of(shares: Array) -> Dci:
    """Disentanglement and completeness of shares (D, K) of D codes and K factors, two or more of each.

    A code's disentanglement is 1 - H_K(p), p its row divided by its sum and H_K the entropy to the base K: 1 where it
    has one factor, 0 where it has all alike. A factor's completeness is 1 - H_D(q), q its column divided by its sum: 1
    where one code has it. Over all, each counts by its row's or column's part of all shares; 0 where nothing is read
    (Eastwood and Williams, A framework for the quantitative evaluation of disentangled representations, ICLR 2018, Sec.
    2, with shares as importances and codes for entries).
    """
    by_code, by_factor = _concentration(shares), _concentration(shares.T)
    total = shares.sum() or 1.0
    overall = [
        float(np.nansum(of * sums / total))
        for of, sums in ((by_code, shares.sum(axis=1)), (by_factor, shares.sum(axis=0)))
    ]
    return Dci(by_code, by_factor, (overall[0], overall[1]))


def _concentration(parts: Array) -> Array:
    """1 - entropy of each row of (N, M) to the base M, (N,); NaN for a row of zeros."""
    sums = parts.sum(axis=1, keepdims=True)
    p = np.divide(parts, sums, out=np.full(parts.shape, np.nan), where=sums > 0)
    found: Array = 1 + np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1) / np.log(parts.shape[1])
    return found
