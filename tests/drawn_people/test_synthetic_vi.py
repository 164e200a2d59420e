"""synthetic_vi as a data set: splits, records, preparation, and what goes wrong."""

import dataclasses
import io
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.commands import main as hicmd
from hicmd_tf.config import load as load_config
from hicmd_tf.config.kinds import TRIALS
from hicmd_tf.config.schema import DataConfig, SyntheticConfig
from hicmd_tf.data.datasets import load
from hicmd_tf.data.sources.synthetic_vi import split_identities
from hicmd_tf.drawn_people.render import draw_picture
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.sheet import FRAME, GAP

SYNTHETIC = SyntheticConfig(8, 3, "near_infrared", 1.0, 0.5, 1.0, 1.0, 1.0, 4.0, 3)


def config(directory: Path, **changes: object) -> DataConfig:
    data = load_config("tiny", {"data.directory": str(directory)}).data
    settings = {"test_identities": 4, "held_out": 1, "height": 32, "width": 16, "synthetic": SYNTHETIC}
    return dataclasses.replace(data, **{**settings, **changes})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("prepared")
    load(config(directory))
    return directory


def test_splits_are_disjoint_halves_of_their_own_and_held_out_people_come_from_training() -> None:
    tests = set()
    for trial, seed in itertools.product(range(1, TRIALS + 1), (0, 1)):
        train, held_out, test = split_identities(412, 206, trial, 20, seed)
        assert (len(train), len(held_out), len(test)) == (186, 20, 206)
        assert sorted(np.concatenate([train, held_out, test])) == list(range(412))
        np.testing.assert_array_equal(split_identities(412, 206, trial, 0, seed)[2], test)
        tests.add(tuple(test))
    assert len(tests) == 2 * TRIALS


@pytest.mark.parametrize(("trial", "held_out", "named"), [(0, 0, "trial"), (11, 0, "trial"), (1, 4, "held_out")])
def test_impossible_splits_are_named(trial: int, held_out: int, named: str) -> None:
    with pytest.raises(UserError, match=f"data.{named} is"):
        split_identities(8, 4, trial, held_out, 0)


def test_records_are_the_drawn_pictures_with_their_factors(prepared: Path) -> None:
    splits = load(config(prepared))
    assert (len(splits.train), len(splits.held_out), len(splits.test)) == (18, 6, 24)
    for samples in (splits.train, splits.held_out, splits.test):
        assert list(samples.names) == sorted(samples.names)
        for row, name in enumerate(samples.names):
            identity, modality, index = name.split("/")
            drawn = draw_picture(SYNTHETIC, (32, 16), int(identity), samples.modality(row), int(index))
            assert (modality, int(identity)) == (samples.modality(row), samples.identities[row])
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(samples.encoded[row]))), drawn.pixels)
            assert samples.cameras[row] == drawn.camera
            for factor in ("yaw", "gait_phase", "illumination"):
                assert samples.factors[factor][row] == np.float32(getattr(drawn, factor))


def test_a_second_use_draws_nothing(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hicmd_tf.drawn_people.encode.encode", None)
    assert len(load(config(prepared)).test) == 24


def test_other_settings_never_share_a_folder(prepared: Path) -> None:
    from hicmd_tf.drawn_people.synthetic_vi_dataset_builder import builder_config

    others = [
        dataclasses.replace(SYNTHETIC, **{name: value})
        for name, value in (("noise", 4.5), ("seed", 4), ("yaw_range", 1.1), ("albedo_follows_lightness", 0.4))
    ]
    names = {builder_config(synthetic, 32, 16).name for synthetic in (SYNTHETIC, *others)}
    names |= {builder_config(SYNTHETIC, 32, 20).name, builder_config(SYNTHETIC, 36, 16).name}
    assert len(names) == 7


def test_an_interrupted_preparation_starts_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hicmd_tf.drawn_people import encode
    from hicmd_tf.drawn_people.synthetic_vi_dataset_builder import builder_config

    whole, calls = encode.encode, []

    def interrupted(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(encode, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(config(tmp_path))
    monkeypatch.setattr(encode, "encode", whole)
    settings = config(tmp_path)
    name = builder_config(settings.synthetic, settings.height, settings.width).name
    (tmp_path / "synthetic_vi" / name / "incomplete.A1B2C3_1.0.0" / "half").mkdir(parents=True)  # as a kill leaves it
    assert len(load(settings).test) == 24
    assert not list(tmp_path.rglob("incomplete.*")) and list((tmp_path / "synthetic_vi" / name).iterdir())


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "description"])
def test_damage_is_one_clear_line(prepared: Path, damage: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(prepared, tmp_path / "copy"))
    (file,) = copy.rglob("dataset_info.json" if damage == "description" else "*.array_record*")
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(
        content[:half] + (bytes([content[half] ^ 0xFF]) + content[half + 1 :] if damage == "flip" else b"")
    )
    if damage == "remove":
        file.unlink()
    with pytest.raises(UserError, match=r"damaged.*delete that folder"):
        load(config(copy))


def test_an_impossible_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(UserError, match=r"data\.directory .*file.*choose a folder"):
        load(config(blocked))


def test_the_preview_is_a_sheet_of_all_pictures(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    size = ["--height", "32", "--width", "16", "--identities", "2", "--images-per-modality", "3"]
    hicmd(["draw", "--out", str(sheet), *size])
    frames, gaps = (2 * FRAME, 7 * GAP), (2 * FRAME, 3 * GAP)
    assert Image.open(sheet).size == (6 * (16 + frames[0]) + frames[1], 2 * (32 + gaps[0]) + gaps[1])


@pytest.mark.parametrize("option", ["--height 30", "--identities 0", "--framing 2", "--yaw-range 4", "--seed x"])
def test_a_wrong_preview_is_refused(option: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"command line: data\.\S+ is .*: expected"):
        hicmd(["draw", "--out", str(tmp_path / "sheet.png"), *option.split()])
    assert not (tmp_path / "sheet.png").exists()
