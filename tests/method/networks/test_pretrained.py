"""Initial ResNet weights: Keras' and torchvision's files, and what goes wrong with them. Nothing is downloaded."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import resnet

from hicmd_tf.config.schema import (
    AttributeEncoderConfig,
    AttributeLayoutConfig,
    DecoderConfig,
    DiscriminatorConfig,
    FeatureLearningConfig,
    NetworkConfig,
    PrototypeEncoderConfig,
)
from hicmd_tf.errors import UserError
from hicmd_tf.method.networks import build
from hicmd_tf.method.networks.encoders import AttributeEncoder
from hicmd_tf.method.networks.pretrained import DEVIATION, MEAN, ResNetWeights, from_torchvision, read_resnet
from hicmd_tf.method.networks.resnet import Bottleneck, ConvolutionNorm, Stage
from hicmd_tf.notation import MODALITIES

Array = np.ndarray[Any, Any]

WIDTHS, DEPTHS = [2, 3, 4, 8], [3, 4, 6, 3]
# ResNet-50's depths at a fraction of its widths: torchvision's names, small arrays.
NARROW = NetworkConfig(
    PrototypeEncoderConfig([4, 6, 6, 8], 1, 2, [1, 2, 3]),
    AttributeEncoderConfig(4, WIDTHS, DEPTHS),
    AttributeLayoutConfig(0.5, 0.5),
    DecoderConfig(2, [6, 5]),
    DiscriminatorConfig(1, 4, 1),
    FeatureLearningConfig([3, 4], [4, 6], 0.5, True, 7, 5, 0.5, "batch_norm"),
    "none",
    "kaiming",
)


def one_line(error: pytest.ExceptionInfo[UserError], *words: str) -> None:
    """The message is one line that contains all these words."""
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


# -------------------------------------------------------------------------------------------------- Keras' ResNet-50


def randomise(model: Any) -> None:
    """Biases, scales, shifts and running statistics as uneven as those of trained weights."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        values = layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = values[0].shape
            gamma, variance = rng.uniform(0.5, 1.5, channels), rng.uniform(0.5, 1.5, channels)
            layer.set_weights([gamma, rng.normal(0, 0.2, channels), rng.normal(0, 0.2, channels), variance])
        elif values:
            layer.set_weights([values[0], rng.normal(0, 0.2, values[1].shape)])


def narrow_resnet50(weights: str | None = None, include_top: bool = True) -> Any:
    """Keras' ResNet-50 with a fraction of its widths: the same names, files of 1 MB instead of 100."""

    def stages(x: Any) -> Any:
        for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            stride = 1 if stage == 0 else 2
            x = resnet.stack_residual_blocks_v1(x, width, depth, stride, name=f"conv{stage + 2}")
        return x

    model = resnet.ResNet(stages, False, True, include_top=include_top, weights=None, name="resnet50")
    if weights is not None:
        model.load_weights(weights)
    return model


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.applications, "ResNet50", narrow_resnet50)


@pytest.fixture(scope="module")
def keras_resnet() -> Any:
    """With its classifier, randomly initialised."""
    keras.utils.set_random_seed(1)
    model = narrow_resnet50()
    randomise(model)
    return model


@pytest.fixture(scope="module")
def without_top(keras_resnet: Any) -> Any:
    return keras.Model(keras_resnet.input, keras_resnet.get_layer("conv5_block3_out").output)


def save_weights(model: Any, path: Path) -> None:
    model.save_weights(path)


def save_model(model: Any, path: Path) -> None:
    model.save(path)


def save_legacy_weights(model: Any, path: Path) -> None:
    """The layout of the files Keras downloads: the layers' groups at the root."""
    model.save(path.with_suffix(".whole.h5"))
    with h5py.File(path.with_suffix(".whole.h5")) as whole, h5py.File(path, "w") as file:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", file)
        file.attrs.update(whole["model_weights"].attrs)
    path.with_suffix(".whole.h5").unlink()


