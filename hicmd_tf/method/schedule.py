"""One iteration: who is differentiated with respect to what, in which order, and who steps.

    A  draw      (generator; x)                          -> codes, decoded     with a pullback
    D  judge     (discriminator of m; x_m, decoded)      -> terms              stepped first, decoded without gradient
    B  generate  (generator, codes, decoded; x, new D)   -> terms
    C  identify  (generator, features; decoded.cross)    -> terms

    gradient of the generator = dB/dgenerator + dC/dgenerator + pull_A(dB/d(codes, decoded) [+ dC/ddecoded])

The bracket is there where identity losses reach the decoder (row 9, `sampling.detach_generated`). On several devices
every loss but C's is a mean over the replica's own pictures, and optimisers add the replicas' gradients: those losses
count by the replicas' number. C's is of all rows; what the head learns from it is the same everywhere, and counts so.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from keras import ops, tree

from hicmd_tf.method.discrimination import judge
from hicmd_tf.method.generation import Decoded, Pictures, Terms, draw, generate
from hicmd_tf.method.identification import Identified, identify
from hicmd_tf.method.method import Method
from hicmd_tf.method.terms import Total, terms_of
from hicmd_tf.notation import MODALITIES, Tensor

if TYPE_CHECKING:
    from hicmd_tf.engines.base import Engine, Gradients


def iteration(method: Method, batch: dict[str, Any]) -> Terms:
    """Discriminators, then ID-PIG and HFL together. Returns the named, unweighted losses, totals and figures."""
    engine, networks = method.engine, method.networks
    assert engine is not None
    generator, features = networks.generator.trainable_variables, networks.features.trainable_variables
    x = {m: batch[m] for m in MODALITIES}
    detached = method.config.sampling.detach_generated

    (codes, decoded), pull = engine.pullback(partial(draw, method, x), generator)  # A

    judged, of_discriminators = _judge(method, engine, x, decoded)  # D
    engine.apply("discriminator", of_discriminators)
    decoded = engine.in_order(of_discriminators, decoded)

    def generation(codes: Any, decoded: Decoded) -> tuple[Tensor, Terms]:
        return _with_total(method, "generation", generate(method, x, codes, decoded), engine.replicas)

    generated = engine.value_and_grad(generation, generator, (codes, decoded))  # B
    of_codes, of_decoded = generated.of_inputs
    of_generator = generated.of_variables
    if detached:
        of_generator = _sum(of_generator, pull((of_codes, of_decoded)))

    def identification(cross: Pictures) -> tuple[Tensor, tuple[Terms, Identified]]:
        found = identify(method, batch, cross)
        total, terms = _with_total(method, "feature", found.terms)
        return total, (terms, found)

    cross = engine.in_order(of_generator, decoded.cross)
    if detached:
        identified = engine.value_and_grad(partial(identification, cross), [*generator, *features])  # C
    else:
        identified = engine.value_and_grad(identification, [*generator, *features], (cross,))
        of_cross = tree.map_structure(_add, of_decoded.cross, identified.of_inputs[0])
        of_generator = _sum(of_generator, pull((of_codes, of_decoded._replace(cross=of_cross))))
    of_features = identified.of_variables[len(generator) :]

    engine.apply("generator", _sum(of_generator, identified.of_variables[: len(generator)]))
    engine.apply("features", _once(method, engine, of_features))
    feature_terms, found = identified.aux
    alpha = ops.stop_gradient(ops.convert_to_tensor(networks.features.combination.alpha))  # its value now, no variable
    return {**engine.mean({**generated.aux, **judged}), **feature_terms, **found.figures, "alpha": alpha}


def _judge(method: Method, engine: "Engine", x: Pictures, decoded: Decoded) -> "tuple[Terms, Gradients]":
    """D of both modalities: terms, and gradients of all their variables. One after the other, so that only one of them
    takes up memory."""
    gradients: Gradients = []
    terms: list[Terms] = []
    for m in MODALITIES:
        real, generated = engine.in_order(gradients, (x[m], [decoded.cross[m], decoded.illumination[m]]))

        def discrimination() -> tuple[Tensor, Terms]:
            return _with_total(method, "discriminator", judge(method, m, real, generated), engine.replicas)  # noqa: B023

        found = engine.value_and_grad(discrimination, method.networks.discriminators[m].trainable_variables)
        terms.append(found.aux)
        gradients = [*gradients, *found.of_variables]
    both = {name: sum(of[name] for of in terms) for name in terms[0]}
    means = {name: both[name] / len(MODALITIES) for name in ("real_score", "fake_score")}
    return {**both, **means}, gradients


def _with_total(method: Method, total: Total, terms: Terms, replicas: int = 1) -> tuple[Tensor, Terms]:
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
