"""How files and texts of people's making are broken, as hypothesis strategies."""

import io
import json
import os
import pickle
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

DEEP = 20_000  # levels, beyond any recursion limit

shares = st.floats(0, 1, exclude_max=True, width=32)

# ---------------------------------------------------------------------------------------------------------- bytes


def _blow(how: str, at: float, length: float, content: bytes) -> Callable[[bytes], bytes]:
    def of(whole: bytes) -> bytes:
        start = min(int(at * len(whole)), max(0, len(whole) - 1))
        end = min(len(whole), start + 1 + int(length * len(whole)))
        before, inside, after = whole[:start], whole[start:end], whole[end:]
        return {
            "cut": before,
            "flip": before + bytes(byte ^ (1 << content[0] % 8) for byte in inside[:1]) + inside[1:] + after,
            "drop": before + after,
            "repeat": before + inside + inside + after,
            "insert": before + content + inside + after,
            "overwrite": before + content + whole[start + len(content) :],
            "zeros": before + bytes(len(inside)) + after,
            "replace": content,
        }[how]

    return of


_one_blow = st.builds(
    _blow,
    st.sampled_from(("cut", "flip", "drop", "repeat", "insert", "overwrite", "zeros", "replace")),
    shares,
    shares.map(lambda share: share**3),
    st.binary(min_size=1, max_size=24),
)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """The bytes after one to three blows."""

    def after(blows: list[Callable[[bytes], bytes]]) -> bytes:
        content = whole
        for blow in blows:
            content = blow(content)
        return content

    return st.lists(_one_blow, min_size=1, max_size=3).map(after)


# ----------------------------------------------------------------------------------------------------------- JSON

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 0.5, 10**30, 1.7e308, float("nan"), float("inf"), "", "seven", "7", "a\0b", "\ud800"),
    *("../../../etc/passwd", "<script>alert(1)</script>", "x" * 100_000, [], [1, "two", None], [[[[]]]], {}),
    *({"a": {"b": 1}}, list(range(5000))),
)

