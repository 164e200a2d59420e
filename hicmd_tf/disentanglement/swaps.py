"""The second measure: pictures with exactly one code of another person, and what the observer says of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.attributes import AttributeLayout
from hicmd_tf.data.pictures import denormalise
from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.factors import IDENTITY, MODALITY, Factor
from hicmd_tf.disentanglement.measurement import ACROSS, CODES, KEPT, TO_DONOR, UNSWAPPED, WITHIN, Measurement, Networks
from hicmd_tf.disentanglement.observer import Observer, Reading
from hicmd_tf.notation import MODALITIES, Codes, Modality
from hicmd_tf.runs.opened import OpenedRun

Array = np.ndarray[Any, Any]

AT_ONCE = 64


class Pairs(NamedTuple):
    """Rows (P,) among the samples of sources and of donors, other people. setting: `WITHIN` or `ACROSS`."""

    setting: str
    sources: Array
    donors: Array


class Scene(NamedTuple):
    """References for generated pictures: the real test pictures, the observer's outputs for them, their factors."""

    samples: Samples
    seen: Reading
    numbers: list[Factor]


def draw_pairs(samples: Samples, setting: str, count: int, seed: int) -> Pairs:
    """Up to `count` pairs, each picture at most once a source; none where nobody else has such a picture."""
    rng = np.random.default_rng(seed)
    chosen: list[tuple[int, int]] = []
    for source in rng.permutation(len(samples)):
        same = samples.infrared == samples.infrared[source]
        wanted = same if setting == WITHIN else ~same
        donors = np.flatnonzero(wanted & (samples.identities != samples.identities[source]))
        if len(donors) and len(chosen) < count:
            chosen.append((int(source), int(rng.choice(donors))))
    return Pairs(setting, *np.array(chosen, np.int64).reshape(-1, 2).T)


def swap(layout: AttributeLayout, source: Codes, donor: Codes) -> dict[str, Codes]:
    """Codes of B sources of which exactly one is the donor's, by its name; `UNSWAPPED` the source's own."""
    s, d = source.attributes, donor.attributes
    own = {"style": s, "pose": s, "illumination": s}
    swapped = {name: layout.combine(**{**own, name: d}) for name in own}
    return {
        UNSWAPPED: source,
        "prototype": Codes(donor.prototype, s),
        **{name: Codes(source.prototype, np.asarray(attributes)) for name, attributes in swapped.items()},
    }


def encode(run: OpenedRun, rows: Array) -> Codes:
    """Codes of rows of the run's samples, each by the encoders of its own modality."""
    of: dict[Modality, Array] = {m: np.flatnonzero(np.isin(rows, run.rows(m))) for m in MODALITIES}
    found = {m: run.model.encode(run.pictures(rows[at]), m) for m, at in of.items() if len(at)}
    order = np.argsort(np.concatenate([of[m] for m in found]))
    return Codes(*(np.concatenate(parts)[order] for parts in zip(*found.values(), strict=True)))


def generate(run: OpenedRun, pairs: Pairs) -> Iterator[dict[str, Array]]:
    """Pictures (B, H, W, 3) uint8 of up to `AT_ONCE` pairs at a time, by what was swapped."""
    for start in range(0, len(pairs.sources), AT_ONCE):
        sources, donors = (encode(run, rows[start : start + AT_ONCE]) for rows in pairs[1:])
        yield {
            name: denormalise(run.model.decode(*codes))
            for name, codes in swap(run.model.layout, sources, donors).items()
        }


def swap_figures(
    run: OpenedRun, observer: Observer, scene: Scene, every: list[Pairs], networks: Networks
) -> list[Measurement]:
    """The figures of every swap, over all pairs."""
    found = []
    with tqdm(total=sum(len(p.sources) for p in every), desc=f"swapping, {networks}", unit="pair", leave=False) as bar:
        for pairs in every:
            seen: dict[str, list[Reading]] = {name: [] for name in (UNSWAPPED, *CODES)}
            for pictures in generate(run, pairs):
                for name, of in pictures.items():
                    seen[name].append(observer.look(of))
                bar.update(len(of))
            for name, readings in seen.items():
                whole = Reading(*(np.concatenate(parts) for parts in zip(*readings, strict=True)))
                found += figures_of(whole, scene, pairs, name, networks)
    return found


