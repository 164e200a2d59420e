"""People's own pictures: DIR/train/ID/visible/*.png, DIR/train/ID/infrared/*.png, and the same below DIR/test.

ID is any name (`labels`); unknown, or -1, is nobody, and can only be tested on. Files' names may have the camera's, as
cam3 or _c03 (`paths`); where none has one visible pictures are by camera 1, infrared ones by camera 2. With a pattern
the pictures below DIR may lie as they will.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hicmd_tf.config.kinds import compiled
from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.labels import number, numbered, texts_of
from hicmd_tf.data.searches import hidden
from hicmd_tf.data.sources.data_set import DataSet, word
from hicmd_tf.data.sources.paths import DATE, Paths, Said, camera_of, modality_of
from hicmd_tf.data.sources.records import (
    PICTURES,
    Listing,
    Record,
    checked,
    existing,
    refuse_unwritable,
    samples_of,
)
from hicmd_tf.data.sources.walking import Passed, folders, sentences, walked
from hicmd_tf.errors import UserError, printable
from hicmd_tf.notation import MODALITIES, VISIBLE, Modality

SPLITS = ("train", "test")
SETTING, OPTION = "data.pattern", "--pattern"
NO_MATCH = "the pattern does not match"
NO_SPLIT = f"not below {' or '.join(SPLITS)}"
NO_MODALITY = f"in no folder {' or '.join(MODALITIES)} of a person"
TOO_DEEP = f"too deep, below a person's {' or '.join(MODALITIES)}"
OTHER_SPLIT = f"of a split that is not {' or '.join(SPLITS)}"
ALONE = {m: str(1 if m == VISIBLE else 2) for m in MODALITIES}
"""Cameras of pictures whose names have none, where no name has one."""
BESIDE = {m: f"unnamed {m}" for m in MODALITIES}
"""The same beside pictures whose names have one, which may be 1 or 2."""


class Found(NamedTuple):
    """A picture that has its place: its name, what its path says, and its modality."""

    name: str
    said: Said
    modality: Modality


class Folder(DataSet):
    """Judged by Market-1501's rules: a query sees none of its person by its own camera, and CMC counts pictures."""

    name = "folder"
    layout = "train/ID/visible, train/ID/infrared, and the same below test/, with pictures in each"
    obtained = "put your own pictures there"
    protocol = "market1501"
    patterned = True

    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        """All pictures below the folder.

        pattern: a regular expression with named groups (`kinds.GROUPS`); empty for the layout above.
        """
        existing(folder, *(() if pattern else SPLITS), advice=self.advice)
        walk = walked(folder)
        if pattern:
            found = _by_pattern(folder, walk.pictures, walk.passed, compiled(pattern, SETTING))
        else:
            found = _by_layout(folder, walk.pictures, walk.passed, self.advice)
        everyone = [one for split in SPLITS for one in found[split]]
        records, texts = _records(folder, everyone)
        for split in SPLITS:
            if not found[split]:
                said = f"{SETTING} {pattern!r} finds none" if pattern else self.advice
                raise UserError(f"{folder / split} has no pictures ({', '.join(PICTURES)}): {said}")
        listing = checked(folder, {split: [records[one.name] for one in found[split]] for split in SPLITS}, texts)
        dated = sorted({one.said.identity for one in everyone if one.said.identity and DATE.search(one.said.identity)})
        called = f"{len(dated):,} people are called like days, such as {dated[0]}: a day is no person" if dated else ""
        return listing._replace(taken=_taken(everyone), passed=[*sentences(walk.passed), *filter(None, [called])])

    def called(self, config: DataConfig) -> str:
        """By the folder, too: everyone has their own."""
        return f"{self.name}_{word(Path(config.source).resolve().name)}"

    def remarks(self, folder: Path, listings: Mapping[int, Listing]) -> Iterator[str]:
        """What was passed over, and which cameras took the test's people in both modalities, and so hide matches."""
        listing = listings[1]
        yield from listing.passed
        samples = samples_of([b""] * len(listing.splits["test"]), listing.splits["test"], listing.texts)
        for search in self.searches(samples):
            found = hidden(samples, search)
            if found.some:
                yield found.words(listing.texts)