@pytest.fixture(scope="module")
def read(without_top: Any, tmp_path_factory: pytest.TempPathFactory) -> ResNetWeights:
    """The weights of `without_top`, through a file."""
    path = tmp_path_factory.mktemp("keras") / "resnet50_notop.h5"
    save_legacy_weights(without_top, path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(keras.applications, "ResNet50", narrow_resnet50)
        weights = read_resnet(str(path))
    assert weights is not None
    return weights


@pytest.fixture(scope="module")
def encoder(read: ResNetWeights) -> AttributeEncoder:
    """E^a of the same sizes, filled."""
    encoder = AttributeEncoder(64, WIDTHS, DEPTHS, read.stride_first)
    encoder.build((None, None, None, 3))
    read.fill(encoder.stem, encoder.stages, first_stage=1)
    return encoder


@pytest.fixture(scope="module")
def maps(without_top: Any) -> tuple[Array, dict[str, Array]]:
    """A picture in our colours, and what Keras' model makes of the same picture."""
    picture = np.random.default_rng(2).integers(0, 256, (1, 224, 224, 3)).astype("float32")
    names = ("conv1_relu", "pool1_pool", "conv5_block3_out")
    model = keras.Model(without_top.input, [without_top.get_layer(name).output for name in names])
    values = model(keras.applications.resnet50.preprocess_input(picture.copy()))
    return ((picture / 255 - MEAN) / DEVIATION).astype("float32"), dict(
        zip(names, map(np.asarray, values), strict=True)
    )


def close(got: Any, expected: Array, tolerance: float) -> None:
    """Within `tolerance` of the largest expected value."""
    assert np.abs(np.asarray(got) - expected).max() < tolerance * np.abs(expected).max()


def test_stem_sees_keras_pictures(encoder: AttributeEncoder, maps: tuple[Array, dict[str, Array]]) -> None:
    """RGB, mean and deviation are folded in: equal but for the outermost ring, where the padding's colour differs."""
    picture, expected = maps
    got = np.asarray(encoder.stem.convolution(picture))
    close(got[:, 2:-2, 2:-2], expected["conv1_relu"][:, 2:-2, 2:-2], 1e-5)
    close(got, expected["conv1_relu"], 0.02)


def test_stages_make_keras_last_map(encoder: AttributeEncoder, maps: tuple[Array, dict[str, Array]]) -> None:
    """From the same pooled map on there is no padding that differs, so the whole map agrees."""
    x = maps[1]["pool1_pool"]
    for stage in encoder.stages:
        x = stage(x)
    close(x, maps[1]["conv5_block3_out"], 1e-4)


def test_whole_encoder_makes_keras_last_map(encoder: AttributeEncoder, maps: tuple[Array, dict[str, Array]]) -> None:
    """Up to what half a grey level round the picture does."""
    close(encoder.feature_map(maps[0]), maps[1]["conv5_block3_out"], 0.02)


@pytest.mark.parametrize(
    ("save", "name", "top"),
    [
        (save_weights, "a.weights.h5", False),
        (save_model, "a.h5", True),
    ],
)
def test_every_kind_of_keras_file_gives_the_same_weights(
    save: Callable[[Any, Path], None],
    name: str,
    top: bool,
    keras_resnet: Any,
    without_top: Any,
    read: ResNetWeights,
    tmp_path: Path,
) -> None:
    save(keras_resnet if top else without_top, tmp_path / name)
    got = read_resnet(str(tmp_path / name))
    assert got is not None and got.stride_first and got.arrays.keys() == read.arrays.keys()
    for key in read.arrays:
        np.testing.assert_array_equal(got.arrays[key], read.arrays[key])


def test_imagenet_asks_keras_for_its_weights(without_top: Any, read: ResNetWeights, monkeypatch: Any) -> None:
    asked: list[dict[str, Any]] = []

    def resnet(**arguments: Any) -> Any:
        asked.append(arguments)
        return without_top

    monkeypatch.setattr(keras.applications, "ResNet50", resnet)
    got = read_resnet("imagenet")
    assert asked == [{"weights": "imagenet", "include_top": False}]
    assert got is not None and got.stride_first
    np.testing.assert_array_equal(got.arrays["stages/4/2/expand/kernel"], read.arrays["stages/4/2/expand/kernel"])


# ------------------------------------------------------------------------------------------------------- torchvision


def torchvision_state() -> dict[str, Array]:
    """Made-up arrays under torchvision's names, widths as in `NARROW`, kernels (F, C, k, k)."""
    rng, state = np.random.default_rng(3), {}

    def add(convolution: str, norm: str, shape: tuple[int, int, int]) -> None:
        filters, channels, size = shape
        state[f"{convolution}.weight"] = rng.normal(size=(filters, channels, size, size)).astype("float32")
        for key in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{key}"] = rng.uniform(0.5, 1.5, filters).astype("float32")

    add("conv1", "bn1", (4, 3, 7))
    channels = 4
    for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), start=1):
        for block in range(depth):
            prefix = f"layer{stage}.{block}"
            add(f"{prefix}.conv1", f"{prefix}.bn1", (width, channels, 1))
            add(f"{prefix}.conv2", f"{prefix}.bn2", (width, width, 3))
            add(f"{prefix}.conv3", f"{prefix}.bn3", (4 * width, width, 1))
            if block == 0:
                add(f"{prefix}.downsample.0", f"{prefix}.downsample.1", (4 * width, channels, 1))
            channels = 4 * width
    state["fc.weight"], state["fc.bias"] = np.zeros((5, 32), "float32"), np.zeros(5, "float32")
    return state


