"""Descriptors, permutations, galleries and pretrained weights on disk: damaged, of other arrays, with code in them."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Material, Target
from bench.fuzzing.damage import blows, broken, told
from bench.fuzzing.places import PLACES, story
from bench.fuzzing.whole import copied

KEYS = ("descriptors", "identities", "cameras", "modality", "names", "model")
DATA = ("synthetic_vi", "regdb", "sysu_mm01", "llcm", "folder")

Arrays = dict[str, Any]


class Payload:
    """What must not run: unpickled, it would make a file where it is not to be overlooked."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("payload-ran",)


ODD_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "of objects": lambda a: np.array([Payload()] * len(np.atleast_1d(a)), object),
    "of text": lambda a: np.full(np.shape(a), "seven"),
    "of bytes": lambda a: np.full(np.shape(a), b"seven"),
    "of NaN": lambda a: np.full(np.shape(a), np.nan),
    "of infinity": lambda a: np.full(np.shape(a), np.inf, np.float32),
    "of zeros": lambda a: np.zeros(np.shape(a)),
    "of one huge number": lambda a: np.full(np.shape(a), 1e308),
    "of float16": lambda a: np.zeros(np.shape(a), np.float16),
    "of complex": lambda a: np.ones(np.shape(a), complex),
    "of bool": lambda a: np.ones(np.shape(a), bool),
    "of uint64": lambda a: np.full(np.shape(a), 2**64 - 1, np.uint64),
    "of least int64": lambda a: np.full(np.shape(a), -(2**63), np.int64),
    "of half numbers": lambda a: np.full(np.shape(a), 0.5),
    "of times": lambda a: np.full(np.shape(a), np.datetime64("2026-01-01")),
    "of records": lambda a: np.zeros(np.shape(a), [("x", int), ("y", float)]),
    "of one row less": lambda a: np.atleast_1d(a)[:-1],
    "of no row": lambda a: np.atleast_1d(a)[:0],
    "of no column": lambda a: np.zeros((len(np.atleast_1d(a)), 0)),
    "without dimensions": lambda a: np.array(7),
    "of three dimensions": lambda a: np.ones((2, 2, 2)),
    "of equal names": lambda a: np.full(np.shape(a), "a"),
    "of NULs": lambda a: np.full(np.shape(a), "a\0b"),
    "of lone surrogates": lambda a: np.full(np.shape(a), "\udcff"),
    "of long texts": lambda a: np.full(np.shape(a), "x" * 10_000),
    "of big-endian numbers": lambda a: np.ones(np.shape(a), ">f4"),
}


def _huge_header() -> bytes:
    """An array that says that it has a trillion entries."""
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)})
    return file.getvalue()


def _zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones((3, 3)))
    return file.getvalue()


ARCHIVES: dict[str, bytes] = {
    "nothing": b"",
    "an .npy": _npy(),
    "a pickle": pickle.dumps(Payload()),
    "an empty archive": _zipped({}),
    "an archive of texts": _zipped({"descriptors.npy": b"no array", "x.txt": b"x"}),
    "an archive with paths out": _zipped({"../../out.npy": _npy(), "/tmp/out.npy": _npy()}),
    "an array of a trillion entries": _zipped({f"{key}.npy": _huge_header() for key in KEYS}),
    "a member of zeros without end": _zipped({"descriptors.npy": bytes(100 << 20)}),
    "only the end of an archive": b"PK\x05\x06" + bytes(18),
    "a header that is code": _zipped({"descriptors.npy": b"\x93NUMPY\x01\0\x20\0__import__('os').abort()       \n"}),
    "a header without end": _zipped({"descriptors.npy": b"\x93NUMPY\x02\0\xff\xff\xff\xff" + b"(" * 50_000}),
}

DESCRIBED: dict[str, Callable[[Path, str, Path, Material], list[Any]]] = {
    "hicmd_tf.evaluate": lambda file, data, f, m: [
        "--descriptors", file, "--data", data, "--out", f / "out", "--rerank"
    ],
    "hicmd_tf.search index": lambda file, data, f, m: ["index", "--index", f / "new", "--descriptors", file],
    "hicmd_tf.search query": lambda file, data, f, m: ["query", "--index", m.gallery, "--descriptors", file],
    "hicmd_tf.search add": lambda file, data, f, m: [
        "add", "--index", copied(m.gallery, f / "gallery"), "--descriptors", file
    ],
}  # fmt: skip


def _descriptors(entry: str, data: str, what: str, content: Callable[[Material], bytes]) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        (folder / "broken.npz").write_bytes(content(material))
        return [str(word) for word in DESCRIBED[entry](folder / "broken.npz", data, folder, material)]

    return Input(f"{what} ({data})", build)


