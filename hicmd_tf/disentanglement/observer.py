"""The observer: a small network that looks at pictures and says what it sees, real or generated.

It learns from real pictures of the training people only, so what it says of the test people's is about new people.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from scipy.ndimage import uniform_filter
from tqdm import trange

from hicmd_tf.data.pictures import normalise
from hicmd_tf.notation import Tensor
from hicmd_tf.pictures.resizing import resize

Array = np.ndarray[Any, Any]

HEIGHT, WIDTH = 64, 32  # pixels to which everything is resized, whatever the run's
WIDTHS = (24, 48, 64, 96)  # channels, each stage half as high and wide as the one before
FEATURES, EMBEDDING = 128, 64
WEIGHT_OF_NUMBERS = 10.0  # of their squared error, beside the cross-entropies
SHARPNESS = 16.0  # of the identity's cosines before softmax
BATCH, RATE = 64, 2e-3
SHIFT = 1  # pixel
AT_ONCE = 128


class Reading(NamedTuple):
    """The observer's outputs for N pictures.

    infrared: (N,) bool. numbers: (N, K), in the order of its targets. embedding: (N, E) of length 1, near for one
    person. features: (N, F), the last layer that everything is read from.
    """

    infrared: Array
    numbers: Array
    embedding: Array
    features: Array


class Targets(NamedTuple):
    """The observer's training targets for N pictures. infrared: (N,) bool. numbers: (N, K). mirrored: (K,), the factor
    by which each number is multiplied when the picture is mirrored. people: (N,) class indices."""

    infrared: Array
    numbers: Array
    mirrored: Array
    people: Array


class Observer:
    """A trained observer; see `train_observer`."""

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self._look = tf.function(
            lambda x: network(normalise(tf.cast(x, tf.float32)), training=False), reduce_retracing=True
        )

    def look(self, pictures: Array) -> Reading:
        """pictures: (N, H, W, 3) uint8 of any size."""
        parts = [self._look(x) for x in _chunks(pictures)]
        names = ("modality", "numbers", "embedding", "features")
        modality, *others = (np.concatenate([part[name].numpy() for part in parts]) for name in names)
        return Reading(modality[:, 0] > 0, *others)

    def distance(self, first: Array, second: Array) -> Array:
        """Between pictures (N, H, W, 3) uint8, pair by pair, (N,), 0 to 2.

        The mean over stages of the mean over places of half the squared distance of the two maps' channel vectors, each
        made length 1: 1 minus their cosine.
        """
        found = []
        for a, b in zip(_chunks(first), _chunks(second), strict=True):
            pairs = zip(self._look(a)["maps"], self._look(b)["maps"], strict=True)
            found.append(np.mean([1 - _cosines(x.numpy(), y.numpy()).mean(axis=(1, 2)) for x, y in pairs], axis=0))
        return np.concatenate(found)


def _cosines(a: Array, b: Array) -> Array:
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(axis=-1) / np.maximum(lengths, 1e-12)


def fitted(pictures: Array) -> Array:
    """(N, H, W, 3) uint8 -> (N, `HEIGHT`, `WIDTH`, 3) uint8."""
    if pictures.shape[1:3] == (HEIGHT, WIDTH):
        return pictures
    return resize(tf.constant(pictures), HEIGHT, WIDTH).numpy()


def _chunks(pictures: Array) -> Iterator[Array]:
    return (fitted(pictures[start : start + AT_ONCE]) for start in range(0, len(pictures), AT_ONCE))


def build(numbers: int, people: int) -> keras.Model:
    """The network: normalised pictures (B, 64, 32, 3) -> maps and features, and what is read from these, by name."""
    x = picture = keras.Input((HEIGHT, WIDTH, 3))
    maps = []
    for width in WIDTHS:
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        maps.append(x)
    features = layers.Dense(FEATURES, "relu")(layers.Flatten()(x))
    embedding = layers.UnitNormalization()(layers.Dense(EMBEDDING)(features))
    cosines = layers.Dense(people, use_bias=False, kernel_constraint=keras.constraints.UnitNorm(axis=0))(embedding)
    outputs = {
        "maps": maps,
        "features": features,
        "modality": layers.Dense(1)(features),
        "numbers": layers.Dense(numbers)(features) if numbers else features[:, :0],
        "embedding": embedding,
        "people": layers.Rescaling(SHARPNESS)(cosines),
    }
    return keras.Model(picture, outputs)


def train_observer(pictures: Array, targets: Targets, steps: int, seed: int) -> Observer:
    """An observer of so many steps on pictures (N, H, W, 3) uint8, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    pictures = np.concatenate(list(_chunks(pictures)))
    network = build(targets.numbers.shape[1], int(targets.people.max()) + 1)
    optimiser = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    optimiser.build(network.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(x: Tensor, infrared: Tensor, numbers: Tensor, people: Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = _loss(network(normalise(x), training=True), infrared, numbers, people)
        optimiser.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)

    rng = np.random.default_rng(seed)
    for _ in trange(steps, desc="training the observer", unit="step", leave=False):
        step(*_batch(pictures, targets, rng))
    return Observer(network)


def _loss(said: dict[str, Tensor], infrared: Tensor, numbers: Tensor, people: Tensor) -> Tensor:
    modality = keras.losses.binary_crossentropy(infrared, said["modality"], from_logits=True)
    identity = keras.losses.sparse_categorical_crossentropy(people, said["people"], from_logits=True)
    loss = ops.mean(modality) + ops.mean(identity)
    if not numbers.shape[1]:
        return loss
    return loss + WEIGHT_OF_NUMBERS * ops.mean(ops.square(said["numbers"] - numbers))


def _batch(pictures: Array, targets: Targets, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Random pictures, half of them mirrored, half of them softened as generated ones are, all shifted a little."""
    rows = rng.integers(0, len(pictures), BATCH)
    mirrored, soft = rng.random((2, BATCH)) < 0.5
    x = _shifted(pictures[rows], rng).astype(np.float32)
    x[mirrored] = x[mirrored, :, ::-1]
    x[soft] = uniform_filter(x[soft], (1, 3, 3, 1), mode="nearest")
    numbers = targets.numbers[rows] * np.where(mirrored[:, None], targets.mirrored, 1.0)
    known = targets.infrared[rows, None].astype(np.float32), numbers.astype(np.float32), targets.people[rows]
    return tuple(tf.constant(value) for value in (x, *known))


def _shifted(x: Array, rng: np.random.Generator) -> Array:
    """Each of (N, H, W, 3) moved by up to `SHIFT` pixels either way; what comes in repeats the edge."""
    padded = np.pad(x, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), "edge")
    corners = rng.integers(0, 2 * SHIFT + 1, (len(x), 2))
    height, width = x.shape[1:3]
    return np.stack([one[i : i + height, j : j + width] for one, (i, j) in zip(padded, corners, strict=True)])
