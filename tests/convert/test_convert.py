"""Released checkpoints to run folders and back, with PyTorch where it is installed and a stand-in for it everywhere."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import hicmd_tf
from hicmd_tf.commands.convert import main
from hicmd_tf.config import load
from hicmd_tf.convert.keys import Place, released_shapes, to_ours, to_release, unused, used
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.runs.folder import RunFolder

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke.yaml"
FILES = ("gen_0000040.pt", "dis_0000040.pt", "id_0000040.pt")
KERNEL = "enc_pro.model1.0.conv.weight"

# Of the sorted lines `file/part/key shape`, as the release stores them for 206 identities.
RELEASED_KEYS = 1408
RELEASED_DIGEST = "5fd5514848336b088e0fd84e9c9c3c862cc4a2cdfebc36b145453b446eedb9c5"


class StandInTensor:
    """As much of a tensor as reading and writing need."""

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)

    def detach(self) -> "StandInTensor":
        return self

    def is_floating_point(self) -> bool:
        return bool(np.issubdtype(self.array.dtype, np.floating))

    def float(self) -> "StandInTensor":
        return StandInTensor(self.array.astype(np.float32))

    def numpy(self) -> Any:
        return self.array


def stand_in() -> ModuleType:
    """A torch whose files are JSON headers and raw bytes."""
    module: Any = ModuleType("torch")

    def save(parts: Any, file: Any) -> None:
        flat = {f"{part}|{key}": tensor.numpy() for part, tensors in parts.items() for key, tensor in tensors.items()}
        np.savez(file, **flat)

    def read(path: Any, map_location: str, weights_only: bool) -> Any:
        assert weights_only and map_location == "cpu"
        parts: dict[str, dict[str, StandInTensor]] = {}
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                part, key = name.split("|")
                parts.setdefault(part, {})[key] = StandInTensor(arrays[name])
        return parts

    module.save, module.load, module.from_numpy = save, read, StandInTensor
    return module


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "torch", stand_in())
    return sys.modules["torch"]


@pytest.fixture(params=["PyTorch", "stand-in"])
def either_torch(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip("torch") if request.param == "PyTorch" else request.getfixturevalue("torch")


def drawn(place: Place, shape: tuple[int, ...]) -> Any:
    """A tensor of the release, from its name; the decoder's equal in a and b."""
    if place.key.endswith("num_batches_tracked"):
        return np.array(123)
    name = str(place).replace("gen/b/dec.", "gen/a/dec.")
    rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()[:8]))
    positive = place.key.endswith(("running_var", "multp"))
    return np.asarray(rng.uniform(0.5 if positive else -1, 1, shape), np.float32)


@pytest.fixture(scope="session")
def released() -> dict[Place, Any]:
    """A released checkpoint of the smoke configuration's sizes, for 9 identities."""
    networks = build_networks(load(SMOKE).networks, 9)
    return {place: drawn(place, shape) for place, shape in released_shapes(networks).items()}


def write(torch: Any, folder: Path, tensors: dict[Place, Any], iteration: int = 40) -> Path:
    folder.mkdir(exist_ok=True)
    files: dict[str, Any] = {}
    for place, array in tensors.items():
        files.setdefault(place.file, {}).setdefault(place.part, {})[place.key] = torch.from_numpy(np.array(array))
    for file, parts in files.items():
        with (folder / f"{file}_{iteration:07d}.pt").open("wb") as stream:
            torch.save(parts, stream)
    return folder


def read(torch: Any, folder: Path, iteration: int = 40) -> dict[Place, Any]:
    return {
        Place(file, part, key): tensor.numpy()
        for file in ("gen", "dis", "id")
        for part, tensors in torch.load(
            folder / f"{file}_{iteration:07d}.pt", map_location="cpu", weights_only=True
        ).items()
        for key, tensor in tensors.items()
    }


def convert(source: Path, target: Path, *options: str) -> None:
    main([str(source), str(target), "--config", str(SMOKE), *options])


Complaint = Callable[[Path], str]


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Complaint:
    """What converting a folder says on standard error: one line, exit code 2, and no run folder left behind."""

    def run(source: Path, *options: str) -> str:
        with pytest.raises(SystemExit) as left:
            run_command(lambda: convert(source, tmp_path / "run", *options))
        line = capsys.readouterr().err
        assert left.value.code == 2 and line.startswith("error: ") and line.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir() if "run" in path.name] == []
        return line

    return run


