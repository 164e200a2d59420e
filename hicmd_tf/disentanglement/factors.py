"""Known factors of each picture, as values that probes and the observer learn to read."""

from typing import Any, Literal, NamedTuple

import numpy as np

from hicmd_tf.data.samples import Samples

Array = np.ndarray[Any, Any]

IDENTITY, MODALITY, CAMERA, YAW, GAIT, LIGHT = "identity", "modality", "camera", "yaw", "gait phase", "light's gain"


class Factor(NamedTuple):
    """name: of the factor. kind: what its values (N,) are: classes, numbers, or angles in radians."""

    name: str
    kind: Literal["class", "number", "angle"]
    values: Array

    @property
    def targets(self) -> Array:
        """(N, 1) of a number, (N, 2) of an angle: its sine and cosine, which know that it is circular."""
        if self.kind == "angle":
            return np.stack([np.sin(self.values), np.cos(self.values)], axis=1)
        return self.values[:, None].astype(np.float64)


def classes(samples: Samples) -> list[Factor]:
    """Modality, and for pictures that weren't drawn the camera, if the modality doesn't determine it already."""
    found = [Factor(MODALITY, "class", samples.infrared.astype(np.int64))]
    several = any(len(np.unique(samples.cameras[samples.infrared == m])) > 1 for m in (False, True))
    if several and not samples.factors:
        found.append(Factor(CAMERA, "class", samples.cameras))
    return found


def numbers(samples: Samples, reference: Samples) -> list[Factor]:
    """Yaw in radians, gait phase, and the light's gain; none of pictures that weren't drawn.

    The gain is given in standard deviations from the mean of its modality among `reference`: infrared pictures are
    brighter, and a code that contains nothing but the modality must not count as one that contains the light.
    """
    if not samples.factors:
        return []
    gain = samples.factors["illumination"].astype(np.float64)
    for modality in (False, True):
        known = reference.factors["illumination"][reference.infrared == modality].astype(np.float64)
        rows = samples.infrared == modality
        gain[rows] = (gain[rows] - known.mean()) / (known.std() or 1.0)
    return [
        Factor(YAW, "number", samples.factors["yaw"]),
        Factor(GAIT, "angle", samples.factors["gait_phase"]),
        Factor(LIGHT, "number", gain),
    ]
