"""What every command needs is said in one line where it is not there."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHES = ("health", "inference", "kills", "metrics", "scaling", "search", "train_step")


def answer(*arguments: str) -> tuple[int, list[str]]:
    """Exit code and standard error of Python."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=100)
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
