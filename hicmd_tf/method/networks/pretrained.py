"""Initial weights for the ResNets: Keras' ImageNet ResNet-50, or a file of torchvision's or Keras'.

Both kinds are brought to one form, `ResNetWeights`: arrays in our layout under names like `stages/1/0/reduce/kernel`.
torchvision's stand as they are. Keras' were trained on BGR pictures less a mean, with the stride on the first 1 x 1 of
a block and with biases: the input style folds into the first kernel, biases and epsilon into the running statistics.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.errors import UserError
from hicmd_tf.method.networks.norms import EPSILON
from hicmd_tf.method.networks.resnet import ConvolutionNorm, Stage, Stem

Array = np.ndarray[Any, Any]

DEPTHS = (3, 4, 6, 3)
BRANCHES = ("reduce", "spatial", "expand", "shortcut")
ARRAYS = ("kernel", "gamma", "beta", "moving_mean", "moving_variance")

# How pictures reach our networks (RGB, mean and deviation of [0, 1]) and reached Keras' (BGR of [0, 255] less a mean).
MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])
KERAS_MEAN_RGB = np.array([123.68, 116.779, 103.939])
KERAS_EPSILON = 1.001e-5

REMEDY = "set networks.resnet_weights to none, or to a file: torchvision's resnet50 .pth or Keras' ResNet-50 .h5"


@dataclass(frozen=True)
class ResNetWeights:
    """The convolutions and batch norms of a ResNet-50.

    arrays: by name, `stem/kernel`, `stages/1/0/reduce/gamma`, ..
    stride_first: whether these weights want the stride on the first 1 x 1 of a block.
    source: file or name, for messages.
    """

    arrays: dict[str, Array]
    stride_first: bool
    source: str

    def fill(self, stem: Stem | None, stages: Sequence[Stage], first_stage: int) -> None:
        """Writes the weights into a built stem and stages, the first of which is the ResNet's stage `first_stage`.

        Raises UserError when a shape differs.
        """
        if stem is not None:
            self._fill_convolution("stem", stem.convolution)
        for position, stage in enumerate(stages, start=first_stage):
            for number, block in enumerate(stage.blocks):
                for branch in BRANCHES:
                    convolution = getattr(block, branch)
                    if convolution is not None:
                        self._fill_convolution(f"stages/{position}/{number}/{branch}", convolution)

    def _fill_convolution(self, name: str, convolution: ConvolutionNorm) -> None:
        norm = convolution.norm
        targets = (convolution.kernel, norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
        for array, variable in zip(ARRAYS, targets, strict=True):
            value = self.arrays.get(f"{name}/{array}")
            if value is None or value.shape != tuple(variable.shape):
                found = "nothing" if value is None else f"shape {value.shape}"
                raise UserError(
                    f"{self.source}: expected {name}/{array} of shape {tuple(variable.shape)}, found {found}; "
                    f"pretrained weights need ResNet-50's sizes (configs/base.yaml) or networks.resnet_weights: none"
                )
            variable.assign(value)


def stride_first(source: str) -> bool:
    """Whether the weights that `networks.resnet_weights` names want a block's stride on its first 1 x 1: Keras' do."""
    return source == "imagenet" or Path(source).suffix == ".h5"


def read_resnet(source: str) -> ResNetWeights | None:
    """The weights that `networks.resnet_weights` names: none, imagenet, a .pth or an .h5 file.

    Raises UserError when they can't be had.
    """
    if source == "none":
        return None
    if source == "imagenet":
        return _from_keras(_keras_resnet("imagenet", "the download of Keras' ImageNet ResNet-50"), source)
    path = Path(source)
    if not path.is_file():
        raise UserError(f"networks.resnet_weights: there is no file {source}; {REMEDY}")
    if path.suffix == ".pth":
        return from_torchvision(_torch_state(path), source)
    if path.suffix == ".h5":
        return _from_keras(_keras_resnet(source, f"reading {source}"), source)
    raise UserError(f"networks.resnet_weights: {source} is neither .pth nor .h5; {REMEDY}")


def _keras_resnet(weights: str, action: str) -> Any:
    import keras

    without_top = weights == "imagenet" or _lacks_classifier(weights)
    try:
        return keras.applications.ResNet50(weights=weights, include_top=not without_top)
    except Exception as error:  # the download raises plain Exception, h5py and Keras many kinds
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{action} failed ({reason}); {REMEDY}") from error


def _lacks_classifier(path: str) -> bool:
    """Whether a Keras weight file was saved without the last layer."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "predictions" not in file.get("model_weights", file)
    except OSError as error:
        raise UserError(f"networks.resnet_weights: {path} is not a readable HDF5 file; {REMEDY}") from error


