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


def commands() -> list[str]:
    """Every module that is a command."""
    files = (file for package in ("hicmd_tf", "export", "tuning", "bench") for file in (ROOT / package).rglob("*.py"))
    named = (file.relative_to(ROOT).with_suffix("") for file in files if "    run_command(main)\n" in file.read_text())
    return sorted(".".join(name.parts).removesuffix(".__main__") for name in named)


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


@pytest.mark.parametrize("command", commands())
def test_a_command_outside_of_its_environment_says_so_in_one_line(command: str) -> None:
    code, (line,) = answer("-S", "-m", command, "--no-such-option")
    assert code == 2 and line.startswith("error: ")


@pytest.mark.parametrize("command", [one for one in commands() if not one.startswith("bench.fuzzing.")])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main = f"{command}.__main__" if (ROOT / command.replace(".", "/")).is_dir() else command
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(main).main(["--help"])
    assert ended.value.code in (0, None)
    said = capsys.readouterr().out
    assert said.startswith("usage: ") and "--help" in said


def test_the_package_is_named_and_what_brings_it() -> None:
    assert len(commands()) > 20
    for command in ("hicmd_tf.fit", "hicmd_tf.tuning.ablations", "hicmd_tf.export.check", "hicmd_tf.data.check"):
        _, (line,) = answer("-S", "-m", command, "--no-such-option")
        assert re.match(r"error: the package \w+ is not installed for .*: start this .* or pip install \. in", line)


def test_a_module_of_ours_that_is_missing_is_a_fault_of_the_program() -> None:
    code, lines = answer("-c", "import sys; sys.argv = ['-m']; import hicmd_tf.misspelt")
    assert code == 1 and lines[-1] == "ModuleNotFoundError: No module named 'hicmd_tf.misspelt'"


def test_a_system_without_locks_is_one_line() -> None:
    code, (line,) = answer(
        "-c", "import sys; sys.argv = ['-m']; sys.modules['fcntl'] = None; import hicmd_tf.export.onnx"
    )
    assert code == 2 and line.startswith("error: hicmd_tf runs on Linux") and "WSL" in line


def test_tensorflow_says_nothing_before_a_mistakes_line(tmp_path: Path) -> None:
    code, (line,) = answer("-m", "hicmd_tf.evaluate", "--run", str(tmp_path))
    assert code == 2 and line.startswith(f"error: {tmp_path} is not a run folder")


def test_a_script_hears_nothing_either() -> None:
    assert answer("-c", "import hicmd_tf.interface, sys; print('hello', file=sys.stderr)") == (0, ["hello"])


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
