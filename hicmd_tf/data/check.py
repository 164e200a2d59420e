"""Whether a data set is whole, before anything is trained on it, and the command that trains on it."""

import itertools
import math
import shlex
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hicmd_tf.config import load, value_of
from hicmd_tf.config.kinds import EMBEDDING, HICMD, MethodName
from hicmd_tf.config.schema import CheckPolicy
from hicmd_tf.data.batches import fitting
from hicmd_tf.data.duplicates import reported
from hicmd_tf.data.labels import named
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS, DataSet, Listing
from hicmd_tf.data.sources.data_set import Counts, word
from hicmd_tf.data.sources.records import read_pictures
from hicmd_tf.data.times import shown
from hicmd_tf.data.usable import usable
from hicmd_tf.errors import UserError, counted, printable, some, waiting
from hicmd_tf.notation import MODALITIES
from hicmd_tf.tables import as_text

LISTED = 20  # names of people, or cameras, in a line
SMALL = "tiny_strong"
COMMANDS: tuple[tuple[str, MethodName, str], ...] = (
    ("a small plain ResNet, to find people, for a CPU:", EMBEDDING, SMALL),
    ("a plain ResNet-50, to find people, for a GPU:", EMBEDDING, ""),
    ("Hi-CMD, which also makes pictures:", HICMD, ""),
)
"""What `check` says before each command, its method, and its configuration where it isn't the data set's own."""


def table(splits: Mapping[str, Samples], known: Counts) -> str:
    """Identities, pictures and cameras of every split and modality, beside the known counts."""
    lines = [["split", "modality", "identities", "pictures", "cameras", "known"]]
    for split, samples in splits.items():
        for m in MODALITIES:
            found = samples.of(m)
            counts = len(np.unique(found.identities[found.known])), len(found)
            said = known.get((split, m))
            verdict = "-" if said is None else "the same" if said == counts else f"{said[0]} and {said[1]}"
            cameras = list(named(found.cameras, found.texts).values())
            names = ",".join(cameras) if len(cameras) < 10 and len(",".join(cameras)) < 20 else str(len(cameras))
            lines.append([split, m, *(f"{count:,}" for count in counts), names, verdict])
    return as_text(lines, "<<>>><")


def labels(samples: Samples) -> Iterator[str]:
    """People and cameras by name, one line each."""
    people = [printable(name) for name in named(samples.identities[samples.known], samples.texts).values()]
    yield f"{counted(len(people), 'person')}: {some(people, LISTED)}"
    strangers = int(np.count_nonzero(~samples.known))
    if strangers:
        yield f"{counted(strangers, 'picture')} of unknown people, who are looked through and never looked for"
    for m in MODALITIES:
        taken = samples.of(m).cameras
        cameras = [
            f"{printable(name)} ({counted(int(np.count_nonzero(taken == camera)), 'picture')})"
            for camera, name in named(taken, samples.texts).items()
        ]
        yield f"{m} cameras: {some(cameras, LISTED)}"


def times(folder: Path, listing: Listing) -> str:
    """When pictures were taken, or else their files last changed, which is what a gallery keeps as their time."""
    said = [record.time for record in listing.records if not math.isnan(record.time)]
    files = [(folder / record.name).stat().st_mtime for record in listing.records if math.isnan(record.time)]
    parts = [
        f"from {shown(min(found), 'minutes')} to {shown(max(found), 'minutes')} {by}"
        for found, by in ((said, f"as said of {counted(len(said), 'picture')}"), (files, "by the files"))
        if found
    ]
    return f"times: {'; '.join(parts)}, as hicmd search takes them"