def _convolutions() -> Iterator[tuple[str, str, str, str, str]]:
    """A ResNet-50's convolutions: our name; Keras' convolution and norm; torchvision's convolution and norm."""
    yield "stem", "conv1_conv", "conv1_bn", "conv1", "bn1"
    for stage, depth in enumerate(DEPTHS, start=1):
        for block in range(depth):
            for branch, number in zip(BRANCHES, (1, 2, 3, 0), strict=True):
                keras, torch = f"conv{stage + 1}_block{block + 1}_{number}", f"layer{stage}.{block}"
                ours = f"stages/{stage}/{block}/{branch}"
                if number:
                    yield ours, f"{keras}_conv", f"{keras}_bn", f"{torch}.conv{number}", f"{torch}.bn{number}"
                elif block == 0:
                    yield ours, f"{keras}_conv", f"{keras}_bn", f"{torch}.downsample.0", f"{torch}.downsample.1"


def _from_keras(model: Any, source: str) -> ResNetWeights:
    arrays: dict[str, Array] = {}
    for name, convolution, norm, _, _ in _convolutions():
        kernel, bias = model.get_layer(convolution).get_weights()
        gamma, beta, mean, variance = model.get_layer(norm).get_weights()
        values = (kernel, gamma, beta, mean - bias, variance + (KERAS_EPSILON - EPSILON))
        arrays.update({f"{name}/{array}": value for array, value in zip(ARRAYS, values, strict=True)})
    _fold_input(arrays)
    return ResNetWeights(arrays, stride_first=True, source=source)


def _fold_input(arrays: dict[str, Array]) -> None:
    """Rewrites the stem for our pictures x: Keras' picture is 255 (deviation x + mean) - its mean, in BGR.

    Exact but for the padding, where our zero stands for a grey that differs by half a level of 255.
    """
    kernel = arrays["stem/kernel"][:, :, ::-1, :].astype(np.float64)  # BGR -> RGB
    offset = 255 * MEAN - KERAS_MEAN_RGB
    constant = np.einsum("hwcf,c->f", kernel, offset)
    arrays["stem/kernel"] = (kernel * (255 * DEVIATION)[:, None]).astype(np.float32)
    arrays["stem/moving_mean"] = (arrays["stem/moving_mean"] - constant).astype(np.float32)


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


def from_torchvision(state: dict[str, Array], source: str) -> ResNetWeights:
    """The weights in a state dictionary of torchvision's resnet50, by its names, kernels (F, C, k, k).

    Raises UserError when one is missing.
    """
    arrays: dict[str, Array] = {}
    for name, _, _, convolution, norm in _convolutions():
        norms = [f"{norm}.{key}" for key in ("weight", "bias", "running_mean", "running_var")]
        for array, key in zip(ARRAYS, [f"{convolution}.weight", *norms], strict=True):
            if key not in state:
                raise UserError(f"{source}: there is no {key}, expected torchvision's resnet50; {REMEDY}")
            arrays[f"{name}/{array}"] = state[key].transpose(2, 3, 1, 0) if array == "kernel" else state[key]
    return ResNetWeights(arrays, stride_first=False, source=source)
