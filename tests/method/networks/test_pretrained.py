"""Initial ResNet weights: Keras' and torchvision's files, and what goes wrong with them. Nothing is downloaded."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import resnet
from numeric import Array

from hicmd_tf.config import load
from hicmd_tf.config.schema import NetworkConfig
from hicmd_tf.errors import UserError
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.method.networks.encoders import AttributeEncoder
from hicmd_tf.method.networks.pretrained import DEVIATION, MEAN, ResNetWeights, named, read_resnet
from hicmd_tf.notation import MODALITIES

# ResNet-50's depths at a fraction of its widths: the same names, files of 1 MB instead of 100.
WIDTHS, DEPTHS = [2, 3, 4, 8], [3, 4, 6, 3]


def attribute_encoder(stem: int = 4, stride_first: bool = False, **sizes: Any) -> AttributeEncoder:
    encoder = AttributeEncoder(stem, **{"widths": WIDTHS, "depths": DEPTHS, **sizes}, stride_first=stride_first)
    encoder.build((None, None, None, 3))
    return encoder


# -------------------------------------------------------------------------------------------------- Keras' ResNet-50


def narrow_resnet50(weights: str | None = None, include_top: bool = True) -> Any:
    """Keras' ResNet-50 with a fraction of its widths."""

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
    """With its classifier; biases, scales, shifts and running statistics as uneven as those of trained weights."""
    rng, model = np.random.default_rng(0), narrow_resnet50()
    for layer in model.layers:
        values = layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = values[0].shape
            gamma, variance = rng.uniform(0.5, 1.5, channels), rng.uniform(0.5, 1.5, channels)
            layer.set_weights([gamma, rng.normal(0, 0.2, channels), rng.normal(0, 0.2, channels), variance])
        elif values:
            layer.set_weights([values[0], rng.normal(0, 0.2, values[1].shape)])
    return model


@pytest.fixture(scope="module")
def without_top(keras_resnet: Any) -> Any:
    return keras.Model(keras_resnet.input, keras_resnet.get_layer("conv5_block3_out").output)


def save_legacy_weights(model: Any, path: Path) -> None:
    """The layout of the files Keras downloads: the layers' groups at the root."""
    model.save(path.with_suffix(".whole.h5"))
    with h5py.File(path.with_suffix(".whole.h5")) as whole, h5py.File(path, "w") as file:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", file)
        file.attrs.update(whole["model_weights"].attrs)


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


def test_keras_weights_make_keras_maps_of_our_pictures(read: ResNetWeights, without_top: Any) -> None:
    """RGB, mean and deviation are folded in: equal but for what half a grey level round the picture does; from the same
    pooled map on, where no padding differs, everywhere."""
    encoder = attribute_encoder(64, stride_first=True)
    read.fill(encoder.stages, first=1, stem=encoder.stem)
    picture = np.random.default_rng(2).integers(0, 256, (1, 224, 224, 3)).astype("float32")
    names = ("conv1_relu", "pool1_pool", "conv5_block3_out")
    model = keras.Model(without_top.input, [without_top.get_layer(name).output for name in names])
    first, pooled, last = map(np.asarray, model(keras.applications.resnet50.preprocess_input(picture.copy())))
    ours = ((picture / 255 - MEAN) / DEVIATION).astype("float32")

    def close(got: Any, expected: Array, tolerance: float) -> None:
        assert np.abs(np.asarray(got) - expected).max() < tolerance * np.abs(expected).max()

    stem = np.asarray(encoder.stem.convolution(ours))
    close(stem[:, 2:-2, 2:-2], first[:, 2:-2, 2:-2], 1e-5)
    close(stem, first, 0.02)
    for stage in encoder.stages:
        pooled = stage(pooled)
    close(pooled, last, 1e-4)
    close(encoder.feature_map(ours), last, 0.02)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "imagenet"])
def test_every_kind_of_keras_file_gives_the_same_weights(
    name: str, keras_resnet: Any, without_top: Any, read: ResNetWeights, tmp_path: Path, monkeypatch: Any
) -> None:
    if name == "a.weights.h5":
        without_top.save_weights(tmp_path / name)
    elif name == "a.h5":
        keras_resnet.save(tmp_path / name)
    asked: list[dict[str, Any]] = []
    if name == "imagenet":
        monkeypatch.setattr(keras.applications, "ResNet50", lambda **how: asked.append(how) or without_top)
    got = read_resnet(name if name == "imagenet" else str(tmp_path / name))
    assert got is not None and got.arrays.keys() == read.arrays.keys()
    assert asked == [{"weights": "imagenet", "include_top": False}] * (name == "imagenet")
    for key in read.arrays:
        np.testing.assert_array_equal(got.arrays[key], read.arrays[key])


# ------------------------------------------------------------------------------------------------------- torchvision


