"""The full size in calls of minutes: its rows, and what each call leaves."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from bench import full_size
from hicmd_tf.config import Config, flattened, load, to_dict
from hicmd_tf.config.validation import remarks
from hicmd_tf.errors import INTERRUPTED, UserError
from hicmd_tf.runs.folder import RunFolder


def test_rows_are_of_full_size_and_begin_alike(tmp_path: Path) -> None:
    given = {"data.name": "folder", "data.source": "people", "data.height": 256, "data.width": 128}
    configs = [load(file, given) for file in full_size.written(tmp_path)]
    alternate, original, strong = configs
    one, other = (dict(flattened(to_dict(config))) for config in (alternate, original))
    assert {key: (one[key], other[key]) for key in one if one[key] != other[key]} == {
        "sampling.groups": ("released", "original")
    }
    assert alternate.networks == load("base").networks and strong.embedding.widths == load("strong").embedding.widths
    assert [config.method for config in configs] == ["hicmd", "hicmd", "embedding"]
    assert {config.networks.resnet_weights for config in configs} == {"none"}
    assert not [line for config in configs for line in remarks(config)]
    with pytest.raises(UserError, match="holds no run yet"):
        full_size.gathered(tmp_path / "compared", tmp_path / "results")


@pytest.mark.parametrize(
    ("given", "backend"),
    [
        ([], "jax"),
        (["--engine", "tensorflow"], "tensorflow"),
        (["--engine=tensorflow"], "tensorflow"),
        (["--training.engine=tensorflow"], "tensorflow"),
    ],
)
def test_an_engine_that_is_given_trains_and_draws(
    given: list[str], backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []

    def run(words: list[str], env: dict[str, str], **_: Any) -> int:
        called.append(words)
        assert env["KERAS_BACKEND"] == backend
        return 2

    monkeypatch.setattr(full_size, "subprocess", SimpleNamespace(run=run, call=run))
    with pytest.raises(UserError, match="holds no run yet"):
        full_size.main(["--out", str(tmp_path), "--", *given])
    assert [word for word in called[-1] if word.startswith("--") and "engine" in word] == (given[:1] or ["--engine"])


def test_a_call_goes_on_by_the_clock_draws_and_gathers(
    smoke_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called: list[list[str]] = []

    def run(words: list[str], env: dict[str, str], **more: Any) -> int:
        called.append(words[words.index("hicmd_tf") + 1 :] if "hicmd_tf" in words else words[3:])
        assert env["KERAS_BACKEND"] == "jax"
        if "compare" in words:
            folder = RunFolder(tmp_path / "out" / "compared" / "runs" / "alternate_7")
            folder.begin(smoke_config, resume=True)
            for place in (folder.checkpoints, folder.pictures, folder.path / "figures"):
                place.mkdir(exist_ok=True)
            (folder.checkpoints / "step-0000003.safetensors").touch()
            folder.losses.write_text("step\n1\n")
            for step in (3, 12):
                Image.new("RGB", (8, 8)).save(folder.pictures / f"step_{step:07d}.png")
        elif "visualize" in words:
            Image.new("RGBA", (8, 8)).save(Path(words[-1]) / "figures" / f"{words[words.index('visualize') + 1]}.png")
        return INTERRUPTED

    stand_in = SimpleNamespace(run=run, call=run, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr(full_size, "subprocess", stand_in)
    with pytest.raises(SystemExit) as left:
        full_size.main(["--out", str(tmp_path / "out"), "--minutes", "8", "--", "--seeds", "7"])
    assert left.value.code == INTERRUPTED
    sample, compare, *drawing = called
    assert sample[:2] == ["sample-folder", str(tmp_path / "out" / "people")] and sample[-2:] == ["--height", "256"]
    assert "--resume" in compare and 5 < float(compare[compare.index("--minutes") + 1]) <= 6.5
    assert compare[-2:] == ["--seeds", "7"] and [words[1] for words in drawing] == ["swap", "interpolate"]
    results = tmp_path / "out" / "results" / "alternate_7"
    names = {"config.yaml", "losses.csv", "step_0000012.jpg", "swap.jpg", "interpolate.jpg"}
    assert {file.name for file in results.iterdir()} == names
    assert "5 files in" in capsys.readouterr().out
