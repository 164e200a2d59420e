"""A checkpoint is read as it was written or not at all; two processes never train in one folder."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.config import Config, load, with_values
from hicmd_tf.config.loading import BASE
from hicmd_tf.errors import UserError
from hicmd_tf.files import alone, sweep
from hicmd_tf.runs import checkpoints
from hicmd_tf.runs.checkpoints import CLASSIFIER, Checkpoints, newest, read, write
from hicmd_tf.runs.folder import RunFolder

MOMENT = "generator_optimiser/first"
ARRAYS = {
    CLASSIFIER: np.zeros(6, np.float32),
    "features/seed_generator_state": np.arange(2, dtype=np.uint32),
    "generator_optimiser/iteration": np.int64(0),
    MOMENT: np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
}


class Variable:
    """What Keras' variables are to a checkpoint."""

    def __init__(self, value: Any) -> None:
        self.value = np.array(value)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __array__(self, *_: Any, **__: Any) -> np.ndarray[Any, Any]:
        return self.value

    def assign(self, value: np.ndarray[Any, Any]) -> None:
        self.value = value


class Model:
    """Something that is trained."""

    def __init__(self) -> None:
        self.state = {name: Variable(array) for name, array in ARRAYS.items()}
        self.step = 0

    def values(self) -> dict[str, Any]:
        return {name: variable.value.tolist() for name, variable in self.state.items()}


def path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}.safetensors"


