"""What golden values are compared with: the networks' outputs, losses, gradients and steps, under the release's names.

Arrays come out as the release has them, (B, C, H, W).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops, tree
from numeric import zero_weights
from watching import Seen, at_once, at_rest, iterate, watched

from hicmd_tf.config import Config, load
from hicmd_tf.convert.files import Released, fill
from hicmd_tf.convert.keys import Place, used
from hicmd_tf.engines.chosen import Learner
from hicmd_tf.method import generation, schedule
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.discrimination import fake_scores
from hicmd_tf.method.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from hicmd_tf.method.losses.generation import kl, l1
from hicmd_tf.method.method import Method
from hicmd_tf.method.networks.build import Networks, build_networks
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality
from hicmd_tf.training.optimisers import make_optimisers

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

KINDS = ("visible", "infrared", "generated_visible", "generated_infrared", "visible_negatives", "infrared_negatives")
LETTERS: dict[Modality, str] = {VISIBLE: "a", INFRARED: "b"}
CROSS: dict[Modality, str] = {
    VISIBLE: "ba",
    INFRARED: "ab",
}  # the release's names of pictures in the look of a modality
TERMS = {"same": "recon_x", "cross": "cross_x", "cycle": "cyc_x", "code": "recon_s", "kl": "kl", "adversarial": "adv"}

# Every kind of layer and of block of the release, an eighth as wide and about half as deep.
REDUCED: dict[str, Any] = {
    "networks.prototype_encoder.widths": [4, 8, 8, 16],
    "networks.prototype_encoder.residual_blocks": 2,
    "networks.prototype_encoder.aspp_width": 8,
    "networks.attribute_encoder.stem_width": 8,
    "networks.attribute_encoder.widths": [8, 16, 32, 64],
    "networks.attribute_encoder.depths": [2, 1, 2, 2],
    "networks.decoder.widths": [16, 8],
    "networks.discriminator.width": 4,
    "networks.discriminator.residual_blocks": 2,
    "networks.feature_learning.widths": [16, 32],
    "networks.feature_learning.depths": [2, 2],
    "networks.feature_learning.embedding": 256,
    "networks.feature_learning.triplet_embedding": 128,
}


@contextmanager
def precision(floatx: str) -> Iterator[None]:
    """Networks built inside compute in `floatx`."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def released_config(height: int, width: int, overrides: dict[str, Any] | None = None) -> Config:
    """The released configuration without dropout and erasing, as golden values have it."""
    still = {"networks.feature_learning.dropout": 0.0, "batch.erasing": 0.0, "data.height": height, "data.width": width}
    return load("base", {**still, **(overrides or {})})


def networks_with(
    config: Config, classes: int, weights: dict[Place, Array] | Callable[[Networks], dict[Place, Array]]
) -> Networks:
    """The networks, with the tensors of a released checkpoint, or those that a function makes for them."""
    with zero_weights():
        networks = build_networks(config.networks, classes)
    tensors = weights(networks) if callable(weights) else weights
    fill(networks, Released(0, {file: Path(f"{file}_0000000.pt") for file in ("gen", "dis", "id")}, tensors))
    return networks


def model_with(networks: Networks, config: Config, **how: Any) -> Any:
    """The model that trains the networks with the released optimisers. how: what the engine may be told."""
    model = Learner(networks, config, **how)
    model.compile(make_optimisers(config))
    return model


# ------------------------------------------------------------------------------------------------------- inference


