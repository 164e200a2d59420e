"""Run folders: who may train in them, what changed, of other versions and elsewhere, and what a kill leaves."""

import json
import os
import shlex
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml

from hicmd_tf.config import Config, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.runs.changes import Change
from hicmd_tf.runs.folder import RunFolder

NEWER = {"losses.margin": 0.5, "training.devices": 1}  # settings that are taken for new ones, with base's values
RATE, WEIGHT = "optimisers.generator_rate", "losses.cross"


@pytest.fixture
def run(smoke_config: Config, tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.begin(smoke_config, resume=False)
    return folder


def make_older(run: RunFolder) -> None:
    """As a version wrote it that had not these settings yet."""
    tree = yaml.safe_load(run.config.read_text())
    for key in NEWER:
        section, name = key.split(".")
        del tree[section][name]
    run.config.write_text(yaml.safe_dump(tree))


def test_a_run_of_an_earlier_version_opens_and_goes_on_with_base_s_values_and_one_line(
    run: RunFolder, smoke_config: Config
) -> None:
    make_older(run)
    with pytest.warns(UserWarning) as told:
        assert run.open() == smoke_config  # which has base's values of them
    (line,) = {str(warning.message) for warning in told}
    assert all(f"{key} {value}" in line for key, value in NEWER.items()) and "\n" not in line
    with pytest.warns(UserWarning, match=r"losses\.margin 0\.5"):
        run.begin(smoke_config, resume=True)
    assert run.open() == smoke_config  # whole again, and so without a warning
    make_older(run)
    with (
        pytest.warns(UserWarning, match=r"losses\.margin"),
        pytest.raises(UserError, match=r"losses\.margin is 0\.7, but .* was begun with 0\.5"),
    ):
        run.begin(with_values(smoke_config, {"losses.margin": 0.7}), resume=True)


@pytest.mark.parametrize(("method", "pad"), [("embedding", 10), ("hicmd", 0)])
def test_pictures_are_cut_as_the_version_cut_them_that_began_the_run(
    method: str, pad: int, run: RunFolder, smoke_config: Config
) -> None:
    """When it was embedding.pad, base had 10 of it, and Hi-CMD's pictures were not cut."""
    tree = {**yaml.safe_load(run.config.read_text()), "method": method}
    del tree["batch"]["pad"]
    tree["embedding"] |= {"pad": 10, "people": 2}
    run.config.write_text(yaml.safe_dump(tree))
    expected = with_values(smoke_config, {"method": method, "embedding.people": 2, "batch.pad": pad})
    with warnings.catch_warnings() if method == "embedding" else pytest.warns(UserWarning, match="batch.pad 0: taken"):
        assert run.open() == expected
        run.begin(expected, resume=True)
    assert run.open() == expected and "pad" not in yaml.safe_load(run.config.read_text())["embedding"]


def test_a_setting_of_a_later_version_is_refused(run: RunFolder) -> None:
    run.config.write_text(run.config.read_text() + "future: 1\n")
    with pytest.raises(UserError, match="there is no setting future"):
        run.open()


def test_a_stored_configuration_with_a_wrong_value_stays_wrong(run: RunFolder) -> None:
    run.config.write_text(run.config.read_text().replace("seed: ", "seed: -", 1))
    with pytest.raises(UserError, match="seed"):
        run.open()


def test_the_command_is_written_down_so_that_a_shell_takes_it(
    smoke_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["fit.py", "--run", "a b/it's", "--data.source", "$HOME/*"]
    monkeypatch.setattr(sys, "argv", typed)
    folder = RunFolder(tmp_path / "run")
    folder.begin(smoke_config, resume=False)
    assert shlex.split(json.loads(folder.environment.read_text())["command"]) == typed


KILLED = """
import os, signal, sys
from pathlib import Path
from hicmd_tf.files import replacing
held = [replacing(Path(path)) for path in sys.argv[1:]]
for one in held:
    one.__enter__().write(b"half")
os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_while_writing(*paths: Path) -> None:
    """A process that is killed in the middle of writing files."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, paths)], check=False, env=environment)
    assert done.returncode == -signal.SIGKILL


def test_what_a_kill_left_neither_keeps_a_run_from_beginning_nor_stays(smoke_config: Config, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    kill_while_writing(folder.config)  # the first file of all
    folder.lock.touch()
    folder.begin(smoke_config, resume=False)
    kill_while_writing(folder.checkpoints / "step-000003.safetensors", folder.pictures / "final.png", folder.losses)
    assert len(list(folder.path.rglob(".*.tmp"))) == 3
    folder.begin(smoke_config, resume=True)
    assert not list(folder.path.rglob(".*.tmp")) and folder.open() == smoke_config


def test_what_no_figure_depends_on_may_be_another_and_nothing_else(run: RunFolder, smoke_config: Config) -> None:
    others = {
        **{f"training.{name}_every": 7 for name in ("checkpoint", "log", "picture", "watch")},
        **{"training.keep_checkpoints": 9, "training.devices": 0, "data.directory": "elsewhere"},
    }
    other = with_values(smoke_config, others)
    run.begin(other, resume=True)
    assert run.open() == other and run.changes() == []
    for key, value in (("seed", 5), ("training.embed_batch", 3), (RATE, 0.5)):
        advice = "; --change optimisers.generator_rate=0.5 instead changes it from here on" if key == RATE else "--run"
        with pytest.raises(UserError, match=f"{key} is {value}, but .* was begun with .*{advice}$"):
            run.begin(with_values(other, {key: value}), resume=True)
    with pytest.raises(UserError, match="can only become longer"):
        run.begin(with_values(other, {"training.steps": 1}), resume=True)


def test_a_change_is_kept_with_its_step_and_holds_from_there_on(run: RunFolder, smoke_config: Config) -> None:
    before = smoke_config.optimisers.generator_rate
    assert run.check(smoke_config, True, {RATE: 1e-5}).optimisers.generator_rate == 1e-5
    assert run.open() == smoke_config  # checking changes nothing
    run.begin(smoke_config, True, {RATE: 1e-5}, start=300)
    run.begin(smoke_config, True, {RATE: 1e-5}, start=310)  # the same command again
    run.begin(smoke_config, True, {RATE: 1e-6, WEIGHT: 2.0}, start=400)
    assert run.changes() == [
        Change(300, RATE, before, 1e-5),
        Change(400, RATE, 1e-5, 1e-6),
        Change(400, WEIGHT, smoke_config.losses.cross, 2.0),
    ]
    changed = with_values(smoke_config, {RATE: 1e-6, WEIGHT: 2.0})
    assert run.open() == changed and run.begun() == smoke_config
    for given in (smoke_config, changed):  # the command as it was, or with the values of now
        assert run.check(given, True) == changed
    with pytest.raises(UserError, match=f"{RATE} is 0.5, but .* was begun with {before} and then trained with 1e-06"):
        run.check(with_values(smoke_config, {RATE: 0.5}), True)


def test_steps_that_are_made_again_are_made_with_the_change(run: RunFolder, smoke_config: Config) -> None:
    before = smoke_config.optimisers.generator_rate
    run.begin(smoke_config, True, {RATE: 1e-5}, start=300)
    run.begin(smoke_config, True, start=200)  # where the newest checkpoint was damaged
    assert run.changes() == [Change(200, RATE, before, 1e-5)]
    run.begin(smoke_config, True, {RATE: 1e-6}, start=200)
    assert run.changes() == [Change(200, RATE, before, 1e-6)]
    run.begin(smoke_config, True, {RATE: before}, start=200)
    assert run.changes() == [] and run.open() == smoke_config


def test_a_change_that_is_none_is_one_line(run: RunFolder, smoke_config: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"optimisers\.generator_rate is -1\.0: expected a finite number above 0"):
        run.check(smoke_config, True, {RATE: -1.0})
    with pytest.raises(UserError, match=f"--change {RATE}=1e-05: .* holds no run yet, begin it with --{RATE} 1e-05"):
        RunFolder(tmp_path / "new").check(smoke_config, True, {RATE: 1e-5})
    for content in ("{", '[{"step": 3}]', '[{"step": 3, "setting": "seed", "before": 1, "after": 2}]'):
        run.changed.write_text(content)
        with pytest.raises(UserError, match=r"changes\.json"):
            run.open()
    run.changed.write_text('[{"step": 3, "setting": "losses.cross", "before": 1, "after": "x"}]')
    with pytest.raises(UserError, match=r"losses\.cross is 'x': expected a finite number"):
        run.open()


def test_what_is_no_run_folder_is_refused(run: RunFolder, smoke_config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / ".notes.tmp").write_text("mine")
    (tmp_path / "all").mkdir()
    run.path.rename(tmp_path / "all" / "trial_2")
    for name in ("file", "foreign", "all"):
        with pytest.raises(UserError, match=f"{name} exists and is not a run folder"):
            RunFolder(tmp_path / name).check(smoke_config, resume=True)
    with pytest.raises(UserError, match="file is not a run folder"):
        RunFolder(tmp_path / "file").open()
    with pytest.raises(UserError, match=r"all holds 1 trial, each a run: name one, such as .*trial_2"):
        RunFolder(tmp_path / "all").open()


def test_relative_folders_are_those_of_where_the_run_was_begun_while_they_are_there(
    smoke_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (here / "pictures").mkdir(parents=True)
    (elsewhere / "mine").mkdir(parents=True)
    places = {"data.name": "folder", "data.source": "pictures", "data.directory": "prepared"}
    config = with_values(smoke_config, places)
    monkeypatch.chdir(here)
    run = RunFolder(here / "run")
    run.begin(config, resume=False)
    assert run.open() == config
    monkeypatch.chdir(elsewhere)
    placed = with_values(config, {"data.source": str(here / "pictures")})  # nothing is prepared there yet
    assert run.open() == placed == run.check(config, resume=True)
    assert run.check(with_values(config, {"data.source": "mine"}), resume=True).data.source == "mine"
    (elsewhere / "pictures").mkdir()  # which a command that trains here may mean
    assert run.check(config, resume=True).data.source == "pictures" and run.open() == placed
    (elsewhere / "pictures").rmdir()
    run.begin(config, resume=True)
    monkeypatch.chdir(tmp_path)
    assert run.open() == placed
    (here / "pictures").rmdir()
    run.config.write_text(run.config.read_text().replace(str(here / "pictures"), "pictures"))
    assert run.open() == config


def test_a_damaged_conversion_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.first_step() == 0
    for text, first in (('{"iteration": 70000}', 70000), ('{"iteration": "many"}', None), ("[]", None), ("{", None)):
        run.conversion.write_text(text)
        if first is not None:
            assert run.first_step() == first
        else:
            with pytest.raises(UserError, match=r"conversion\.json names no iteration: convert"):
                run.first_step()
