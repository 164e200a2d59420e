"""People's own pictures: DIR/train/ID/visible/*.png, DIR/train/ID/infrared/*.png, and the same below DIR/test.

ID is any name (`labels`); unknown, or -1, is nobody, and can only be tested on. Files' names may have the camera's, as
cam3 or _c03 (`paths`); where none has one visible pictures are by camera 1, infrared ones by camera 2. With a pattern,
or with DIR/pictures.csv (`table`), the pictures below DIR may lie as they will.
"""

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from hicmd_tf.config.kinds import EMBEDDING, HICMD, compiled
from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.labels import UNKNOWN, number, numbered, shown, texts_of
from hicmd_tf.data.searches import refuse_hidden
from hicmd_tf.data.sources.data_set import DataSet, word
from hicmd_tf.data.sources.paths import Said, read_path
from hicmd_tf.data.sources.records import Listing, Record, checked, existing, mixed_track, read_pictures
from hicmd_tf.data.sources.table import SPLITS, TABLE, Table, elsewhere, read_table
from hicmd_tf.data.sources.walking import NAMED, NO_PICTURES, PICTURES, Passed, Walk, sentences, walked
from hicmd_tf.errors import UserError, counted, printable, some
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality, other

SETTING, OPTION = "data.pattern", "--pattern"
LAYOUT = re.compile(r"^(?P<split>[^/]+)/[^/]+/(?P<modality>[^/]+)/[^/]+$")
NOT_SO = f"not in a folder {' or '.join(MODALITIES)} of a person of {' or '.join(SPLITS)}"
NO_MATCH = "the pattern does not match"
NOT_LISTED = f"not in {TABLE}"
NO_SPLIT = f"not of the split {' or '.join(SPLITS)}"
NOT_BELOW = f"below no folder named {' or '.join(MODALITIES)}, and --modality does not say which"
NO_MODALITY = f"neither the pattern nor a folder says {' or '.join(MODALITIES)}"
ALONE = {VISIBLE: "1", INFRARED: "2"}
"""Cameras of pictures whose names have none, where no name has one."""
BESIDE = {m: f"unnamed {m}" for m in MODALITIES}
"""The same beside pictures whose names have one, which may be 1 or 2."""


class Folder(DataSet):
    """Judged by Market-1501's rules: a query sees none of its person by its own camera, and CMC counts pictures."""

    name = "folder"
    layout = "train/ID/visible, train/ID/infrared, and the same below test/, with pictures in each"
    obtained = "put your own pictures there"
    protocol = "market1501"
    configurations = {EMBEDDING: "own_strong", HICMD: "own"}  # noqa: RUF012 (constant)
    negatives = 40  # as in tiny; they are cheap

    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        """All pictures below the folder.

        pattern: a regular expression with named groups (`kinds.GROUPS`); empty for the layout above.
        """
        existing(folder, advice=self.advice)
        walk, table = _looked_through(folder, pattern, SETTING)
        if not pattern and table is None:
            within = folder.absolute().parent
            whole = all((within / split).is_dir() for split in SPLITS)
            existing(folder, *SPLITS, advice=f"name the folder above it, {within}" if whole else self.advice)
        if table is not None and any(said.split is None for said in table.said.values()):
            raise UserError(f"{table.file} has no column split: say of each picture {' or '.join(SPLITS)}")
        rule = compiled(pattern, SETTING) if pattern else LAYOUT
        says_split = table is not None or "split" in rule.groupindex
        found: dict[str, dict[str, Said]] = {split: {} for split in SPLITS}
        for name in walk.pictures:
            said = read_path(folder, name, None, rule) if table is None else table.said.get(name)
            split = said.split if said and says_split else name.split("/")[0]
            if said and said.modality and split in SPLITS:
                found[split][name] = said
            else:
                reason = NO_MATCH if said is None else NO_SPLIT if split not in SPLITS else NO_MODALITY
                reason = reason if pattern else NOT_SO if table is None else NOT_LISTED
                walk.passed.setdefault(reason, []).append(name)
        for split in SPLITS:
            if not found[split]:
                why = (
                    f"{SETTING} {pattern!r} finds none"
                    if pattern
                    else f"{table.file} has none"
                    if table
                    else self.advice
                )
                raise UserError(f"{folder}: the split {split} has no pictures ({', '.join(PICTURES)}): {why}")
        return checked(folder, _listing(folder, found, walk.passed, table))

    def called(self, config: DataConfig) -> str:
        """By the folder, too: everyone has their own."""
        return f"{self.name}_{word(Path(config.source).resolve().name)}"

    def remarks(self, folder: Path, listings: Mapping[int, Listing]) -> Iterator[str]:
        """Files passed over, people of the test in one modality only, and the cameras that took them in both, and so
        hide matches."""
        yield from listings[1].passed
        samples = read_pictures(folder, listings[1].splits["test"], listings[1].texts)
        known = samples.select(samples.known)
        for m in MODALITIES:
            lonely = np.setdiff1d(known.of(m).identities, known.of(other(m)).identities)
            alone = [printable(shown(one, samples.texts)) for one in lonely.tolist()]
            if alone:
                yield (
                    f"of {counted(len(alone), 'test person')} all pictures are {m}: {some(alone, NAMED)}; as "
                    f"queries they have no {other(m)} match and count nowhere, and in a gallery they only distract"
                )
        matches = (refuse_hidden(samples, search) for search in self.searches(samples))
        yield from (found.words for found in matches if found.some)


