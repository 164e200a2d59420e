"""What every command needs: said in one line where it is not there; TensorFlow comes without lines of its own."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hicmd_tf.startup import _without_chatter

ROOT = Path(__file__).parents[1]
LINE = "I0000 00:00:1795704708.785048    6010 port.cc:153] oneDNN is on.\n"
PREFACE = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"


BENCHES = ("health", "inference", "kills", "metrics", "scaling", "search", "train_step")


def answer(*arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Exit code and standard error of Python, without a log level in its environment."""
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("module", ["hicmd_tf", "hicmd_tf.fit", "bench.search"])
def test_a_command_outside_of_its_environment_says_so_in_one_line(module: str) -> None:
    words = ["fit"] if module == "hicmd_tf" else []
    code, (line,) = answer("-S", "-m", module, *words, "--no-such-option")
    assert code == 2
    assert re.match(r"error: the package \w+ is not installed for .*: start this .* or pip install \. in", line)


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"bench.{name}").main(["--help"])
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out.startswith(f"usage: python -m bench.{name}")


def test_a_module_of_ours_that_is_missing_is_a_fault_of_the_program() -> None:
    code, lines = answer("-c", "import sys; sys.argv = ['-m']; import hicmd_tf.misspelt")
    assert code == 1 and lines[-1] == "ModuleNotFoundError: No module named 'hicmd_tf.misspelt'"


def test_a_system_without_locks_is_one_line() -> None:
    code, (line,) = answer("-c", "import sys; sys.argv = ['-m']; sys.modules['fcntl'] = None; import hicmd_tf")
    assert code == 2 and line.startswith("error: hicmd_tf runs on Linux") and "WSL" in line


def test_tensorflow_is_loaded_without_its_first_lines(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(
        f"import os\nos.write(2, {PREFACE.encode() + LINE.encode()!r} + b'real\\n')\n"
    )
    code = "import hicmd_tf, sys; import tensorflow; print('hello', file=sys.stderr)"
    assert answer("-c", code, PYTHONPATH=f"{ROOT}:{tmp_path}") == (0, ["real", "hello"])


@pytest.mark.parametrize(
    ("level", "left"),
    [
        (None, "real\n"),
        ("0", PREFACE + LINE + "W" + LINE[1:] + "real\nE" + LINE[1:]),
        ("1", "W" + LINE[1:] + "real\nE" + LINE[1:]),
        ("2", "real\nE" + LINE[1:]),
        ("loud", PREFACE + LINE + "W" + LINE[1:] + "real\nE" + LINE[1:]),
    ],
)
def test_lines_below_the_level_are_left_out_and_no_others(
    level: str | None, left: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with pytest.raises(ImportError, match="broken"), _without_chatter():
        os.write(2, f"{PREFACE}{LINE}W{LINE[1:]}real\nE{LINE[1:]}".encode())
        raise ImportError("broken")
    assert capfd.readouterr().err == left
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")  # `setdefault` changed it


def test_more_than_a_pipe_holds_blocks_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with _without_chatter():
        os.write(2, b"x" * (1 << 17))
    assert 0 < len(capfd.readouterr().err) <= 1 << 16
