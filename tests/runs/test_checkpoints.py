"""A checkpoint is read as it was written or not at all."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.config import Config, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.runs import checkpoints
from hicmd_tf.runs.checkpoints import CLASSIFIERS, newest, read, write

CLASSIFIER = CLASSIFIERS[0]

MOMENT = "generator_optimiser/first"
ARRAYS = {
    CLASSIFIER: np.zeros((2, 6), np.float32),
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


def state() -> dict[str, Variable]:
    return {name: Variable(array) for name, array in ARRAYS.items()}


def values(variables: dict[str, Variable]) -> dict[str, Any]:
    return {name: variable.value.tolist() for name, variable in variables.items()}


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


def test_any_changed_bit_and_a_cut_are_noticed(tmp_path: Path) -> None:
    file = write(tmp_path, 1, ARRAYS, {"a": 1})
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        for damaged in (whole[:place], bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]])):
            file.write_bytes(damaged)
            with pytest.raises(UserError, match="the checkpoint is damaged"):
                read(file)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(path(tmp_path, 1))  # to read it would never end
    path(tmp_path, 2).mkdir()
    path(tmp_path, 3).symlink_to("nothing")
    with pytest.raises(UserError, match=r"step-000003\.safetensors: the checkpoint is missing, and no other is whole"):
        newest(tmp_path)


def test_the_newest_whole_one_is_taken(folder: Path) -> None:
    assert newest(folder).step == 9  # type: ignore[union-attr]
    flip(path(folder, 9))
    said = r"step-000009\.safetensors: the checkpoint is damaged .*an older one is taken"
    with pytest.warns(UserWarning, match=said):
        assert newest(folder).step == 6  # type: ignore[union-attr]
    for step in (3, 6):
        flip(path(folder, step))
    with pytest.raises(UserError, match=r"step-000009.*no other is whole"):
        newest(folder)


def test_without_any_there_is_none(tmp_path: Path) -> None:
    for name in ("step-3.txt", "step-x.safetensors", ".step-000003.safetensors.abcdefgh.tmp"):
        (tmp_path / name).write_text("")
    assert newest(tmp_path) is None and newest(tmp_path / "nowhere") is None


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
    assert newest(folder).step == 12 and deleted == [path(folder, 9)]  # type: ignore[union-attr]
    assert not [one for one in recwarn if "checkpoint" in str(one.message)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop(MOMENT), r"of other networks .*first is \(2, 3\), expected absent"),
        (lambda state: state.update(more=Variable(1.0)), r"more is absent, expected \(\)"),
        (lambda state: state.update({MOMENT: Variable([1.0])}), r"first is \(2, 3\), expected \(1,\)"),
        (
            lambda state: state.update({CLASSIFIER: Variable(np.zeros((2, 9)))}),
            "was trained on 6 identities, .* data has 9",
        ),
    ],
)
def test_a_checkpoint_of_other_networks_changes_nothing(change: Callable[[Any], Any], says: str, folder: Path) -> None:
    variables = state()
    change(variables)
    before = values(variables)
    with pytest.raises(UserError, match=says):
        read(path(folder, 9)).fill(variables)
    assert values(variables) == before


def test_one_without_a_classifier_is_of_other_networks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="of other networks"):
        _ = read(write(tmp_path, 1, {"a": np.zeros(1)}, {})).classes


def test_variables_take_what_was_written_and_the_newest_stay(folder: Path) -> None:
    variables, others = state(), state()
    variables[MOMENT].value += 1
    write(folder, 8, variables, {}, keep=2)  # that of step 9 is of no concern: it may be damaged
    assert sorted(file.name for file in folder.iterdir()) == [path(folder, step).name for step in (6, 8, 9)]
    read(path(folder, 8)).fill(others)
    assert values(others) == values(variables) != values(state())


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
    said = r"step-000012\.safetensors: can't be written \(.*\); free space"
    with full_disk(), pytest.raises(UserError, match=said):
        write(folder, 12, ARRAYS, {}, keep=2)
    assert sorted(folder.iterdir()) == before


def test_every_variable_has_a_name_of_its_own_that_no_process_changes(smoke_config: Config) -> None:
    from hicmd_tf.training.experiment import build_model

    config = with_values(smoke_config, {"networks.feature_learning.dropout": 0.5})
    names = []
    for _ in range(2):  # Keras' own names count the layers of a process
        model = build_model(config, classes=6)
        optimisers = model.optimisers.by_part().values()
        changed = [*model.variables, *(variable for optimiser in optimisers for variable in optimiser.variables)]
        assert {id(variable) for variable in model.state.values()} == {id(variable) for variable in changed}
        names.append(list(model.state))
    assert names[0] == names[1]
    assert {CLASSIFIER, "features/seed_generator_state", "generator_optimiser/iteration"} < set(names[0])
    assert {"feature_optimiser/iteration", "generator/infrared/attribute/stem/convolution/kernel"} < set(names[0])