def anything(folder: Path, modality: Modality | None, pattern: str = "") -> Listing:
    """Every picture below a folder, at any depth, as the split `all`: of one modality, or of that which the nearest
    folder so named says; whom it shows and by which camera as `paths` reads it.

    pattern: as `Folder.listing` has it, given by --pattern. Raises UserError when there are no pictures of a known
    modality, or one's is another than the given one.
    """
    existing(folder, advice="give a folder with pictures")
    rule = compiled(pattern, OPTION) if pattern else None
    if rule is not None and "split" in rule.groupindex:
        raise UserError(f"{OPTION} has a group split, which is for training ({SETTING}): leave its name out here")
    (walk, table), found = _looked_through(folder, pattern, OPTION), dict[str, Said]()
    for name in walk.pictures:
        said = read_path(folder, name, modality, rule) if table is None else table.said.get(name)
        if said is None:
            walk.passed.setdefault(NO_MATCH if table is None else NOT_LISTED, []).append(name)
        elif table is not None and modality is not None and said.modality != modality:
            raise UserError(
                f"{name} is {said.modality} by {table.file}, but --modality says {modality}: leave that out"
            )
        elif said.modality is None:
            walk.passed.setdefault(NO_MODALITY if pattern else NOT_BELOW, []).append(name)
        else:
            found[name] = said
    loose = walk.passed.get(NO_MODALITY, []) or walk.passed.get(NOT_BELOW, [])
    if not found and loose:
        raise UserError(
            f"{folder}: {some(loose, NAMED)} {'lies' if len(loose) == 1 else 'lie'} below no folder named "
            f"{' or '.join(MODALITIES)}: say which {'it is' if len(loose) == 1 else 'they are'} with --modality, or "
            "move them into such folders"
        )
    if not found:
        why = "".join(f" ({line})" for line in sentences(walk.passed)[:1])
        raise UserError(
            f"{folder} has no pictures ({', '.join(PICTURES)}) at any depth{why}: give a folder that has some"
        )
    return _listing(folder, {"all": found}, walk.passed, table)


