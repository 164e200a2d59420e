"""The same picture where it may not be: in two splits, or with two people's names."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from hicmd_tf.data.samples import SPLITS, Samples
from hicmd_tf.notation import Modality

WORDS = {**SPLITS, "val": "validation"}


class Place(NamedTuple):
    """Where a picture was met. split: in words. identity: as people read it."""

    split: str
    identity: str
    modality: Modality
    name: str


SAID = {
    "split": "{0.name} ({0.split}) and {1.name} ({1.split}) are the same picture{2}: what was trained on can't be "
    "tested, keep it in one split",
    "identity": "{0.name} of identity {0.identity} and {1.name} of identity {1.identity}, both {0.split}, are the same "
    "picture{2}: it shows one of them, take the other out",
    "modality": "{0.name} ({0.modality}) and {1.name} ({1.modality}) of identity {0.identity}, both {0.split}, are the "
    "same picture{2}: one camera took it, keep that one",
}
"""By the first thing in which the places of one picture differ."""


def reported(splits: Mapping[Any, Samples]) -> list[str]:
    """A line for pictures that are in two splits, one for those that two identities of a split have, one for those that
    are visible and infrared; each names the first pair and says how many pictures there are, and what to do. Equal
    files are one picture. splits: all pictures by split."""
    met: dict[bytes, list[Place]] = {}
    pairs: dict[str, list[tuple[Place, Place]]] = {differing: [] for differing in SAID}
    for split, samples in splits.items():
        for row, encoded in enumerate(samples.encoded):
            one = Place(WORDS[split], samples.identity(row), samples.modality(row), samples.names[row])
            places = met.setdefault(hashlib.blake2b(encoded, digest_size=16).digest(), [])
            for earlier in places:
                differing = next((part for part in SAID if getattr(earlier, part) != getattr(one, part)), None)
                if differing is not None:
                    pairs[differing].append((earlier, one))
            if all(earlier[:3] != one[:3] for earlier in places):
                places.append(one)
    lines = []
    for differing, found in pairs.items():
        count = len({(one.split, one.name) for _, one in found})
        if found:
            lines.append(SAID[differing].format(*found[0], f" ({count} such pictures)" if count > 1 else ""))
    return lines