# ------------------------------------------------------------------------------------------------------------ names


@pytest.fixture(scope="module")
def full_size() -> dict[Place, tuple[int, ...]]:
    return released_shapes(build_networks(load("base").networks, 206))


def test_names_and_shapes_are_those_of_the_released_files(full_size: dict[Place, tuple[int, ...]]) -> None:
    lines = sorted(f"{place} {'x'.join(map(str, shape))}" for place, shape in full_size.items())

    assert len(lines) == RELEASED_KEYS
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == RELEASED_DIGEST


def test_names_and_shapes_are_those_of_the_reference_material(
    shared: Path, full_size: dict[Place, tuple[int, ...]]
) -> None:
    layout = json.loads((shared / "spec" / "checkpoint_keys.json").read_text())
    expected = {
        Place(file.split("_")[0], part, key): tuple(shape)
        for file, parts in layout.items()
        if file.split("_")[0] in ("gen", "dis", "id")
        for part, keys in parts.items()
        for key, shape in keys.items()
    }

    assert full_size == expected


def test_every_weight_and_statistic_has_its_tensor() -> None:
    networks = build_networks(load(SMOKE).networks, 9)
    parts = (networks.generator, *networks.discriminators.values(), networks.features)
    ours = {variable.path: variable for part in parts for variable in part.variables}

    mapped = {id(variable) for variable in used(networks).values()}

    assert {id(v) for v in ours.values() if "seed_generator" not in v.path} == mapped
    assert not set(used(networks)) & set(unused(networks))


@pytest.mark.parametrize("shape", [(), (3,), (4, 3), (5, 4, 3, 2)])
def test_layouts_are_turned_there_and_back(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).random(shape)

    assert np.array_equal(to_ours(to_release(array)), array) and np.array_equal(to_release(to_ours(array)), array)


def test_a_kernel_is_turned_as_both_frameworks_read_it() -> None:
    array = np.random.default_rng(0).random((5, 4, 3, 2))  # out, in, height, width

    assert to_ours(array)[2, 1, 3, 4] == array[4, 3, 2, 1]
    assert to_ours(array[:, :, 0, 0])[3, 4] == array[4, 3, 0, 0]


# ----------------------------------------------------------------------------------------------------- there and back


