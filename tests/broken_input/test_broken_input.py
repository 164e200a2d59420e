"""What is read from people's files is taken or refused in one line, whatever is in it.

`pytest tests/broken_input --hypothesis-profile many` draws two thousand examples per test instead of a few.
"""

import json
import shutil
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import broken
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
from hicmd_tf.explorer.upload import picture_of
from hicmd_tf.files import read_json
from hicmd_tf.retrieval.stored import read_descriptors, write_descriptors
from hicmd_tf.visualize.curves import read_table

CONFIGURATION = "extends: tiny\nseed: 3\ndata:\n  height: 32\n  width: 16\nnetworks:\n  decoder:\n    widths: [4, 4]\n"
LISTS = {
    "regdb": ("idx/train_visible_1.txt", "idx/train_thermal_1.txt", "idx/test_visible_1.txt", "idx/test_thermal_1.txt"),
    "sysu_mm01": ("exp/train_id.txt", "exp/val_id.txt", "exp/test_id.txt"),
    "llcm": ("idx/train_vis.txt", "idx/train_nir.txt", "idx/test_vis.txt", "idx/test_nir.txt"),
}


@contextmanager
def one_line_at_most() -> Iterator[None]:
    """Only a UserError of one line may come of what is done here."""
    try:
        yield
    except UserError as error:
        assert str(error).strip() and "Traceback" not in str(error)


@contextmanager
def scratch(name: str, content: bytes = b"") -> Iterator[Path]:
    """A file in a folder of its own, which is empty otherwise afterwards: no payload ran."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        file = Path(folder) / name
        file.write_bytes(content)
        yield file
        assert [one.name for one in Path(folder).iterdir()] == [name]


def reads(read: Callable[[Path], Any], name: str, content: bytes) -> None:
    with scratch(name, content) as file, one_line_at_most():
        read(file)


def with_setting(key: str, value: str) -> bytes:
    """A configuration in which one setting has another text."""
    *sections, name = key.split(".")
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    return "\n".join(["extends: tiny", *lines, f"{'  ' * len(sections)}{name}: {value}"]).encode(errors="surrogatepass")


settings_in_files = st.builds(
    with_setting, st.sampled_from(sorted(SETTINGS)), st.sampled_from(broken.YAML_VALUES) | st.text(max_size=20)
)


@given(settings_in_files | broken.damaged(CONFIGURATION.encode()))
def test_configurations(content: bytes) -> None:
    reads(load, "broken.yaml", content)


@pytest.mark.parametrize("name", broken.YAML_TEXTS)
def test_texts_that_are_no_configuration_are_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(broken.YAML_TEXTS[name])
    with pytest.raises(UserError):
        load(file)


@pytest.mark.parametrize(("length", "closed"), [(50, True), (1500, False)])
def test_configurations_that_extend_without_end_are_refused(length: int, closed: bool, tmp_path: Path) -> None:
    for number in range(length):
        following = 0 if closed and number == length - 1 else number + 1
        (tmp_path / f"{number}.yaml").write_text(f"extends: ./{following}.yaml\n")
    with pytest.raises(UserError):
        load(tmp_path / "0.yaml")


@pytest.mark.parametrize("place", broken.PLACES)
@pytest.mark.parametrize("reader", [load, read_json, read_descriptors], ids=lambda reader: reader.__name__)
def test_what_is_no_file_is_refused(reader: Callable[[Path], Any], place: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        reader(broken.PLACES[place](tmp_path))


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


@given(broken.broken_json({"identities": [1, 2], "people": "regdb", "sums": {"a": [1.5, "x"]}}))
def test_json(content: bytes) -> None:
    reads(read_json, "x.json", content)


@pytest.mark.filterwarnings("ignore:.*can't be read")
@given(broken.broken_lines("step,same\n1,0.5\n2,0.4\n3,0.3", broken.TABLE_ROWS))
def test_tables(content: bytes) -> None:
    with scratch("losses.csv", content) as file, one_line_at_most():
        found = read_table(file)
        assert len({len(values) for values in found.values()}) == 1


def written_descriptors() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        samples = Samples([b""] * 4, list("abcd"), np.arange(4), np.arange(4) % 2 == 1, np.ones(4, np.int64))
        write_descriptors(Path(folder) / "x.npz", np.eye(4, 8, dtype=np.float32), samples)
        return (Path(folder) / "x.npz").read_bytes()


@given(st.deferred(lambda: broken.broken_npz(written_descriptors())))
def test_descriptors(content: bytes) -> None:
    reads(read_descriptors, "x.npz", content)


@pytest.mark.parametrize("name", broken.ARCHIVES)
def test_archives_that_are_no_descriptors_are_refused(name: str) -> None:
    with scratch("x.npz", broken.ARCHIVES[name]) as file, pytest.raises(UserError):
        read_descriptors(file)


def permutations() -> bytes:
    """SYSU-MM01's cell arrays of six cameras and two people with two pictures each."""
    cells = np.empty((6, 1), object)
    for camera in range(6):
        cells[camera, 0] = np.empty((2, 1), object)
        for person in range(2):
            cells[camera, 0][person, 0] = np.tile([1, 2], (10, 1))
    with tempfile.TemporaryDirectory() as folder:
        savemat(f"{folder}/x.mat", {"rand_perm_cam": cells})
        return Path(folder, "x.mat").read_bytes()