def check(
    name: str,
    folder: Path,
    pattern: str = "",
    trial: int | None = None,
    sixteen_bit: str = "",
    policy: CheckPolicy = "stop",
) -> None:
    """Prints what a data set holds, warns of what need not be wrong, and ends with the command to go on with.

    name: of the data set. pattern, sixteen_bit, policy: as the settings data.*. trial: only this split; None for all.
    Raises UserError for whatever is missing, corrupt or makes no sense.
    """
    source = DATA_SETS[name]
    trials = [trial] if trial is not None else range(1, source.trials + 1)
    listings = {trial: source.read(folder, trial, pattern) for trial in trials}
    parts = {}
    for trial, listing in listings.items():
        title = f"{name}, trial {trial}" if source.trials > 1 else name
        parts[title] = {split: read_pictures(folder, of, listing.texts) for split, of in listing.splits.items()}
        everyone = read_pictures(folder, listing.records, listing.texts)
        when = [times(folder, listing)] if source.patterned else []
        print("\n".join([title, *labels(everyone), *listing.taken, *when]), flush=True)
    for line in source.remarks(folder, listings):
        warnings.warn(line, stacklevel=2)
    pictures = {record for listing in listings.values() for record in listing.records}
    whole = set(usable(read_pictures(folder, pictures, sixteen_bit=sixteen_bit), policy, "all").names)
    if len(whole) < len(pictures):
        parts = {
            title: {
                split: of.select(np.array([one in whole for one in of.names], bool)) for split, of in splits.items()
            }
            for title, splits in parts.items()
        }
    waiting("comparing pictures")
    for title, splits in parts.items():
        found = reported(splits)
        if found:
            raise UserError(f"{folder}, {title}: {'; and '.join(found)}")
    for title, splits in parts.items():
        print(f"\n{title}\n{table(splits, source.counts)}")
    can = f"all {len(pictures):,}" if len(whole) == len(pictures) else f"{len(whole):,} of {len(pictures):,}"
    print(f"\n{can} pictures can be decoded, and each is in one split and of one identity; go on with")
    skips = policy if len(whole) < len(pictures) else ""
    for words, method, configuration in COMMANDS:
        print(words)
        print(
            shlex.join(training_command(source, method, folder, listings, pattern, sixteen_bit, skips, configuration))
        )


def training_command(
    source: DataSet,
    method: MethodName,
    folder: Path,
    listings: Mapping[int, Listing],
    pattern: str = "",
    sixteen_bit: str = "",
    policy: str = "",
    configuration: str = "",
) -> list[str]:
    """The words of a `hicmd fit` that trains a method on a data set, with the largest batch that its training people
    allow.

    listings: by trial. pattern, sixteen_bit, policy: as the settings data.*; empty: the configuration's. configuration:
    of the method; empty: the data set's own.
    """
    suffix = f"_{configuration}" if configuration else "_strong" if method == EMBEDDING else ""
    configuration = configuration or source.configurations[method]
    config = load(configuration)
    people = min(len({record.identity for record in listing.splits["train"]}) for listing in listings.values())
    if method == EMBEDDING:
        wanted = {"embedding.people": min(people, config.embedding.people)}
    else:
        pairs, negatives = fitting(people, config.batch.pairs, max(config.batch.negatives, source.negatives))
        wanted = {"batch.pairs": pairs, "batch.negatives": negatives}
    first, last = min(listings), max(listings)
    run = word(folder.resolve().name) if source.patterned else source.name
    options = {
        "--data.name": "" if config.data.name == source.name else source.name,
        "--data.source": str(folder),
        "--data.pattern": pattern,
        "--data.sixteen_bit": sixteen_bit,
        "--data.check": policy,
        "--data.trial": str(first) if source.trials > 1 and first == last else "",
        "--trials": f"{first}-{last}" if first < last else "",
        **{f"--{key}": str(number) for key, number in wanted.items() if number != value_of(config, key)},
        "--run": f"runs/{run}{suffix}",
    }
    given = [(name, value) for name, value in options.items() if value]
    words = [[f"{name}={value}"] if value.startswith("-") else [name, value] for name, value in given]
    return ["hicmd", "fit", "--config", configuration, *itertools.chain.from_iterable(words)]