def test_there_and_back_gives_every_used_tensor_bit_for_bit(
    either_torch: Any, released: dict[Place, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(write(either_torch, tmp_path / "there", released), tmp_path / "run")
    said = capsys.readouterr().out
    main(["--to-torch", str(tmp_path / "run"), str(tmp_path / "back")])

    back = read(either_torch, tmp_path / "back")
    dropped = unused(build_networks(load(SMOKE).networks, 9))
    assert back.keys() == released.keys()
    for place, array in released.items():
        assert back[place].shape == array.shape and back[place].dtype == array.dtype
        expected = np.full(array.shape, dropped[place].value) if place in dropped else array
        assert np.array_equal(back[place], expected), place
    assert "iteration 40" in said and "9 identities" in said
    assert "enc_att.model.fc (4)" in said and "backbone_pro model.layer4 (50)" in said and "num_batches_tracked" in said
    assert capsys.readouterr().out.split() == [str(tmp_path / "back" / name) for name in FILES]


def test_weights_reach_the_variables_that_bear_their_meaning(
    torch: Any, released: dict[Place, Any], tmp_path: Path
) -> None:
    convert(write(torch, tmp_path / "there", released), tmp_path / "run")
    restored = hicmd_tf.load(tmp_path / "run")
    generator, features = restored.networks.generator, restored.networks.features

    def there(file: str, part: str, key: str) -> Any:
        return released[Place(file, part, key)]

    assert restored.step == 40
    kernel = generator.infrared.prototype.pyramid.dilated[2].convolution.kernel
    assert np.array_equal(kernel, there("gen", "b", "enc_pro.model3.1.conv18.1.conv.weight").transpose(2, 3, 1, 0))
    shift = generator.decoder.shifts[1].dense[0].kernel
    assert np.array_equal(shift, there("gen", "a", "dec.mlp_b2.model.0.fc.weight").T)
    variance = features.embedding.stages[1].blocks[0].shortcut.norm.moving_variance
    assert np.array_equal(variance, there("id", "backbone_pro", "model.layer3.0.downsample.1.running_var"))
    assert np.array_equal(features.combination.alpha, there("id", "combine_weight", "multp"))


def test_a_converted_run_is_loaded_with_the_class_count_of_its_weights(
    torch: Any, released: dict[Place, Any], tmp_path: Path
) -> None:
    convert(write(torch, tmp_path / "there", released), tmp_path / "run")

    assert RunFolder(tmp_path / "run").checkpoint().classes == 9
    assert hicmd_tf.load(tmp_path / "run").embed(np.zeros((1, 32, 16, 3), np.uint8), "visible").shape == (1, 16)
    origin = json.loads((tmp_path / "run" / "conversion.json").read_text())
    assert origin["classes"] == 9 and origin["iteration"] == 40
    digest = hashlib.sha256((tmp_path / "there" / FILES[0]).read_bytes()).hexdigest()
    assert origin["files"][FILES[0]] == digest


def test_a_converted_run_is_evaluated_on_data_of_another_number_of_identities(
    torch: Any,
    released: dict[Place, Any],
    tmp_path: Path,
    smoke_directory: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only a resumed training needs the classifier to fit; it says so in one line."""
    from hicmd_tf.commands.evaluate import main as evaluate
    from hicmd_tf.commands.fit import main as fit

    config = tmp_path / "with_data.yaml"
    config.write_text(f"extends: {SMOKE}\ndata:\n  directory: {smoke_directory}\n")
    main([str(write(torch, tmp_path / "there", released)), str(tmp_path / "run"), "--config", str(config)])
    assert "not 9: the run can be evaluated on it, not trained on" in capsys.readouterr().out

    evaluate(["--run", str(tmp_path / "run")])

    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["steps"] == 40 and "untrained" not in metrics
    assert metrics.keys() >= {"visible_to_infrared", "infrared_to_visible", "chance"}
    assert "Hi-CMD" in capsys.readouterr().out
    steps = ["--training.steps", "41"]
    with pytest.raises(UserError, match="was trained on 9 identities, the configured data has 6"):
        fit(["--config", str(tmp_path / "run" / "config.yaml"), "--run", str(tmp_path / "run"), "--resume", *steps])


def test_the_newest_iteration_is_read_unless_another_is_named(
    torch: Any, released: dict[Place, Any], tmp_path: Path
) -> None:
    source = write(torch, tmp_path / "there", released)
    alpha = Place("id", "combine_weight", "multp")
    write(torch, source, {**released, alpha: np.float32(0.125)}, iteration=9)

    convert(source, tmp_path / "last", "--iteration", "last")
    convert(source, tmp_path / "named", "--iteration", "9")

    values = {}
    for run in ("last", "named"):
        restored = hicmd_tf.load(tmp_path / run)
        values[run] = float(restored.networks.features.combination.alpha), restored.step
    assert values == {"last": (released[alpha], 40), "named": (0.125, 9)}


def test_a_checkpoint_without_the_unused_tensors_will_do(
    torch: Any, released: dict[Place, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dropped = unused(build_networks(load(SMOKE).networks, 9))
    kept = {place: array for place, array in released.items() if place not in dropped}

    convert(write(torch, tmp_path / "there", kept), tmp_path / "run")

    assert "0 dropped" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------------------------- mistakes


def changed(released: dict[Place, Any], file: str, part: str, key: str, value: Any) -> dict[Place, Any]:
    return {**released, Place(file, part, key): value}


def test_a_renamed_key_is_named_with_the_one_that_is_missing(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    renamed = {place: array for place, array in released.items() if place != Place("gen", "a", KERNEL)}
    renamed = changed(renamed, "gen", "a", "enc_pro.stem.weight", released[Place("gen", "a", KERNEL)])

    line = complaint(write(torch, tmp_path / "there", renamed))

    assert f"missing: gen/a/{KERNEL};" in line and "not expected: gen/a/enc_pro.stem.weight;" in line


def test_a_wrong_shape_is_named_with_the_right_one(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    wrong = changed(released, "gen", "a", KERNEL, np.zeros((4, 3, 3, 1), np.float32))

    line = complaint(write(torch, tmp_path / "there", wrong))

    assert f"of another shape: gen/a/{KERNEL} (4, 3, 3, 1), expected (4, 3, 3, 3);" in line


def test_values_that_are_not_finite_are_named(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    wrong = changed(released, "id", "combine_weight", "multp", np.float32("nan"))

    assert "not finite: id/combine_weight/multp;" in complaint(write(torch, tmp_path / "there", wrong))


def test_two_different_decoders_are_refused(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    key = "dec.model.7.conv.bias"
    wrong = changed(released, "gen", "b", key, released[Place("gen", "b", key)] + 1)

    assert f"different in a and b, which share one decoder: {key};" in complaint(
        write(torch, tmp_path / "there", wrong)
    )


def test_a_classifier_whose_bias_counts_otherwise_is_named(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    wrong = changed(released, "id", "id", "classifier.classifier.0.bias", np.zeros(8, np.float32))

    assert "classifier.classifier.0.bias (8,), expected (9,);" in complaint(write(torch, tmp_path / "there", wrong))


def test_a_checkpoint_without_a_classifier_is_one_line(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    wrong = {place: array for place, array in released.items() if "classifier.classifier" not in place.key}

    assert "missing id/id/classifier.classifier.0.weight" in complaint(write(torch, tmp_path / "there", wrong))


def test_a_checkpoint_of_other_sizes_names_some_and_counts_the_rest(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    wrong = {place: np.zeros((*array.shape, 1), array.dtype) for place, array in released.items() if array.ndim == 1}

    line = complaint(write(torch, tmp_path / "there", {**released, **wrong}))

    assert "more" in line and len(line) < 2000


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(
    either_torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint, name: str
) -> None:
    path = write(either_torch, tmp_path / "there", released) / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert f"{path} is damaged, or holds more than tensors" in complaint(path.parent)


def test_a_missing_file_is_named_with_the_newest_whole_iteration(
    torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    source = write(torch, tmp_path / "there", released)
    (source / FILES[1]).unlink()
    assert f"{source} has no {FILES[1]}" in complaint(source)

    write(torch, source, released, iteration=9)
    assert "or take --iteration 9" in complaint(source)
    assert "has no gen_0000010.pt, dis_0000010.pt, id_0000010.pt" in complaint(source, "--iteration", "10")


def test_a_missing_part_is_named(torch: Any, released: dict[Place, Any], tmp_path: Path, complaint: Complaint) -> None:
    wrong = {place: array for place, array in released.items() if place.part != "b"}

    assert "expected the parts a, b, found a;" in complaint(write(torch, tmp_path / "there", wrong))


def test_a_folder_without_checkpoints_is_one_line(tmp_path: Path, complaint: Complaint) -> None:
    assert "holds no gen_*.pt" in complaint(tmp_path)
    assert "is not a folder" in complaint(tmp_path / "absent")


def test_a_target_that_exists_is_left_alone(torch: Any, released: dict[Place, Any], tmp_path: Path) -> None:
    source = write(torch, tmp_path / "there", released)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("keep")

    with pytest.raises(UserError, match="exists already"):
        convert(source, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note"]
    convert(source, tmp_path / "run")
    main(["--to-torch", str(tmp_path / "run"), str(tmp_path / "back")])
    with pytest.raises(UserError, match=r"gen_0000040\.pt is there already"):
        main(["--to-torch", str(tmp_path / "run"), str(tmp_path / "back")])


def test_a_run_whose_strides_stand_elsewhere_cannot_go_back(torch: Any, smoke_run: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from hicmd_tf.convert.write import write_checkpoint

    networks = build_networks(replace(load(SMOKE).networks, resnet_weights="imagenet"), 9, restored=True)

    with pytest.raises(UserError, match="stride on the first 1 x 1"):
        write_checkpoint(networks, 1, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "torch", None)
    yield


def test_without_pytorch_one_line_says_how_to_get_it(
    without_torch: None, smoke_run: Path, tmp_path: Path, complaint: Complaint
) -> None:
    (tmp_path / "there").mkdir()
    for name in FILES:
        (tmp_path / "there" / name).write_bytes(b"")

    assert "pip install 'hicmd-tf[torch]'" in complaint(tmp_path / "there")
    with pytest.raises(UserError, match="needs PyTorch"):
        main(["--to-torch", str(smoke_run), str(tmp_path / "back")])


def test_a_pickle_that_would_run_code_does_not(
    released: dict[Place, Any], tmp_path: Path, complaint: Complaint
) -> None:
    torch = pytest.importorskip("torch")
    source = write(torch, tmp_path / "there", released)

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"a": Trap(), "b": {}}, source / FILES[0])

    assert "holds more than tensors" in complaint(source)
    assert not (tmp_path / "sprung").exists()


def test_help_needs_no_tensorflow(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])

    assert left.value.code == 0
    assert "--to-torch RUN CHECKPOINT_FOLDER" in capsys.readouterr().out
