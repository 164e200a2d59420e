"""The adversarial losses (Eq. 7).

A discriminator judges an image at several scales: its answer is a list of score maps (B, h_s, w_s, 1), one per scale.
For the log form a score is the logit of D(x), the probability that the picture is real.
"""

from collections.abc import Sequence
from typing import Literal

from keras import ops

from hicmd_tf.method.precision import accurate
from hicmd_tf.notation import Tensor

Form = Literal["least_squares", "log"]
ScoreMaps = Sequence[Tensor]


def discriminator_loss(real_maps: ScoreMaps, fakes: Sequence[ScoreMaps], form: Form) -> Tensor:
    """The loss of one discriminator, summed over scales; `fakes`: a list of score maps for each kind of fake.

    least_squares (released): for every fake mean D(fake)^2 + mean (D(real) - 1)^2: the real term counts once per fake.
    log (paper, Eq. 7 negated): -mean log D(real), once, - mean log(1 - D(fake)) for every fake.
    """
    real = sum(_real_term(scores, form) for scores in real_maps)
    fake = sum(_fake_term(scores, form) for maps in fakes for _, scores in zip(real_maps, maps, strict=True))
    return fake + (len(fakes) * real if form == "least_squares" else real)


def generator_loss(fake_maps: ScoreMaps, form: Form) -> Tensor:
    """The generator's loss for one kind of generated image, summed over scales.

    least_squares (released): mean (D(fake) - 1)^2.
    log (paper): mean log(1 - D(fake)), for the generator minimises Eq. 7 itself.
    """
    if form == "least_squares":
        return sum(_real_term(scores, form) for scores in fake_maps)
    return -sum(_fake_term(scores, form) for scores in fake_maps)


def gradient_penalty(gradients: Sequence[Tensor]) -> Tensor:
    """R1 (released; Mescheder et al., 2018, without their 1/2): squared gradient norms of real images.

    gradients: for each scale the gradient (B, H, W, 3) of its summed score map with respect to the full-size image.
    Mean over the batch of the squared L2 norm of an image's gradient, summed over scales.
    """
    squared = [ops.sum(ops.square(accurate(g)), axis=tuple(range(1, len(g.shape)))) for g in gradients]
    return sum(ops.mean(norms) for norms in squared)


def _real_term(scores: Tensor, form: Form) -> Tensor:
    """Small when the scores say "real": mean (D - 1)^2, or -mean log D = mean softplus(-score)."""
    scores = accurate(scores)
    return ops.mean(ops.square(scores - 1.0) if form == "least_squares" else ops.softplus(-scores))


def _fake_term(scores: Tensor, form: Form) -> Tensor:
    """Small when the scores say "fake": mean D^2, or -mean log(1 - D) = mean softplus(score)."""
    scores = accurate(scores)
    return ops.mean(ops.square(scores) if form == "least_squares" else ops.softplus(scores))
