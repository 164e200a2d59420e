"""The terms of the losses: one table, which weights, totals, what is searched and what is drawn follow from.

Another term is a line here, its setting in `config.schema.LossConfig`, and its value in `generation.generate`,
`discrimination.judge` or `identification.identify`.
"""

from typing import Literal, NamedTuple

Total = Literal["generation", "discriminator", "feature"]


class Term(NamedTuple):
    """One term of a loss.

    name: in logs. equation: of the paper. weights: settings of `LossConfig`, which has their symbols, whose product
    weighs it. total: the sum that it belongs to, of ID-PIG (Eq. 5 and the first part of Eq. 10), of the
    discriminators, or of HFL (the rest of Eq. 10). panel: where reports draw it.
    """

    name: str
    equation: str
    weights: tuple[str, ...]
    total: Total
    panel: str = ""


RECONSTRUCTION, CODES, IDENTITY = "reconstruction (Eq. 1 to 3)", "codes (Eq. 4 and 6)", "identity (Eq. 8 and 9)"
LOSS_PANELS = (RECONSTRUCTION, CODES, IDENTITY)

TERMS = (
    Term("same", "Eq. 2", ("same",), "generation", RECONSTRUCTION),
    Term("cross", "Eq. 1", ("cross",), "generation", RECONSTRUCTION),
    Term("cycle", "Eq. 3", ("cycle",), "generation", RECONSTRUCTION),
    Term("code", "Eq. 4", ("code",), "generation", CODES),
    Term("kl", "Eq. 6", ("kl",), "generation", CODES),
    Term("adversarial", "Eq. 7", ("adversarial",), "generation"),
    Term("cross_entropy", "Eq. 8", ("cross_entropy",), "feature", IDENTITY),
    Term("triplet", "Eq. 9", ("triplet",), "feature", IDENTITY),
    Term("discriminator", "Eq. 7", ("adversarial",), "discriminator"),
    Term("gradient_penalty", "released", ("adversarial", "gradient_penalty"), "discriminator"),  # R1
)

WEIGHTS = tuple(dict.fromkeys(term.weights[0] for term in TERMS))
"""Settings that are weights of the paper."""


def terms_of(total: Total) -> tuple[Term, ...]:
    """The terms of one sum."""
    return tuple(term for term in TERMS if term.total == total)