def same_convolution(ours: ConvolutionNorm, state: dict[str, Array], convolution: str, norm: str) -> None:
    np.testing.assert_array_equal(ours.kernel.numpy().transpose(3, 2, 0, 1), state[f"{convolution}.weight"])
    theirs = [state[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")]
    variables = (ours.norm.gamma, ours.norm.beta, ours.norm.moving_mean, ours.norm.moving_variance)
    for variable, array in zip(variables, theirs, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)


def same_block(ours: Bottleneck, state: dict[str, Array], prefix: str) -> None:
    for number, branch in enumerate((ours.reduce, ours.spatial, ours.expand), start=1):
        same_convolution(branch, state, f"{prefix}.conv{number}", f"{prefix}.bn{number}")
    assert (ours.shortcut is not None) == (f"{prefix}.downsample.0.weight" in state)
    if ours.shortcut is not None:
        same_convolution(ours.shortcut, state, f"{prefix}.downsample.0", f"{prefix}.downsample.1")


def test_torchvision_weights_reach_both_encoders_and_stages_2_and_3_reach_h(monkeypatch: Any) -> None:
    """And strides follow the weights."""
    state = torchvision_state()
    weights = replace(from_torchvision(state, "made up"), stride_first=True)
    monkeypatch.setattr(build, "read_resnet", lambda source: weights)
    built = build.build_networks(NARROW, 5)
    for modality in MODALITIES:
        encoder = built.generator.encoders(modality).attribute
        same_convolution(encoder.stem.convolution, state, "conv1", "bn1")
        same_stages(encoder.stages, state, first=1)
    same_stages(built.features.embedding.stages, state, first=2)


def same_stages(stages: Sequence[Stage], state: dict[str, Array], first: int) -> None:
    for number, stage in enumerate(stages, start=first):
        for i, block in enumerate(stage.blocks):
            same_block(block, state, f"layer{number}.{i}")
            assert block.sizes["stride_first"]


def test_a_pth_file_is_read_with_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    state, path = torchvision_state(), tmp_path / "resnet50.pth"
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    got, expected = read_resnet(str(path)), from_torchvision(state, str(path))
    assert got is not None and not got.stride_first and got.arrays.keys() == expected.arrays.keys()
    for key, array in expected.arrays.items():
        np.testing.assert_array_equal(got.arrays[key], array)


# ----------------------------------------------------------------------------------------------------- what goes wrong


def test_none_means_no_weights() -> None:
    assert read_resnet("none") is None


@pytest.mark.parametrize(
    ("widths", "depths", "name"),
    [
        ([2, 5, 4, 8], [3, 4, 6, 3], "stages/2/0/reduce/kernel"),
        ([2, 3, 4, 8], [3, 5, 6, 3], "stages/2/4/reduce/kernel"),
    ],
)
def test_other_sizes_than_the_weights_are_refused(widths: list[int], depths: list[int], name: str) -> None:
    encoder = AttributeEncoder(4, widths, depths)
    encoder.build((None, None, None, 3))
    with pytest.raises(UserError) as error:
        from_torchvision(torchvision_state(), "made_up.pth").fill(encoder.stem, encoder.stages, first_stage=1)
    one_line(error, "made_up.pth", name, "ResNet-50", "networks.resnet_weights: none")


def test_a_state_without_an_entry_is_refused() -> None:
    state = torchvision_state()
    del state["layer3.5.bn2.running_var"]
    with pytest.raises(UserError) as error:
        from_torchvision(state, "made_up.pth")
    one_line(error, "made_up.pth", "layer3.5.bn2.running_var", "networks.resnet_weights")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_resnet(str(tmp_path / "absent.h5"))
    one_line(error, "absent.h5", "networks.resnet_weights", ".pth", ".h5")


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.onnx").touch()
    with pytest.raises(UserError) as error:
        read_resnet(str(tmp_path / "weights.onnx"))
    one_line(error, "weights.onnx", "neither .pth nor .h5", "networks.resnet_weights")


def empty_hdf5(path: Path) -> None:
    h5py.File(path, "w").close()


@pytest.mark.parametrize("name", ["damaged.h5", "damaged.weights.h5"])
@pytest.mark.parametrize("write", [lambda path: path.write_bytes(b"no HDF5"), empty_hdf5])
def test_a_damaged_keras_file_is_refused(name: str, write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / name)
    with pytest.raises(UserError) as error:
        read_resnet(str(tmp_path / name))
    one_line(error, name, "networks.resnet_weights")


def test_a_damaged_pth_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "damaged.pth").write_bytes(b"no zip")
    with pytest.raises(UserError) as error:
        read_resnet(str(tmp_path / "damaged.pth"))
    one_line(error, "damaged.pth", "torchvision", "networks.resnet_weights")


def test_a_model_with_code_in_it_gives_weights_or_nothing_and_runs_none(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    code = eval(f"lambda x: [__import__('pathlib').Path({str(sprung)!r}).touch(), x][1]")
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(code)]).save(tmp_path / "trap.h5")
    sprung.unlink()
    keras.models.load_model(tmp_path / "trap.h5", safe_mode=False)
    sprung.unlink()  # the trap is a real one
    with pytest.raises(UserError) as error:
        read_resnet(str(tmp_path / "trap.h5"))
    one_line(error, "trap.h5", "networks.resnet_weights")
    assert not sprung.exists()


