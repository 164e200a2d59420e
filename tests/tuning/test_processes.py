"""Workers that die, chiefs without an address, and studies that are others, end in one line."""

import os
from pathlib import Path
from typing import Any

import pytest

from hicmd_tf.addresses import listening
from hicmd_tf.config import load, with_values
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.tuning import processes
from hicmd_tf.tuning.processes import check_address, role, run_workers
from hicmd_tf.tuning.study import Settings, Study


def test_a_worker_that_dies_again_and_again_is_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        UserError, match=r"^worker0 ended 4 times \(status 3\): see .*worker0\.log, then go on with --res"
    ):
        run_workers(["sh", "-c", "exit 3"], 1, {}, tmp_path, lambda: True)
    assert capsys.readouterr().err.count("worker0 ended (status 3) and is started again") == 3


def test_what_a_worker_refuses_is_said_and_the_others_end(tmp_path: Path) -> None:
    command = ["sh", "-c", 'test $KERASTUNER_TUNER_ID = worker0 || exec sleep 600; echo "error: no" >&2; exit 2']
    with pytest.raises(UserError, match=r"^no$"):
        run_workers(command, 2, {}, tmp_path, lambda: True)


def test_one_that_comes_after_the_end_is_not_waited_for(tmp_path: Path) -> None:
    run_workers(["sleep", "600"], 1, {}, tmp_path, lambda: False)


def as_chief(monkeypatch: pytest.MonkeyPatch, address: str, port: str) -> None:
    for name, value in ((processes.TUNER, "chief"), (processes.ADDRESS, address), (processes.PORT, port)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_grpc_proxy", "")


@pytest.mark.parametrize("port", ["x", "0", "70000", "-1"])
def test_a_chief_needs_a_port(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    as_chief(monkeypatch, "127.0.0.1", port)
    with pytest.raises(UserError, match=r"KERASTUNER_ORACLE_PORT is .*: expected a port, 1 to 65535"):
        role()


def test_several_machines_need_all_three_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processes.TUNER, "worker3")
    with pytest.raises(UserError, match="KERASTUNER_ORACLE_IP is not"):
        role()


def test_a_chief_listens_on_addresses_of_both_kinds_and_says_where_it_can_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("::1", 0) as found:
        port = found.getsockname()[1]
        as_chief(monkeypatch, "::1", str(port))
        assert role() == "chief" and os.environ[processes.ADDRESS] == "[::1]"
        with pytest.raises(UserError, match=rf"^\[::1\]:{port} can't be listened on .* KERASTUNER_ORACLE_PORT"):
            check_address()
    check_address()


@pytest.mark.parametrize(
    ("name", "workers", "resume", "text"),
    [
        ("chief", 2, False, "--workers is for one machine"),
        ("worker0", 2, False, "--workers is for one machine"),
        ("worker0", 1, True, "--resume is the chief's alone"),
    ],
)
def test_options_of_one_machine_are_refused_on_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, workers: int, resume: bool, text: str
) -> None:
    as_chief(monkeypatch, "127.0.0.1", "8000")
    monkeypatch.setenv(processes.TUNER, name)
    here = Study(tmp_path / "s", Settings("random", None, 1, {}, {}), 1)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=text):
        here.run(None, [], workers, resume)
    assert not list(tmp_path.iterdir())


PICTURES = {"train": "a" * 64, "held_out": "b" * 64}


def test_what_a_kill_at_the_first_moment_left_keeps_no_study_from_beginning(tmp_path: Path) -> None:
    for name in ("lock", ".study.json.0a1b2c3d.tmp", "notes"):
        (tmp_path / name).write_text("")
    study = Study(tmp_path, Settings("random", load("tiny"), 1, {}, PICTURES), 1)
    with pytest.raises(UserError, match="exists and holds no search"):
        study._check(resume=False)
    (tmp_path / "notes").unlink()
    study._check(resume=False)


def test_a_study_goes_on_with_what_no_figure_depends_on_and_nothing_else(tmp_path: Path) -> None:
    begun = load("tiny", {"data.name": "folder", "data.source": str(tmp_path)})
    write_json(tmp_path / "study.json", Settings("random", begun, 1, {}, PICTURES).as_json())

    def goes_on(key: str, value: Any, pictures: dict[str, str] = PICTURES) -> None:
        Study(tmp_path, Settings("random", with_values(begun, {key: value}), 1, {}, pictures), 1)._check(resume=True)

    for key, value in (("training.log_every", 7), ("data.directory", "elsewhere"), ("data.source", "elsewhere")):
        goes_on(key, value)
    for key, value in (("seed", 5), ("losses.cross", 7.0)):
        with pytest.raises(UserError, match=rf"{key} is {value}, but the search in .* was begun with"):
            goes_on(key, value)
    with pytest.raises(UserError, match="the held-out pictures, their names or labels are not those that"):
        goes_on("data.source", "elsewhere", {**PICTURES, "held_out": "c" * 64})