def _looked_through(folder: Path, pattern: str, named: str) -> tuple[Walk, Table | None]:
    """What lies below a folder, and the table that says what it is, where there is one.

    named: the option or setting of the pattern. Raises UserError where a pattern says the same, and as `read_table`
    does.
    """
    walk = walked(folder)
    table, others = read_table(folder, walk.pictures), walk.passed.pop(NO_PICTURES, [])
    unread = elsewhere(folder, others, pattern) if table is None else ""
    if unread:
        warnings.warn(unread, stacklevel=2)
    elif table is not None and pattern:
        raise UserError(f"{table.file} and {named} both say what pictures are: leave the pattern out")
    told = {name for name in others if name == TABLE or (unread and name.endswith(f"/{TABLE}"))}
    if told < set(others):
        walk.passed[NO_PICTURES] = [name for name in others if name not in told]
    return walk, table


def _listing(folder: Path, splits: Mapping[str, Mapping[str, Said]], passed: Passed, table: Table | None) -> Listing:
    """Records of pictures of which it is known what their paths, or a table, say. Raises UserError when two names are
    one number, and for a track of two people, cameras or modalities."""
    found = sorted((name, said) for part in splits.values() for name, said in part.items())
    people = numbered({said.identity for _, said in found if said.identity}, f"{folder}: two folders")
    tracks = numbered({said.track for _, said in found if said.track}, f"{folder}: two tracks")
    named = any(said.camera for _, said in found) if table is None else table.cameras
    cameras = BESIDE if named else ALONE
    records = {
        split: [
            Record(
                name,
                people.get(said.identity or "", UNKNOWN),
                m,
                number(said.camera or cameras[m]),
                tracks.get(said.track or "", UNKNOWN),
                math.nan if said.time is None else said.time,
            )
            for name, said in sorted(part.items())
            if (m := said.modality)
        ]
        for split, part in splits.items()
    }
    unnamed = " and ".join(one if m in one else f"{one} ({m})" for m, one in cameras.items())
    taken = [
        _taken("identities", "unknown", ((said.identity, said.identity_by, name) for name, said in found)),
        _taken(
            "cameras", f"without, taken as {unnamed}", ((said.camera, said.camera_by, name) for name, said in found)
        ),
    ]
    texts = texts_of([*people, *tracks, *cameras.values(), *(said.camera for _, said in found if said.camera)])
    mixed = mixed_track((record for part in records.values() for record in part), texts)
    if mixed:
        raise UserError(f"{folder}: {mixed}")
    if tracks:
        within = sum(said.track is not None for _, said in found)
        without = f"; in none, and so tracks of one: {len(found) - within:,}" if within < len(found) else ""
        taken.append(f"tracks: {len(tracks):,}, of {counted(within, 'picture')}{without}")
    odd, spelt = sentences(passed), dict[str, dict[int, str]]()
    for name, one in people.items():
        spelt.setdefault(name.strip().casefold(), {}).setdefault(one, name.strip())
    odd += [
        f"{' and '.join(map(printable, sorted(names.values())))} differ in capitals alone and are different people"
        for names in spelt.values()
        if len(names) > 1
    ]
    if table is not None and table.file.parent != folder:
        taken.insert(0, f"{table.file} says what these pictures are")
    return Listing(records, texts, taken, odd, None if table is None else table.file.parent)


def _taken(kind: str, otherwise: str, labels: Iterable[tuple[str | None, str, str]]) -> str:
    """The number of identities, or of cameras, by the part of the path that names them, with an example of each part.

    labels: of each picture its label, which part says so, and its name. otherwise: what those without are.
    """
    said: dict[str, dict[str, str]] = {}
    bare = []
    for label, source, name in labels:
        if label is None:
            bare.append(name)
        else:
            said.setdefault(source, {}).setdefault(label, name)
    firsts = ((source, len(names), *next(iter(names.items()))) for source, names in said.items())
    parts = [
        f"{count:,} by {source}, such as {printable(f'{label} in {name}')}" for source, count, label, name in firsts
    ]
    if bare:
        parts.append(f"{counted(len(bare), 'picture')} {otherwise}, such as {printable(bare[0])}")
    return f"{kind}: {'; '.join(parts)}"