JSON_TEXTS: tuple[bytes, ...] = (
    *(b"", b"null", b"7", b'"text"', b"[]", b"{}", b"[[1, 2], [3]]", b"{}\0", bytes(range(256)), b"\xef\xbb\xbf{}"),
    *(b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[" * DEEP, b"1" + b"0" * 5000),
    *('{"a": "ä"}'.encode("latin-1"), '{"a": 1}'.encode("utf-16"), b"<!doctype html><html></html>"),
)


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or place) of a tree."""
    for key, value in list(
        tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    ):
        yield tree, key
        yield from _nodes(value)


def changed(tree: Any) -> st.SearchStrategy[bytes]:
    """JSON of a tree in which one node is dropped, renamed or has an odd value."""

    def change(at: float, how: str, value: Any) -> bytes:
        copy = json.loads(json.dumps(tree))
        nodes = list(_nodes(copy))
        parent, key = nodes[int(at * len(nodes))]
        if how == "drop":
            del parent[key]
        elif how == "rename" and isinstance(parent, dict):
            parent[f"{key}_"] = parent.pop(key)
        else:
            parent[key] = value
        return json.dumps(copy).encode()

    return st.builds(change, shares, st.sampled_from(("drop", "rename", "value", "value")), st.sampled_from(ODD_VALUES))


def broken_json(tree: Any) -> st.SearchStrategy[bytes]:
    """What may stand in a JSON file instead of a tree."""
    return changed(tree) | damaged(json.dumps(tree).encode()) | st.sampled_from(JSON_TEXTS)


# ----------------------------------------------------------------------------------------------------------- YAML

YAML_VALUES: tuple[str, ...] = (
    *("[1, 2]", "[]", "[[1]]", "[1, two, .nan]", "{a: 1}", "{}", "{seed: {seed: 1}}", "~", '""', "' '", "seven", "'7'"),
    *("-1", "0", "1", "-0.0", "0.5", "3", "1e-400", "1e308", "1e400", "-1e308", "010", "0x10", "0b1", "1_000", "1:30"),
    *(".nan", ".inf", "-.inf", "NaN", "true", "no", "2020-01-01", "9" * 30, "9" * 5000, "-" + "9" * 30, "1" + "0" * 18),
    *('"\\0"', '"\\ud800"', '"\\U0001F4A9"', '"a\\nb"', "|\n  text\n", "x" * 5000, "!!python/object/apply:os.abort []"),
    *("!!python/name:os.system", "!!binary aGVsbG8=", "!!binary '*'", "!!set {a, b}", "!!timestamp 2020", "!odd 1"),
    *("!!int seven", "!!float x", "!!bool x", "!!null x", "&a [*a]", "&a {b: *a}", "*nobody", "? a", "<<: {a: 1}"),
    *("[" * 5, "]", "}", ": :", "- 1", "%YAML 9.9", "@", "`", "\t1", "'", '"', "released", "regdb", "none", "imagenet"),
    *("/dev/zero", "../../../etc/passwd", "\x01", "\ufffe", "[" * 300 + "]" * 300, "1.0.0", "--", "=", "!!str"),
)

YAML_TEXTS: dict[str, bytes] = {
    "nothing but comments": b"# nothing\n---\n...\n",
    "a list": b"- seed: 1\n",
    "a number": b"7\n",
    "two documents": b"seed: 1\n---\nseed: 2\n",
    "a key twice": b"extends: base\nseed: 1\nseed: 2\n",
    "a section twice": b"extends: base\ndata:\n  height: 32\ndata:\n  width: 32\n",
    "an unknown key": b"extends: base\nsed: 1\n",
    "an unknown section": b"extends: base\ndatum:\n  height: 1\n",
    "a section as a value": b"extends: base\ndata: 1\n",
    "a value as a section": b"extends: base\nseed:\n  seed: 1\n",
    "a list as a key": b"extends: base\n? [a, b]\n: 1\n",
    "no text as a key": b"extends: base\n1: 1\n~: 2\n.nan: 3\ntrue: 4\n",
    "a dotted key": b"extends: base\ndata.height: 32\ndata:\n  height: 64\n",
    "extends a list": b"extends: [base, tiny]\n",
    "extends a missing file": b"extends: ./nowhere.yaml\n",
    "extends a folder": b"extends: /\n",
    "extends itself": b"extends: ./broken.yaml\n",
    "extends a NUL": b'extends: "a\\0b.yaml"\n',
    "extends a device": b"extends: /dev/zero\n",
    "extends a long name": b"extends: " + b"x" * 300 + b".yaml\n",
    "nested lists without end": b"seed: " + b"[" * DEEP,
    "nested mappings": b"{a: " * 2000,
    "a circle of anchors": b"extends: base\nseed: &a [1, *a]\n",
    "aliases of aliases": b"a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "a Python object": b"extends: base\nseed: !!python/object/apply:os.abort []\n",
    "a Python object as a key": b"!!python/object/apply:os.abort []: 1\n",
    "BOM": "\ufeffextends: base\nsed: 1\n".encode(),
    "UTF-16": "extends: base\n".encode("utf-16"),
    "Latin-1": "extends: base # für\n".encode("latin-1"),
    "a NUL": b"extends: base\n\0",
    "a lone surrogate": b"extends: base\nseed: \xed\xa0\x80\n",
    "tabs": b"extends: base\ndata:\n\theight: 32\n",
    "old Mac lines": b"extends: base\rsed: 1\r",
    "TOML": b"[data]\nheight = 32\n",
    "directives": b"%YAML 9.9\n%TAG ! tag:x,2000:\n---\nextends: base\nsed: 1\n",
}

# --------------------------------------------------------------------------------------------------------- arrays


class Payload:
    """What must not run: unpickled, it would make a folder where it is not to be overlooked."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("payload-ran",)


ODD_ARRAYS: tuple[Callable[[Any], Any], ...] = (
    lambda a: np.array([Payload()] * len(np.atleast_1d(a)), object),
    *(
        (lambda a, value=value: np.full(np.shape(a), value))
        for value in ("seven", b"seven", np.nan, 1e308, 0.5, "a\0b")
    ),
    *((lambda a, value=value: np.full(np.shape(a), value)) for value in ("\udcff", "x" * 10_000, "a", -(2**63))),
    *((lambda a, kind=kind: np.ones(np.shape(a), kind)) for kind in (np.float16, complex, bool, ">f4", "M8[D]")),
    lambda a: np.full(np.shape(a), np.inf, np.float32),
    lambda a: np.full(np.shape(a), 2**64 - 1, np.uint64),
    lambda a: np.zeros(np.shape(a)),
    lambda a: np.zeros(np.shape(a), [("x", int), ("y", float)]),
    lambda a: np.atleast_1d(a)[:-1],
    lambda a: np.atleast_1d(a)[:0],
    lambda a: np.zeros((len(np.atleast_1d(a)), 0)),
    lambda a: np.array(7),
    lambda a: np.ones((2, 2, 2)),
)


def _npy_of_a_trillion() -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)})
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones((3, 3)))
    return file.getvalue()


