"""Released checkpoints to run folders and back, with PyTorch itself."""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from golden_recipe import released_shapes, weights
from numeric import zero_weights

from hicmd_tf.commands.convert import main
from hicmd_tf.config import load
from hicmd_tf.convert.files import Released, fill, read_checkpoint, write_checkpoint
from hicmd_tf.convert.keys import Place, to_release, unused, used
from hicmd_tf.errors import UserError, run_command
from hicmd_tf.method.networks.build import Networks, build_networks
from hicmd_tf.method.networks.pretrained import to_ours
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


@pytest.fixture(scope="module")
def networks() -> Networks:
    """Of the smoke configuration's sizes, for 9 identities."""
    return build_networks(load(SMOKE).networks, 9)


@pytest.fixture(scope="module")
def released(networks: Networks) -> Tensors:
    """A released checkpoint of the same."""
    return weights(networks)


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
    with zero_weights():
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


def test_kernels_and_matrices_are_turned_as_both_frameworks_read_them_there_and_back() -> None:
    array = np.random.default_rng(0).random((5, 4, 3, 2))  # out, in, height, width
    assert to_ours(array)[2, 1, 3, 4] == array[4, 3, 2, 1]
    assert to_ours(array[:, :, 0, 0])[3, 4] == array[4, 3, 0, 0]
    for one in (array, array[:, :, 0, 0], array[0, 0, 0], array[0, 0, 0, 0]):
        np.testing.assert_array_equal(to_release(to_ours(one)), one)


# ----------------------------------------------------------------------------------------------------- there and back


def test_there_and_back_gives_every_used_tensor_bit_for_bit(
    source: Path, released: Tensors, networks: Networks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(source, tmp_path / "run")
    said = capsys.readouterr().out
    assert "iteration 40" in said and "9 identities" in said
    assert f"{len(used(networks))} tensors read, {len(unused(networks))} dropped" in said

    main(["--to-torch", str(tmp_path / "run"), str(tmp_path / "back")])

    assert capsys.readouterr().out.split() == [str(tmp_path / "back" / name) for name in FILES]
    back, ours = read_checkpoint(tmp_path / "back").tensors, used(networks)
    assert back.keys() == released.keys()
    for place, array in released.items():
        assert back[place].shape == array.shape and back[place].dtype == array.dtype
        if place in ours:
            assert np.array_equal(back[place], array), place
    fresh = {key: back[Place("id", "backbone_pro", f"model.{key}")] for key in ("bn1.running_var", "conv1.weight")}
    assert (fresh["bn1.running_var"] == 1).all() and not fresh["conv1.weight"].any()
    with pytest.raises(UserError, match=r"gen_0000040\.pt is there already"):
        main(["--to-torch", str(tmp_path / "run"), str(tmp_path / "back")])
    with pytest.raises(UserError, match="exists already"):
        convert(source, tmp_path / "run")


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


# ----------------------------------------------------------------------------------------------------------- mistakes


def without(tensors: Tensors, part: str) -> Tensors:
    return {place: array for place, array in tensors.items() if part not in str(place)}


def in_memory(tensors: Tensors) -> Released:
    return Released(40, {name.split("_")[0]: Path(name) for name in FILES}, tensors)


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
def test_what_does_not_fit_is_named_and_changes_nothing(name: str, released: Tensors, networks: Networks) -> None:
    change, says = MISTAKES[name]
    before = np.array(networks.features.combination.alpha)
    with pytest.raises(UserError) as error:
        fill(networks, in_memory(change(released)))
    assert says in str(error.value) and len(str(error.value)) < 2000
    assert networks.features.combination.alpha == before


def test_a_missing_classifier_is_named_and_tensors_that_are_not_used_may_be_missing(
    released: Tensors, networks: Networks
) -> None:
    with pytest.raises(UserError, match=rf"missing id/id/{CLASSIFIER}\.weight"):
        _ = in_memory(without(released, CLASSIFIER)).classes
    assert fill(networks, in_memory({place: released[place] for place in used(networks)})) == 0


# Files that are removed, the iteration that is asked for, part of the message.
MISSING: list[tuple[Sequence[str], int | None, str]] = [
    (FILES[1:2], None, rf"has no {FILES[1]}: a checkpoint is gen_N\.pt"),
    ((), 10, r"has no gen_0000010\.pt, dis_0000010\.pt, id_0000010\.pt: .*, or take --iteration 40"),
    (FILES, None, r"holds no gen_\*\.pt"),
]


@pytest.mark.parametrize(("gone", "iteration", "says"), MISSING)
def test_missing_files_are_named(gone: Sequence[str], iteration: int | None, says: str, tmp_path: Path) -> None:
    for name in set(FILES) - set(gone):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=says):
        read_checkpoint(tmp_path, iteration)
    with pytest.raises(UserError, match="is not a folder"):
        read_checkpoint(tmp_path / "absent")


def test_damaged_files_and_those_that_would_run_code_are_one_line_and_leave_no_run(
    released: Tensors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    path = write(tmp_path / "there", released) / FILES[0]
    whole = path.read_bytes()

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    def refusal() -> str:
        with pytest.raises(SystemExit) as left:
            run_command(lambda: convert(path.parent, tmp_path / "run"))
        line = capsys.readouterr().err
        assert left.value.code == 2 and line.count("\n") == 1
        assert [file.name for file in tmp_path.iterdir()] == ["there"]
        return line

    torch.save({"a": Trap(), "b": {}}, path)
    assert refusal().startswith(f"error: {path} is damaged, or holds more than tensors")
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal().startswith(f"error: {path} is damaged, or holds more than tensors")
    torch.save({"a": {}}, path)
    assert refusal().startswith(f"error: {path}: expected the parts a, b, found a;")


def test_a_run_whose_strides_stand_elsewhere_cannot_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
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
