"""`python -m hicmd_tf.data.check NAME DIR`: whether a data set is whole, before anything is trained on it."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from hicmd_tf.arguments import Parser
from hicmd_tf.data.bounds import content
from hicmd_tf.data.duplicates import Seen, digest, reported
from hicmd_tf.data.samples import SPLITS
from hicmd_tf.data.sources import SOURCES, Listing, read
from hicmd_tf.data.sources.catalogue import Counts
from hicmd_tf.data.sources.sysu_mm01 import CAMERAS
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.notation import MODALITIES
from hicmd_tf.retrieval.permutations import Permutations, find_permutations, read_permutations

SPLIT_WORDS = {"train": SPLITS["train"], "val": "validation", "test": SPLITS["test"]}
HEAD = f"{'split':<8}{'modality':<10}{'identities':>12}{'pictures':>10}{'cameras':>20}  known"


def table(listing: Listing, known: Counts) -> str:
    """Identities, pictures and cameras of every split and modality, beside the known counts."""
    return "\n".join([HEAD, *_rows(listing, known)])


def _rows(listing: Listing, known: Counts) -> Iterator[str]:
    for split, records in listing.splits.items():
        for modality in MODALITIES:
            found = [record for record in records if record.modality == modality]
            cameras = sorted({record.camera for record in found})
            counts = len({record.identity for record in found}), len(found)
            said = known.get((split, modality))
            verdict = "-" if said is None else "the same" if said == counts else f"{said[0]} and {said[1]}"
            numbers = ",".join(map(str, cameras)) if len(cameras) <= 9 else str(len(cameras))
            yield f"{split:<8}{modality:<10}{counts[0]:>12,}{counts[1]:>10,}{numbers:>20}  {verdict}"


class Looked(NamedTuple):
    """flaws: of pictures that training could not use, in words behind their names. digests: of all, by name."""

    flaws: list[str]
    digests: dict[str, bytes]


def look(folder: Path, names: Sequence[str]) -> Looked:
    """Reads and decodes pictures, each once. Raises UserError for one that can't be read."""
    from hicmd_tf.data.usable import AT_ONCE, flawed  # TensorFlow's import takes seconds

    found = Looked([], {})
    with tqdm(total=len(names), desc="decoding", unit="picture", leave=False) as bar:
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            encoded = [content(folder / name) for name in part]
            found.flaws.extend(map(str, flawed(part, encoded)))
            found.digests.update(zip(part, map(digest, encoded), strict=True))
            bar.update(len(part))
    return found


def duplicates(listing: Listing, digests: dict[str, bytes]) -> list[str]:
    """In a line each, the same pictures in two splits, or of two identities of one."""
    pictures = (
        Seen(digests[record.name], SPLIT_WORDS[split], record.identity, record.name)
        for split, records in listing.splits.items()
        for record in records
    )
    return list(reported(pictures))


def miscounted(listing: Listing, permutations: Permutations) -> list[str]:
    """In words, which cameras have more or fewer pictures of a person than SYSU-MM01's rand_perm_cam.mat orders."""
    found = Counter((record.camera, record.identity) for record in listing.records)
    people = sorted({record.identity for record in listing.records})
    ordered = {key: rows.shape[1] for key, rows in permutations.items()}
    return [
        f"cam{key[0]}/{key[1]:04d} holds {found[key]}, expected {ordered.get(key, 0)} pictures"
        for key in itertools.product(CAMERAS, people)
        if found[key] != ordered.get(key, 0)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, prints the table. Raises UserError for whatever is missing, corrupt or makes no sense."""
    parser = Parser("python -m hicmd_tf.data.check", description=__doc__)
    parser.add_argument("name", choices=SOURCES, help="data set")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the data set, as its authors hand it out")
    parser.add_argument("--trial", type=int, help="only this one of RegDB's ten splits; all by default")
    options = parser.parse_args(arguments)
    source = SOURCES[options.name]
    trials = [options.trial] if options.trial is not None else range(1, source.trials + 1)
    listings = {trial: read(options.name, options.folder, trial) for trial in trials}
    names = sorted({record.name for listing in listings.values() for record in listing.records})
    for trial, listing in listings.items():
        print(f"{options.name}, trial {trial}" if source.trials > 1 else options.name)
        print(table(listing, source.counts), flush=True)
    if options.name == "sysu_mm01":
        _compare_with_permutations(options.folder, listings[1])
    flaws, digests = look(options.folder, names)
    if flaws:
        raise UserError(f"{options.folder}: {flaws[0]}{_more(flaws)}: copy it again; {source.obtained}")
    for trial, listing in listings.items():
        found = duplicates(listing, digests)
        if found:
            of = f", trial {trial}" if source.trials > 1 else ""
            raise UserError(f"{options.folder}{of}: {'; and '.join(found)}")
    print(f"all {len(names):,} pictures can be decoded, and each is in one split and of one identity")


def _compare_with_permutations(folder: Path, listing: Listing) -> None:
    """Where the folder has rand_perm_cam.mat, which tells how many pictures every camera took of everyone."""
    file = find_permutations(folder)
    wrong = miscounted(listing, read_permutations(file)) if file else []
    if wrong:
        raise UserError(f"{folder}: {wrong[0]} by {file}{_more(wrong)}: copy the whole data set there")


def _more(found: Sequence[str]) -> str:
    return f" and {len(found) - 1} more" if len(found) > 1 else ""


if __name__ == "__main__":
    run_command(main)