def _zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


ARCHIVES: dict[str, bytes] = {
    "nothing": b"",
    "an .npy": _npy(),
    "a pickle": pickle.dumps(Payload()),
    "an empty archive": _zipped({}),
    "texts": _zipped({"descriptors.npy": b"no array", "x.txt": b"x"}),
    "paths out": _zipped({"../../out.npy": _npy(), "/tmp/out.npy": _npy()}),
    "a trillion entries": _zipped({f"{key}.npy": _npy_of_a_trillion() for key in ("descriptors", "identities")}),
    "zeros without end": _zipped({"descriptors.npy": bytes(100 << 20)}),
    "only the end": b"PK\x05\x06" + bytes(18),
    "a header that is code": _zipped({"descriptors.npy": b"\x93NUMPY\x01\0\x20\0__import__('os').abort()       \n"}),
    "a header without end": _zipped({"descriptors.npy": b"\x93NUMPY\x02\0\xff\xff\xff\xff" + b"(" * 50_000}),
}


def broken_npz(whole: bytes) -> st.SearchStrategy[bytes]:
    """An .npz in which an array is missing or odd, or bytes are damaged."""
    with np.load(io.BytesIO(whole)) as stored:
        arrays = {name: stored[name] for name in stored.files}

    def of(key: str, odd: Callable[[Any], Any] | None) -> bytes:
        file = io.BytesIO()
        np.savez(
            file, **{name: odd(a) if odd and name == key else a for name, a in arrays.items() if odd or name != key}
        )
        return file.getvalue()

    odd = st.builds(of, st.sampled_from(sorted(arrays)), st.none() | st.sampled_from(ODD_ARRAYS))
    return odd | damaged(whole) | st.sampled_from([*ARCHIVES.values()])


# -------------------------------------------------------------------------------------------------------- pictures


