"""An extraction in a folder: the list of its pictures, a file for each part that is done, and what it is of.

A part is written under another name and renamed, by one process alone: a kill leaves it whole or absent. So the same
command goes on with the parts that are missing, and every picture is in one part, once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hicmd_tf.data.labels import UNKNOWN, UNKNOWN_TEXT
from hicmd_tf.data.sources.index import is_url
from hicmd_tf.errors import UserError, counted
from hicmd_tf.extraction.listed import Picture, read_packed, read_part, samples_of, write_list
from hicmd_tf.extraction.work import Found
from hicmd_tf.files import alone, is_leftover, read_text, replacing, sweep, write_json
from hicmd_tf.retrieval.stored import (
    EXTRACTION,
    FAILED,
    NPZ,
    PARQUET,
    WRITING,
    read_descriptors,
    write_descriptors,
)

Array = np.ndarray[Any, Any]
Begin = Callable[[], Iterable[Picture]]
"""Looks for the pictures, when an extraction begins."""
About = Callable[[], tuple[str, int]]
"""SHA-256 of a model's weights, and E of its descriptors."""

JOINED = "extraction"
"""Array of .npz, and metadata of Parquet, with the manifest of what became one file."""
LIST, LOCK, BESIDE = "_pictures.jsonl.gz", "_lock", ".parts"
"""Whoever reads a folder of Parquet passes over names that begin so."""
PARTS = "part-*"
PART = 1024  # pictures of a part


class Out(NamedTuple):
    """Where descriptors go. target: as it was named. kind: of the parts. single: whether they become one file."""

    target: Path
    kind: Literal[".npz", ".parquet"]
    single: bool

    @classmethod
    def of(cls, text: str) -> "Out":
        """By the name: a file in .npz or .parquet, or a folder of parts. Raises ValueError for another suffix, for a
        folder where a file is meant, and for a URL."""
        if is_url(text):
            raise ValueError("is a URL, expected a place on this machine: copy what is there afterwards")
        path = Path(text)
        for kind in (NPZ, PARQUET):
            if path.suffix.lower() == kind and not text.endswith("/"):
                if path.is_dir():
                    raise ValueError("is a folder, and means a file: end its name with /, or name another one")
                return cls(path, kind, True)  # type: ignore[arg-type]
        if path.suffix and not path.is_dir() and not text.endswith("/"):
            raise ValueError(f"ends in {path.suffix}, expected {NPZ}, {PARQUET}, or a folder, whose name ends in /")
        return cls(path, ".parquet", False)

    @property
    def folder(self) -> Path:
        """Of the parts."""
        return self.target.with_name(f"{self.target.name}{BESIDE}") if self.single else self.target


class Manifest(BaseModel):
    """of: what was asked for, by option. root: where relative paths begin. digest: SHA-256 of the index, where there is
    one. rows: pictures. parts: how many. size: pictures of each. offsets, cameras, people: as `Listed` has them. model:
    SHA-256 of the weights. length: of a descriptor."""

    model_config = ConfigDict(strict=True, frozen=True)

    format: Literal[1] = 1
    of: dict[str, str]
    root: str
    digest: str
    rows: int = Field(ge=1)
    parts: int = Field(ge=1)
    size: int = Field(ge=1)
    offsets: list[int]
    cameras: bool
    people: list[int]
    model: str
    length: int = Field(ge=1)


@dataclass(frozen=True)
class Summary:
    """What is in finished parts. described, failed: pictures. named: some of these with their reasons. flat: how many
    are nearly constant, and some of them."""

    described: int
    failed: int
    named: list[str]
    flat: int
    flat_named: list[str]


