"""What is read from people's files is taken or refused in one line, whatever is in it. (Pictures: tests/pictures.)

`pytest tests/broken_input --hypothesis-profile many` draws two thousand examples per test instead of a few.
"""

import io
import json
import os
import shutil
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_trees import TREES
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from hicmd_tf.arguments import READERS
from hicmd_tf.config import load
from hicmd_tf.config.command_line import parse
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.sysu_mm01 import read_permutations
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json
from hicmd_tf.retrieval.stored import read_descriptors, write_descriptors
from hicmd_tf.visualize.curves import read_table

DEEP = 20_000  # levels, beyond any recursion limit


@contextmanager
def one_line_at_most() -> Iterator[None]:
    """Only a UserError of one line may come of what is done here."""
    try:
        yield
    except UserError as error:
        assert str(error).strip() and "Traceback" not in str(error)


def reads(read: Callable[[Path], Any], name: str, content: bytes) -> None:
    """A file is read, in a folder of its own that has nothing else afterwards: no payload ran."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        file = Path(folder) / name
        file.write_bytes(content)
        with one_line_at_most():
            read(file)
        assert [one.name for one in Path(folder).iterdir()] == [name]


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes of which a part is left out, doubled, replaced or flipped, or that end early."""
    start = draw(st.integers(0, len(whole)))
    end = min(len(whole), start + draw(st.integers(0, 1 + len(whole) // 4)))
    before, inside, after = whole[:start], whole[start:end], whole[end:]
    noise = draw(st.binary(max_size=24))
    flipped = bytes(byte ^ (1 << draw(st.integers(0, 7))) for byte in inside[:1]) + inside[1:]
    changed = (before, before + after, before + 2 * inside + after, before + noise + after, noise)
    return draw(st.sampled_from((*changed, before + flipped + after, before + bytes(len(inside)) + after)))


# ---------------------------------------------------------------------------------------- configurations and options

CONFIGURATION = "extends: tiny\nseed: 3\ndata:\n  height: 32\n  width: 16\nnetworks:\n  decoder:\n    widths: [4, 4]\n"
YAML_VALUES = (
    *("[1, 2]", "[]", "[[1]]", "[1, two, .nan]", "{a: 1}", "{seed: {seed: 1}}", "~", '""', "' '", "seven", "-1", "0"),
    *("0.5", "1e-400", "1e400", "-1e308", "010", "1:30", ".nan", "-.inf", "true", "no", "2020-01-01", "9" * 5000),
    *('"\\0"', '"\\ud800"', '"a\\nb"', "|\n  text\n", "x" * 5000, "!!python/object/apply:os.abort []", "!odd 1"),
    *("!!binary '*'", "!!set {a, b}", "&a [*a]", "&a {b: *a}", "*nobody", "? a", "<<: {a: 1}", "[" * 5, "}", ": :"),
    *("- 1", "%YAML 9.9", "@", "\t1", "'", "released", "imagenet", "/dev/zero", "../../etc/passwd", "\x01", "\ufffe"),
)


def with_setting(key: str, value: str) -> bytes:
    return f"extends: tiny\n{key}: {value}".encode(errors="surrogatepass")


settings_in_files = st.builds(
    with_setting, st.sampled_from(sorted(SETTINGS)), st.sampled_from(YAML_VALUES) | st.text(max_size=20)
)


@given(settings_in_files | damaged(CONFIGURATION.encode()))
def test_configurations(content: bytes) -> None:
    reads(load, "broken.yaml", content)


@given(st.text(max_size=30), st.sampled_from([*READERS.values()]))
def test_words_of_options(word: str, reader: Callable[[str], Any]) -> None:
    try:
        reader(word)
    except ArgumentTypeError as error:
        assert str(error)


@given(
    st.sampled_from(["--seed", "--data.source", "--networks.decoder.widths", "--config", "--sed"]), st.text(max_size=12)
)
def test_words_of_settings(option: str, word: str) -> None:
    with one_line_at_most():
        parse("command", "Does.", [option, word])


# ------------------------------------------------------------------------------------------------- JSON, tables, lists

JSON_TEXTS = (
    *(b"", b"null", b"7", b'"text"', b"[]", b"{}", b"{}\0", bytes(range(256)), b"\xef\xbb\xbf{}", b"1" + b"0" * 5000),
    *(b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, '{"a": "ä"}'.encode("latin-1"), '{"a": 1}'.encode("utf-16")),
)
ODD_VALUES = (
    *(None, True, -1, 0.5, 10**30, float("nan"), "", "seven", "a\0b", "\ud800", "../../etc/passwd", "x" * 100_000),
    *([], [1, "two", None], [[[[]]]], {}, {"a": {"b": 1}}, list(range(5000))),
)


def broken_json(tree: Any) -> st.SearchStrategy[bytes]:
    """What may stand in a JSON file instead of a tree: one of its entries is gone, or odd; or damaged bytes."""
    places: list[list[Any]] = []

    def walk(node: Any, at: list[Any]) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            places.append([*at, key])
            walk(value, [*at, key])

    walk(tree, [])

    def change(place: list[Any], gone: bool, value: Any) -> bytes:
        copy = parent = json.loads(json.dumps(tree))
        for key in place[:-1]:
            parent = parent[key]
        if gone:
            del parent[place[-1]]
        else:
            parent[place[-1]] = value
        return json.dumps(copy).encode()

    changed = st.builds(change, st.sampled_from(places), st.booleans(), st.sampled_from(ODD_VALUES))
    return changed | damaged(json.dumps(tree).encode()) | st.sampled_from(JSON_TEXTS)


@given(broken_json({"identities": [1, 2], "people": "regdb", "sums": {"a": [1.5, "x"]}}))
def test_json(content: bytes) -> None:
    reads(read_json, "x.json", content)


@st.composite
def broken_lines(draw: st.DrawFn, text: str, odd: tuple[str, ...]) -> bytes:
    """A text in which a line is left out, doubled, odd, or labelled otherwise; or damaged bytes of it."""
    lines = text.splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    line = draw(st.sampled_from(odd) | st.text(max_size=20))
    label = f"{lines[at].rpartition(' ')[0]} {line}"
    new = draw(st.sampled_from(([], [lines[at]] * 2, [line], [line, lines[at]], [label])))
    whole = ("\n".join([*lines[:at], *new, *lines[at + 1 :]]) + "\n").encode(errors="surrogatepass")
    return draw(st.just(whole) | damaged(text.encode()))


TABLE_ROWS = ("1,2", "a,b,c", "", ",,,,", '"', "nan," * 12, "1e400," * 12, "\0", "1;2;3", "\ufeff", "9" * 10**5)


@pytest.mark.filterwarnings("ignore:.*can't be read")
@given(broken_lines("step,same\n1,0.5\n2,0.4\n3,0.3", TABLE_ROWS))
def test_tables(content: bytes) -> None:
    def read(file: Path) -> None:
        assert len({len(values) for values in read_table(file).values()}) == 1

    reads(read, "losses.csv", content)


LISTS = {
    "regdb": ("idx/train_visible_1.txt", "idx/train_thermal_1.txt", "idx/test_visible_1.txt", "idx/test_thermal_1.txt"),
    "sysu_mm01": ("exp/train_id.txt", "exp/val_id.txt", "exp/test_id.txt"),
    "llcm": ("idx/train_vis.txt", "idx/train_nir.txt", "idx/test_vis.txt", "idx/test_nir.txt"),
}
LIST_LINES = (
    *("", " ", "x", "0", "-1", "9" * 30, "9" * 5000, "1,2,3", "1.5", "nan", "../../etc/passwd 0", "/etc/passwd 0"),
    *("\0", "Visible/1 0", "Visible/../Thermal/1/a.bmp 0", "C:\\data\\x.bmp 0", "Visible/1/a b c.bmp 0", "²", "१"),
    *("Visible/1/male_back_v_00000_1.bmp -1", "Visible/1/male_back_v_00000_1.bmp 1e3", "\ufeff0", "x" * 5000),
    *("vis/0001/../x.jpg 0", "vis/0001/0001_c" + "9" * 30 + "_s1_f1_vis.jpg 0", "Visible/1/male_back_v_00000_2.bmp 0"),
)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(tmp_path_factory.mktemp("trees") / name) for name, make in TREES.items()}


@pytest.mark.filterwarnings("ignore")
@given(st.data())
def test_lists_of_data_sets(trees: dict[str, Path], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LISTS)))
    file = trees[name] / data.draw(st.sampled_from(LISTS[name]))
    whole = file.read_bytes()
    file.write_bytes(data.draw(broken_lines(whole.decode(), LIST_LINES)))
    try:
        with one_line_at_most():
            DATA_SETS[name].read(trees[name], 1)
    finally:
        file.write_bytes(whole)