def _saved(form: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 12, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


def _png(width: int, height: int, depth: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def _bmp(width: int, height: int, bits: int = 24) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, width, height, 1, bits, 0, 0, 0, 0, 0, 0)


def _jpeg_of_size(width: int, height: int) -> bytes:
    whole = _saved("JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def _exif(content: bytes) -> bytes:
    whole = _saved("JPEG")
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 8) + b"Exif\0\0" + content + whole[2:]


PICTURES: dict[str, bytes] = {
    "no bytes": b"",
    "zeros": bytes(1000),
    "a text": b"no picture\n",
    "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "an ICO": _saved("ICO"),
    "only a PNG's signature": b"\x89PNG\r\n\x1a\n",
    "only a JPEG's signature": b"\xff\xd8\xff",
    "only a BMP's signature": b"BM",
    "a PNG of 60000 x 60000": _png(60_000, 60_000),
    "a PNG of 2^31 - 1 pixels in a row": _png(2**31 - 1, 2**31 - 1),
    "a PNG of 0 x 0": _png(0, 0),
    "a PNG of 16 bits without pixels": _png(8, 8, 16),
    "a PNG of 3 bits": _png(8, 8, 3),
    "a PNG of colour type 9": _png(8, 8, 8, 9),
    "a JPEG of 65535 x 65535": _jpeg_of_size(65_535, 65_535),
    "a JPEG of 0 x 0": _jpeg_of_size(0, 0),
    "a BMP of 60000 x 60000": _bmp(60_000, 60_000),
    "a BMP of -2^31 rows": _bmp(8, -(2**31)),
    "a BMP of negative width": _bmp(-8, 8),
    "a BMP of 7 bits": _bmp(8, 8, 7),
    "a JPEG with an endless EXIF": _exif(b"MM\0*\xff\xff\xff\xff"),
    "a JPEG with an EXIF in a circle": _exif(
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\xff\x09\0\0\0\x08\0\0\0"
    ),
    "a JPEG turned by 9": _exif(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0\0\0\0\0"),
}


def broken_pictures() -> st.SearchStrategy[bytes]:
    """Files of four formats with damaged bytes."""
    forms = st.sampled_from([_saved("PNG"), _saved("JPEG"), _saved("BMP"), _saved("GIF", "P")])
    return forms.flatmap(damaged)


# ---------------------------------------------------------------------------------------------- lists, tables, paths

LIST_LINES: tuple[str, ...] = (
    *("", " ", "x", "0", "-1", "9" * 9, "9" * 30, "9" * 5000, "1,2,3", ",", "1.5", "nan", "../../etc/passwd 0", "\0"),
    *("/etc/passwd 0", "Visible/1 0", "Visible/1/ 0", "Visible/../Thermal/1/a.bmp 0", "vis/0001/../x.jpg 0", "²", "१"),
    *("C:\\data\\x.bmp 0", "Visible\\1\\x.bmp 0", "Visible/1/a b c.bmp 0", "Visible/999/x_999.bmp 0", "\x1b[31m", "…"),
    *("Visible/1/male_back_v_00000_1.bmp -1", "Visible/1/male_back_v_00000_1.bmp 1e3", "\ufeff0", "1;2", "x" * 5000),
    *("vis/0001/0001_c" + "9" * 30 + "_s1_f1_vis.jpg 0", "Visible/1/male_back_v_00000_2.bmp 0", "2147483648"),
)
TABLE_ROWS = (
    "1,2",
    "a,b,c",
    "",
    ",,,,",
    '"',
    "nan," * 12,
    "1e400," * 12,
    "\0",
    "-1," * 12,
    "1;2;3",
    "\ufeff",
    "9" * 10**5,
)


def broken_lines(text: str, odd: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """A text in which a line is replaced, inserted, doubled, dropped, or labelled otherwise; or damaged bytes of it."""
    lines = text.splitlines()

    def of(how: str, at: float, line: str) -> bytes:
        place = int(at * len(lines))
        new = {
            "replace": [line],
            "insert": [line, lines[place]],
            "double": [lines[place]] * 2,
            "drop": [],
            "label": [f"{lines[place].rpartition(' ')[0]} {line}"],
        }[how]
        return ("\n".join([*lines[:place], *new, *lines[place + 1 :]]) + "\n").encode(errors="surrogatepass")

    hows = st.sampled_from(("replace", "insert", "double", "drop", "label"))
    return st.builds(of, hows, shares, st.sampled_from(odd) | st.text(max_size=20)) | damaged(text.encode())


def _made(path: Path, make: Callable[[Path], object]) -> Path:
    make(path)
    return path


def _circle(folder: Path) -> Path:
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    return folder / "one"


def _socket(folder: Path) -> Path:
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    os.fchdir(here)
    os.close(here)
    return folder / "socket"


PLACES: dict[str, Callable[[Path], Path]] = {
    "nothing": lambda folder: folder / "nothing-here",
    "an empty folder": lambda folder: _made(folder / "empty", Path.mkdir),
    "an empty file": lambda folder: _made(folder / "file", Path.touch),
    "binary": lambda folder: _made(folder / "binary", lambda path: path.write_bytes(bytes(range(256)) * 16)),
    "a pipe": lambda folder: _made(folder / "pipe", os.mkfifo),
    "a socket": _socket,
    "a circle of links": _circle,
    "a path below a file": lambda folder: _made(folder / "file", Path.touch) / "below",
    "/dev/null": lambda _: Path("/dev/null"),
    "/dev/zero": lambda _: Path("/dev/zero"),
    "/dev/full": lambda _: Path("/dev/full"),
    "a name too long": lambda folder: folder / ("n" * 300),
    "a path too long": lambda folder: folder.joinpath(*["n" * 200] * 30),
    "a NUL": lambda folder: folder / "a\0b",
    "bytes that are no text": lambda folder: folder / os.fsdecode(b"\xff\xfe"),
    "control characters": lambda folder: folder / "a\nb\x1b[31m",
}
"""What lies where a file or a folder is expected: (an empty folder) -> the path to name."""