def anything(folder: Path, modality: Modality | None, pattern: str = "") -> Listing:
    """Every picture below a folder, at any depth, as the split `all`: of one modality, or of that which the nearest
    folder so named says; whom it shows and by which camera as `paths` reads it.

    pattern: as `Folder.listing` has it, given by --pattern. Raises UserError when there are no pictures, or one's
    modality isn't known or is another than the given one.
    """
    existing(folder, advice="give a folder with pictures")
    rule = compiled(pattern, OPTION) if pattern else None
    if rule is not None and "split" in rule.groupindex:
        raise UserError(f"{OPTION} has a group split, which is for training ({SETTING}): leave its name out here")
    walk = walked(folder)
    paths, found = Paths(folder, walk.pictures, modality, rule), []
    for name in walk.pictures:
        said = paths.read(name)
        if said is None:
            walk.passed.setdefault(NO_MATCH, []).append(name)
        elif said.modality is None:
            raise UserError(
                f"{folder / name} lies below no folder named {' or '.join(MODALITIES)}: say which it is with "
                "--modality, or, where others lie in such folders, move it into one, or away"
            )
        else:
            found.append(Found(name, said, said.modality))
    records, texts = _records(folder, found)
    refuse_unwritable(folder, records.values())
    passed = sentences(walk.passed)
    if not records:
        why = f" ({passed[0]})" if passed else ""
        raise UserError(
            f"{folder} has no pictures ({', '.join(PICTURES)}) at any depth{why}: give a folder that has some"
        )
    return Listing({"all": sorted(records.values())}, texts, _taken(found), passed)


def _by_layout(folder: Path, names: Iterable[str], passed: Passed, advice: str) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {split: [] for split in SPLITS}
    for name in names:
        split, *parts = name.split("/")
        modality = modality_of(parts[1]) if len(parts) > 2 else None
        if split not in SPLITS:
            passed.setdefault(NO_SPLIT, []).append(name)
        elif modality is None:
            passed.setdefault(NO_MODALITY, []).append(name)
        elif len(parts) > 3:
            passed.setdefault(TOO_DEEP, []).append(name)
        else:
            camera = camera_of(Path(name).stem)
            said = Said(
                parts[0], modality, camera, split, f"the folder below {' and '.join(SPLITS)}", "the file's name"
            )
            found[split].append(Found(name, said, modality))
    for split in SPLITS:
        existing(folder / split, advice=advice)
        if found[split]:
            seen = {one.said.identity for one in found[split]}
            for person in folders(folder / split):
                if person not in seen:
                    raise UserError(
                        f"{folder / split / person} has no pictures below {' or '.join(MODALITIES)}: {advice}"
                    )
    return found


def _by_pattern(folder: Path, names: Sequence[str], passed: Passed, pattern: re.Pattern[str]) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {split: [] for split in SPLITS}
    paths = Paths(folder, names, None, pattern)
    for name in names:
        said = paths.read(name)
        if said is None:
            passed.setdefault(NO_MATCH, []).append(name)
            continue
        split = said.split if "split" in pattern.groupindex else name.split("/")[0]
        if split not in SPLITS:
            passed.setdefault(OTHER_SPLIT if "split" in pattern.groupindex else NO_SPLIT, []).append(name)
        elif said.modality is None:
            raise UserError(
                f"{folder / name}: neither {SETTING} nor a folder named {' or '.join(MODALITIES)} says its modality: "
                "give the pattern a group modality"
            )
        else:
            found[split].append(Found(name, said, said.modality))
    return found


def _records(folder: Path, found: Sequence[Found]) -> tuple[dict[str, Record], dict[int, str]]:
    """Records by name, and texts by number."""
    people = {one.said.identity for one in found if one.said.identity}
    numbers = numbered(people, f"{folder}: two folders")
    defaults = _default_cameras(found)
    cameras = {one.name: one.said.camera or defaults[one.modality] for one in found}
    records = {
        one.name: Record(one.name, numbers.get(one.said.identity or "", -1), one.modality, number(cameras[one.name]))
        for one in found
    }
    return records, texts_of([*people, *cameras.values()])


def _default_cameras(found: Sequence[Found]) -> dict[Modality, str]:
    return BESIDE if any(one.said.camera for one in found) else ALONE


def _taken(found: Sequence[Found]) -> list[str]:
    """What was taken for people and for cameras, from which part of the path, with an example."""
    people = [(one.said.identity, one.said.identity_by, one.name) for one in found]
    strangers = [(None if number(label or "-1") < 0 else label, by, name) for label, by, name in people]
    cameras = [(one.said.camera, one.said.camera_by, one.name) for one in found]
    defaults = " and ".join(
        camera if m in camera else f"{camera} ({m})" for m, camera in _default_cameras(found).items()
    )
    return [
        _summed_up("identities", strangers, "unknown"),
        _summed_up("cameras", cameras, f"without, taken as {defaults}"),
    ]


def _summed_up(kind: str, labels: Iterable[tuple[str | None, str, str]], otherwise: str) -> str:
    """labels: (label, which part of the path says so, name) of each picture. otherwise: what those without are."""
    said: dict[str, list[tuple[str, str]]] = {}
    bare: list[str] = []
    for label, source, name in labels:
        if label is None:
            bare.append(name)
        else:
            said.setdefault(source, []).append((label, name))
    parts = [
        f"{len({number(label) for label, _ in of}):,} by {source}, such as {printable(f'{of[0][0]} in {of[0][1]}')}"
        for source, of in said.items()
    ]
    if bare:
        parts.append(
            f"{len(bare):,} {'picture' if len(bare) == 1 else 'pictures'} {otherwise}, such as {printable(bare[0])}"
        )
    return f"{kind}: {'; '.join(parts)}"
