"""Released checkpoints to run folders and back, with PyTorch itself."""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hicmd_tf
from hicmd_tf.commands.convert import main
from hicmd_tf.config import load
from hicmd_tf.convert.keys import Place, released_shapes, to_ours, to_release, unused, used
from hicmd_tf.convert.read import fill, read_checkpoint
from hicmd_tf.convert.write import write_checkpoint
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.method.networks.build import Networks, build_networks
from hicmd_tf.runs.folder import RunFolder

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke.yaml"
FILES = ("gen_0000040.pt", "dis_0000040.pt", "id_0000040.pt")
KERNEL = Place("gen", "a", "enc_pro.model1.0.conv.weight")
ALPHA = Place("id", "combine_weight", "multp")
CLASSIFIER = "classifier.classifier.0"
BIAS = "dec.model.7.conv.bias"  # of the decoder, which is stored twice

# Of the sorted lines `file/part/key shape`, as the release stores them for 206 identities.
RELEASED_KEYS = 1408
RELEASED_DIGEST = "5fd5514848336b088e0fd84e9c9c3c862cc4a2cdfebc36b145453b446eedb9c5"

Tensors = dict[Place, Any]


def drawn(place: Place, shape: tuple[int, ...]) -> Any:
    """A tensor of the release, from its name; the decoder's equal in a and b."""
    if place.key.endswith("num_batches_tracked"):
        return np.array(123)
    name = str(place).replace("gen/b/dec.", "gen/a/dec.")
    rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()[:8]))
    positive = place.key.endswith(("running_var", "multp"))
    return np.asarray(rng.uniform(0.5 if positive else -1, 1, shape), np.float32)


@pytest.fixture(scope="module")
def networks() -> Networks:
    """Of the smoke configuration's sizes, for 9 identities."""
    return build_networks(load(SMOKE).networks, 9)


@pytest.fixture(scope="module")
def released(networks: Networks) -> Tensors:
    """A released checkpoint of the same."""
    return {place: drawn(place, shape) for place, shape in released_shapes(networks).items()}


def write(folder: Path, tensors: Tensors, iteration: int = 40) -> Path:
    torch = pytest.importorskip("torch")
    folder.mkdir(exist_ok=True)
    files: dict[str, Any] = {}
    for place, array in tensors.items():
        files.setdefault(place.file, {}).setdefault(place.part, {})[place.key] = torch.from_numpy(np.array(array))
    for file, parts in files.items():
        torch.save(parts, folder / f"{file}_{iteration:07d}.pt")
    return folder