class Job:
    """An extraction that has begun. out: where it goes. manifest: what it is of. joined: whether its parts are one file
    already."""

    def __init__(self, out: Out, manifest: Manifest, joined: bool = False) -> None:
        self.out, self.manifest, self.joined = out, manifest, joined
        self.folder = out.folder
        self.kept = 0
        """Pictures that can't be used now, and keep the descriptors that they had."""
        self._replaced: _Before | None = None

    @property
    def place(self) -> Path:
        """Where what is done lies."""
        return self.out.target if self.joined else self.folder

    def path(self, part: int) -> Path:
        """The file of a part."""
        return self.folder / f"part-{part:06}{self.out.kind}"

    def pictures(self, part: int) -> list[Picture]:
        """The pictures of a part."""
        return read_part(self.folder / LIST, self.manifest.offsets, part)

    def packed(self, part: int) -> bytes:
        """The same, to be sent to another process."""
        return read_packed(self.folder / LIST, self.manifest.offsets, part)

    def count(self, part: int) -> int:
        """How many pictures a part has."""
        return min(self.manifest.size, self.manifest.rows - part * self.manifest.size)

    def pending(self, again: bool) -> list[int]:
        """Parts that are not done; again: and those with a picture that could not be described."""
        every = () if self.joined else range(self.manifest.parts)
        return [
            part for part in every if not self.path(part).is_file() or (again and self._results(self.path(part))[0])
        ]

    def put(self, found: Iterable[Found], wanted: Iterable[int], progress: Callable[[int], object]) -> None:
        """Writes each of the wanted parts when all of it is found. What comes twice, from a worker that was killed and
        is replaced, counts once. progress: told how many pictures came."""
        left, open_parts = {*wanted}, dict[int, _Open]()
        for some in found:
            if some.part not in left:
                continue
            if some.part not in open_parts:
                open_parts[some.part] = _Open(self.count(some.part), self.manifest.length)
            gathered = open_parts[some.part]
            progress(gathered.add(some))
            if gathered.whole:
                self._write(some.part, open_parts.pop(some.part))
                left.remove(some.part)
        if left:
            raise UserError(f"{counted(len(left), 'part')} did not come back: give the same command again")

    def _write(self, part: int, found: "_Open") -> None:
        samples = samples_of(self.pictures(part), self.manifest.cameras)
        if found.errors and self.path(part).is_file():
            self._keep(self._before(self.path(part)), samples.names, found)
        if found.errors and self.out.single and self.out.target.is_file():
            self._replaced = self._replaced or self._before(self.out.target)  # read once: all parts may ask
            self._keep(self._replaced, samples.names, found)
        write_descriptors(self.path(part), found.descriptors, samples, self.manifest.model, found.errors, found.flat)

    def _before(self, file: Path) -> "_Before":
        """What a file has that is to be replaced."""
        found = read_descriptors(file)
        usable = found.model == self.manifest.model
        rows = {name: row for row, name in enumerate(found.samples.names)} if usable else {}
        return _Before(found.descriptors, rows, {*self._results(file)[1]})

    def _keep(self, before: "_Before", names: Sequence[str], found: "_Open") -> None:
        """Takes what there is already of pictures that can't be used now: a disk may be away. names: of the part's."""
        for row in [row for row in found.errors if names[row] in before.rows]:
            found.descriptors[row] = before.descriptors[before.rows[names[row]]]
            found.flat[row] = names[row] in before.flat
            del found.errors[row]
            self.kept += 1

    def _results(self, file: Path) -> tuple[list[tuple[str, str]], list[str]]:
        """Names and reasons of a file's pictures without a descriptor, and names of those that are nearly constant."""
        if self.out.kind == NPZ:
            with np.load(file, allow_pickle=False) as arrays:
                failed = zip(*(arrays[key].tolist() for key in FAILED), strict=True) if FAILED[0] in arrays else ()
                return [*failed], arrays["names"][arrays["flat"]].tolist() if "flat" in arrays else []
        import pyarrow.parquet as pq

        bad, constant = list[tuple[str, str]](), list[str]()
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(columns=["path", "error", "flat"], use_threads=False):
                rows = [*zip(*(batch.column(name).to_pylist() for name in ("path", "error", "flat")), strict=True)]
                bad += [(path, error) for path, error, _ in rows if error]
                constant += [path for path, _, flat in rows if flat]
        return bad, constant

    def summary(self, most: int) -> Summary:
        """Of all parts. most: names of each kind."""
        failed, flat, named, flat_named = 0, 0, list[str](), list[str]()
        for file in [self.place] if self.joined else map(self.path, range(self.manifest.parts)):
            bad, constant = self._results(file)
            failed, flat = failed + len(bad), flat + len(constant)
            named += [f"{name} {why}" for name, why in bad[: most - len(named)]]
            flat_named += constant[: most - len(flat_named)]
        return Summary(self.manifest.rows - failed, failed, named, flat, flat_named)

    def finish(self) -> None:
        """One file of all parts, where one was asked for, in the place of their folder."""
        if not self.out.single or self.joined:
            return
        parts = [self.path(part) for part in range(self.manifest.parts)]
        of = self.manifest.model_dump_json()
        (_join_npz if self.out.kind == NPZ else _join_parquet)(parts, self.out.target, of)
        (self.folder / EXTRACTION).unlink()  # first: parts without it are of a file that is whole
        _clear(self.out)


