"""Claims of the paper about the codes, each judged by the figures."""

from typing import Literal, NamedTuple

import numpy as np

from hicmd_tf.disentanglement.factors import GAIT, IDENTITY, MODALITY, YAW
from hicmd_tf.disentanglement.measurement import ACROSS, TO_DONOR, UNSWAPPED, Measurement, Measurements
from hicmd_tf.disentanglement.probes import IDENTITY_ACROSS, PROBES

ERRORS = 3.0  # standard errors above chance from which a class counts as read
READ = 0.1  # R^2 from which a number does
MOVED, STAYED = 0.5, 0.1  # of the way to the donor, beyond the reconstruction's

CRITERIA = {
    ("reading", True): f"read: accuracy over {ERRORS:g} standard errors above chance, or R2 of {READ:g} or more",
    ("reading", False): f"not read: accuracy within {ERRORS:g} standard errors of guessing, or R2 below {READ:g}",
    ("swap", True): f"moved: {MOVED:g} or more of the way to the donor, beyond the reconstruction's figure",
    ("swap", False): f"not moved: less than {STAYED:g} of the way to the donor, beyond the reconstruction's figure",
}


UNJUDGED = (
    "can't be judged: modality by reading, for each modality has encoders of its own, which can mark their codes "
    "whatever these carry; swaps and interventions say more"
)


class Claim(NamedTuple):
    """section: of the paper. by: which measure judges it. present: whether the factor is said to be there."""

    section: str
    by: Literal["reading", "swap"]
    code: str
    factor: str
    present: bool

    @property
    def statement(self) -> str:
        """The claim in words."""
        if self.by == "reading":
            return f"the {self.code} code {'contains' if self.present else 'does not contain'} {self.factor}"
        return f"swapping {self.code} {'changes' if self.present else 'keeps'} {self.factor}"


CLAIMS = (
    Claim("3.2", "reading", "illumination", MODALITY, True),
    *(Claim("3.2", "reading", code, MODALITY, False) for code in ("pose", "style", "prototype")),
    Claim("3.2", "swap", "illumination", MODALITY, True),
    *(Claim("3.2", "swap", code, MODALITY, False) for code in ("pose", "style", "prototype")),
    *(Claim("3.1", "reading", code, IDENTITY, True) for code in ("prototype", "style")),
    *(Claim("3.1", "reading", code, IDENTITY, False) for code in ("pose", "illumination")),
    *(Claim("3.1", "swap", code, IDENTITY, False) for code in ("pose", "illumination")),
    *(Claim("3.1", "reading", "pose", factor, True) for factor in (YAW, GAIT)),
    *(Claim("3.1", "swap", "pose", factor, True) for factor in (YAW, GAIT)),
)


class Verdict(NamedTuple):
    """section: of the paper. holds: whether the figures meet the criterion, None where it can't be judged by them.
    figures: those, in words."""

    section: str
    claim: str
    criterion: str
    networks: str
    holds: bool | None
    figures: str


def judge(found: Measurements) -> list[Verdict]:
    """Every claim about what the data set knows, for the trained and, where measured, the untrained networks.

    Identity counts across modalities: learned on one and asked on the other, the mean of both ways. Of the two probes
    the better one counts, whether a claim says that it should read something or nothing.
    """
    verdicts = []
    for claim in CLAIMS:
        for networks in ("trained", "untrained"):
            verdict = (_read if claim.by == "reading" else _swapped)(found, claim, networks)
            if verdict is not None:
                criterion = CRITERIA[claim.by, claim.present]
                verdicts.append(Verdict(claim.section, claim.statement, criterion, networks, *verdict))
    return verdicts


def _read(found: Measurements, claim: Claim, networks: str) -> tuple[bool | None, str] | None:
    factors = [*IDENTITY_ACROSS] if claim.factor == IDENTITY else [claim.factor]
    of = found.where(section="reading", subject=claim.code, networks=networks, setting="")
    rows = {probe: [row for row in of if row.measure == probe and row.factor in factors] for probe in PROBES}
    if not rows[PROBES[0]]:
        return None
    probe = max(PROBES, key=lambda name: _mean(rows[name]))
    value, chance, asked = _mean(rows[probe]), rows[probe][0].chance or 0.0, sum(row.asked for row in rows[probe])
    if claim.factor in (YAW, GAIT):
        return (value >= READ) == claim.present, f"R2 {value:.3f} ({probe})"
    error = float(np.sqrt(chance * (1 - chance) / asked))
    holds = None if claim.factor == MODALITY else (value > chance + ERRORS * error) == claim.present
    return holds, f"{value:.3f} ({probe}), chance {chance:.3f} with standard error {error:.3f}"


def _swapped(found: Measurements, claim: Claim, networks: str) -> tuple[bool, str] | None:
    of = found.where(section="swap", setting=ACROSS, factor=claim.factor, measure=TO_DONOR, networks=networks)
    values = {row.subject: row.value for row in of}
    if claim.code not in values:
        return None
    swapped, own = values[claim.code], values[UNSWAPPED]
    holds = swapped - own >= MOVED if claim.present else swapped - own < STAYED
    return holds, f"{swapped:.3f}, reconstruction {own:.3f}"


def _mean(rows: list[Measurement]) -> float:
    return float(np.mean([row.value for row in rows]))
