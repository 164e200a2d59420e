"""The reconstruction losses of images and codes (Eq. 1 to 4)."""

from collections.abc import Sequence

from keras import ops

from hicmd_tf.method.losses.precision import accurate
from hicmd_tf.notation import Tensor

Shape = Sequence[int | None]


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference over all elements of two images (B, H, W, 3) or codes (B, D) (Eq. 1 to 4).

    The paper writes a norm; its weights fit the mean, which the release takes. Raises ValueError on different shapes,
    which would otherwise broadcast.
    """
    if _differ(image.shape, target.shape):
        raise ValueError(f"l1 compares equal shapes, received {tuple(image.shape)} and {tuple(target.shape)}")
    return ops.mean(ops.abs(accurate(image) - accurate(target)))


def _differ(one: Shape, other: Shape) -> bool:
    """Whether two shapes cannot be equal; a size that a graph does not know yet is None and fits every other."""
    return len(one) != len(other) or any(a != b for a, b in zip(one, other, strict=True) if None not in (a, b))
