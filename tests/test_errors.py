"""Signals, disks and memory: what a command says of them, in processes that really meet them (without TensorFlow)."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from hicmd_tf.commands import serve
from hicmd_tf.errors import UserError, announce_waits, counted, limited, missing, run_command, some, waiting

ROOT = Path(__file__).parents[1]
# What a shell starts in the background ignores Ctrl-C, and so does all that is started by it: these processes do not.
BEGIN = """
import os, resource, signal, sys, time
from pathlib import Path
from hicmd_tf.errors import run_command
from hicmd_tf.files import replacing, write_text
signal.signal(signal.SIGINT, signal.default_int_handler)
place = Path(sys.argv[1])
"""
WAITING = """
def main():
    with replacing(place) as file:
        file.write(b"half")
        print("writing", flush=True)
        while True:  # one long sleep that begins just after the signal came would not be cut short
            time.sleep(0.01)
run_command(main)
"""
NOBODY = 65534


def start(code: str, place: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_with_a_line_and_nothing_half_written(number: int, tmp_path: Path) -> None:
    process = start(WAITING, tmp_path / "out")
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    process.send_signal(number)
    errors = process.communicate(timeout=100)[1]
    assert (process.returncode, errors.count("\n")) == (130, 1) and errors.startswith("stopped")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_ends_a_command_quietly(tmp_path: Path) -> None:
    code = "run_command(lambda: [print('x' * 1000, flush=True) or time.sleep(0.01) for _ in range(1000)])"
    process = start(code, tmp_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(100) == 130


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users come into, as pytest's own is not, and may only read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "read-only"
        folder.mkdir()
        (folder / "secret").write_text("x")
        (folder / "secret").chmod(0o600 if os.geteuid() == 0 else 0)
        folder.chmod(0o555)
        yield folder
        assert [file.name for file in folder.iterdir()] == ["secret"]


BECOME = f"os.setuid({NOBODY}); " if os.geteuid() == 0 else ""  # even root obeys once it has become somebody else
LIMIT = "resource.setrlimit(resource.RLIMIT_{0}, ({1}, {1})); "


@pytest.mark.parametrize(
    ("before", "call", "said"),
    [
        ("", "Path('/dev/full').write_text('x' * 100)", "No space left on device: free space"),
        (LIMIT.format("AS", 1 << 30), "bytearray(1 << 40)", "error: memory is out"),
        (BECOME, "write_text(place / 'a', '')", "read-only/a: can't be written (Permission denied)"),
        (BECOME, "os.mkdir(place / 'b')", "read-only/b: Permission denied: name a file or folder that you may use"),
        (BECOME, "open(place / 'secret')", "read-only/secret: Permission denied"),
    ],
)
def test_a_disk_or_memory_that_refuses_is_one_line(before: str, call: str, said: str, place: Path) -> None:
    process = start(f"{before}run_command(lambda: {call})", place)
    errors = process.communicate(timeout=100)[1]
    assert process.returncode == 2 and errors.startswith("error: ") and errors.count("\n") == 1 and said in errors


def test_a_file_that_grows_too_large_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("before")
    process = start(
        f"{LIMIT.format('FSIZE', 1000)}run_command(lambda: write_text(place, 'x' * 5000))", tmp_path / "out"
    )
    assert "out: can't be written (File too large)" in process.communicate(timeout=100)[1]
    assert [file.name for file in tmp_path.iterdir()] == ["out"] and (tmp_path / "out").read_text() == "before"


def test_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    run_command(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_after_so_many_minutes_a_command_is_asked_to_stop() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), limited(1e-4):
        while True:
            time.sleep(1)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        with limited(1e-4):
            while not asked:
                time.sleep(0.001)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for minutes in (None, 1e-3):
        with limited(minutes):
            pass
    time.sleep(0.1)  # nothing comes later
    assert asked == [signal.SIGTERM] and signal.getsignal(signal.SIGALRM) is before


def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        run_command(lambda: warnings.warn("two\nlines", stacklevel=1))
    assert capsys.readouterr().err == "warning: two lines\n"


def lacking(package: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {package!r}", name=package)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("the thing\nis wrong"), "the thing is wrong"),
        (UserError("a name of \x1b[31m\0 and \udcff, für\tsich"), "a name of \\x1b[31m\\x00 and \\udcff, für sich"),
        (
            lacking("tensorflow_serving.apis"),
            "the package tensorflow_serving is not installed: pip install 'hicmd-tf[export]' brings it",
        ),
        (OSError(36, "File name too long", "a/b"), "a/b: File name too long: name a file or folder that can be there"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_2(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit, match="2"):
        run_command(main)
    assert capsys.readouterr().err == f"error: {said}\n"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "x"),
        KeyError("x"),
        lacking("hicmd_tf.misspelt"),
        lacking("fcntl"),
    ],
)
def test_faults_of_the_program_stay_visible(error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(type(error)):
        run_command(main)


def test_a_port_that_is_taken_is_said_before_the_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("starlette", "uvicorn"):
        pytest.importorskip(package)
    (tmp_path / "1").mkdir()
    monkeypatch.setitem(sys.modules, "hicmd_tf.export.server", None)  # which would load TensorFlow
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="can't be listened on"):
        serve.main(["--model", str(tmp_path), "--port", str(taken.getsockname()[1])])


def test_what_a_server_lacks_is_said_before_its_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ModuleNotFoundError, match="uvicorn") as lacks:
        serve.main(["--model", "nowhere"])
    assert "pip install 'hicmd-tf[serve]' brings it" in str(missing(lacks.value))


def test_of_many_things_the_first_are_named() -> None:
    assert [some("abcd"[:count], 2) for count in (1, 2, 3, 4)] == ["a", "a, b", "a, b and 1 more", "a, b and 2 more"]


class JaxRuntimeError(Exception):
    """JAX's own has this name."""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.", "error: memory is out"),
        ("UNIMPLEMENTED: a deterministic kernel is lacking", "error: this GPU has no kernel"),
    ],
)
def test_what_a_card_lacks_is_one_line_with_jax(said: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise JaxRuntimeError(said)

    with pytest.raises(SystemExit) as left:
        run_command(fail)
    (line,) = capsys.readouterr().err.splitlines()
    assert left.value.code == 2 and line.startswith(told)


@pytest.mark.parametrize(
    ("count", "thing", "words"),
    [
        (1, "picture", "1 picture"),
        (0, "picture", "0 pictures"),
        (2000, "test identity", "2,000 test identities"),
        (1, "person", "1 person"),
        (3, "drawn person", "3 drawn people"),
    ],
)
def test_things_are_counted_in_words(count: int, thing: str, words: str) -> None:
    assert counted(count, thing) == words


def test_waits_are_told_once_and_to_commands_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hicmd_tf.errors._WAITS", [])
    waiting("opening runs/a")
    assert capsys.readouterr().err == ""
    announce_waits()
    for _ in range(2):
        waiting("opening runs/a")
    assert capsys.readouterr().err == "opening runs/a ..\n"
