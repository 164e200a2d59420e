"""A damaged checkpoint is noticed, and the one before it taken; two processes never train in one folder."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hicmd_tf.config import Config, load, with_values
from hicmd_tf.config.loading import BASE
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.errors import UserError
from hicmd_tf.files import alone
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.runs import restore
from hicmd_tf.runs.checkpoints import Checkpoints
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.restore import flaw_of, newest_whole, restored_networks
from hicmd_tf.training.experiment import prepare
from hicmd_tf.training.optimisers import make_optimisers
from hicmd_tf.training.run import train


@pytest.fixture
def run(smoke_run: Path, tmp_path: Path) -> Path:
    """A run folder to be damaged."""
    shutil.copytree(smoke_run, tmp_path / "run")
    return tmp_path / "run"


def flip(file: Path) -> None:
    """Changes one bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def data_of(checkpoint: Path) -> Path:
    (file,) = checkpoint.parent.glob(f"{checkpoint.name}.data-*")
    return file


def cut_short(checkpoint: Path, length: int) -> None:
    """Leaves what a kill can: the first bytes of the index, and no checksums, which are written last."""
    index = Path(f"{checkpoint}.index")
    index.write_bytes(index.read_bytes()[:length])
    Path(f"{checkpoint}.sha256").unlink()


def later(run: Path, step: int) -> Path:
    """A further checkpoint, equal to the first."""
    first = run / "checkpoints" / "ckpt-0"
    copy = first.with_name(f"ckpt-{step}")
    for file in first.parent.glob("ckpt-0.*"):
        shutil.copy(file, copy.with_name(file.name.replace("ckpt-0", copy.name)))
    sums = Path(f"{copy}.sha256")
    sums.write_text(sums.read_text().replace("ckpt-0", copy.name))
    return copy


def test_checksums_are_those_that_sha256sum_reads(run: Path) -> None:
    folder = run / "checkpoints"
    assert flaw_of(str(folder / "ckpt-0")) is None
    subprocess.run(["sha256sum", "--check", "--quiet", "ckpt-0.sha256"], cwd=folder, check=True)


def test_one_bit_a_missing_file_and_no_checksums(run: Path) -> None:
    checkpoint = run / "checkpoints" / "ckpt-0"
    flip(data_of(checkpoint))
    assert "is not what was written" in str(flaw_of(str(checkpoint)))
    data_of(checkpoint).unlink()
    assert "is missing" in str(flaw_of(str(checkpoint)))
    Path(f"{checkpoint}.sha256").unlink()
    assert flaw_of(str(checkpoint)) is None  # of a release that wrote none


def test_a_pipe_or_a_link_to_nothing_in_place_of_a_file_is_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "ckpt-1.sha256").write_text(f"{'0' * 64}  ckpt-1.index\n")
    os.mkfifo(tmp_path / "ckpt-1.index")  # to read it would never end
    assert flaw_of(str(tmp_path / "ckpt-1")) == "ckpt-1.index is missing"
    (tmp_path / "ckpt-1.index").unlink()
    (tmp_path / "ckpt-1.index").symlink_to("nothing")
    assert flaw_of(str(tmp_path / "ckpt-1")) == "ckpt-1.index is missing"


