"""Figures with everything that identifies them, and how they are found again."""

from typing import Literal, NamedTuple

Section = Literal["reading", "blocks", "independence", "intervention", "observer", "swap", "quality"]
Networks = Literal["trained", "untrained", "real"]

CODES = ("prototype", "style", "pose", "illumination")
UNSWAPPED = "none"  # the subject of a picture all of whose codes are its own
WITHIN, ACROSS = "within a modality", "across modalities"  # settings of pairs
PERMUTED = "labels permuted"  # the setting of a probe's control
TO_DONOR, KEPT = "to donor", "kept from source"  # measures of a swap


class Measurement(NamedTuple):
    """One figure.

    section: which measure. subject: the code or codes, or the kind of picture. setting: of which pairs, modality or
    labels, where there are several. factor: what is read. measure: how. networks: whose codes or pictures, "real"
    for photographs' own. deviation: over folds. chance: what guessing reaches. asked: pictures or pairs that it is of.
    """

    section: Section
    subject: str
    setting: str
    factor: str
    measure: str
    networks: Networks
    value: float
    deviation: float | None = None
    chance: float | None = None
    asked: int = 0


class Measurements(list[Measurement]):
    """All figures of a run, found by their fields."""

    def where(self, **fields: str) -> list[Measurement]:
        """Those whose fields have these values, in order."""
        return [row for row in self if all(getattr(row, name) == value for name, value in fields.items())]
