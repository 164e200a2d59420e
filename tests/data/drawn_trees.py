"""Small folders laid out as the data sets are, with pictures of noise in them."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image


def picture(file: Path, seed: int = 0, size: tuple[int, int] = (20, 12), grey: bool = False) -> None:
    """A picture of noise, in colour or grey as infrared ones are; its suffix says in which format."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels[..., :1].repeat(3, axis=2) if grey else pixels).save(file)


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG of raw rows, for kinds that Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def vast_png(side: int = 60000) -> bytes:
    """A PNG whose head declares far more pixels than a picture may have, and that has none."""
    return png(side, side, 8, 2, bytes(9))


def listed(folder: Path, name: str, lines: list[str]) -> None:
    """A list of a data set."""
    (folder / "idx").mkdir(exist_ok=True)
    (folder / "idx" / name).write_text("\n".join(lines) + "\n")


def regdb(folder: Path, people: int = 6, pictures: int = 2, trial: int = 1) -> Path:
    """Half of the people train, in trial 2 the other half; labels begin at 0 in both halves."""
    for part, short in (("Visible", "v"), ("Thermal", "t")):
        lists: dict[str, list[str]] = {"train": [], "test": []}
        for person in range(1, people + 1):
            split = "train" if person % 2 == trial % 2 else "test"
            for number in range(pictures):
                name = f"{part}/{person}/male_back_{short}_{number:05d}_{person}.bmp"
                picture(folder / name, 100 * person + number, grey=part == "Thermal")
                lists[split].append(f"{name} {(person - 1) // 2}")
        for split, lines in lists.items():
            listed(folder, f"{split}_{part.lower()}_{trial}.txt", lines)
    return folder


def sysu_mm01(folder: Path, train: int = 4, val: int = 1, test: int = 3, pictures: int = 2) -> Path:
    """Everyone before every camera."""
    last = 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        people = range(last + 1, last + count + 1)
        last = people[-1]
        for camera in range(1, 7):
            for person in people:
                for number in range(1, pictures + 1):
                    file = folder / f"cam{camera}/{person:04d}/{number:04d}.jpg"
                    picture(file, 1000 * camera + 10 * person + number, grey=camera in (3, 6))
        (folder / "exp").mkdir(exist_ok=True)
        (folder / "exp" / f"{split}_id.txt").write_text(",".join(map(str, people)) + "\n")
    return folder


def llcm(folder: Path, people: int = 6, cameras: tuple[int, ...] = (1, 2)) -> Path:
    """Half of the people train."""
    for part in ("vis", "nir"):
        lists: dict[str, list[str]] = {"train": [], "test": []}
        for person in range(1, people + 1):
            for camera in cameras:
                name = f"{part}/{person:04d}/{person:04d}_c{camera:02d}_s100_f{person}_{part}.jpg"
                picture(folder / name, 10 * person + camera, grey=part == "nir")
                lists["train" if person % 2 else "test"].append(f"{name} {(person - 1) // 2}")
        for split, lines in lists.items():
            listed(folder, f"{split}_{part}.txt", lines)
    return folder


def own(folder: Path, names: tuple[str, ...] = ("3", "5", "11", "12")) -> Path:
    """One folder an identity, modality by sub-folder; half of the people train."""
    for place, name in enumerate(names):
        split = "train" if place < len(names) // 2 else "test"
        for modality in ("visible", "infrared"):
            for number in (1, 2):
                file = folder / split / name / modality / f"cam{number}_{number}.png"
                picture(file, 10 * place + number, grey=modality == "infrared")
    return folder


def permutations(file: Path, rows: Mapping[tuple[int, int], object], **save: bool) -> Path:
    """SYSU-MM01's rand_perm_cam.mat as the real one is: six cells of one cell per person, 0 x 0 where there is nothing.

    rows: by (camera, identity) ten permutations.
    """
    cells = np.empty((6, 1), object)
    for camera in range(6):
        cells[camera, 0] = np.empty((max(identity for _, identity in rows), 1), object)
        for place in range(len(cells[camera, 0])):
            cells[camera, 0][place, 0] = rows.get((camera + 1, place + 1), np.empty((0, 0)))
    scipy.io.savemat(file, {"rand_perm_cam": cells}, **save)
    return file


TREES = {"regdb": regdb, "sysu_mm01": sysu_mm01, "llcm": llcm, "folder": own}
