"""Run folders of earlier versions, of later ones, and what a kill leaves in them."""

import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from hicmd_tf.config import Config, from_dict, to_dict
from hicmd_tf.errors import UserError
from hicmd_tf.files import LEFTOVER, is_leftover, replacing, sweep
from hicmd_tf.training.run_folder import RunFolder
from tuning.study import Settings, Study

NEWER = {"losses.margin": 0.5, "training.devices": 1}  # settings that are taken for new ones, with base's values


@pytest.fixture
def run(smoke_config: Config, tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.begin(smoke_config, resume=False)
    return folder


def without(tree: dict, keys: list[str]) -> dict:
    for key in keys:
        *path, name = key.split(".")
        section = tree
        for part in path:
            section = section[part]
        del section[name]
    return tree


def make_older(run: RunFolder) -> None:
    """As a version wrote it that had not these settings yet."""
    run.config.write_text(yaml.safe_dump(without(yaml.safe_load(run.config.read_text()), list(NEWER))))


def test_a_run_of_an_earlier_version_opens_with_base_s_values_and_one_line(
    run: RunFolder, smoke_config: Config
) -> None:
    make_older(run)
    with pytest.warns(UserWarning) as told:
        assert run.open() == smoke_config  # which has base's values of them
    (line,) = {str(warning.message) for warning in told}
    assert all(f"{key} {value}" in line for key, value in NEWER.items()) and "\n" not in line


def test_the_command_is_written_down_so_that_a_shell_takes_it(
    smoke_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["fit.py", "--run", "a b/it's", "--data.source", "$HOME/*"]
    monkeypatch.setattr(sys, "argv", typed)
    folder = RunFolder(tmp_path / "run")
    folder.begin(smoke_config, resume=False)
    assert shlex.split(json.loads(folder.environment.read_text())["command"]) == typed


def test_a_run_of_an_earlier_version_goes_on(run: RunFolder, smoke_config: Config) -> None:
    make_older(run)
    with pytest.warns(UserWarning, match=r"losses\.margin 0\.5"):
        run.begin(smoke_config, resume=True)
    assert run.open() == smoke_config  # whole again, and so without a warning
    make_older(run)
    other = replace(smoke_config, losses=replace(smoke_config.losses, margin=0.7))
    with (
        pytest.warns(UserWarning, match=r"losses\.margin"),
        pytest.raises(UserError, match=r"losses\.margin is 0\.7, but .* was begun with 0\.5"),
    ):
        run.begin(other, resume=True)


def test_a_run_of_a_later_version_is_refused_and_its_version_named(run: RunFolder) -> None:
    run.config.write_text(run.config.read_text() + "future: 1\n")
    environment = json.loads(run.environment.read_text())
    run.environment.write_text(json.dumps({**environment, "hicmd_tf": "9.1"}))
    with pytest.raises(UserError, match=r"there is no setting future.*is of hicmd_tf 9\.1"):
        run.open()
    for content in ("[1]", "{", '{"python": "3"}'):
        run.environment.write_text(content)
        with pytest.raises(UserError, match=r"no setting future.*is of another version"):
            run.open()


def test_a_stored_configuration_with_a_wrong_value_stays_wrong(run: RunFolder) -> None:
    run.config.write_text(run.config.read_text().replace("seed: ", "seed: -", 1))
    with pytest.raises(UserError, match="seed"):
        run.open()


def test_what_exports_and_searches_store_is_read_likewise(smoke_config: Config, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"losses\.margin 0\.5, training\.devices 1"):
        assert from_dict(without(to_dict(smoke_config), list(NEWER)), tmp_path / "metadata.json") == smoke_config
    study = Study(tmp_path, Settings("random", smoke_config, 3, {}), 2)
    stored = study.settings.as_json()
    (tmp_path / "study.json").write_text(json.dumps({**stored, "config": without(stored["config"], list(NEWER))}))
    with pytest.warns(UserWarning, match=r"losses\.margin 0\.5"):
        study._check(resume=True)
    for damaged in ("[]", "{}", '{"config": 3}'):
        (tmp_path / "study.json").write_text(damaged)
        with pytest.raises(UserError, match=r"study\.json holds no settings of a search"):
            study._check(resume=True)


KILLED = """
import os, signal, sys
from pathlib import Path
from hicmd_tf.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_while_writing(path: Path) -> None:
    """A process that is killed in the middle of writing a file."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], check=False, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert done.returncode == -signal.SIGKILL


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*.tmp")]


def test_what_a_kill_left_neither_keeps_a_run_from_beginning_nor_stays(smoke_config: Config, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    kill_while_writing(folder.config)  # the first file of all
    folder.lock.touch()
    (name,) = leftovers(folder.path)
    assert LEFTOVER.fullmatch(name)
    folder.begin(smoke_config, resume=False)
    for inside in (folder.checkpoints / "ckpt-3.sha256", folder.pictures / "final.png", folder.losses):
        kill_while_writing(inside)
    assert len(leftovers(folder.path)) == 3
    folder.begin(smoke_config, resume=True)
    assert not leftovers(folder.path) and folder.open() == smoke_config


def test_other_people_s_files_make_a_folder_foreign(smoke_config: Config, tmp_path: Path) -> None:
    (tmp_path / ".notes.tmp").write_text("mine")
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder(tmp_path).begin(smoke_config, resume=False)
    assert (tmp_path / ".notes.tmp").read_text() == "mine"


def test_what_is_being_written_is_no_leftover_to_be_swept(tmp_path: Path) -> None:
    with replacing(tmp_path / "report.html") as file:
        file.write(b"whole")
        sweep(tmp_path)
        (partial,) = tmp_path.iterdir()
        assert is_leftover(partial)
    assert (tmp_path / "report.html").read_bytes() == b"whole"
