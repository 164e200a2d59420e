"""ID-PIG: from pictures to codes, swapped codes to pictures, and the terms of Eq. 1 to 7 (Sec. 3.2, Figure 2).

m is a modality, o the other one; p = E^p(x) prototypes, a = E^a(x) attributes with style a^s, illumination a^c and pose
a^p, a^ex = [a^p; a^c]. Rows of both modalities' batches show the same people. Pictures "in the look of m" take their
ID-excluded attributes from the real picture of m and are compared with it.
"""

from collections.abc import Hashable, Mapping
from functools import partial
from itertools import accumulate
from typing import NamedTuple, TypeVar

from keras import ops

from hicmd_tf.method.discrimination import fake_scores
from hicmd_tf.method.losses.adversarial import generator_loss
from hicmd_tf.method.losses.generation import kl, l1
from hicmd_tf.method.method import Method
from hicmd_tf.method.networks.encoders import Encoders
from hicmd_tf.notation import MODALITIES, VISIBLE, Codes, Modality, Tensor, other

AllCodes = dict[Modality, Codes]
Pictures = dict[Modality, Tensor]
Terms = dict[str, Tensor]
Name = TypeVar("Name", bound=Hashable)


class Decoded(NamedTuple):
    """Images that G makes of swapped codes, by the modality whose look they take on, (P, H, W, 3) each.

    cross: G(p_o, a_o^s, a_m^ex), which should equal x_m (Eq. 1).
    same: G(p_m, a_o^s, a_m^ex), or with a_m^s, which should equal x_m (Eq. 2).
    illumination: G(p_o, a_o^s, a_m^c, a_o^p): only the illumination is m's (Eq. 7).
    """

    cross: Pictures
    same: Pictures
    illumination: Pictures


# ------------------------------------------------------------------------------------------------------------ encoding


def encode(method: Method, m: Modality, x: Tensor) -> Codes:
    """Codes of pictures (B, H, W, 3) in inference mode."""
    return method.networks.generator.encoders(m)(x, training=False)


def learn_to_encode(method: Method, kinds: Mapping[Name, Pictures], updates: int = 1) -> dict[Name, AllCodes]:
    """Codes of several kinds of pictures, (B, H, W, 3) of each modality, in training mode and in one pass of each
    modality's encoders: batch norm keeps the kinds apart, and its running statistics take them in in their order.

    updates: see `GroupedBatchNorm`.
    """
    sizes = [x[VISIBLE].shape[0] for x in kinds.values()]
    groups = method.groups(sizes)
    encoders = {m: method.networks.generator.encoders(m) for m in MODALITIES}
    x = {m: ops.concatenate([of_kind[m] for of_kind in kinds.values()]) for m in MODALITIES}
    if method.in_turns is None:

        def encode(encoders: Encoders, x: Tensor) -> Codes:
            return encoders(x, training=True, groups=groups, updates=updates)

        codes = method.both(encoders, encode, {m: (x[m],) for m in MODALITIES})
    else:
        codes = {}
        for m in MODALITIES:
            once, again = (partial(encoders[m].__call__, training=True, updates=times) for times in (updates, 0))
            jobs = [(part,) for part in divided(x[m], groups.sizes())]
            found = method.in_turns((m, updates), once, encoders[m].trainable_variables, jobs, again)
            codes[m] = Codes(*(ops.concatenate(parts) for parts in zip(*found, strict=True)))
    parts = {m: [divided(code, sizes) for code in codes[m]] for m in MODALITIES}
    return {name: {m: Codes(*(code[i] for code in parts[m])) for m in MODALITIES} for i, name in enumerate(kinds)}


def divided(x: Tensor, sizes: list[int]) -> list[Tensor]:
    """x in parts of so many rows; Keras takes no empty list of their ends."""
    return ops.split(x, list(accumulate(sizes[:-1]))) if len(sizes) > 1 else [x]


# ------------------------------------------------------------------------------------------------------------ decoding


def decode(method: Method, prototypes: Pictures, jobs: dict[Name, tuple[Modality, Tensor]]) -> dict[Name, Tensor]:
    """G of named jobs: the modality whose prototypes (P, h, w, C) to take, with attributes (P, D).

    As one batch, or in turns: nothing in G mixes images. Both modalities' prototypes are taken equally often.
    """
    decoder = method.networks.generator.decoder
    if method.in_turns is not None:
        order = list(jobs)
        of_jobs = [(prototypes[m], attributes) for m, attributes in jobs.values()]
        pictures = method.in_turns("decoder", lambda *code: decoder(code), decoder.trainable_variables, of_jobs)
    else:
        of_modality = ([name for name, (m, _) in jobs.items() if m == wanted] for wanted in MODALITIES)
        order = [name for names in zip(*of_modality, strict=True) for name in names]
        attributes = ops.concatenate([jobs[name][1] for name in order])
        whole = decoder((ops.concatenate([prototypes[m] for m in MODALITIES]), attributes))
        pictures = ops.split(whole, len(order))
    return dict(zip(order, pictures, strict=True))