def real_swaps(scene: Scene, every: list[Pairs]) -> list[Measurement]:
    """The same figures for the real pictures of sources and donors: what a perfect generator would reach."""
    found = []
    for pairs in every:
        for name, rows in (("real source", pairs.sources), ("real donor", pairs.donors)):
            found += figures_of(Reading(*(part[rows] for part in scene.seen)), scene, pairs, name, "real")
    return found


def figures_of(reading: Reading, scene: Scene, pairs: Pairs, subject: str, networks: Networks) -> list[Measurement]:
    """Figures of P pictures made from P pairs: the observer's outputs against the factors of sources and donors."""

    def figure(factor: str, measure: str, value: float, chance: float | None = None) -> Measurement:
        asked = len(pairs.sources)
        return Measurement("swap", subject, pairs.setting, factor, measure, networks, value, None, chance, asked)

    samples, sources, donors = scene.samples, pairs.sources, pairs.donors
    found = []
    if pairs.setting == ACROSS:
        as_donor = float(np.mean(reading.infrared == samples.infrared[donors]))
        found.append(figure(MODALITY, TO_DONOR, as_donor))
    for factor, columns in zip(scene.numbers, columns_of(scene.numbers), strict=True):
        to_donor, kept = movement(reading.numbers[:, columns], factor.targets[sources], factor.targets[donors])
        found += [figure(factor.name, TO_DONOR, to_donor), figure(factor.name, KEPT, kept)]
    nearer = share_nearer_to_donor(reading.embedding, scene.seen.embedding, samples.identities, sources, donors)
    return [*found, figure(IDENTITY, TO_DONOR, nearer, 0.5)]


def columns_of(numbers: list[Factor]) -> list[slice]:
    """Where each factor's targets stand among the observer's numbers."""
    ends = np.cumsum([factor.targets.shape[1] for factor in numbers]).tolist()
    return [slice(end - factor.targets.shape[1], end) for factor, end in zip(numbers, ends, strict=True)]


def movement(observed: Array, source: Array, donor: Array) -> tuple[float, float]:
    """The least-squares fit observed = constant + donor' * donor + source' * source, over P pairs (P, K): both slopes.

    The columns (sine and cosine of an angle) have constants of their own and share both slopes. The donor's slope is
    that of observed - source on donor - source with the source held fixed: 1 when the donor's value is taken on, 0 when
    the source's is kept. Without holding it fixed, a reading that never changes would seem half way between both.
    """
    y, s, d = (x - x.mean(axis=0) for x in (observed, source, donor))
    (of_donor, of_source), *_ = np.linalg.lstsq(np.stack([d.ravel(), s.ravel()], axis=1), y.ravel(), rcond=None)
    return float(of_donor), float(of_source)


def share_nearer_to_donor(
    embedding: Array, references: Array, identities: Array, sources: Array, donors: Array
) -> float:
    """Share of P pictures whose nearest real picture, of all of source's and donor's people, shows the donor's person.

    embedding: (P, E) of length 1. references: (N, E) of real pictures, identities: (N,) whom they show. sources,
    donors: rows (P,) of the pairs among them, which themselves don't count: a person is asked for, not a picture.
    """
    similarity = embedding @ references.T  # (P, N)
    every = np.arange(len(similarity))
    similarity[every, sources] = similarity[every, donors] = -np.inf
    of_source, of_donor = (
        np.where(identities[rows][:, None] == identities, similarity, -np.inf).max(axis=1) for rows in (sources, donors)
    )
    return float(np.mean(of_donor > of_source))