class Trap:
    """Unpickled, it would leave a file."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> Any:
        return Path.touch, (self.sprung,)


def test_a_pth_file_with_code_in_it_is_refused_and_runs_none(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"conv1.weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    torch.load(tmp_path / "trap.pth", weights_only=False)
    (tmp_path / "sprung").unlink()  # the trap is a real one
    with pytest.raises(UserError) as error:
        read_resnet(str(tmp_path / "trap.pth"))
    one_line(error, "trap.pth", "torchvision", "networks.resnet_weights")
    assert not (tmp_path / "sprung").exists()


def test_a_pth_file_without_torch_says_how_to_get_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "resnet50.pth").touch()
    with pytest.raises(UserError) as error:
        read_resnet(str(tmp_path / "resnet50.pth"))
    one_line(error, "resnet50.pth", "pip install", "networks.resnet_weights")


def test_a_failed_download_says_what_to_do(monkeypatch: Any) -> None:
    def fail(**arguments: Any) -> Any:
        raise Exception("URL fetch failure on https://..:\nNone -- no route to host")

    monkeypatch.setattr(keras.applications, "ResNet50", fail)
    with pytest.raises(UserError) as error:
        read_resnet("imagenet")
    one_line(error, "download", "no route to host", "networks.resnet_weights", ".h5")
