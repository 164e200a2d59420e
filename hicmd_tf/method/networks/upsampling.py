"""Doubling a map and convolving it, without making the doubled map: 9 products an output pixel instead of 25.

Nearest-neighbour doubling shows every pixel of the small map twice, so that a 5 x 5 window of the doubled map covers
just 3 x 3 pixels of the small one. Which entries of the kernel meet on one of them depends only on whether the output
pixel is the first or the second of its pair, along each axis: four kernels 3 x 3, one for each phase, computed as one
convolution with four times the filters.
"""

from typing import Literal

import numpy as np
from keras import ops

from hicmd_tf.method.networks.fast import replaceable
from hicmd_tf.notation import Tensor

SIZE = 5  # of the kernel
REACH = SIZE // 2

# [phase, entry of the small kernel, entry of the kernel]: who meets whom along one axis.
PHASES = np.array(
    [
        [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
        [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]],
    ]
)


@replaceable
def mirrored(x: Tensor, pad: int, mode: Literal["reflect", "symmetric"]) -> Tensor:
    """(B, H, W, C) -> (B, H + 2 pad, W + 2 pad, C), mirrored at the border; symmetric repeats the outermost pixels."""
    return ops.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=mode)


def upsampled_convolution(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """The map doubled by nearest neighbours, padded by reflection and convolved (5, 5, C, F), plus a bias (F,).

    x (B, h, w, C), h and w at least 2 -> (B, 2h, 2w, F).
    """
    phases = ops.conv(mirrored(x, 1, "symmetric"), phase_kernels(kernel), padding="valid", data_format="channels_last")
    y = ops.depth_to_space(phases + ops.tile(bias, 4), 2, data_format="channels_last")  # (B, 2h, 2w, F)
    return _with_reflected_border(y, x, kernel)


def phase_kernels(kernel: Tensor) -> Tensor:
    """(5, 5, C, F) -> (3, 3, C, 4 F): the filters of the phases (0, 0), (0, 1), (1, 0), (1, 1), one after another."""
    meets = ops.convert_to_tensor(PHASES, kernel.dtype)
    channels, filters = kernel.shape[2:]
    small = ops.einsum("pia,qjb,abcf->ijcpqf", meets, meets, kernel)
    return ops.reshape(small, (3, 3, channels, 4 * filters))


def _with_reflected_border(y: Tensor, x: Tensor, kernel: Tensor) -> Tensor:
    """Corrects the outermost pixels of y, which was computed with symmetric padding of the small map.

    That pads the doubled map by its outermost pixel twice, where reflection has the second and the third: these are the
    small map's first and second, so only the outer of the two rows and columns of padding differs. It meets the
    outermost row of the kernel at the outermost pixels of the output, and nothing else.
    """
    sides = ((0, 1), (-1, -2))  # the outermost row or column of x and of the kernel, and the next of x
    rows = [_along(_row_difference(x[:, o], x[:, i]), kernel[o]) for o, i in sides]
    columns = [_along(_column_difference(x[:, :, o], x[:, :, i]), kernel[:, o]) for o, i in sides]
    return with_border(y, ops.stack(rows, axis=1), ops.stack(columns, axis=2))  # (B, 2, 2w, F) and (B, 2h, 2, F)


@replaceable
def with_border(y: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """y (B, H, W, F) plus (B, 2, W, F) in the first and last row, plus (B, H, 2, F) in the first and last column."""
    y = ops.concatenate([y[:, :1] + rows[:, :1], y[:, 1:-1], y[:, -1:] + rows[:, 1:]], axis=1)
    first, last = columns[:, :, :1], columns[:, :, 1:]
    return ops.concatenate([y[:, :, :1] + first, y[:, :, 1:-1], y[:, :, -1:] + last], axis=2)


def _along(line: Tensor, kernel: Tensor) -> Tensor:
    """A valid convolution along one axis: (B, n + 4, C) by (5, C, F) -> (B, n, F)."""
    return ops.conv(line, kernel, padding="valid", data_format="channels_last")


def _row_difference(outer: Tensor, inner: Tensor) -> Tensor:
    """Reflect padding minus symmetric padding in the outer row, from a side's first two rows (B, w, C):
    (B, 2w + 4, C), corners included."""
    reflected = ops.pad(ops.repeat(inner, 2, axis=1), ((0, 0), (REACH, REACH), (0, 0)), mode="reflect")
    symmetric = ops.repeat(ops.pad(outer, ((0, 0), (1, 1), (0, 0)), mode="symmetric"), 2, axis=1)
    return reflected - symmetric


def _column_difference(outer: Tensor, inner: Tensor) -> Tensor:
    """The same of the outer column of padding, (B, 2h + 4, C); its ends, the corners, are `_row_difference`'s."""
    difference = ops.pad(inner - outer, ((0, 0), (1, 1), (0, 0)), mode="symmetric")
    inside = ops.repeat(difference, 2, axis=1)[:, 1:-1]
    return ops.pad(inside, ((0, 0), (1, 1), (0, 0)))
