"""A trained model: NumPy arrays in, NumPy arrays out.

    model = hicmd_tf.load("runs/tiny")
    codes = model.encode(pictures, "visible")

Images are uint8 (B, H, W, 3), RGB of any size, which are resized to the run's; or already normalised floats, as
`decode` returns them (`data.pictures.denormalise` makes them uint8 again). One image without the first axis, grey
ones, (H, W) or (B, H, W, 1), a path, and lists of paths and uint8 arrays of any sizes are taken as well. An image goes
through the encoders of its own modality, "visible" or "infrared". Every mistake is a `UserError` of one line.
"""

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

import keras
import numpy as np

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.chosen_method import AnyNetworks, chosen
from hicmd_tf.config import Config
from hicmd_tf.config.kinds import HICMD
from hicmd_tf.data.pictures import fitted, normalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources.table import whom
from hicmd_tf.engines.chosen import compiled, describing
from hicmd_tf.errors import UserError, counted, some
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.notation import Codes, Modality, Tensor
from hicmd_tf.pictures.bounds import BadPictureError, content
from hicmd_tf.retrieval.embed import descriptors
from hicmd_tf.runs.folder import RunFolder

Array = np.ndarray[Any, Any]

Images = Array | str | Path | Sequence[Array | str | Path]
"""See above."""
Part = Literal["prototype", "style", "pose", "illumination", "excluded"]
"""Of codes; excluded: ID-excluded attributes, which are pose and illumination."""

NO_GENERATION = (
    "the run is of an embedding network (method: embedding), which has no codes and generates no pictures: this goes "
    "with runs of method hicmd"
)
BATCH = 16  # pictures at a time, so that memory does not grow with their number
SHRINKING = 4  # a prototype is so many times smaller than its picture
SMALLEST_PROTOTYPE = 2  # reflection by one pixel takes two
AnyModel = TypeVar("AnyModel", bound="Model")
LARGEST_NORMALISED = 20.0  # pictures reach 2.7, G's a little more; 0 to 255 reaches far beyond


