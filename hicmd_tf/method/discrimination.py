"""The discriminators: scores of real and generated pictures, their side of Eq. 7, and the R1 penalty."""

from collections.abc import Sequence

from keras import ops

from hicmd_tf.method.losses.adversarial import discriminator_loss, gradient_penalty
from hicmd_tf.method.method import Method
from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Modality, Tensor


def fake_scores(method: Method, m: Modality, generated: Sequence[Tensor], learning: bool = False) -> list[list[Tensor]]:
    """D_m's score maps, one list for each kind of generated pictures (P, H, W, 3). learning: whether D_m is."""
    discriminator = method.networks.discriminators[m]
    if method.in_turns is not None:
        learned = discriminator.trainable_variables if learning else []
        jobs = [(pictures,) for pictures in generated]
        return method.in_turns(("discriminator", m, learning), discriminator.__call__, learned, jobs)
    maps = discriminator(ops.concatenate(generated))
    parts = [ops.split(scale, len(generated)) for scale in maps]
    return [list(of_kind) for of_kind in zip(*parts, strict=True)]


def judge(method: Method, m: Modality, real: Tensor, generated: Sequence[Tensor]) -> dict[str, Tensor]:
    """D: the unweighted terms of D_m, and its mean score of real and of generated pictures (P, H, W, 3).

    The release adds one loss for each kind of generated pictures, with real and penalty terms in each: the penalty
    here counts as often.
    """
    assert method.engine is not None
    scores, slopes = method.engine.input_gradients(method.networks.discriminators[m], real)
    fakes = fake_scores(method, m, generated, learning=True)
    return {
        "discriminator": discriminator_loss(scores, fakes, method.config.losses.adversarial_form),  # Eq. 7
        "gradient_penalty": len(fakes) * gradient_penalty(slopes),  # R1
        "real_score": _mean_score(scores),
        "fake_score": _mean_score([scale for maps in fakes for scale in maps]),
    }


def _mean_score(maps: Sequence[Tensor]) -> Tensor:
    return sum(ops.mean(accurate(scores)) for scores in maps) / len(maps)
