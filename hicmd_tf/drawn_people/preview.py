"""A look at the drawn people."""

import numpy as np

from hicmd_tf.config.schema import SyntheticConfig
from hicmd_tf.drawn_people.arithmetic import Array
from hicmd_tf.drawn_people.render import draw_picture
from hicmd_tf.notation import MODALITIES


def contact_sheet(config: SyntheticConfig, height: int, width: int) -> Array:
    """One row per person, visible pictures left, infrared right: (identities * H, 2 * images * W, 3) uint8."""
    rows = []
    for identity in range(config.identities):
        pictures = [
            draw_picture(config, (height, width), identity, modality, index).pixels
            for modality in MODALITIES
            for index in range(config.images_per_modality)
        ]
        rows.append(np.concatenate(pictures, axis=1))
    return np.concatenate(rows, axis=0)