def decode_swaps(method: Method, codes: AllCodes) -> Decoded:
    """Cross, same and illumination-only pictures in the look of both modalities."""
    layout = method.networks.layout
    jobs: dict[tuple[str, Modality], tuple[Modality, Tensor]] = {}
    for m in MODALITIES:
        o = other(m)
        own, foreign = codes[m].attributes, codes[o].attributes
        swapped = layout.swap_style(style=foreign, excluded=own)  # [a_o^s; a_m^ex]
        jobs["cross", m] = o, swapped
        jobs["same", m] = m, own if method.config.losses.same_style == "own" else swapped
        jobs["illumination", m] = o, layout.combine(style=foreign, pose=foreign, illumination=own)
    pictures = decode(method, {m: codes[m].prototype for m in MODALITIES}, jobs)
    return Decoded(*({m: pictures[kind, m] for m in MODALITIES} for kind in Decoded._fields))


def decode_cycle(method: Method, codes: AllCodes, recoded: AllCodes) -> Pictures:
    """G(p^_m, ..), which should equal x_m (Eq. 3): p^_m is re-encoded from what p_m became in the look of o.

    recoded: codes of the cross pictures, by look. The one in the look of o carries the style of m.
    """
    reconstructed = method.config.losses.cycle_attributes == "reconstructed"
    jobs = {}
    for m in MODALITIES:
        source = recoded if reconstructed else codes
        attributes = method.networks.layout.swap_style(source[other(m)].attributes, source[m].attributes)
        jobs[m] = m, attributes
    return decode(method, {m: recoded[other(m)].prototype for m in MODALITIES}, jobs)


class Reconstructed(NamedTuple):
    """Everything that G makes of pairs in inference mode."""

    same: Pictures
    cross: Pictures
    cycle: Pictures
    illumination: Pictures


def reconstruct(method: Method, x: Pictures) -> Reconstructed:
    """Pairs of pictures (P, H, W, 3), swapped, and there and back again."""
    codes = {m: encode(method, m, x[m]) for m in MODALITIES}
    decoded = decode_swaps(method, codes)
    recoded = {m: encode(method, m, decoded.cross[m]) for m in MODALITIES}
    return Reconstructed(decoded.same, decoded.cross, decode_cycle(method, codes, recoded), decoded.illumination)


# ---------------------------------------------------------------------------------------- the schedule's steps A and B


def draw(method: Method, x: Pictures) -> tuple[AllCodes, Decoded]:
    """A: codes of the pairs' pictures (P, H, W, 3), and what G makes of their swaps.

    The release encodes twice, for the discriminators and again for ID-PIG: batch norm's statistics move twice.
    """
    codes = learn_to_encode(method, {"real": x}, updates=2)["real"]
    return codes, decode_swaps(method, codes)


def generate(method: Method, x: Pictures, codes: AllCodes, decoded: Decoded, recoded: AllCodes) -> Terms:
    """B: the unweighted terms of Eq. 1 to 7, each the sum over both modalities. recoded: codes of cross pictures."""
    layout, forms = method.networks.layout, method.config.losses
    cross = decoded.cross
    cycle = decode_cycle(method, codes, recoded)
    fakes = fake_scores(method, {m: (cross[m], decoded.illumination[m]) for m in MODALITIES})
    terms: Terms = dict.fromkeys(("cross", "same", "cycle", "code", "kl", "adversarial"), 0.0)
    for m in MODALITIES:
        own, foreign, again = codes[m].attributes, codes[other(m)].attributes, recoded[m].attributes
        terms["cross"] += l1(cross[m], x[m])  # Eq. 1
        terms["same"] += l1(decoded.same[m], x[m])  # Eq. 2
        terms["cycle"] += l1(cycle[m], x[m])  # Eq. 3
        terms["code"] += l1(layout.excluded_of(again), layout.excluded_of(own))  # Eq. 4
        terms["code"] += l1(layout.style_of(again), layout.style_of(foreign))
        terms["kl"] += kl(layout.excluded_of(own), forms.kl_form)  # Eq. 6
        for maps in fakes[m]:
            terms["adversarial"] += generator_loss(maps, forms.adversarial_form)  # Eq. 7
    return terms
