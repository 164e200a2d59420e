"""The paper's symbols as small types.

The paper numbers the modalities: x1 is a visible image, x2 an infrared one. Here they carry their names.
"""

import re
from typing import Any, Literal, NamedTuple

Modality = Literal["visible", "infrared"]

VISIBLE: Modality = "visible"
INFRARED: Modality = "infrared"
MODALITIES: tuple[Modality, Modality] = (VISIBLE, INFRARED)

SPELLINGS: dict[str, Modality] = {
    **dict.fromkeys(("visible", "visiblelight", "vis", "rgb", "color", "colour"), VISIBLE),
    **dict.fromkeys(("infrared", "nearinfrared", "farinfrared", "thermalinfrared", "thermal"), INFRARED),
    **dict.fromkeys(("ir", "nir", "fir", "swir", "mwir", "lwir", "tir"), INFRARED),
}
"""How people name a modality, in lower case and without spaces, hyphens and underscores."""

Part = Literal["generator", "discriminator", "features"]
"""Parts with an optimiser of their own: encoders and decoder; both discriminators; H, alpha and the head, or the whole
of an embedding network."""

Tensor = Any  # a tensor of whichever backend Keras runs on


def other(modality: Modality) -> Modality:
    """The modality that is not `modality`."""
    return INFRARED if modality == VISIBLE else VISIBLE


def modality_of(name: str) -> Modality | None:
    """The modality that a folder's name, a part of a path or a word spells; None when it spells none."""
    return SPELLINGS.get(re.sub(r"[-_ ]", "", name).casefold())


class Codes(NamedTuple):
    """Codes of images by the two encoders of their modality (Sec. 3.1).

    prototype: p = E^p(x), the underlying form, (B, H/4, W/4, C).
    attributes: a = [a^s; a^c; a^p] = E^a(x), clothes style, illumination and pose, (B, D); `AttributeLayout` knows
    which is where.
    """

    prototype: Tensor
    attributes: Tensor
