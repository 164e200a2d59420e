"""`hicmd` and each of its commands: help and mistakes without what takes seconds to import."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hicmd_tf import commands
from hicmd_tf.errors import run_command

SLOW = ("tensorflow", "keras", "tensorflow_datasets", "sklearn", "matplotlib")
SLOW += ("onnxruntime", "torch", "pymilvus", "faiss", "keras_tuner", "nicegui", "grpc")
BELOW = ["search index", "search add", "search query", "search remove", "search info"]
BELOW += ["export saved-model", "export onnx", "export check"]

Hicmd = Callable[[Sequence[str]], None]


class Forbidding:
    """Finds nothing, and fails for what is slow."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name.partition(".")[0] in SLOW:
            raise ImportError(f"{name} is imported")


@pytest.fixture
def hicmd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hicmd]:
    """`hicmd` as in a fresh process in which importing anything slow fails."""
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "meta_path", [Forbidding(), *sys.meta_path])
    for name in [name for name in before if name.partition(".")[0] in ("hicmd_tf", *SLOW)]:
        del sys.modules[name]

    def run(words: Sequence[str]) -> None:
        from hicmd_tf import commands, errors

        errors.run_command(lambda: commands.main(words))

    yield run
    for name in [name for name in sys.modules if name not in before]:
        if name.partition(".")[0] in ("hicmd_tf", *SLOW):
            del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize("command", ["", *commands.COMMANDS, *BELOW])