def torchvision_state() -> dict[str, Array]:
    """Made-up arrays under torchvision's names, kernels (F, C, k, k)."""
    rng, state = np.random.default_rng(3), {}

    def add(convolution: str, norm: str, filters: int, channels: int, size: int) -> None:
        state[f"{convolution}.weight"] = rng.normal(size=(filters, channels, size, size)).astype("float32")
        for key in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{key}"] = rng.uniform(0.5, 1.5, filters).astype("float32")

    add("conv1", "bn1", 4, 3, 7)
    channels = 4
    for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), start=1):
        for block in range(depth):
            prefix = f"layer{stage}.{block}"
            add(f"{prefix}.conv1", f"{prefix}.bn1", width, channels, 1)
            add(f"{prefix}.conv2", f"{prefix}.bn2", width, width, 3)
            add(f"{prefix}.conv3", f"{prefix}.bn3", 4 * width, width, 1)
            if block == 0:
                add(f"{prefix}.downsample.0", f"{prefix}.downsample.1", 4 * width, channels, 1)
            channels = 4 * width
    state["fc.weight"], state["fc.bias"] = np.zeros((5, 32), "float32"), np.zeros(5, "float32")
    return state


def write_pth(path: Path, state: dict[str, Array]) -> Path:
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    return path


def config(source: Path, **sizes: Any) -> NetworkConfig:
    networks = load("tiny").networks
    attribute = replace(networks.attribute_encoder, **{"stem_width": 4, "widths": WIDTHS, "depths": DEPTHS, **sizes})
    features = replace(networks.feature_learning, widths=[3, 4], depths=[4, 6])
    prototype = replace(networks.prototype_encoder, aspp_width=2)  # 8 channels, as stage 2 takes them
    own = {"prototype_encoder": prototype, "attribute_encoder": attribute, "feature_learning": features}
    return replace(networks, **own, resnet_weights=str(source))


def test_torchvision_weights_reach_both_encoders_and_stages_2_and_3_reach_h(tmp_path: Path) -> None:
    state = torchvision_state()
    built = build_networks(config(write_pth(tmp_path / "resnet50.pth", state)), 5)
    found = dict(named(built.features.embedding.stages, first=2))
    assert len(found) == len([name for name in state if name.startswith(("layer2", "layer3"))])
    for modality in MODALITIES:
        encoder = built.generator.encoders(modality).attribute
        whole = dict(named(encoder.stages, first=1, stem=encoder.stem))
        assert whole.keys() == {name for name in state if not name.startswith("fc")}
        for name, variable in (*whole.items(), *found.items()):
            value = variable.numpy()
            np.testing.assert_array_equal(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value, state[name])


# ----------------------------------------------------------------------------------------------------- what goes wrong


def refusal(source: Path | str) -> str:
    """The message, which is one line."""
    with pytest.raises(UserError) as error:
        read_resnet(str(source))
    message = str(error.value)
    assert "\n" not in message and "networks.resnet_weights" in message
    return message


def test_none_means_no_weights() -> None:
    assert read_resnet("none") is None


@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ({"widths": [2, 5, 4, 8]}, "layer2.0.conv1.weight of shape (1, 1, 8, 5), found shape (1, 1, 8, 3)"),
        ({"depths": [3, 5, 6, 3]}, "layer2.4.conv1.weight of shape (1, 1, 12, 3), found nothing"),
    ],
)
def test_other_sizes_than_the_weights_are_refused(sizes: dict[str, Any], name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        build_networks(config(write_pth(tmp_path / "made_up.pth", torchvision_state()), **sizes), 5)
    assert f"made_up.pth: expected {name}; pretrained weights need ResNet-50's sizes" in str(error.value)


def empty_hdf5(path: Path) -> None:
    h5py.File(path, "w").close()


def no_file(path: Path) -> None:
    pass


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "absent.h5": (no_file, "there is no file"),
    "weights.onnx": (Path.touch, "neither .pth nor .h5"),
    "damaged.h5": (lambda path: path.write_bytes(b"no HDF5"), "damaged.h5 failed"),
    "empty.weights.h5": (empty_hdf5, "empty.weights.h5 failed"),
    "damaged.pth": (lambda path: path.write_bytes(b"no zip"), "not a readable state dictionary of torchvision's"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_cannot_be_read_are_named(name: str, tmp_path: Path) -> None:
    if name.endswith(".pth"):
        pytest.importorskip("torch")
    write, says = BROKEN[name]
    write(tmp_path / name)
    message = refusal(tmp_path / name)
    assert name in message and says in message


def test_a_model_with_code_in_it_gives_weights_or_nothing_and_runs_none(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    code = eval(f"lambda x: [__import__('pathlib').Path({str(sprung)!r}).touch(), x][1]")
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(code)]).save(tmp_path / "trap.h5")
    sprung.unlink()
    assert "trap.h5" in refusal(tmp_path / "trap.h5")
    assert not sprung.exists()


def test_a_pth_file_with_code_in_it_is_refused_and_runs_none(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"conv1.weight": Trap()}, tmp_path / "trap.pth")
    assert "trap.pth" in refusal(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_a_pth_file_without_torch_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "resnet50.pth").touch()
    assert "pip install" in refusal(tmp_path / "resnet50.pth")


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**arguments: Any) -> Any:
        raise Exception("URL fetch failure on https://..:\nNone -- no route to host")

    monkeypatch.setattr(keras.applications, "ResNet50", fail)
    message = refusal("imagenet")
    assert "download" in message and "no route to host" in message and ".h5" in message