def _with_array(material: Material, key: str, odd: str) -> bytes:
    with np.load(material.descriptors) as stored:
        arrays = {name: stored[name] for name in stored.files}
    if odd == "missing":
        del arrays[key]
    else:
        arrays[key] = ODD_ARRAYS[odd](arrays[key])
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _of_descriptors(entry: str) -> Target:
    data, keys, odd = st.sampled_from(DATA), st.sampled_from(KEYS), st.sampled_from(("missing", *ODD_ARRAYS))
    kinds = [
        st.builds(
            lambda d, damages: _descriptors(
                entry, d, told(damages), lambda m: broken(m.descriptors.read_bytes(), damages)
            ),
            data,
            blows(),
        ),
        *2
        * [
            st.builds(
                lambda d, key, o: _descriptors(entry, d, f"{key} {o}", lambda m: _with_array(m, key, o)),
                data,
                keys,
                odd,
            )
        ],
    ]
    always = [_descriptors(entry, "folder", name, lambda _, c=c: c) for name, c in ARCHIVES.items()]  # type: ignore[misc]
    return Target(entry.partition(" ")[0], "descriptors", 1.5, st.one_of(kinds), always)


def _permutations(what: str, content: Callable[[Material], bytes]) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        (folder / "broken.mat").write_bytes(content(material))
        words = ["--descriptors", material.descriptors, "--data", "sysu_mm01", "--out", folder / "out"]
        return [str(word) for word in [*words, "--permutations", folder / "broken.mat"]]

    return Input(what, build)


def _matlab(value: Any, name: str = "rand_perm_cam") -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, {name: value})
    return file.getvalue()


def _cells(*values: Any) -> Any:
    found = np.empty((len(values), 1), object)
    for place, value in enumerate(values):
        found[place, 0] = value
    return found


MATLAB: dict[str, Any] = {
    "a number": 7,
    "text": "permutations",
    "an empty array": np.empty((0, 0)),
    "cells of text": _cells(_cells("a", "b")),
    "cells of NaN": _cells(_cells(np.full((10, 2), np.nan))),
    "cells of cells of cells": _cells(_cells(_cells(1))),
    "a structure": {"a": {"b": 1}},
    "complex": np.ones((3, 3), complex),
    "half numbers": _cells(*[_cells(*[np.full((10, 2), 0.5)] * 8)] * 6),
    "entries beyond the pictures": _cells(*[_cells(*[np.full((10, 2), 10**6)] * 8)] * 6),
    "negative entries": _cells(*[_cells(*[np.full((10, 2), -5)] * 8)] * 6),
    "huge entries": _cells(*[_cells(*[np.full((10, 2), 1e300)] * 8)] * 6),
    "nine rows": _cells(*[_cells(*[np.ones((9, 2))] * 8)] * 6),
    "rows of three dimensions": _cells(*[_cells(*[np.ones((10, 2, 2))] * 8)] * 6),
    "single numbers": _cells(*[_cells(*[1] * 8)] * 6),
}


def _of_permutations() -> Target:
    always = [_permutations(name, lambda _, v=v: _matlab(v)) for name, v in MATLAB.items()]  # type: ignore[misc]
    always.append(_permutations("another name", lambda _: _matlab(7, "other")))
    always.append(_permutations("a pickle", lambda _: pickle.dumps(Payload())))
    drawn = blows().map(
        lambda damages: _permutations(told(damages), lambda m: broken(m.permutations.read_bytes(), damages))
    )
    return Target("hicmd_tf.evaluate", "permutations", 1.5, drawn, always)


WEIGHTS: dict[str, bytes] = {
    "nothing": b"",
    "a text": b"weights",
    "only a head of HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "a pickle": pickle.dumps(Payload()),
    "an archive with a pickle": _zipped({"archive/data.pkl": pickle.dumps(Payload()), "archive/version": b"3"}),
}


def _of_weights() -> Target:
    def one(name: str, suffix: str) -> Input:
        def build(_: Material, folder: Path) -> list[str]:
            (folder / f"broken{suffix}").write_bytes(WEIGHTS[name])
            return [str(folder / f"broken{suffix}")]

        return Input(f"{name}, named {suffix}", build)

    def placed(place: str) -> Input:
        return Input(story(place), lambda _, folder: [str(PLACES[place](folder))])

    always = [one(name, suffix) for name in WEIGHTS for suffix in (".h5", ".pth", ".keras")]
    drawn = st.one_of(
        st.sampled_from([*PLACES]).map(placed),
        st.builds(one, st.sampled_from([*WEIGHTS]), st.sampled_from((".h5", ".pth"))),
    )
    return Target("networks.resnet_weights", "pretrained weights", 0.5, drawn, always)


def _released(name: str) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        (folder / "released").mkdir()
        for part in ("gen", "dis", "id"):
            (folder / "released" / f"{part}_0000040.pt").write_bytes(WEIGHTS[name])
        return ["--config", str(material.run / "config.yaml"), str(folder / "released"), str(folder / "new")]

    return Input(name, build)


def targets() -> list[Target]:
    """Everything that is kept in a file of its own."""
    released = [_released(name) for name in WEIGHTS]
    return [
        *map(_of_descriptors, DESCRIBED),
        _of_permutations(),
        _of_weights(),
        Target("hicmd_tf.convert", "released checkpoint", 0.0, st.sampled_from(released), released),
    ]