class _Before(NamedTuple):
    """descriptors: of a file. rows: by the names of their pictures. flat: names of those that are nearly constant."""

    descriptors: Array
    rows: dict[str, int]
    flat: set[str]


class _Open:
    """A part that is being gathered."""

    def __init__(self, rows: int, length: int) -> None:
        self.descriptors = np.full((rows, length), np.nan, np.float32)
        self.errors, self.flat, self._there = dict[int, str](), np.zeros(rows, bool), np.zeros(rows, bool)

    @property
    def whole(self) -> bool:
        """Whether every row is there."""
        return bool(self._there.all())

    def add(self, found: Found) -> int:
        """Takes some rows; says how many are new."""
        before = int(self._there.sum())
        self.descriptors[found.rows], self.flat[found.rows] = found.descriptors, found.flat
        self.errors |= {row: why for row, why in zip(found.rows, found.errors, strict=True) if why}
        self._there[found.rows] = True
        if self.whole:
            self.errors = dict(sorted(self.errors.items()))
        return int(self._there.sum()) - before


@contextmanager
def begun(
    out: Out, of: dict[str, str], root: str, digest: str, size: int | None, about: About, begin: Begin, again: bool
) -> Iterator[Job]:
    """The extraction in a folder, which nobody else works on meanwhile: begun, or gone on with.

    Args:
        out: where it goes.
        of: what was asked for, by option; another one in the same place is refused.
        root: where relative paths begin.
        digest: SHA-256 of the index, where there is one.
        size: pictures of a part; None: as it was begun.
        about: opens the model, when all else is right.
        begin: looks for the pictures, when none were listed yet.
        again: whether a file that is finished, and has pictures without a descriptor, is made anew.
    """
    folder = out.folder
    manifest = folder / EXTRACTION
    busy = f"{folder} is being filled by another process: wait until that ends"
    if out.single and out.target.exists():
        whole = Job(out, _read_joined(out), joined=True)
        _refuse_other(out.target, whole.manifest, of, digest, size)
        if folder.is_dir() and not (manifest.is_file() and (folder / LIST).is_file()):
            with alone(folder / LOCK, busy):
                manifest.unlink(missing_ok=True)
                _clear(out)  # what was killed after it had made the file
        if not manifest.is_file():
            about = _same(about())
            _refuse_model(out.target, whole.manifest, *about())
            if not (again and whole.summary(0).failed):
                yield whole
                return
    made = not folder.exists()
    there = folder.is_dir() and (manifest.is_file() or all(_ours(out, file) for file in folder.iterdir()))
    if folder.exists() and not there:
        raise UserError(f"{folder} exists already and is no extraction: name another --out")
    pictures = () if manifest.is_file() else begin()  # before anything is written, which may be where they lie
    with alone(folder / LOCK, busy):
        sweep(folder)
        if manifest.is_file():
            found = _read(manifest)
            _refuse_other(folder, found, of, digest, size)
            _refuse_model(folder, found, *about())
            yield Job(out, found)
            return
        for part in folder.glob(PARTS) if out.single else ():
            part.unlink()  # of a file that was whole, and is gone
        try:
            listed = write_list(folder / LIST, pictures, size or PART, of.get("--images", of.get("--source", "")))
            model, length = about()
        except UserError:
            _clear(out, folder=made)
            raise
        found = Manifest(
            of=of,
            root=root,
            digest=digest,
            rows=listed.rows,
            parts=len(listed.offsets) - 1,
            size=size or PART,
            offsets=listed.offsets,
            cameras=listed.cameras,
            people=listed.people,
            model=model,
            length=length,
        )
        write_json(manifest, found.model_dump())
        yield Job(out, found)


def _same(found: tuple[str, int]) -> About:
    """What says again what is known of a model, which is opened once."""
    return lambda: found