class Model:
    """ID-PIG, the discriminators and HFL of one run, or its embedding network, in inference mode.

    Of an embedding network there are `embed` and `descriptors`; the rest is of Hi-CMD alone, and raises UserError.

    config: of the run. networks: the Keras networks themselves; any_networks: those of either method. step: iterations
    of training. layout: which entries of an attribute code are style, pose and illumination. descriptor: the branch
    that describes. height, width: size in pixels to which uint8 pictures are resized.
    """

    def __init__(self, config: Config, networks: AnyNetworks, step: int) -> None:
        self.config, self.step = config, step
        self.any_networks, self.descriptor = networks, networks.descriptor()
        self.height, self.width = config.data.height, config.data.width
        self._graphs: dict[Any, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        data, named = self.config.data.name, self.any_networks.variables().items()
        weights = sum(prod(v.shape) for name, v in named if "discriminator" not in name)
        what = "Hi-CMD" if self.config.method == HICMD else "Embedding network"
        return (
            f"<{what} after {counted(self.step, 'step')} on {counted(self.classes, 'identity')} of {data}: pictures "
            f"{self.height} x {self.width}, descriptors of {self.descriptor.length}, {weights / 1e6:.1f} million "
            f"weights>"
        )

    @property
    def classes(self) -> int:
        """Training identities."""
        return self.any_networks.classes

    @property
    def networks(self) -> Networks:
        """Hi-CMD's networks. Raises UserError where there are none."""
        if not isinstance(self.any_networks, Networks):
            raise UserError(NO_GENERATION)
        return self.any_networks

    @property
    def layout(self) -> AttributeLayout:
        """Which entries of an attribute code are what. Raises UserError as `networks`."""
        return self.networks.layout

    def encode(self, images: Images, modality: Modality) -> Codes:
        """images (B, H, W, 3) -> prototypes (B, H/4, W/4, C) and attributes (B, D), float32.

        `attributes.AttributeLayout` knows which entries of the attributes are style, pose and illumination.
        """
        encoders = self.networks.generator.encoders(_known(modality))
        return Codes(*self._pictures("encode", images, modality, lambda x: encoders(x, training=False)))

    def decode(self, prototype: Array, attributes: Array) -> Array:
        """G: prototypes (B, h, w, C) and attributes (B, D) -> pictures (B, 4h, 4w, 3), normalised, unbounded."""
        decoder = self.networks.generator.decoder
        return self._run("decode", lambda *codes: [decoder(codes)], *self._codes(prototype, attributes))[0]

    def embed(self, images: Images, modality: Modality) -> Array:
        """images (B, H, W, 3) -> descriptors (B, E) of length 1, float32: the nearer two, the likelier one person."""
        of = _known(modality)
        return self._pictures("embed", images, modality, lambda x: [self.descriptor.describe(of, x)])[0]

    def swap(self, a: Codes, b: Codes, part: Part) -> Array:
        """Pictures (B, 4h, 4w, 3), normalised, of the codes a with a part of the codes b, (Eq. 1 swaps prototypes)."""
        if part not in get_args(Part):
            raise UserError(f"part is {part!r}, expected {', '.join(get_args(Part))}")
        if any(not isinstance(one, tuple) or len(one) != len(Codes._fields) for one in (a, b)):
            raise UserError("a and b are no codes: give what encode returned, prototype and attributes")
        (p, own), (other_p, others) = self._codes(*a), self._codes(*b)
        if own.shape != others.shape:
            raise UserError(f"a has {len(own)} codes, b {len(others)}: give as many of both, codes[:1] of one")
        if part == "prototype":
            return self.decode(other_p, own)
        swapped = {"pose", "illumination"} if part == "excluded" else {part}
        chosen = {name: others if name in swapped else own for name in self.layout.parts()}
        return self.decode(p, np.asarray(self.layout.combine(**chosen)))

    def descriptors(self, samples: Samples) -> Array:
        """Descriptors (N, E) of length 1 of pictures of either modality, in their order."""
        describe = describing(self.descriptor)
        return descriptors(describe, samples, self.height, self.width, self.config.training.embed_batch)

    def dissect(self, images: Images, modality: Modality) -> dict[str, Array]:
        """images (B, H, W, 3) -> what HFL and G see of each, as vectors, float32.

        prototype: p^d (B, D_p), the pooled map of H after the prototype. style, pose, illumination: the parts of the
        attribute code, (B, D_s), (B, D_pose), (B, D_ill).
        """
        encoders = self.networks.generator.encoders(_known(modality))
        features, layout = self.networks.features, self.layout

        def parts(x: Tensor) -> list[Tensor]:
            prototype, attributes = encoders(x, training=False)
            return [features.embedding(prototype, training=False), *(of(attributes) for of in layout.parts().values())]

        found = self._pictures("dissect", images, modality, parts)
        return dict(zip(("prototype", *layout.parts()), found, strict=True))

    def discriminate(self, images: Images, modality: Modality) -> list[Array]:
        """images (B, H, W, 3) -> score maps (B, H/4, W/4, 1), (B, H/8, W/8, 1) .., one per scale, high for real."""
        discriminator = self.networks.discriminators[_known(modality)]
        return self._pictures("discriminate", images, modality, lambda x: discriminator(x))

    def _pictures(self, verb: str, images: Images, modality: Modality, function: Callable[..., Any]) -> list[Array]:
        """The results of `_run` for pictures, which are checked and prepared."""
        return self._run((verb, modality), function, self._checked(images, modality), prepared=self._prepared)

    def _run(
        self, key: Any, function: Callable[..., Any], *arrays: Array, prepared: Callable[[Array], Any] = np.asarray
    ) -> list[Array]:
        """A function's results on the rows of arrays, batch by batch; it becomes a graph once."""
        if key not in self._graphs:
            self._graphs[key] = compiled(function, [*self.any_networks.variables().values()])
        chunks = (slice(start, start + BATCH) for start in range(0, len(arrays[0]), BATCH))
        parts = [self._graphs[key](*(prepared(array[rows]) for array in arrays)) for rows in chunks]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _prepared(self, images: Array) -> Tensor:
        """Normalised pictures in the networks' type and, from uint8, in the run's size."""
        if images.dtype == np.uint8:
            fits = images.shape[1:3] == (self.height, self.width)
            images = normalise(images if fits else self._resized(images))
        return images.astype(_float())

    def _resized(self, images: Array) -> Array:
        from hicmd_tf.pictures.resizing import resized  # here: it imports TensorFlow

        return np.stack([resized(one, self.height, self.width) for one in images])

    def _stacked(self, images: Images, modality: Modality) -> Array:
        """Images as one array (B, H, W, 3)."""
        if isinstance(images, str | Path):
            images = [images]
        if not isinstance(images, list | tuple):
            found = _coloured(_array("images", images))
            return found[None] if found.ndim == 3 == found.shape[-1] else found
        each = [
            self._read(Path(one), modality) if isinstance(one, str | Path) else _coloured(np.asarray(one))
            for one in images
        ]
        if len({one.shape for one in each}) > 1:
            if any(one.dtype != np.uint8 or one.ndim != 3 or one.shape[-1] != 3 or 0 in one.shape for one in each):
                raise UserError(
                    f"images have shapes {some([one.shape for one in each], 3)}: pictures of several sizes are uint8 "
                    f"(H, W, 3) each, floats are given once for each size"
                )
            each = [self._resized(one[None])[0] for one in each]
        return _array("images", each)

    def _read(self, file: Path, modality: Modality) -> Array:
        whom(file, modality)  # which refuses what is said to be of the other one
        try:
            return fitted(content(file), self.height, self.width, self.config.data.sixteen_bit)
        except BadPictureError as error:
            raise UserError(f"{file} {error.told('copy it again')}") from error

    def _checked(self, images: Images, modality: Modality) -> Array:
        images = self._stacked(images, modality)
        if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape:
            raise UserError(
                f"images have shape {images.shape}, expected (B, H, W, 3) with at least one picture: a grey one is "
                f"(H, W), several are (B, H, W, 1)"
            )
        if images.dtype == np.uint8:
            return images
        _check_numbers("images", images, "uint8, or floats that are already normalised")
        low, high = float(images.min()), float(images.max())
        if max(-low, high) > LARGEST_NORMALISED or (0 <= low < high <= 1):
            raise UserError(
                f"float images reach from {low:g} to {high:g}, expected normalised ones, about -2 to 2.7: give "
                f"pictures of 0 to 255 as uint8 and those of 0 to 1 as (255 * images).round().astype('uint8')"
            )
        least = self._least()
        height, width = images.shape[1:3]
        if height % SHRINKING or width % SHRINKING or min(height, width) < least:
            raise UserError(
                f"float images are {height} x {width} pixels, expected multiples of {SHRINKING} from {least} on: give "
                f"uint8 pictures, which are resized to {self.height} x {self.width}"
            )
        return images

    def _least(self) -> int:
        """Height or width in pixels that the networks take at least."""
        if self.config.method != HICMD:
            return SHRINKING
        sizes = self.config.networks
        scales = 2 ** (sizes.discriminator.scales - 1)
        return SHRINKING * max(SMALLEST_PROTOTYPE, 1 + max(sizes.prototype_encoder.dilations), 1 + scales)

    def _codes(self, prototype: Array, attributes: Array) -> tuple[Array, Array]:
        prototype, attributes = _array("prototype", prototype), _array("attributes", attributes)
        channels, length = self.networks.generator.decoder.channels, self.layout.length
        small = prototype.ndim != 4 or min(prototype.shape[1:3]) < SMALLEST_PROTOTYPE
        if small or prototype.shape[-1] != channels or not len(prototype):
            raise UserError(
                f"prototype has shape {prototype.shape}, expected (B, h, w, {channels}) with h and w from "
                f"{SMALLEST_PROTOTYPE} on, as encode returns it"
            )
        if attributes.shape != (len(prototype), length):
            raise UserError(
                f"attributes have shape {attributes.shape}, expected ({len(prototype)}, {length}): one row a "
                f"prototype, as encode returns them"
            )
        for name, codes in (("prototype", prototype), ("attributes", attributes)):
            _check_numbers(name, codes, "floats, as encode returns them")
        return prototype.astype(_float()), attributes.astype(_float())


def restored(folder: RunFolder, config: Config, kind: type[AnyModel] = Model) -> AnyModel:  # type: ignore[assignment]
    """The model of an open run's newest checkpoint. Raises UserError when the folder holds none, or a damaged one."""
    found = folder.checkpoint(optimisers=False)
    networks = chosen(config).build(config, found.classes, True)
    found.fill(networks.variables())
    return kind(config, networks, found.step)


def untrained(config: Config, classes: int) -> Model:
    """The model with the initial weights that a run's networks, for so many identities, began from, or would have
    without those of another run. Raises UserError when these can't be had."""
    keras.utils.set_random_seed(config.seed)
    return Model(config, chosen(config).build(config, classes, bool(config.training.initialise)), 0)


def _known(modality: str) -> Modality:
    if modality not in get_args(Modality):
        raise UserError(f"modality is {modality!r}, expected {' or '.join(map(repr, get_args(Modality)))}")
    return cast(Modality, modality)


def _coloured(images: Array) -> Array:
    """Grey pictures (H, W) or (.., H, W, 1) with three equal channels; others as they are."""
    images = images[..., None] if images.ndim == 2 else images
    return np.repeat(images, 3, -1) if images.ndim > 2 and images.shape[-1] == 1 else images


def _array(name: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except ValueError as error:  # a list of arrays that differ in size
        raise UserError(f"{name} are no single array: call once for each size ({error})") from error


def _check_numbers(name: str, values: Array, expected: str) -> None:
    if not np.issubdtype(values.dtype, np.floating):
        raise UserError(f"{name} are {values.dtype}, expected {expected}")
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise UserError(f"{name} hold {bad} values that are not finite, expected none")


def _float() -> str:
    return str(keras.config.floatx())
