"""One iteration: who is differentiated with respect to what, in which order, and who steps.

    A  draw      (generator; x)                          -> codes, decoded     with a pullback
    D  judge     (discriminator of m; x_m, decoded)      -> terms              stepped first, decoded without gradient
    B  generate  (generator, codes, decoded; x, new D)   -> terms
    C  identify  (generator, features; decoded.cross)    -> terms

    gradient of the generator = dB/dgenerator + dC/dgenerator + pull_A(dB/d(codes, decoded) [+ dC/ddecoded])

The bracket is there where identity losses reach the decoder (row 9, `sampling.detach_generated`). An engine that asks
for few operations (`Engine.together`) has D of both modalities at once, and B and C as one function, with one pass of
each encoder: the same sums. On several devices every loss but C's is a mean over the replica's own pictures, and
optimisers add the replicas' gradients: those losses count by the replicas' number. C's is of all rows; what the head
learns from it is the same everywhere, and counts so.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from keras import ops, tree

from hicmd_tf.method.augmentation import cut
from hicmd_tf.method.discrimination import judge
from hicmd_tf.method.generation import AllCodes, Decoded, Pictures, Terms, draw, generate, learn_to_encode
from hicmd_tf.method.identification import identify, inputs
from hicmd_tf.method.method import Method, MethodOf
from hicmd_tf.method.sampling import Kind
from hicmd_tf.method.terms import TERMS, Total, terms_of
from hicmd_tf.notation import MODALITIES, Tensor

if TYPE_CHECKING:
    from hicmd_tf.engines.base import Engine, Gradients

LOGGED = tuple(
    sorted(
        {*(term.name for term in TERMS), *(f"{term.total}_total" for term in TERMS)}
        | {"real_score", "fake_score", "accuracy", "active_triplets", "alpha"}
    )
)
"""Names of what an iteration returns."""


def iteration(method: Method, batch: dict[str, Any]) -> Terms:
    """Discriminators, then ID-PIG and HFL together. Returns the named, unweighted losses, totals and figures."""
    engine = method.engine
    assert engine is not None
    batch = cut(batch)
    x = {m: batch[m] for m in MODALITIES}
    (codes, decoded), pull = engine.pullback(partial(draw, method, x), "generator")  # A

    judged, of_discriminators = _judge(method, engine, x, decoded)  # D
    engine.apply("discriminator", of_discriminators)
    decoded = engine.in_order(of_discriminators, decoded)

    learn = _learn_at_once if engine.together else _learn_in_turn
    learned = learn(method, engine, batch, x, codes, decoded, pull)  # B and C
    engine.apply("generator", learned.of_generator)
    engine.apply("features", _once(method, engine, learned.of_features))
    alpha = ops.stop_gradient(ops.convert_to_tensor(method.networks.features.combination.alpha))  # its value now
    return {**engine.mean({**learned.generation, **judged}), **learned.feature, "alpha": alpha}


def _judge(method: Method, engine: "Engine", x: Pictures, decoded: Decoded) -> "tuple[Terms, Gradients]":
    """D of both modalities: terms and gradients. Of both at once, or of one after the other."""
    terms: list[Terms] = []
    gradients: Gradients = []
    for modalities in (MODALITIES,) if engine.together else ((m,) for m in MODALITIES):
        fakes = {m: [decoded.cross[m], decoded.illumination[m]] for m in modalities}
        real, generated = engine.in_order(gradients, ({m: x[m] for m in modalities}, fakes))

        def discrimination() -> tuple[Tensor, Terms]:
            return with_total(method, "discriminator", judge(method, real, generated), engine.replicas)  # noqa: B023

        found = engine.value_and_grad(discrimination, ["discriminator"])
        terms.append(found.aux)
        new = found.of_parts["discriminator"]
        gradients = _sum(gradients, new) if gradients else new
    both = {name: sum(of[name] for of in terms) for name in terms[0]}
    means = {name: both[name] / len(terms) for name in ("real_score", "fake_score")}
    return {**both, **means}, gradients


class Learned(NamedTuple):
    """What B and C give: terms of ID-PIG, terms and figures of HFL, and both parts' gradients of everything."""

    generation: Terms
    feature: Terms
    of_generator: "Gradients"
    of_features: "Gradients"


