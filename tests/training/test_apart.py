"""Runs in processes of their own: several side by side, what ends them, and that they end with who started them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hicmd_tf.errors import INTERRUPTED, UserError
from hicmd_tf.runs.costs import BESIDE
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training.apart import Job, train_apart

DEADLINE = 60  # seconds, only so that a hang ends
WRITES = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"


def job(folder: Path, name: str, program: str, log: bool = True) -> Job:
    command = [sys.executable, "-c", program, str(folder / name)]
    return Job(command, name, RunFolder(folder / f"run_{name}"), folder / "logs" / f"{name}.log" if log else None)


def wait_for(file: Path) -> None:
    end = time.monotonic() + DEADLINE
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_runs_side_by_side_know_it_and_those_alone_do_not(tmp_path: Path) -> None:
    def known(workers: int, count: int) -> list[bool]:
        jobs = [job(tmp_path, f"{workers}_{count}_{number}", WRITES) for number in range(count)]
        assert train_apart(jobs, "again", workers) == []
        return [BESIDE in json.loads(Path(one.fit[-1]).read_text()) for one in jobs]

    assert known(2, 3) == [True] * 3 and known(1, 2) == [False] * 2 and known(4, 1) == [False]


def test_two_are_there_at_a_time(tmp_path: Path) -> None:
    """Each waits for the other's file: one after another they would wait for ever."""
    meets = (
        "import pathlib, sys, time\np = pathlib.Path(sys.argv[1]); p.touch()\nwhile not p.with_name({!r}).exists(): "
    )
    jobs = [job(tmp_path, me, meets.format(other) + "time.sleep(0.02)") for me, other in (("a", "b"), ("b", "a"))]
    assert train_apart(jobs, "again", 2) == []


def test_one_that_stopped_at_a_failed_step_keeps_none_from_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = (
        f"import pathlib; pathlib.Path({str(tmp_path)!r}, 'run_bad/failure').mkdir(parents=True); raise SystemExit(2)"
    )
    bad, good = job(tmp_path, "bad", fails, log=False), job(tmp_path, "good", WRITES, log=False)
    assert train_apart([bad, good], "again") == [bad]
    assert Path(good.fit[-1]).exists()
    assert capsys.readouterr().err.splitlines() == ["bad: run 1 of 2", "good: run 2 of 2"]


@pytest.mark.parametrize("deletes", ["", "os.rmdir(sys.argv[1].replace('bad', 'run_bad/failure')); "])
def test_a_failure_of_before_does_not_hide_why_a_run_refuses(deletes: str, tmp_path: Path) -> None:
    bad = job(tmp_path, "bad", f"import os, sys; {deletes}print('error: no', file=sys.stderr); sys.exit(2)")
    bad.run.failure.mkdir(parents=True)
    with pytest.raises(UserError, match="bad: no"):
        train_apart([bad], "go on")


def test_one_that_has_a_log_is_named_even_where_it_is_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged, printing = job(tmp_path, "it", WRITES), job(tmp_path, "other", WRITES, log=False)
    train_apart([logged], "again", 2)
    train_apart([printing], "again")
    assert capsys.readouterr().err.splitlines() == [f"it: run 1 of 1; its log is {logged.log}"]


@pytest.mark.parametrize("log", [True, False])
def test_how_to_go_on_is_said_once_by_who_was_asked(
    log: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = "from hicmd_tf.errors import stop; stop('stopped after step 3', 'go on as a run')"
    with pytest.raises(SystemExit) as stopped:
        train_apart([job(tmp_path, "it", program, log)], "go on as a comparison")
    assert stopped.value.code == INTERRUPTED
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1] == "stopped in it; go on as a comparison"
    assert log or lines[:-1] == ["stopped after step 3"]


REFUSALS = [
    ("import sys; sys.exit('error: no\\nmore')", r"bad: no \(its log is \S+bad\.log\); go on"),
    ("raise SystemExit(3)", r"bad: it ended with status 3 \(its log is"),
    ("import os; os.kill(os.getpid(), 9)", "bad was ended by SIGKILL; go on"),
]


@pytest.mark.parametrize(("program", "said"), REFUSALS)
def test_one_that_refuses_or_is_killed_ends_the_others(program: str, said: str, tmp_path: Path) -> None:
    ended = (
        "import pathlib, signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(pathlib.Path(sys.argv[1]).touch()))"
    )
    waiting = job(tmp_path, "other", f"{ended}\npathlib.Path(sys.argv[1] + '_begun').touch()\ntime.sleep({DEADLINE})")
    late = f"import pathlib, time\nwhile not pathlib.Path({waiting.fit[-1] + '_begun'!r}).exists(): time.sleep(0.02)\n"
    with pytest.raises(UserError, match=said):
        train_apart([waiting, job(tmp_path, "bad", late + program)], "go on", 2)
    assert Path(waiting.fit[-1]).exists()


def test_one_that_prints_itself_passes_its_exit_code_on(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        train_apart([job(tmp_path, "bad", "raise SystemExit(3)", log=False)], "go on")
    assert ended.value.code == 3


def test_ctrl_c_ends_all_and_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = f"import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep({DEADLINE})"
    jobs = [job(tmp_path, name, program) for name in ("a", "b", "c")]

    def interrupt() -> None:
        for one in jobs[:2]:
            wait_for(Path(one.fit[-1]))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    thread.start()
    with pytest.raises(SystemExit) as stopped:
        train_apart(jobs, "go on", 2)
    thread.join()
    signal.signal(signal.SIGINT, before)
    assert stopped.value.code == INTERRUPTED
    assert capsys.readouterr().err.splitlines()[-1] == "stopped in a and b; go on"
    assert not Path(jobs[2].fit[-1]).exists()


def test_a_run_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    inner = (
        "import os, pathlib, signal, sys, time\nfrom hicmd_tf.training.apart import end_with_parent\n"
        "end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))\n"
        "signal.signal(15, lambda *_: sys.exit(pathlib.Path(sys.argv[1] + '_ended').touch()))\n"
        f"pathlib.Path(sys.argv[1]).touch()\ntime.sleep({DEADLINE})"
    )
    outer = (
        "import pathlib, sys\nfrom hicmd_tf.training.apart import Job, train_apart\n"
        "from hicmd_tf.runs.folder import RunFolder\n"
        "train_apart([Job([sys.executable, '-c', sys.argv[1], sys.argv[2]], 'it', RunFolder(pathlib.Path('r')))], '')"
    )
    begun = tmp_path / "begun"
    process = subprocess.Popen([sys.executable, "-c", outer, inner, str(begun)])
    wait_for(begun)
    process.kill()
    process.wait()
    wait_for(tmp_path / "begun_ended")