@pytest.fixture(scope="module")
def source(released: Tensors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its three files, which no test may change."""
    return write(tmp_path_factory.mktemp("released"), released)


def convert(source: Path, target: Path, *options: str) -> None:
    main([str(source), str(target), "--config", str(SMOKE), *options])


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder that these become, which no test may change."""
    target = tmp_path_factory.mktemp("converted") / "run"
    convert(source, target)
    return target


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


def test_every_weight_and_statistic_has_its_tensor(networks: Networks) -> None:
    ours = {id(variable) for name, variable in networks.variables().items() if "seed_generator" not in name}
    assert ours == {id(variable) for variable in used(networks).values()}
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
    source: Path, released: Tensors, networks: Networks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(source, tmp_path / "run")
    said = capsys.readouterr().out
    assert "iteration 40" in said and "9 identities" in said
    assert "enc_att.model.fc (4)" in said and "backbone_pro model.layer4 (50)" in said and "num_batches_tracked" in said

    main(["--to-torch", str(tmp_path / "run"), str(tmp_path / "back")])

    assert capsys.readouterr().out.split() == [str(tmp_path / "back" / name) for name in FILES]
    back, dropped = read_checkpoint(tmp_path / "back").tensors, unused(networks)
    assert back.keys() == released.keys()
    for place, array in released.items():
        assert back[place].shape == array.shape and back[place].dtype == array.dtype
        expected = np.full(array.shape, dropped[place].value) if place in dropped else array
        assert np.array_equal(back[place], expected), place
    with pytest.raises(UserError, match=r"gen_0000040\.pt is there already"):
        main(["--to-torch", str(tmp_path / "run"), str(tmp_path / "back")])
    with pytest.raises(UserError, match="exists already"):
        convert(source, tmp_path / "run")


def test_weights_reach_the_variables_that_bear_their_meaning(run: Path, released: Tensors) -> None:
    restored = hicmd_tf.load(run)
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
    assert np.array_equal(features.combination.alpha, released[ALPHA])


def test_a_converted_run_says_where_its_weights_are_from(run: Path, source: Path) -> None:
    assert RunFolder(run).checkpoint().classes == 9
    origin = json.loads((run / "conversion.json").read_text())
    assert origin["classes"] == 9 and origin["iteration"] == 40
    assert origin["files"][FILES[0]] == hashlib.sha256((source / FILES[0]).read_bytes()).hexdigest()


def test_a_converted_run_is_evaluated_on_data_of_another_number_of_identities(
    source: Path, tmp_path: Path, smoke_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a resumed training needs the classifier to fit; it says so in one line."""
    from hicmd_tf.commands.evaluate import main as evaluate
    from hicmd_tf.commands.fit import main as fit

    config, run = tmp_path / "with_data.yaml", tmp_path / "run"
    config.write_text(f"extends: {SMOKE}\ndata:\n  directory: {smoke_directory}\n")
    main([str(source), str(run), "--config", str(config)])
    assert "not 9: the run can be evaluated on it, not trained on" in capsys.readouterr().out

    evaluate(["--run", str(run)])

    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["steps"] == 40 and "untrained" not in metrics
    assert metrics.keys() >= {"visible_to_infrared", "infrared_to_visible", "chance"}
    assert "Hi-CMD" in capsys.readouterr().out
    with pytest.raises(UserError, match="was trained on 9 identities, the configured data has 6"):
        fit(["--config", str(run / "config.yaml"), "--run", str(run), "--resume", "--training.steps", "41"])


def test_the_newest_iteration_is_read_unless_another_is_named(released: Tensors, tmp_path: Path) -> None:
    write(tmp_path, released)
    write(tmp_path, {**released, ALPHA: np.float32(0.125)}, iteration=9)
    found = [read_checkpoint(tmp_path, iteration) for iteration in (None, 9)]
    assert [(one.iteration, one.tensors[ALPHA]) for one in found] == [(40, released[ALPHA]), (9, 0.125)]


def test_a_checkpoint_without_the_unused_tensors_will_do(released: Tensors, networks: Networks, tmp_path: Path) -> None:
    kept = {place: array for place, array in released.items() if place not in unused(networks)}
    assert fill(networks, read_checkpoint(write(tmp_path, kept))) == {}


# ----------------------------------------------------------------------------------------------------------- mistakes


def without(tensors: Tensors, part: str) -> Tensors:
    return {place: array for place, array in tensors.items() if part not in str(place)}


MISTAKES: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "renamed": (
        lambda t: {**without(t, str(KERNEL)), KERNEL._replace(key="stem.weight"): t[KERNEL]},
        f"missing: {KERNEL}; not expected: gen/a/stem.weight; take the three files",
    ),
    "shape": (
        lambda t: {**t, KERNEL: np.zeros((4, 3, 3, 1), np.float32)},
        f"of another shape: {KERNEL} (4, 3, 3, 1), expected (4, 3, 3, 3);",
    ),
    "NaN": (lambda t: {**t, ALPHA: np.float32("nan")}, f"not finite: {ALPHA};"),
    "decoders": (
        lambda t: {**t, Place("gen", "b", BIAS): t[Place("gen", "b", BIAS)] + 1},
        f"different in a and b, which share one decoder: {BIAS};",
    ),
    "bias": (
        lambda t: {**t, Place("id", "id", f"{CLASSIFIER}.bias"): np.zeros(8, np.float32)},
        f"{CLASSIFIER}.bias (8,), expected (9,);",
    ),
    "many": (
        lambda t: {place: array[..., None] if array.ndim == 1 else array for place, array in t.items()},
        " more; take the three files",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_does_not_fit_is_named_and_changes_nothing(
    name: str, released: Tensors, networks: Networks, tmp_path: Path
) -> None:
    change, says = MISTAKES[name]
    before = np.array(networks.features.combination.alpha)
    with pytest.raises(UserError) as error:
        fill(networks, read_checkpoint(write(tmp_path, change(released))))
    assert says in str(error.value) and len(str(error.value)) < 2000
    assert networks.features.combination.alpha == before


def test_a_missing_part_or_classifier_is_named(released: Tensors, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected the parts a, b, found a;"):
        read_checkpoint(write(tmp_path / "part", {p: array for p, array in released.items() if p.part != "b"}))
    with pytest.raises(UserError, match=rf"missing id/id/{CLASSIFIER}\.weight"):
        _ = read_checkpoint(write(tmp_path / "classifier", without(released, CLASSIFIER))).classes


def test_a_missing_file_is_named_with_the_newest_whole_iteration(released: Tensors, tmp_path: Path) -> None:
    write(tmp_path, released)
    (tmp_path / FILES[1]).unlink()
    with pytest.raises(UserError, match=f"has no {FILES[1]}"):
        read_checkpoint(tmp_path)
    write(tmp_path, released, iteration=9)
    with pytest.raises(UserError, match="or take --iteration 9"):
        read_checkpoint(tmp_path)
    with pytest.raises(UserError, match=r"has no gen_0000010\.pt, dis_0000010\.pt, id_0000010\.pt"):
        read_checkpoint(tmp_path, 10)


def test_no_files_and_no_folder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no gen_\*\.pt"):
        read_checkpoint(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        read_checkpoint(tmp_path / "absent")


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_one_line_and_leaves_no_run(
    name: str, released: Tensors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "there", released) / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SystemExit) as left:
        run_command(lambda: convert(path.parent, tmp_path / "run"))
    line = capsys.readouterr().err
    assert left.value.code == 2 and line.count("\n") == 1
    assert line.startswith(f"error: {path} is damaged, or holds more than tensors")
    assert [file.name for file in tmp_path.iterdir()] == ["there"]


def test_a_pickle_that_would_run_code_does_not(released: Tensors, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    source = write(tmp_path / "there", released)

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"a": Trap(), "b": {}}, source / FILES[0])
    with pytest.raises(UserError, match="holds more than tensors"):
        read_checkpoint(source)
    assert not (tmp_path / "sprung").exists()


def test_a_run_whose_strides_stand_elsewhere_cannot_go_back(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    config = replace(load(SMOKE).networks, resnet_weights="imagenet")
    with pytest.raises(UserError, match="stride on the first 1 x 1"):
        write_checkpoint(build_networks(config, 9, restored=True), 1, tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_pytorch_one_line_says_how_to_get_it(
    smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in FILES:
        (tmp_path / name).write_bytes(b"")
    for arguments in ([str(tmp_path), str(tmp_path / "run")], ["--to-torch", str(smoke_run), str(tmp_path / "back")]):
        with pytest.raises(UserError, match=r"needs PyTorch: pip install 'hicmd-tf\[torch\]'"):
            main(arguments)
