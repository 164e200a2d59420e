"""Signals, disks and memory: what a command says of them, in processes that really meet them (without TensorFlow)."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from hicmd_tf.commands import serve
from hicmd_tf.errors import UserError, missing, run_command, some

ROOT = Path(__file__).parents[1]
# What a shell starts in the background ignores Ctrl-C, and so does all that is started by it: these processes do not.
BEGIN = """
import os, resource, signal, sys, time
from pathlib import Path
from hicmd_tf.errors import run_command
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
FILES = "from hicmd_tf.files import replacing, write_text\n"
WAITING = """
def main():
    with replacing(Path(sys.argv[1])) as file:
        file.write(b"half")
        print("writing", flush=True)
        time.sleep(100)
run_command(main)
"""
NOBODY = 65534


def start(code: str, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + FILES + code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


def answer(code: str, *arguments: str, **options: object) -> tuple[int, str]:
    """Exit code, and what it said on standard error."""
    process = start(code, *arguments, **options)
    errors = process.communicate(timeout=100)[1]
    assert "Traceback" not in errors
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_with_a_line_and_nothing_half_written(number: int, tmp_path: Path) -> None:
    process = start(WAITING, str(tmp_path / "out"))
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    process.send_signal(number)
    errors = process.communicate(timeout=100)[1]
    assert (process.returncode, errors.count("\n")) == (130, 1) and errors.startswith("stopped")
    assert list(tmp_path.iterdir()) == []


def test_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    run_command(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_full_disk_is_one_line() -> None:
    code, errors = answer("run_command(lambda: Path('/dev/full').write_text('x' * 100))")
    assert code == 2 and errors.startswith("error: ") and "No space left on device" in errors and "free space" in errors


def test_a_file_that_grows_too_large_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("before")
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    code, errors = answer(f"{limit}run_command(lambda: write_text(Path(sys.argv[1]), 'x' * 5000))", f"{tmp_path}/out")
    assert code == 2 and errors.startswith("error: ") and "out: can't be written (File too large)" in errors
    assert [file.name for file in tmp_path.iterdir()] == ["out"] and (tmp_path / "out").read_text() == "before"


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that other users come into, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_that_may_only_be_read_is_named(open_to_all: Path) -> None:
    """Even root obeys once it has become somebody else."""
    folder = open_to_all / "read-only"
    folder.mkdir()
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0o600 if os.geteuid() == 0 else 0)
    folder.chmod(0o555)
    become = f"os.setuid({NOBODY})\n" if os.geteuid() == 0 else ""
    for call, named in (
        ("write_text(Path(sys.argv[1]) / 'a', '')", "read-only/a: can't be written (Permission denied)"),
        ("os.mkdir(sys.argv[1] + '/b')", "read-only/b: Permission denied: name a file or folder that you may use"),
        ("open(sys.argv[1] + '/secret')", "read-only/secret: Permission denied"),
    ):
        code, errors = answer(f"{become}run_command(lambda: {call})", str(folder))
        assert code == 2 and errors.startswith("error: ") and errors.count("\n") == 1 and named in errors
    assert [file.name for file in folder.iterdir()] == ["secret"]


def test_memory_that_is_out_is_one_line() -> None:
    limit = "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
    code, errors = answer(f"{limit}run_command(lambda: bytearray(1 << 40))")
    assert code == 2 and errors.startswith("error: memory is out") and errors.count("\n") == 1


def test_a_reader_that_leaves_ends_a_command_quietly() -> None:
    process = start("run_command(lambda: [print('x' * 1000, flush=True) or time.sleep(0.01) for _ in range(1000)])")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(100) == 130


def test_a_second_signal_ends_what_the_first_one_did_not() -> None:
    """A program that answers the first Ctrl-C after its work, as a training does, ends at once at the second."""
    code = """
def main():
    signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, signal.default_int_handler))
    print("ready", flush=True)
    time.sleep(100)
run_command(main)
"""
    process = start(code)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=100)[1]
    assert process.returncode == 130 and errors.startswith("stopped") and "Traceback" not in errors


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


def test_what_a_server_lacks_is_said_before_its_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ModuleNotFoundError, match="uvicorn") as lacks:
        serve.main(["--model", "nowhere"])
    assert "pip install 'hicmd-tf[serve]' brings it" in str(missing(lacks.value))


def test_of_many_things_the_first_are_named() -> None:
    assert [some("abcd"[:count], 2) for count in (1, 2, 3, 4)] == ["a", "a, b", "a, b and 1 more", "a, b and 2 more"]