def _ours(out: Out, file: Path) -> bool:
    """Whether a file may be left of an extraction that was killed before it had begun, or after it was one file."""
    return file.name in (LOCK, LIST) or is_leftover(file) or (out.single and file.match(PARTS))


def _clear(out: Out, folder: bool = True) -> None:
    """Deletes what an extraction has written into its folder, and nothing else. folder: and that, where it is empty."""
    for file in [*out.folder.iterdir()]:
        if _ours(out, file) and file.is_file():
            file.unlink()
    if folder and not any(out.folder.iterdir()):
        out.folder.rmdir()


def _read(file: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(read_text(file, "expected what hicmd extract wrote"))
    except ValidationError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{file} is damaged ({reason}): delete its folder, and begin again") from error


ANOTHER = "name another --out, or delete it"


def _read_joined(out: Out) -> Manifest:
    """What a file of descriptors says that it is of. Raises UserError where it says nothing: it may be anything."""
    try:
        if out.kind == NPZ:
            with np.load(out.target, allow_pickle=False) as arrays:
                text = str(arrays[JOINED])
        else:
            import pyarrow.parquet as pq

            text = pq.read_metadata(out.target).metadata[JOINED.encode()].decode()
        return Manifest.model_validate_json(text)
    except Exception as error:  # whatever another file may raise
        raise UserError(
            f"{out.target} exists already, and is no extraction that can be gone on with (or one by an earlier "
            f"version): {ANOTHER}"
        ) from error


def _refuse_other(folder: Path, found: Manifest, of: dict[str, str], digest: str, size: int | None) -> None:
    """Raises UserError where an extraction is not what is asked for."""
    for option in sorted({*found.of, *of}):
        one, other = found.of.get(option), of.get(option)
        if one != other:
            was = f"with {option} {one}" if one else f"without {option}"
            raise UserError(f"{folder} was begun {was}, now it is {other or 'not given'}: {ANOTHER}")
    if found.digest != digest:
        raise UserError(f"{folder} was begun with another content of {of.get('--images')}: {ANOTHER}")
    if size not in (None, found.size):
        raise UserError(f"{folder} was begun with --part {found.size}, now it is {size}: leave it out")


def _refuse_model(folder: Path, found: Manifest, model: str, length: int) -> None:
    if (found.model, found.length) != (model, length):
        raise UserError(f"{folder} was begun with the model {found.model[:12]}, this is {model[:12]}: {ANOTHER}")


def _join_parquet(parts: list[Path], target: Path, of: str) -> None:
    """One file of several, a part at a time in memory. of: what it is of, for who gives the same command again."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(parts[0]).with_metadata({JOINED: of})
    with replacing(target) as file, pq.ParquetWriter(file, schema, **WRITING) as writer:
        for part in parts:
            writer.write_table(pq.read_table(part, use_threads=False))


def _join_npz(parts: list[Path], target: Path, of: str) -> None:
    """The same of .npz, whose arrays follow each other in the file: each is written part by part."""
    keys = dict[str, None]()
    for part in parts:
        with np.load(part, allow_pickle=False) as arrays:
            keys |= dict.fromkeys(arrays.files)
            model = arrays["model"]

    def each(key: str) -> Iterator[Array]:
        for part in parts:
            with np.load(part, allow_pickle=False) as arrays:
                rows = len(arrays["names"])
                yield arrays[key] if key in arrays else np.full(0 if key in FAILED else rows, LACKING.get(key, ""))

    with replacing(target) as file, ZipFile(file, "w", ZIP_STORED, allowZip64=True) as archive:
        for key in (key for key in keys if key != "model"):  # in one order in every process
            kinds = [(found.dtype, found.shape) for found in each(key)]
            shape = (sum(shape[0] for _, shape in kinds), *kinds[0][1][1:])
            dtype = np.result_type(*(dtype for dtype, _ in kinds))
            head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_2_0(member, head)
                for found in each(key):
                    member.write(np.ascontiguousarray(found, dtype).tobytes())
        for key, single in (("model", model), (JOINED, np.array(of))):
            with archive.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array(member, single)


LACKING = {"tracks": UNKNOWN, "track_texts": UNKNOWN_TEXT, "times": np.nan, "flat": False}
"""What a part says of its rows that has not an array which others have."""