def inference(networks: Networks, images: dict[Modality, Array]) -> Arrays:
    """Everything that the networks make of a pair's pictures (2, H, W, 3) in inference mode."""
    method, decoder, features = Method(networks, load("base")), networks.generator.decoder, networks.features
    x = {m: ops.convert_to_tensor(images[m], keras.config.floatx()) for m in MODALITIES}
    codes = {m: generation.encode(method, m, x[m]) for m in MODALITIES}
    decoded = generation.decode_swaps(method, codes)
    recoded = {m: generation.encode(method, m, decoded.cross[m]) for m in MODALITIES}
    cycle = generation.decode_cycle(method, codes, recoded)
    results: dict[str, Any] = {}
    for m in MODALITIES:
        letter, cross = LETTERS[m], CROSS[m]
        results |= {f"proto_{letter}": codes[m].prototype, f"attr_{letter}": codes[m].attributes}
        results |= {f"dec_{letter}_own": decoder(tuple(codes[m])), f"x_{letter}_recon": decoded.same[m]}
        results |= {f"x_{cross}": decoded.cross[m], f"x_{cross}_illum": decoded.illumination[m]}
        results |= {f"attr_{letter}_recon": recoded[m].attributes, f"x_{letter}{cross}": cycle[m]}
        results[f"H_{letter}"] = features.embedding(codes[m].prototype)
        for kind, picture in (("real", x[m]), ("fake", decoded.cross[m])):
            maps = networks.discriminators[m](picture)
            results |= {f"dis_{letter}_{kind}/{scale}": scores for scale, scores in enumerate(maps)}
    prototypes = ops.concatenate([codes[m].prototype for m in MODALITIES], 0)
    styles = ops.concatenate([networks.layout.style_of(codes[m].attributes) for m in MODALITIES], 0)
    combined = features.combination(features.embedding(prototypes), styles)
    head = features.head(combined)
    results |= {"f0": combined, "f1": head.batch_norm, "f_triplet": head.triplet, "logits": head.logits}
    results["descriptor"] = Descriptor(networks).of_codes(prototypes, styles)
    return {name: release_layout(value) for name, value in results.items()}


def release_layout(value: Any) -> Array:
    """(B, H, W, C) -> (B, C, H, W); anything else as it is."""
    array = np.asarray(value)
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


# -------------------------------------------------------------------------------------------------------- training


def batch(pictures: Callable[[str], Array], identities: dict[str, list[int]]) -> dict[str, Any]:
    """One iteration's input. pictures: (2, H, W, 3) by the release's name. identities: by ours."""
    names = {"visible": "x_a", "infrared": "x_b", "visible_negatives": "neg_a", "infrared_negatives": "neg_b"}
    given: dict[str, Any] = {ours: np.asarray(pictures(name), keras.config.floatx()) for ours, name in names.items()}
    given |= {name: np.array(numbers, np.int32) for name, numbers in identities.items()}
    given["erasing"] = {kind: np.zeros((2, 4), np.int32) for kind in KINDS}
    return tree.map_structure(ops.convert_to_tensor, given)


def losses(logs: dict[str, Any], config: Config) -> dict[str, float]:
    """The weighted losses of an iteration under the release's names."""
    weights = config.losses
    named = {f"loss_gen_{theirs}": float(logs[ours]) * getattr(weights, ours) for ours, theirs in TERMS.items()}
    named |= {"loss_CE": float(logs["cross_entropy"]), "loss_trip": float(logs["triplet"])}
    named["loss_dis_total"] = float(logs["discriminator_total"])
    named["loss_total"] = float(logs["generation_total"]) + float(logs["feature_total"])
    return named


class Trained(NamedTuple):
    """What training computes. losses, rows, norms: at the initial weights, losses by the release's names, the rows of
    HFL, and the norm of each gradient; variables that get none are missing. steps: of each iteration its losses, alpha
    after it and some of batch norm's statistics."""

    losses: dict[str, float]
    rows: Arrays
    norms: dict[Place, float]
    steps: list[dict[str, Any]]


def train(model: Any, given: dict[str, Any], statistics: set[Place], count: int = 3) -> Trained:
    """An iteration that changes no weight, and then so many real ones on the same batch."""
    initial = {name: np.array(variable) for name, variable in model.networks.variables().items()}
    functions = {"decode_swaps": generation, "decode_cycle": generation, "identify": schedule}
    with watched(model, functions) as seen:
        with at_rest(model):
            logs = iterate(model, given)
        named = losses(logs, model.settings) | _parts(model, given, seen)
        named["loss_gen_total"] = logs["generation_total"]
        named["loss_id_total"] = logs["feature_total"]
        rows, norms = _rows(seen), _norms(model, seen)
        for name, variable in model.state.items():
            variable.assign(initial[name] if name in initial else np.zeros(variable.shape, variable.dtype))
        return Trained(named, rows, norms, [_step(model, given, statistics, seen) for _ in range(count)])