@given(st.data())
def test_permutations(data: st.DataObject) -> None:
    """Cut or something else; SciPy's reader itself may crash on files in which single bytes are damaged."""
    whole = permutations()
    cut = st.integers(0, len(whole) - 1).map(lambda length: whole[:length])
    reads(read_permutations, "x.mat", data.draw(cut | st.binary(max_size=200)))


@pytest.mark.parametrize("name", broken.PICTURES)
def test_pictures_by_hand_are_taken_whole_or_refused(name: str) -> None:
    with one_line_at_most():
        assert picture_of(broken.PICTURES[name], 32, 16).shape == (32, 16, 3)


@given(broken.broken_pictures())
def test_pictures(content: bytes) -> None:
    with one_line_at_most():
        assert picture_of(content, 32, 16).shape == (32, 16, 3)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(tmp_path_factory.mktemp("trees") / name) for name, make in TREES.items()}


@pytest.mark.filterwarnings("ignore")
@given(st.data())
def test_lists_of_data_sets(trees: dict[str, Path], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LISTS)))
    file = trees[name] / data.draw(st.sampled_from(LISTS[name]))
    whole = file.read_bytes()
    file.write_bytes(data.draw(broken.broken_lines(whole.decode(), broken.LIST_LINES)))
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
        path = paths[int(data.draw(broken.shares) * len(paths))]
        other = data.draw(st.sampled_from(["gone", "renamed", "a circle of links", "a pipe", "/dev/zero", "a socket"]))
        if other == "renamed":
            path.rename(path.with_name(f"{path.name}_"))
        else:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            if other != "gone":
                path.symlink_to(broken.PLACES[other](Path(folder)))
        with one_line_at_most():
            DATA_SETS[name].read(tree, 1)


def run_files(run: Path) -> list[Path]:
    return sorted(file for file in run.rglob("*") if file.is_file() and "tensorboard" not in file.parts)


@settings(max_examples=max(8, settings.default.max_examples // 20))  # each builds networks
@pytest.mark.filterwarnings("ignore")
@given(st.data())
def test_run_folders(smoke_run: Path, data: st.DataObject) -> None:
    """A damaged file of a run is refused, or it is one that describing pictures does not need."""
    import hicmd_tf

    with tempfile.TemporaryDirectory() as folder:
        run = Path(shutil.copytree(smoke_run, Path(folder) / "run"))
        file = data.draw(st.sampled_from(run_files(run)))
        whole = file.read_bytes()
        kinds = broken.broken_json(json.loads(whole)) if file.suffix == ".json" else broken.damaged(whole)
        file.write_bytes(data.draw(kinds))
        with one_line_at_most():
            hicmd_tf.load(run)
