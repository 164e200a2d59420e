"""`python -m hicmd_tf.data.check NAME DIR`: whether a data set is whole, before anything is trained on it."""

import argparse
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from hicmd_tf.data.sources import SOURCES, Listing, Record, read
from hicmd_tf.data.sources.catalogue import Counts
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.notation import MODALITIES

HEAD = f"{'split':<8}{'modality':<10}{'identities':>12}{'pictures':>10}{'cameras':>10}  known"


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
            yield f"{split:<8}{modality:<10}{counts[0]:>12,}{counts[1]:>10,}{numbers:>10}  {verdict}"


def undecodable(folder: Path, records: Sequence[Record]) -> list[str]:
    """Names of pictures that can't be decoded to the end."""
    bar = tqdm(records, "decoding", unit="picture", leave=False)
    return [record.name for record in bar if not _decodes((folder / record.name).read_bytes())]


def _decodes(encoded: bytes) -> bool:
    try:
        with Image.open(BytesIO(encoded), formats=("PNG", "JPEG", "BMP")) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, prints the table. Raises UserError for whatever is missing, corrupt or makes no sense."""
    parser = argparse.ArgumentParser("python -m hicmd_tf.data.check", description=__doc__)
    parser.add_argument("name", choices=SOURCES, help="data set")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the data set, as its authors hand it out")
    parser.add_argument("--trial", type=int, help="only this one of RegDB's ten splits; all by default")
    options = parser.parse_args(arguments)
    source = SOURCES[options.name]
    trials = [options.trial] if options.trial is not None else range(1, source.trials + 1)
    listings = {trial: read(options.name, options.folder, trial) for trial in trials}
    pictures = {record.name: record for listing in listings.values() for record in listing.records}
    for trial, listing in listings.items():
        print(f"{options.name}, trial {trial}" if source.trials > 1 else options.name)
        print(table(listing, source.counts), flush=True)
    bad = undecodable(options.folder, sorted(pictures.values()))
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise UserError(f"{options.folder}: {bad[0]}{more} can't be decoded: copy it again; {source.obtained}")
    print(f"all {len(pictures):,} pictures can be decoded")


if __name__ == "__main__":
    run_command(main)