def flip(file: Path, at: float = 0.5) -> None:
    """Changes one bit."""
    content = bytearray(file.read_bytes())
    content[int(at * len(content))] ^= 1
    file.write_bytes(bytes(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three checkpoints."""
    for step in (3, 6, 9):
        write(tmp_path, step, ARRAYS, {"LossTable": {"count": step}})
    return tmp_path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    notes = {"LossTable": {"sums": {"same": 0.1 + 0.2}, "count": 3}}
    found = read(write(tmp_path, 1234567, ARRAYS, notes))
    assert (found.step, found.notes, found.classes) == (1234567, notes, 6)
    assert {name: (value.tolist(), value.dtype) for name, value in found.arrays.items()} == {
        name: (value.tolist(), value.dtype) for name, value in ARRAYS.items()
    }
    assert read(found.path, optimisers=False).arrays.keys() == {CLASSIFIER, "features/seed_generator_state"}


def test_reading_and_writing_imports_neither_tensorflow_nor_keras() -> None:
    code = "import sys, hicmd_tf.runs.checkpoints; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_any_changed_bit_is_noticed(tmp_path: Path) -> None:
    file = write(tmp_path, 1, ARRAYS, {"a": 1})
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        flip(file, place / len(whole))
        with pytest.raises(UserError, match="the checkpoint is damaged"):
            read(file)
        file.write_bytes(whole)


@pytest.mark.parametrize("length", [0, 5, 300, -1])
def test_a_file_that_is_cut_short_is_damaged(length: int, tmp_path: Path) -> None:
    file = write(tmp_path, 1, ARRAYS, {})
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(UserError, match="the checkpoint is damaged"):
        read(file)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(path(tmp_path, 1))  # to read it would never end
    path(tmp_path, 2).mkdir()
    path(tmp_path, 3).symlink_to("nothing")
    with pytest.raises(UserError, match=r"step-000003\.safetensors: the checkpoint is missing, and no other is whole"):
        newest(tmp_path)


def test_the_newest_whole_one_is_taken(folder: Path) -> None:
    found = newest(folder)
    assert found is not None and found.step == 9
    flip(path(folder, 9))
    with pytest.warns(
        UserWarning, match=r"step-000009\.safetensors: the checkpoint is damaged .*an older one is taken"
    ):
        found = newest(folder)
    assert found is not None and found.step == 6
    for step in (3, 6):
        flip(path(folder, step))
    with pytest.raises(UserError, match=r"step-000009.*no other is whole"):
        newest(folder)


def test_without_any_there_is_none_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("step-3.txt", "step-x.safetensors", ".step-000003.safetensors.abcdefgh.tmp"):
        (tmp_path / name).write_text("")
    assert newest(tmp_path) is None and newest(tmp_path / "nowhere") is None
    sweep(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"step-3.txt", "step-x.safetensors"}


def test_the_form_of_earlier_versions_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "ckpt-300.index").write_text("")
    with pytest.raises(UserError, match="in TensorFlow's form, of an earlier version of hicmd_tf: train again"):
        newest(tmp_path)
    write(tmp_path, 6, ARRAYS, {})
    assert newest(tmp_path) is not None


def test_one_that_a_training_beside_deletes_is_no_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    original, deleted = checkpoints.read, []

    def meanwhile(file: Path, *options: Any) -> Any:
        if not deleted:
            write(folder, 12, ARRAYS, {})
            file.unlink()
            deleted.append(file)
        return original(file, *options)

    monkeypatch.setattr(checkpoints, "read", meanwhile)
    found = newest(folder)
    assert deleted == [path(folder, 9)] and found is not None and found.step == 12
    assert not [one for one in recwarn if "checkpoint" in str(one.message)]


def test_a_model_goes_on_as_it_was(tmp_path: Path) -> None:
    model, other = Model(), Model()
    model.step = 7
    model.state[MOMENT].value += 1
    Checkpoints(model, tmp_path).save({"Means": {"count": 2}})
    again = Checkpoints(other, tmp_path)
    assert again.restore() and again.notes == {"Means": {"count": 2}}
    assert other.values() == model.values() != Model().values()
    assert not Checkpoints(other, tmp_path / "empty").restore()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop(MOMENT), r"of other networks .*first is \(2, 3\), expected absent"),
        (lambda state: state.update(more=Variable(1.0)), r"more is absent, expected \(\)"),
        (lambda state: state.update({MOMENT: Variable([1.0])}), r"first is \(2, 3\), expected \(1,\)"),
        (lambda state: state.update({CLASSIFIER: Variable(np.zeros(9))}), "was trained on 6 identities, .* data has 9"),
    ],
)
def test_a_checkpoint_of_other_networks_changes_nothing(change: Callable[[Any], Any], says: str, folder: Path) -> None:
    model = Model()
    change(model.state)
    before = model.values()
    with pytest.raises(UserError, match=says):
        Checkpoints(model, folder).restore()
    assert model.values() == before


def test_one_without_a_classifier_is_of_other_networks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="of other networks"):
        _ = read(write(tmp_path, 1, {"a": np.zeros(1)}, {})).classes


def test_the_newest_stay_and_a_step_is_written_once(tmp_path: Path) -> None:
    model = Model()
    kept = Checkpoints(model, tmp_path, keep=2)
    for step in (3, 6, 9):
        model.step = step
        kept.save()
    assert sorted(file.name for file in tmp_path.iterdir()) == [path(tmp_path, step).name for step in (6, 9)]
    before = path(tmp_path, 9).stat().st_mtime_ns
    kept.save()
    assert path(tmp_path, 9).stat().st_mtime_ns == before


def test_a_damaged_one_is_written_again_when_its_step_comes(folder: Path) -> None:
    flip(path(folder, 9))
    model = Model()
    kept = Checkpoints(model, folder, keep=2)
    with pytest.warns(UserWarning, match="step-000009"):
        assert kept.restore()
    model.step = 8
    kept.save()
    assert path(folder, 9).exists() and not path(folder, 3).exists()
    model.step = 9
    kept.save()
    assert newest(folder).step == 9  # type: ignore[union-attr]


@contextmanager
def full_disk() -> Iterator[None]:
    """The system itself refuses files of more than 300 bytes; a checkpoint has more. So has what pytest writes."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_takes_no_more_leaves_the_last_good_checkpoint_and_nothing_else(folder: Path) -> None:
    before = sorted(folder.iterdir())
    model = Model()
    model.step = 12
    said = r"step-000012\.safetensors: the checkpoint can't be written .*--resume"
    with full_disk(), pytest.raises(UserError, match=said):
        Checkpoints(model, folder).save()
    assert sorted(folder.iterdir()) == before


# ------------------------------------------------------------------------------------------------------- whole runs


@pytest.fixture
def run(smoke_run: Path, tmp_path: Path) -> Path:
    """A run folder to be damaged."""
    return shutil.copytree(smoke_run, tmp_path / "run")


def test_every_variable_has_a_name_of_its_own_that_no_process_changes(smoke_config: Config) -> None:
    from hicmd_tf.engines.tensorflow.hicmd import HiCMD
    from hicmd_tf.method.networks.build import build_networks
    from hicmd_tf.training.optimisers import make_optimisers

    config = with_values(smoke_config, {"networks.feature_learning.dropout": 0.5})
    names = []
    for _ in range(2):  # Keras' own names count the layers of a process
        model = HiCMD(build_networks(config.networks, classes=6), config)
        model.compile(make_optimisers(config.optimisers))
        optimisers = model.optimizer, model.discriminator_optimiser, model.feature_optimiser
        changed = [*model.variables, *(variable for optimiser in optimisers for variable in optimiser.variables)]
        assert {id(variable) for variable in model.state.values()} == {id(variable) for variable in changed}
        names.append(list(model.state))
    assert names[0] == names[1]
    assert {CLASSIFIER, "features/seed_generator_state", "generator_optimiser/iteration"} < set(names[0])
    assert "generator/infrared/attribute/stem/convolution/kernel" in names[0]


HOLDER = """
import sys, time
from pathlib import Path
from hicmd_tf.files import alone
with alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_second_process_is_refused_until_the_first_has_ended_however(smoke_config: Config, tmp_path: Path) -> None:
    from hicmd_tf.training.run import train

    folder = RunFolder(tmp_path / "run")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.lock)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="in use by another process"):
        train(smoke_config, folder)
    assert [file.name for file in folder.path.iterdir()] == ["lock"]
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with alone(folder.lock, "busy"):
        folder.begin(smoke_config, resume=False)


def test_a_run_whose_checkpoints_are_all_damaged_is_left_as_it_was(run: Path, smoke_config: Config) -> None:
    from hicmd_tf.training.run import train

    flip(path(run / "checkpoints", 0))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="no other is whole"):
        train(smoke_config, RunFolder(run), resume=True)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


def test_data_that_are_refused_begin_no_run(smoke_config: Config, tmp_path: Path) -> None:
    from hicmd_tf.training.run import train

    config = with_values(smoke_config, {"data.name": "folder", "data.source": str(tmp_path / "nowhere")})
    for _ in range(2):  # the second time without --resume, too
        with pytest.raises(UserError, match="nowhere is no folder"):
            train(config, RunFolder(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_refused_is_left_as_it_was(smoke_config: Config, tmp_path: Path) -> None:
    from hicmd_tf.training.run import train

    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not a run folder"):
        train(smoke_config, RunFolder(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_weights_that_are_not_there_are_reported_before_data_are_prepared(tmp_path: Path) -> None:
    from hicmd_tf.training.experiment import prepare

    gone, data = str(tmp_path / "gone.h5"), str(tmp_path / "data")
    config = load(BASE, {"networks.resnet_weights": gone, "data.directory": data})
    with pytest.raises(UserError, match=r"there is no file .*gone\.h5"):
        prepare(config)
    assert not list(tmp_path.iterdir())