def _learn_at_once(
    method: Method, engine: "Engine", batch: dict[str, Any], x: Pictures, codes: AllCodes, decoded: Decoded, pull: Any
) -> Learned:
    """B and C as one function, with one pass of each encoder."""

    def learning(codes: AllCodes, decoded: Decoded) -> tuple[Tensor, tuple[Terms, Terms]]:
        detached = method.config.sampling.detach_generated
        cross = tree.map_structure(ops.stop_gradient, decoded.cross) if detached else decoded.cross
        found = learn_to_encode(method, {"cross": decoded.cross, **inputs(method, batch, cross)})
        terms = generate(method, x, codes, decoded, found.pop("cross"))
        generation, terms = with_total(method, "generation", terms, engine.replicas)
        feature, identified = _identification(method, batch, found)
        return generation + feature, (terms, identified)

    found = engine.value_and_grad(learning, ["generator", "features"], (codes, decoded))
    of_generator = _sum(found.of_parts["generator"], pull(found.of_inputs))
    generation, feature = found.aux
    return Learned(generation, feature, of_generator, found.of_parts["features"])


def _learn_in_turn(
    method: Method, engine: "Engine", batch: dict[str, Any], x: Pictures, codes: AllCodes, decoded: Decoded, pull: Any
) -> Learned:
    """B, and C after it: what B keeps for its gradient is gone then, and what A kept, unless C's gradient needs it."""
    detached = method.config.sampling.detach_generated

    def generation(codes: AllCodes, decoded: Decoded) -> tuple[Tensor, Terms]:
        recoded = learn_to_encode(method, {"cross": decoded.cross})["cross"]
        return with_total(method, "generation", generate(method, x, codes, decoded, recoded), engine.replicas)

    generated = engine.value_and_grad(generation, ["generator"], (codes, decoded))  # B
    of_codes, of_decoded = generated.of_inputs
    of_generator = generated.of_parts["generator"]
    if detached:
        of_generator = _sum(of_generator, pull((of_codes, of_decoded)))

    def identification(cross: Pictures) -> tuple[Tensor, Terms]:
        return _identification(method, batch, learn_to_encode(method, inputs(method, batch, cross)))

    cross = engine.in_order(of_generator, decoded.cross)
    if detached:
        identified = engine.value_and_grad(partial(identification, cross), ["generator", "features"])  # C
    else:
        identified = engine.value_and_grad(identification, ["generator", "features"], (cross,))
        of_cross = tree.map_structure(_add, of_decoded.cross, identified.of_inputs[0])
        of_generator = _sum(of_generator, pull((of_codes, of_decoded._replace(cross=of_cross))))
    of_generator = _sum(of_generator, identified.of_parts["generator"])
    return Learned(generated.aux, identified.aux, of_generator, identified.of_parts["features"])


def _identification(method: Method, batch: dict[str, Any], codes: dict[Kind, AllCodes]) -> tuple[Tensor, Terms]:
    """C's loss, and its terms and figures."""
    found = identify(method, batch, codes)
    total, terms = with_total(method, "feature", found.terms)
    return total, {**terms, **found.figures}


def with_total(method: MethodOf[Any], total: Total, terms: Terms, replicas: int = 1) -> tuple[Tensor, Terms]:
    """The minimised loss, this replica's share of the weighted sum of a total's terms; and the terms with that sum."""
    weighted = []
    for term in terms_of(total):
        value = terms[term.name]
        for name in reversed(term.weights):
            value = ops.convert_to_tensor(method.number(name), value.dtype) * value
        weighted.append(value)
    whole = sum(weighted)
    return whole if replicas == 1 else whole / replicas, {**terms, f"{total}_total": whole}


def _once(method: Method, engine: "Engine", gradients: "Gradients") -> "Gradients":
    """Gradients of H, alpha and head: the head's, which every replica has of all rows, are to count once, not once for
    each replica. The others' are of the replica's own pictures, and their sum is that of all."""
    if engine.replicas == 1:
        return gradients
    features = method.networks.features
    head = {id(variable) for variable in features.head.trainable_variables}
    shared = [id(variable) in head for variable in features.trainable_variables]
    return [g / engine.replicas if g is not None and same else g for g, same in zip(gradients, shared, strict=True)]


def _sum(first: "Gradients", second: "Gradients") -> "Gradients":
    return [_add(a, b) for a, b in zip(first, second, strict=True)]


def _add(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Two gradients; None, where a loss does not depend on a variable, is 0."""
    return b if a is None else a if b is None else a + b