def _rows(seen: Seen) -> Arrays:
    combined, head = seen.results["identify"].rows.combined, seen.results["identify"].head
    named = {"f0": combined, "f1": head.batch_norm, "ftrip": head.triplet, "logits": head.logits}
    return {name: np.asarray(value) for name, value in named.items()}


def _norms(model: Any, seen: Seen) -> dict[Place, float]:
    return {
        place: float(np.linalg.norm(np.asarray(seen.gradients[id(variable)], np.float64)))
        for place, variable in used(model.networks).items()
        if seen.gradients.get(id(variable)) is not None and not _second_copy(place)
    }


def _step(model: Any, given: dict[str, Any], statistics: set[Place], seen: Seen) -> dict[str, Any]:
    seen.gradients.clear()  # as much memory as the weights
    found = losses(iterate(model, given), model.settings) | {"alpha": float(model.networks.features.combination.alpha)}
    table = used(model.networks)
    return found | {str(place): np.array(table[place]) for place in statistics}


def _parts(model: Any, given: dict[str, Any], seen: Seen) -> dict[str, float]:
    """The unweighted parts of the losses, modality by modality, from the pictures that the iteration made. Batch norm's
    statistics move."""
    made = seen.results["decode_swaps"], seen.results["decode_cycle"]
    parts = at_once(model, partial(_parts_of, model), {m: given[m] for m in MODALITIES}, *made)
    return {name: float(value) for name, value in parts.items()}


def _parts_of(model: Any, given: Any, decoded: generation.Decoded, cycle: Any) -> dict[str, Any]:
    method = Method(model.networks, model.settings)
    parts: dict[str, Any] = {}
    for m in MODALITIES:
        letter = LETTERS[m]
        parts[f"loss_gen_recon_x_{letter}"] = l1(decoded.same[m], given[m])
        parts[f"loss_gen_cross_x_{CROSS[m]}"] = l1(decoded.cross[m], given[m])
        parts[f"loss_gen_cyc_x_{letter}"] = l1(cycle[m], given[m])
        codes = model.networks.generator.encoders(m)(given[m], training=True)
        parts[f"loss_gen_s_{letter}_kl"] = kl(model.networks.layout.excluded_of(codes.attributes), "mean_square")
        judge = model.networks.discriminators[m]
        scales = [partial(judge.at_scale, number=number) for number in range(len(judge.scales))]
        real, input_gradients = model.engine.input_gradients(scales, given[m])
        penalty = model.settings.losses.gradient_penalty * gradient_penalty(input_gradients)
        fakes = fake_scores(method, {m: (decoded.cross[m], decoded.illumination[m])})[m]
        for suffix, fake in zip(("", "3"), fakes, strict=True):
            parts[f"loss_gen_adv_{letter}{suffix}"] = generator_loss(fake, "least_squares")
            parts[f"loss_dis_{letter}{suffix}"] = discriminator_loss(real, [fake], "least_squares") + penalty
    return parts


def _second_copy(place: Place) -> bool:
    return place.part == "b" and place.key.startswith("dec.")


def true_zero(place: Place) -> bool:
    """Whether a bias stands in front of a normalisation, which makes its true gradient zero."""
    key = place.key
    if not key.endswith("bias"):
        return False
    return key.startswith("enc_pro.") or key.startswith("dec.model.0.") or key == "classifier.add_block.0.bias"


def worst(ours: Any, golden: Any) -> float:
    """max |difference| / max |golden|."""
    ours, golden = np.asarray(ours, np.float64), np.asarray(golden, np.float64)
    return float(np.abs(ours - golden).max() / np.abs(golden).max())
