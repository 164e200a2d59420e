"""The paper's symbols as small types.

The paper numbers the modalities: x1 is a visible image, x2 an infrared one. Here they carry their names.
"""

from typing import Any, Literal, NamedTuple

Modality = Literal["visible", "infrared"]

VISIBLE: Modality = "visible"
INFRARED: Modality = "infrared"
MODALITIES: tuple[Modality, Modality] = (VISIBLE, INFRARED)

Part = Literal["generator", "discriminator", "features"]
"""Parts with an optimiser of their own: encoders and decoder; both discriminators; H, alpha and the head, or the whole
of an embedding network."""

Tensor = Any  # a tensor of whichever backend Keras runs on


def other(modality: Modality) -> Modality:
    """The modality that is not `modality`."""
    return INFRARED if modality == VISIBLE else VISIBLE


class Codes(NamedTuple):
    """Codes of images by the two encoders of their modality (Sec. 3.1).

    prototype: p = E^p(x), the underlying form, (B, H/4, W/4, C).
    attributes: a = [a^s; a^c; a^p] = E^a(x), clothes style, illumination and pose, (B, D); `AttributeLayout` knows
    which is where.
    """

    prototype: Tensor
    attributes: Tensor