def test_weights_cut_short_without_checksums_are_one_line(run: Path) -> None:
    checkpoint = run / "checkpoints" / "ckpt-0"
    Path(f"{checkpoint}.sha256").unlink()
    for length in (data_of(checkpoint).stat().st_size // 2, 0):
        os.truncate(data_of(checkpoint), length)
        with pytest.raises(UserError, match="the checkpoint is damaged") as damage:
            restored_networks(RunFolder(run))
        assert "delete" not in str(damage.value)


def test_the_one_before_a_damaged_checkpoint_is_taken(run: Path) -> None:
    middle, newest = later(run, 9), later(run, 10)
    assert newest_whole(run / "checkpoints") == str(newest)
    flip(data_of(newest))
    with pytest.warns(UserWarning, match=r"ckpt-10: .*damaged"):
        assert newest_whole(run / "checkpoints") == str(middle)
    with pytest.warns(UserWarning, match="ckpt-10"):
        assert restored_networks(RunFolder(run)).step == 9
    for checkpoint in (middle, run / "checkpoints" / "ckpt-0"):
        flip(data_of(checkpoint))
    with pytest.raises(UserError, match="no other is whole"), pytest.warns(UserWarning, match="ckpt-9"):
        newest_whole(run / "checkpoints")


def rotate(checkpoint: Path) -> None:
    """What a training does: a newer checkpoint, then this one's files are deleted, the index first."""
    later(checkpoint.parents[1], int(checkpoint.name.rpartition("-")[2]) + 1)
    for file in sorted(checkpoint.parent.glob(f"{checkpoint.name}.*"), key=lambda file: file.suffix != ".index"):
        file.unlink()


@pytest.mark.parametrize("moment", ["_finished", "flaw_of", "saved_classes", "build_networks"])
def test_a_checkpoint_that_rotates_away_while_it_is_read_is_no_damage(
    moment: str, run: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """Whatever is being read when a training beside deletes it, before and after: the newer one is taken."""
    original, turns, first = getattr(restore, moment), [1, 2], later(run, 1)

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        if turns:
            rotate(first.with_name(f"ckpt-{turns.pop(0)}"))
        return original(*arguments, **options)

    monkeypatch.setattr(restore, moment, meanwhile)
    assert restored_networks(RunFolder(run)).step == 3 - len(turns) > 1
    assert not list(recwarn)


@pytest.mark.parametrize("length", [0, 30])
def test_a_checkpoint_that_a_kill_cut_short_counts_as_none(length: int, run: Path) -> None:
    newest, first = later(run, 9), run / "checkpoints" / "ckpt-0"
    cut_short(newest, length)
    with pytest.warns(UserWarning, match="ckpt-9: .*cut"):
        assert newest_whole(run / "checkpoints") == str(first)
    cut_short(first, length)
    with pytest.warns(UserWarning, match="ckpt-0: .*cut"):
        assert newest_whole(run / "checkpoints") is None
    with pytest.raises(UserError, match="no checkpoint yet"), pytest.warns(UserWarning, match="ckpt-9: .*cut"):
        restored_networks(RunFolder(run))


def test_a_damaged_checkpoint_is_written_again_when_its_step_comes(run: Path, smoke_config: Config) -> None:
    config = load(run / "config.yaml")
    model = HiCMD(build_networks(config.networks, classes=6), config)
    model.compile(make_optimisers(config.optimisers))
    checkpoints = Checkpoints(model, run / "checkpoints", keep=2)
    newest = later(run, 3)
    flip(data_of(newest))
    stale = Path(f"{newest}.sha256").read_text()
    with pytest.warns(UserWarning, match="ckpt-3"):
        assert checkpoints.restore()
    assert checkpoints.step == 0
    model.optimizer.iterations.assign(3)
    checkpoints.save()
    assert flaw_of(str(newest)) is None and Path(f"{newest}.sha256").read_text() != stale
    for step in (4, 5):
        model.optimizer.iterations.assign(step)
        checkpoints.save()
    sums = {file.stem for file in (run / "checkpoints").glob("*.sha256")}
    assert sums == {file.stem for file in (run / "checkpoints").glob("*.index")} >= {"ckpt-4", "ckpt-5"}


def test_what_callbacks_must_know_comes_with_a_checkpoint_and_its_checksums(run: Path) -> None:
    config = load(run / "config.yaml")
    model = HiCMD(build_networks(config.networks, classes=6), config)
    model.compile(make_optimisers(config.optimisers))
    checkpoints = Checkpoints(model, run / "checkpoints", keep=2)
    assert checkpoints.restore() and checkpoints.notes() == {}
    for step in (1, 2, 3):
        model.optimizer.iterations.assign(step)
        checkpoints.save({"LossTable": {"sums": {"same": 0.1 * step}, "count": step}})
    names = {file.name for file in (run / "checkpoints").glob("*.json")}
    assert {"ckpt-2.json", "ckpt-3.json"} <= names and "ckpt-1.json" not in names
    newest = Checkpoints(model, run / "checkpoints")
    assert newest.restore() and newest.notes() == {"LossTable": {"sums": {"same": 0.1 * 3}, "count": 3}}
    flip(run / "checkpoints" / "ckpt-3.json")
    with pytest.warns(UserWarning, match=r"ckpt-3.*ckpt-3\.json is not what was written"):
        assert newest.restore() and newest.notes()["LossTable"]["count"] == 2
    (run / "checkpoints" / "ckpt-2.json").unlink()
    Path(run / "checkpoints" / "ckpt-2.sha256").unlink()  # of a release that wrote neither
    with pytest.warns(UserWarning):
        assert newest.restore() and newest.notes() == {}


WRITER = """
import resource, sys
from pathlib import Path
from hicmd_tf.config import load
from hicmd_tf.errors import run_command
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.runs.checkpoints import Checkpoints
from hicmd_tf.engines.tensorflow.hicmd import HiCMD
from hicmd_tf.training.optimisers import make_optimisers

run = Path(sys.argv[1])
config = load(run / "config.yaml")
model = HiCMD(build_networks(config.networks, classes=6), config)
model.compile(make_optimisers(config.optimisers))
checkpoints = Checkpoints(model, run / "checkpoints")
checkpoints.restore()
model.optimizer.iterations.assign(7)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
run_command(checkpoints.save)
"""


def test_a_disk_that_takes_no_more_leaves_the_last_good_checkpoint_and_nothing_else(run: Path) -> None:
    """The system itself refuses files of more than 200 kB; a checkpoint has 700."""
    before = sorted(file.name for file in (run / "checkpoints").iterdir())
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(run)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        check=False,
    )
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "the checkpoint can't be written" in lines[0] and "--resume" in lines[0]
    assert sorted(file.name for file in (run / "checkpoints").iterdir()) == before
    assert newest_whole(run / "checkpoints") == str(run / "checkpoints" / "ckpt-0")


HOLDER = """
import sys, time
from pathlib import Path
from hicmd_tf.files import alone
with alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_second_process_is_refused_until_the_first_has_ended_however(smoke_config: Config, tmp_path: Path) -> None:
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
    flip(data_of(run / "checkpoints" / "ckpt-0"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="no other is whole"):
        train(smoke_config, RunFolder(run), resume=True)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before


def test_data_that_are_refused_begin_no_run(smoke_config: Config, tmp_path: Path) -> None:
    config = with_values(smoke_config, {"data.name": "folder", "data.source": str(tmp_path / "nowhere")})
    for _ in range(2):  # the second time without --resume, too
        with pytest.raises(UserError, match="nowhere is no folder"):
            train(config, RunFolder(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_refused_is_left_as_it_was(smoke_config: Config, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not a run folder"):
        train(smoke_config, RunFolder(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_weights_that_are_not_there_are_reported_before_data_are_prepared(tmp_path: Path) -> None:
    gone, data = str(tmp_path / "gone.h5"), str(tmp_path / "data")
    config = load(BASE, {"networks.resnet_weights": gone, "data.directory": data})
    with pytest.raises(UserError, match=r"there is no file .*gone\.h5"):
        prepare(config)
    assert not list(tmp_path.iterdir())


def test_checksums_that_rotate_away_while_they_are_read_are_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_file", lambda file: True)  # a moment ago
    assert flaw_of(str(tmp_path / "ckpt-1")) is None
