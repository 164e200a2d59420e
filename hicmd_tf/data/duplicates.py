"""The same picture where it may not be: in two splits, or with two people's names."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hicmd_tf.data.samples import SPLITS, DataSplits
from hicmd_tf.notation import Modality


class Seen(NamedTuple):
    """A picture as it was met. split: in words. identity: as people read it. digest: of its file's content; equal ones
    are one picture."""

    digest: bytes
    split: str
    identity: str
    name: str
    modality: Modality

    @property
    def place(self) -> tuple[str, str, Modality]:
        """Where a picture may be any number of times."""
        return self.split, self.identity, self.modality


def digest(encoded: bytes) -> bytes:
    """Of a file's content, by which equal ones are known."""
    return hashlib.blake2b(encoded, digest_size=16).digest()


def seen(data: DataSplits) -> Iterator[Seen]:
    """All pictures of all splits."""
    for split, samples in data.unchecked.items():
        for row, (encoded, name) in enumerate(zip(samples.encoded, samples.names, strict=True)):
            yield Seen(digest(encoded), SPLITS[split], samples.identity(row), name, samples.modality(row))


def reported(pictures: Iterable[Seen]) -> Iterator[str]:
    """A line for pictures that are in two splits, one for those that two identities of a split have, one for those that
    are visible and infrared; each names the first pair and says how many pictures there are, and what to do. None where
    every picture has its place."""
    across: list[tuple[Seen, Seen]] = []
    within: list[tuple[Seen, Seen]] = []
    either: list[tuple[Seen, Seen]] = []
    for one, other in _pairs(pictures):
        if one.split != other.split:
            across.append((one, other))
        elif one.identity != other.identity:
            within.append((one, other))
        elif one.modality != other.modality:
            either.append((one, other))
    if across:
        one, other = across[0]
        yield (
            f"{one.name} ({one.split}) and {other.name} ({other.split}) are the same picture{_such(across)}: what was "
            f"trained on can't be tested, keep it in one split"
        )
    if within:
        one, other = within[0]
        yield (
            f"{one.name} of identity {one.identity} and {other.name} of identity {other.identity}, both {one.split}, "
            f"are the same picture{_such(within)}: it shows one of them, take the other out"
        )

    if either:
        one, other = either[0]
        yield (
            f"{one.name} ({one.modality}) and {other.name} ({other.modality}) of identity {one.identity}, both "
            f"{one.split}, are the same picture{_such(either)}: one camera took it, keep that one"
        )


def _pairs(pictures: Iterable[Seen]) -> Iterator[tuple[Seen, Seen]]:
    """Every picture that was met before, after the first such of each split, identity and modality."""
    first: dict[bytes, list[Seen]] = {}
    for picture in pictures:
        met = first.setdefault(picture.digest, [])
        yield from ((earlier, picture) for earlier in met)
        if not any(earlier.place == picture.place for earlier in met):
            met.append(picture)


def _such(pairs: list[tuple[Seen, Seen]]) -> str:
    count = len({(other.split, other.name) for _, other in pairs})
    return f" ({count} such pictures)" if count > 1 else ""
