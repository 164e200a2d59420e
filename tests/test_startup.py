"""What every command needs is said in one line where it is not there; TensorFlow comes without lines of its own."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHES = ("health", "inference", "kills", "metrics", "scaling", "search", "train_step")


def answer(*arguments: str, **more: str) -> tuple[int, list[str]]:
    """Exit code and standard error of Python."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
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


FREE = """
import importlib, pkgutil, sys
import numpy as np
import hicmd_tf.data, hicmd_tf.retrieval
for package in hicmd_tf.data, hicmd_tf.retrieval:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
from hicmd_tf.data.batches import evaluation_batches
from hicmd_tf.data.samples import Samples
from hicmd_tf.pictures.decode import as_png
one = np.ones(1, np.int64)
samples = Samples([as_png(np.zeros((8, 4, 3), np.uint8))], ["a"], one, one == 0, one)
assert next(evaluation_batches(samples, 8, 4, 1)).shape == (1, 8, 4, 3)
print(*{"tensorflow", "keras", "jax", "torch"} & {*sys.modules}, file=sys.stderr, end="")
"""


def test_data_and_rankings_need_no_framework() -> None:
    assert answer("-c", FREE) == (0, [])


@pytest.mark.parametrize(("level", "lines"), [("3", ["real", "hello"]), ("0", ["W", "I", "real", "hello"])])
def test_tensorflow_is_loaded_without_its_first_lines(level: str, lines: list[str], tmp_path: Path) -> None:
    said = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1795704708.785048    6010 port.cc:153] oneDNN is on.\n"
        "real\n"
    )
    (tmp_path / "tensorflow.py").write_text(f"import os\nos.write(2, {said.encode()!r})\n")
    code = "import hicmd_tf, sys; import tensorflow; print('hello', file=sys.stderr)"
    status, found = answer("-c", code, PYTHONPATH=f"{ROOT}:{tmp_path}", TF_CPP_MIN_LOG_LEVEL=level)
    assert status == 0 and len(found) == len(lines)
    assert all(line.startswith(begin) for line, begin in zip(found, lines, strict=True))
