"""Where the terms of the losses meet their weights (Eq. 5 and 10)."""

from collections.abc import Sequence

from keras import ops

from hicmd_tf.config.schema import LossConfig
from hicmd_tf.notation import Tensor

GENERATION_TERMS = ("same", "cross", "cycle", "code", "kl", "adversarial")
FEATURE_TERMS = ("cross_entropy", "triplet")


def generation_total(terms: dict[str, Tensor], weights: LossConfig) -> Tensor:
    """What ID-PIG minimises: the weighted sum of `GENERATION_TERMS` (Eq. 5 and the first part of Eq. 10).

    Weights may be numbers or tensors. Raises ValueError naming terms that are missing or unknown.
    """
    return _total(terms, GENERATION_TERMS, weights)


def feature_total(terms: dict[str, Tensor], weights: LossConfig) -> Tensor:
    """What HFL minimises: the weighted sum of `FEATURE_TERMS` (the rest of Eq. 10). Raises as `generation_total`."""
    return _total(terms, FEATURE_TERMS, weights)


def discriminator_total(adversarial: Tensor, penalty: Tensor, weights: LossConfig) -> Tensor:
    """What the discriminators minimise: adversarial loss (Eq. 7) and R1 penalty, both under lambda_adv (released)."""
    return _weighted(weights.adversarial, adversarial + _weighted(weights.gradient_penalty, penalty))


def _total(terms: dict[str, Tensor], names: Sequence[str], weights: LossConfig) -> Tensor:
    missing, unknown = sorted(set(names) - set(terms)), sorted(set(terms) - set(names))
    if missing or unknown:
        raise ValueError(f"loss terms must be {', '.join(names)}; missing: {missing}, unknown: {unknown}")
    return sum(_weighted(getattr(weights, name), terms[name]) for name in names)


def _weighted(weight: float | Tensor, term: Tensor) -> Tensor:
    """The product in the term's type, whatever the weight's."""
    return ops.convert_to_tensor(weight, term.dtype) * term