@pytest.mark.filterwarnings("ignore")
@given(st.data())
def test_entries_of_data_sets(trees: dict[str, Path], data: st.DataObject) -> None:
    """A file or folder is missing, called otherwise, or is something else."""
    name = data.draw(st.sampled_from(sorted(trees)))
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(shutil.copytree(trees[name], Path(folder) / "tree"))
        paths = sorted(tree.rglob("*"))
        path = paths[data.draw(st.integers(0, len(paths) - 1))]
        other = data.draw(st.sampled_from(["gone", "renamed", "itself", "/dev/zero", "pipe"]))
        if other == "renamed":
            path.rename(path.with_name(f"{path.name}_"))
        else:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            if other == "pipe":
                os.mkfifo(path)
            elif other != "gone":
                path.symlink_to(path if other == "itself" else other)
        with one_line_at_most():
            DATA_SETS[name].read(tree, 1)


# ----------------------------------------------------------------------------------------------------- arrays and runs


class Payload:
    """What must not run: unpickled, it would make a folder where it is not to be overlooked."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("payload-ran",)


def descriptors() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        samples = Samples([b""] * 4, list("abcd"), np.arange(4), np.arange(4) % 2 == 1, np.ones(4, np.int64))
        write_descriptors(Path(folder) / "x.npz", np.eye(4, 8, dtype=np.float32), samples)
        return (Path(folder) / "x.npz").read_bytes()


FILLS = ("seven", b"seven", np.nan, 1e308, 0.5, "a\0b", "\udcff", "x" * 10_000, "a", -(2**63), np.inf, 0, 1j, True)


@given(st.data())
def test_descriptors(data: st.DataObject) -> None:
    """An array is missing, of another type, value or shape; or bytes are damaged."""
    whole = descriptors()
    with np.load(io.BytesIO(whole)) as stored:
        arrays = {name: stored[name] for name in stored.files}
    key = data.draw(st.sampled_from(sorted(arrays)))
    odd = np.atleast_1d(arrays.pop(key))
    others = [np.full(odd.shape, value) for value in FILLS]
    others += [odd[:-1], odd[:0], np.zeros((len(odd), 0)), np.array(7), np.ones((2, 2, 2)), np.ones(odd.shape, ">f4")]
    others += [np.array([Payload()] * len(odd), object), np.zeros(odd.shape, [("x", int), ("y", float)])]
    other = data.draw(st.none() | st.integers(0, len(others) - 1))
    file = io.BytesIO()
    np.savez(file, **(arrays if other is None else {**arrays, key: others[other]}))
    reads(read_descriptors, "x.npz", data.draw(st.just(file.getvalue()) | damaged(whole)))


@given(st.data())
def test_permutations(data: st.DataObject) -> None:
    """SYSU-MM01's cell arrays of six cameras and two people with two pictures each, cut or something else; SciPy's
    reader itself may crash on files in which single bytes are damaged."""
    cells = np.empty((6, 1), object)
    for camera in range(6):
        cells[camera, 0] = np.empty((2, 1), object)
        for person in range(2):
            cells[camera, 0][person, 0] = np.tile([1, 2], (10, 1))
    file = io.BytesIO()
    savemat(file, {"rand_perm_cam": cells})
    cut = st.integers(0, len(file.getvalue()) - 1).map(lambda length: file.getvalue()[:length])
    reads(read_permutations, "x.mat", data.draw(cut | st.binary(max_size=200)))


@settings(max_examples=max(8, settings.default.max_examples // 20))  # each builds networks
@pytest.mark.filterwarnings("ignore")
@given(st.data())
def test_run_folders(smoke_run: Path, data: st.DataObject) -> None:
    """A damaged file of a run is refused, or it is one that describing pictures does not need."""
    import hicmd_tf

    files = sorted(file.relative_to(smoke_run) for file in smoke_run.rglob("*") if file.is_file())
    with tempfile.TemporaryDirectory() as folder:
        run = Path(shutil.copytree(smoke_run, Path(folder) / "run"))
        file = run / data.draw(st.sampled_from([file for file in files if "tensorboard" not in file.parts]))
        whole = file.read_bytes()
        file.write_bytes(data.draw(broken_json(json.loads(whole)) if file.suffix == ".json" else damaged(whole)))
        with one_line_at_most():
            hicmd_tf.load(run)