def test_every_command_explains_itself(command: str, hicmd: Hicmd, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        hicmd([*command.split(), "--help"])
    said = capsys.readouterr()
    assert said.err == "" and said.out.startswith(f"usage: hicmd {command}".rstrip())
    assert all(name in said.out for name in commands.COMMANDS) or command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "give a command; hicmd --help lists all commands"),
        ("evalute --run r", "there is no command evalute (nearest: evaluate)"),
        ("search qery", "'qery' is none of index, add, query, remove, info (nearest: query)"),
        ("search query --piture x", "there is no option --piture (nearest: --picture)"),
        ("search index --draw x", "--draw is no option here, hicmd search query has it"),
        (
            "search index --index g --run r --images a b",
            "--images takes one DIR, and 'b' is left over",
        ),
        ("evaluate --run r --data.source x", "--data.source is no option here (nearest: --source), hicmd fit"),
        ("fit --source x", "--source is no option here (nearest: --data.source), hicmd evaluate"),
        ("evaluate --steps 3", "--steps is no option here, hicmd fit, hicmd tune, hicmd ablations"),
        (
            "report --training.steps 3",
            "--training.steps is no option here, hicmd fit, hicmd tune, hicmd ablations",
        ),
        ("report --epochs 3", "there is no option --epochs; --help lists all options"),
        ("search query --picture x", "one of the arguments --index --uri"),
        ("export onx", "(nearest: onnx)"),
        ("export onnx --run r --out o --precisions fp32 --calibration 9", "--calibration is of int8"),
        ("export check --rum r x", "there is no option --rum (nearest: --run)"),
        ("fit --rum r", "there is no option --rum (nearest: --run)"),
        ("fit --run r --training.step 3", "there is no option --training.step (nearest: --training.steps)"),
        ("fit --run r --run r", "--run is given twice"),
        ("fit --run r --config tiny --steps 1 --steps 2", "--steps is given twice"),
        ("fit --run r --config tiny --steps many", "steps is 'many'"),
        ("fit --run r --config tinny", "tiny"),
        ("fit --run r --config tiny --initialise no", "no is not a run folder"),
        ("fit --run r --config own --data.source no", "no is no folder"),
        ("fit --run r --config strong_regdb --data.source no", "no is no folder"),
        ("fit --run r --config regdb --data.source .", "Visible"),
        ("tune --out o --workers 1 --workers 2", "--workers is given twice"),
        ("tune --out o --tuner grid", "'grid' is none of random, bayesian, hyperband"),
        ("ablations --out o --seeds 1,1", "is no list of different whole numbers"),
        ("ablations --out o --config tiny --rows ful", "there is no row ful (nearest: full)"),
        ("compare --out o", "the following arguments are required: CONFIG|RUN"),
        ("compare tiny", "the following arguments are required: --out"),
        ("compare tiny --config small --out o", "--config is no option here"),
        ("carry-over --out o", "the following arguments are required: RUN"),
        ("carry-over no --out o", "no: is not a run folder"),
        ("carry-over r --out o --on x", "'x' is not NAME=DIR with a NAME of regdb, sysu_mm01, llcm, folder"),
        ("compare tiny --out o --seed 1", "--seed 1 is of one run"),
        ("evaluate --run r --model m", "--run and --model don't go together"),
        ("baselines --confg tiny", "there is no option --confg (nearest: --config)"),
        ("visualize --run r swaps", "(nearest: swap)"),
        ("visualize --run r curves --seed 1", "curves are of everyone"),
        ("visualize --run r swap --seed -1", "is no seed, expected 0 to 4294967295"),
        ("report --run r curves", "--run takes one DIR, and 'curves' is left over: leave it out"),
        ("disentangle --run r --pairs 1", "expected a whole number from 2 on"),
        ("explore --run r --port 70000", "is no port"),
        ("extract --run r --out o.npz", "give one of --images or --data"),
        ("serve", "the following arguments are required: --model"),
        ("describe x.jpg", "x.jpg nor a table says its modality: give --modality visible or infrared"),
        ("convert a", "the following arguments are required: TARGET"),
        ("reproduce", "the following arguments are required: RUN"),
        ("replay --run", "--run: expected one argument"),
        ("check regbd x", "'regbd' is none of"),
        ("evaluate --run no", "no is not a run folder"),
        ("evaluate --run no --rerank", "no is not a run folder"),
        ("baselines --run no", "no is not a run folder"),
        ("visualize --run no all", "no is not a run folder"),
        ("report --run no", "no is not a run folder"),
        ("disentangle --run no", "no is not a run folder"),
        ("extract --run no --images . --out o.npz", "no is not a run folder"),
        ("reproduce no", "no is not a run folder"),
        ("search info --index no", "no is no gallery"),
        (
            "describe --model models/onnx --modality visible x.png",
            "models/onnx is a path, and hicmd describe asks a server",
        ),
        ("sample-folder d --people 1", "'1' is out of range, expected a whole number from 2 to 9999"),
        ("sample-folder d --cameras 3", "'3' is out of range, expected a whole number from 1 to 2"),
        ("sample-folder d --height 100", "'100' is out of range, expected a multiple of 8 from 32 to 1024"),
        ("sample-folder d --seed -1", "is no seed"),
        ("draw --out x.png --spectrum thermal --albedo-follows-lightness 0", "leave it out with --spectrum thermal"),
    ],
)
def test_a_mistake_is_one_line(
    words: str, said: str, hicmd: Hicmd, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with contextlib.chdir(tmp_path), pytest.raises(SystemExit) as left:
        hicmd(words.split())
    (line,) = capsys.readouterr().err.splitlines()
    assert left.value.code == 2 and line.startswith("error: ") and said in line


@pytest.mark.parametrize("module", ["hicmd_tf", "hicmd_tf.fit"])
def test_a_process_imports_nothing_slow_either(module: str) -> None:
    words = ["fit"] if module == "hicmd_tf" else []
    command = [sys.executable, "-X", "importtime", "-m", module, *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert {"hicmd_tf", "numpy"} <= imported and not imported & set(SLOW)
    assert "--training.steps" in done.stdout


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(lambda: commands.main(["--version"]))
    assert capsys.readouterr().out.startswith("hicmd 0.")


def test_there_is_a_file_for_each_command() -> None:
    files = {file.stem for file in Path(commands.__file__).parent.glob("*.py")}
    assert files == {"__init__", *(name.replace("-", "_") for name in commands.COMMANDS)}


@pytest.mark.parametrize(("command", "backend"), [("visualize", "tensorflow"), ("fit", "jax")])
def test_commands_that_open_runs_compute_with_tensorflow_whatever_the_environment_says(
    command: str, backend: str
) -> None:
    script = f"from hicmd_tf import commands; commands.main(['{command}', '--help'])"
    told = "import atexit, os; atexit.register(lambda: print(os.environ['KERAS_BACKEND']))"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", f"{told}; {script}"], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == backend
