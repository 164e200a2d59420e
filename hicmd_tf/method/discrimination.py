"""The discriminators: scores of real and generated pictures, their side of Eq. 7, and the R1 penalty."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from keras import ops

from hicmd_tf.method.losses.adversarial import discriminator_loss, gradient_penalty
from hicmd_tf.method.method import Method
from hicmd_tf.method.networks.discriminator import Discriminator
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Modality, Tensor

Maps = list[Tensor]
"""Score maps (B, h, w, 1), one for each scale."""


def fake_scores(
    method: Method, generated: Mapping[Modality, Sequence[Tensor]], learning: bool = False
) -> dict[Modality, list[Maps]]:
    """Score maps of each kind of generated pictures (P, H, W, 3) by the discriminator of their modality.

    learning: whether the discriminators are."""
    if method.in_turns is None:
        x = {m: ops.concatenate(pictures) for m, pictures in generated.items()}
        maps = _of_discriminators(method, Discriminator.__call__, x)
        kinds = {m: [ops.split(scale, len(generated[m])) for scale in maps[m]] for m in generated}
        return {m: [list(of_kind) for of_kind in zip(*parts, strict=True)] for m, parts in kinds.items()}
    found = {}
    for m, pictures in generated.items():
        discriminator = method.networks.discriminators[m]
        learned = discriminator.trainable_variables if learning else []
        jobs = [(kind,) for kind in pictures]
        found[m] = method.in_turns(("discriminator", m, learning), discriminator.__call__, learned, jobs)
    return found


def judge(
    method: Method, real: Mapping[Modality, Tensor], generated: Mapping[Modality, Sequence[Tensor]]
) -> dict[str, Tensor]:
    """D: the unweighted terms, sums over the modalities that are given, and the mean scores, over one modality or both,
    of real and of generated pictures (P, H, W, 3).

    The release adds one loss for each kind of generated pictures, with real and penalty terms in each: the penalty
    here counts as often.
    """
    assert method.engine is not None

    scales = [
        partial(_of_discriminators, method, partial(Discriminator.at_scale, number=number))
        for number in range(method.config.networks.discriminator.scales)
    ]
    scores, slopes = method.engine.input_gradients(scales, dict(real))
    fakes = fake_scores(method, generated, learning=True)
    terms: dict[str, Tensor] = dict.fromkeys(("discriminator", "gradient_penalty", "real_score", "fake_score"), 0.0)
    for m in real:
        maps = [of_scale[m] for of_scale in scores]
        terms["discriminator"] += discriminator_loss(maps, fakes[m], method.config.losses.adversarial_form)  # Eq. 7
        terms["gradient_penalty"] += len(fakes[m]) * gradient_penalty([of_scale[m] for of_scale in slopes])  # R1
        terms["real_score"] += _mean_score(maps) / len(real)
        terms["fake_score"] += _mean_score([scale for of_kind in fakes[m] for scale in of_kind]) / len(real)
    return terms


def _of_discriminators(
    method: Method, call: Callable[[Discriminator, Tensor], Any], x: Mapping[Modality, Tensor]
) -> dict[Modality, Any]:
    """What a call gives for pictures (B, H, W, 3) with the discriminator of their modality."""
    networks = {m: method.networks.discriminators[m] for m in x}
    return method.both(networks, call, {m: (pictures,) for m, pictures in x.items()})


def _mean_score(maps: Sequence[Tensor]) -> Tensor:
    return sum(ops.mean(accurate(scores)) for scores in maps) / len(maps)
