"""Initial weights for the ResNets: Keras' ImageNet ResNet-50, or a file of torchvision's or Keras'.

Both kinds are brought to one form, `ResNetWeights`: arrays in our layout under torchvision's names. torchvision's stand
as they are. Keras' were trained on BGR pictures less a mean, with the stride on the first 1 x 1 of a block and with
biases: the input style folds into the first kernel, biases and epsilon into the running statistics.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmd_tf.config.kinds import stride_first
from hicmd_tf.errors import UserError
from hicmd_tf.method.networks.norms import EPSILON, GroupedBatchNorm
from hicmd_tf.method.networks.resnet import Stage, Stem

Array = np.ndarray[Any, Any]

# How pictures reach our networks (RGB, mean and deviation of [0, 1]) and reached Keras' (BGR of [0, 255] less a mean).
MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])
KERAS_MEAN_RGB = np.array([123.68, 116.779, 103.939])
KERAS_EPSILON = 1.001e-5

REMEDY = "set networks.resnet_weights to none, or to a file: torchvision's resnet50 .pth or Keras' ResNet-50 .h5"


def named(stages: Sequence[Stage], first: int, stem: Stem | None = None) -> Iterator[tuple[str, Any]]:
    """Every variable of built stages, the first of which is the ResNet's stage `first`, and of a stem, by torchvision's
    name."""
    convolutions = [] if stem is None else [(stem.convolution, "conv1", "bn1")]
    for number, stage in enumerate(stages, start=first):
        for position, block in enumerate(stage.blocks):
            prefix = f"layer{number}.{position}"
            for i, branch in enumerate((block.reduce, block.spatial, block.expand), start=1):
                convolutions.append((branch, f"{prefix}.conv{i}", f"{prefix}.bn{i}"))
            if block.shortcut is not None:
                convolutions.append((block.shortcut, f"{prefix}.downsample.0", f"{prefix}.downsample.1"))
    for convolution, name, norm in convolutions:
        yield f"{name}.weight", convolution.kernel
        yield from named_norm(convolution.norm, norm)


def named_norm(norm: GroupedBatchNorm, name: str) -> Iterator[tuple[str, Any]]:
    """The variables of a batch norm by PyTorch's names."""
    yield f"{name}.weight", norm.gamma
    yield f"{name}.bias", norm.beta
    yield f"{name}.running_mean", norm.moving_mean
    yield f"{name}.running_var", norm.moving_variance


def to_ours(array: Array) -> Array:
    """PyTorch's layout in ours: (F, C, k, k) -> (k, k, C, F); (out, in) -> (in, out); anything else as it is."""
    return {4: lambda: array.transpose(2, 3, 1, 0), 2: lambda: array.T}.get(array.ndim, lambda: array)()


class ResNetWeights(NamedTuple):
    """The convolutions and batch norms of a ResNet-50: arrays by torchvision's name, and for messages their source."""

    arrays: dict[str, Array]
    source: str

    def fill(self, stages: Sequence[Stage], first: int, stem: Stem | None = None) -> None:
        """Writes the weights into built layers (see `named`). Raises UserError if one is missing or a shape differs."""
        for name, variable in named(stages, first, stem):
            value = self.arrays.get(name)
            if value is None or value.shape != tuple(variable.shape):
                found = "nothing" if value is None else f"shape {value.shape}"
                raise UserError(
                    f"{self.source}: expected {name} of shape {tuple(variable.shape)}, found {found}; pretrained "
                    f"weights need ResNet-50's sizes (configs/base.yaml) or networks.resnet_weights: none"
                )
            variable.assign(value)


def read_resnet(source: str) -> ResNetWeights | None:
    """The weights that `networks.resnet_weights` names: none, imagenet, a .pth or an .h5 file.

    Raises UserError when they can't be had.
    """
    if source == "none":
        return None
    path = Path(source)
    if source != "imagenet" and not path.is_file():
        raise UserError(f"networks.resnet_weights: there is no file {source}; {REMEDY}")
    if stride_first(source):
        return ResNetWeights(_from_keras(_keras_resnet(source)), source)
    if path.suffix == ".pth":
        return ResNetWeights({name: to_ours(array) for name, array in _torch_state(path).items()}, source)
    raise UserError(f"networks.resnet_weights: {source} is neither .pth nor .h5; {REMEDY}")


def _keras_resnet(source: str) -> Any:
    import h5py
    import keras

    top = False
    try:
        if source != "imagenet":
            with h5py.File(source, "r") as file:
                top = "predictions" in file.get("model_weights", file)
        return keras.applications.ResNet50(weights=source, include_top=top)
    except Exception as error:  # the download raises plain Exception, h5py and Keras many kinds
        action = "the download of Keras' ImageNet ResNet-50" if source == "imagenet" else f"reading {source}"
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"networks.resnet_weights: {action} failed ({reason}); {REMEDY}") from error


def _from_keras(model: Any) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for layer in model.layers:
        if layer.name.endswith("_conv"):
            name, norm = _torchvision_names(layer.name.removesuffix("_conv"))
            kernel, bias = layer.get_weights()
            gamma, beta, mean, variance = model.get_layer(f"{layer.name.removesuffix('_conv')}_bn").get_weights()
            arrays |= {f"{name}.weight": kernel, f"{norm}.weight": gamma, f"{norm}.bias": beta}
            arrays |= {f"{norm}.running_mean": mean - bias}
            arrays |= {f"{norm}.running_var": variance + (KERAS_EPSILON - EPSILON)}
    # The stem for our pictures x: Keras' picture is 255 (deviation x + mean) - its mean, in BGR. Exact but for the
    # padding, where our zero stands for a grey that differs by half a level of 255.
    kernel = arrays["conv1.weight"][:, :, ::-1, :].astype(np.float64)  # BGR -> RGB
    constant = np.einsum("hwcf,c->f", kernel, 255 * MEAN - KERAS_MEAN_RGB)
    arrays["conv1.weight"] = (kernel * (255 * DEVIATION)[:, None]).astype(np.float32)
    arrays["bn1.running_mean"] = (arrays["bn1.running_mean"] - constant).astype(np.float32)
    return arrays


def _torchvision_names(name: str) -> tuple[str, str]:
    """torchvision's names of a convolution and its norm, by Keras' conv1 or conv2_block1_1, .._0 the shortcut."""
    if name == "conv1":
        return "conv1", "bn1"
    stage, block, number = map(int, re.findall(r"\d+", name))
    prefix = f"layer{stage - 1}.{block - 1}"
    if number == 0:
        return f"{prefix}.downsample.0", f"{prefix}.downsample.1"
    return f"{prefix}.conv{number}", f"{prefix}.bn{number}"


def _torch_state(path: Path) -> dict[str, Array]:
    try:
        import torch
    except ImportError as error:
        raise UserError(f"reading {path} needs PyTorch: pip install 'hicmd-tf[torch]', or {REMEDY}") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.numpy() for name, tensor in state.items()}
    except Exception as error:  # torch raises many kinds for damaged files
        raise UserError(f"{path} is not a readable state dictionary of torchvision's resnet50; {REMEDY}") from error
