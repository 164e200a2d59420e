"""One training iteration of Hi-CMD, as the paper's Figures 2 and 3 and method section 2 tell it.

Notation: m is a modality, o the other one; p prototypes, a attributes. Rows of both modalities' batches show the same
identities. Pictures generated "in the look of m" take their ID-excluded attributes from the real picture of m and are
compared with it.

On several devices each replica has its share of a batch's pictures, and all of its labels. It computes generation,
discriminators and the codes for HFL of its own pictures; d_comb is gathered, and head and identity losses are computed
of all rows by every replica alike.
"""

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple, TypeVar

import keras
import tensorflow as tf
from keras import ops

from hicmd_tf.config.schema import Config
from hicmd_tf.engines.tensorflow import replicas
from hicmd_tf.engines.tensorflow.frugal import InTurns, held_back
from hicmd_tf.engines.tensorflow.runtime import RuntimeLosses
from hicmd_tf.method.erasing import erase
from hicmd_tf.method.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from hicmd_tf.method.losses.generation import kl, l1
from hicmd_tf.method.losses.identification import Triplets, cosine_batch_hard, cross_entropy, euclidean_batch_hard
from hicmd_tf.method.losses.weights import discriminator_total, feature_total, generation_total
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.method.networks.discriminator import Discriminator
from hicmd_tf.method.networks.feature_learning import Identification
from hicmd_tf.method.networks.norms import Groups, KindGroups
from hicmd_tf.method.precision import accurate
from hicmd_tf.method.sampling import Parts, Rows, feature_groups, stack
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Codes, Modality, Tensor, other
from hicmd_tf.training.optimisers import Optimisers

Pictures = dict[Modality, Tensor]
Terms = dict[str, Tensor]
Name = TypeVar("Name", bound=Hashable)


class Decoded(NamedTuple):
    """What G makes of swapped codes, by the modality whose look it takes on, (P, H, W, 3) each.

    cross: G(p_o, a_o^s, a_m^ex), which should equal x_m (Eq. 1).
    same: G(p_m, a_o^s, a_m^ex), or with a_m^s, which should equal x_m (Eq. 2).
    illumination: G(p_o, a_o^s, a_m^c, a_o^p): only the illumination is m's (Eq. 7).
    """

    cross: Pictures
    same: Pictures
    illumination: Pictures


class HiCMD(keras.Model):
    """ID-PIG, the discriminators and HFL with their three optimisers. Trains through `loop.iterate` on `data.batches`;
    on one device also through Keras' `fit`."""

    def __init__(self, networks: Networks, config: Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generator = networks.generator
        self.visible_discriminator = networks.discriminators[VISIBLE]
        self.infrared_discriminator = networks.discriminators[INFRARED]
        self.features = networks.features
        self.layout = networks.layout
        self.settings = config
        self.weights_of_losses = RuntimeLosses(config.losses)
        self.turns: dict[Hashable, InTurns] = {}  # by network, where memory is to be saved
        self.built = True

    def compile(self, optimisers: Optimisers) -> None:  # type: ignore[override]
        """Binds each optimiser to its own variables, so that checkpoints carry its whole state from the first step."""
        super().compile(optimizer=optimisers.generator, jit_compile=False)  # XLA is slower on CPU
        self.discriminator_optimiser = optimisers.discriminator
        self.feature_optimiser = optimisers.features
        optimisers.generator.build(self.generator.trainable_variables)
        optimisers.discriminator.build(self.discriminator_variables)
        optimisers.features.build(self.features.trainable_variables)
        # Made once, so that runs which follow one another with the same model share its trace.
        self.train_replicas = tf.function(self._on_every_replica, autograph=False)

    def _on_every_replica(self, batch: Any) -> Any:
        """`train_step` on the device of each replica, on its share of the batch."""
        return self.distribute_strategy.run(self.train_step, args=(batch,))

    def adopt(self, config: Config) -> None:
        """Takes loss weights, margin and learning rates of another configuration, without tracing the iteration anew.

        Raises ValueError when its losses differ otherwise.
        """
        self.weights_of_losses.assign(config.losses)
        Optimisers(self.optimizer, self.discriminator_optimiser, self.feature_optimiser).adopt(config.optimisers)
        self.settings = config

    @property
    def step(self) -> int:
        """Iterations that the model has been trained for."""
        return int(self.optimizer.iterations.numpy())

    @property
    def networks(self) -> Networks:
        """The networks that it trains."""
        discriminators = {modality: self.discriminator(modality) for modality in MODALITIES}
        return Networks(self.generator, discriminators, self.features, self.layout)

    @property
    def state(self) -> dict[str, keras.Variable]:
        """Everything that an iteration changes, weights, running statistics, random states and optimisers, by names
        that are the same in every process."""
        optimisers = {
            "generator_optimiser": self.optimizer,
            "discriminator_optimiser": self.discriminator_optimiser,
            "feature_optimiser": self.feature_optimiser,
        }
        moments = {
            f"{name}/{variable.path.partition('/')[2]}": variable
            for name, optimiser in optimisers.items()
            for variable in optimiser.variables
        }
        return {**self.networks.variables(), **moments}

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """Weights of both discriminators."""
        return [v for m in MODALITIES for v in self.discriminator(m).trainable_variables]

    def discriminator(self, modality: Modality) -> Discriminator:
        """D of a modality."""
        return {VISIBLE: self.visible_discriminator, INFRARED: self.infrared_discriminator}[modality]

    # ------------------------------------------------------------------------------------------------ the iteration

    def train_step(self, batch: dict[str, Any]) -> Terms:
        """Discriminators, then ID-PIG and HFL together. Returns the named, unweighted losses of the iteration."""
        x = {m: batch[m] for m in MODALITIES}
        generation_tape, feature_tape = tf.GradientTape(), tf.GradientTape()

        with generation_tape:
            with self._reached_by_identity(feature_tape):
                # Stands for the release's two passes.
                codes = {m: self.encode(m, x[m], groups=self._groups(x[m]), updates=2) for m in MODALITIES}
                decoded = self.decode_swaps(codes)
            with generation_tape.stop_recording():
                discriminator_terms, discriminator_gradients = self._update_discriminators(x, decoded)
            judged = Decoded(*(_after(discriminator_gradients, pictures) for pictures in decoded))
            generation_terms = self.generation_terms(x, codes, judged)
            generation = generation_total(generation_terms, self.weights_of_losses())
        generator_variables = self.generator.trainable_variables
        generation_gradients = replicas.averaged(generation_tape.gradient(generation, generator_variables))
        del generation_tape

        with feature_tape:
            rows, head = self.identify(batch, _after(generation_gradients, decoded.cross))
            triplets = self.triplets(rows, head)
            feature_terms = {"cross_entropy": cross_entropy(head.logits, rows.labels), "triplet": triplets.loss}
            features = feature_total(feature_terms, self.weights_of_losses())
        feature_variables = self.features.trainable_variables
        gradients = feature_tape.gradient(features, [*generator_variables, *feature_variables])
        identity_gradients = gradients[: len(generator_variables)]

        self.optimizer.apply(_sum(generation_gradients, identity_gradients), generator_variables)
        self.feature_optimiser.apply(self._once_for_all(gradients[len(generator_variables) :]), feature_variables)
        hits = ops.equal(ops.argmax(head.logits, axis=-1), ops.cast(rows.labels, "int32"))
        return {
            **replicas.mean({**generation_terms, **discriminator_terms, "generation_total": generation}),
            **feature_terms,
            "feature_total": features,
            "accuracy": ops.mean(ops.cast(hits, "float32")),
            "active_triplets": triplets.active,
            "alpha": ops.convert_to_tensor(self.features.combination.alpha),
        }

    def _once_for_all(self, gradients: list[Tensor]) -> list[Tensor]:
        """Gradients of H, alpha and head: the head's, which every replica has of all rows, are to count once, not once
        a replica. The others' are of the replica's own pictures, and their sum is that of all."""
        head = {id(variable) for variable in self.features.head.trainable_variables}
        return [
            replicas.averaged([gradient])[0] if id(variable) in head else gradient
            for gradient, variable in zip(gradients, self.features.trainable_variables, strict=True)
        ]

    def _groups(self, *pictures: Tensor) -> KindGroups:
        """Batch norm's groups of a batch made of these kinds of pictures."""
        return KindGroups(tuple(x.shape[0] for x in pictures), self.settings.batch.norm_groups // replicas.count())

    def _reached_by_identity(self, feature_tape: tf.GradientTape) -> AbstractContextManager[Any]:
        """Records generation for the identity losses too, when they are to reach the decoder (row 9)."""
        return nullcontext() if self.settings.sampling.detach_generated else feature_tape

    # ----------------------------------------------------------------------------------------------------- ID-PIG

    def encode(
        self,
        modality: Modality,
        x: Tensor,
        training: bool = True,
        groups: Groups = None,
        updates: int = 1,
    ) -> Codes:
        """Codes of pictures (B, H, W, 3) by their modality's encoders. groups, updates: see `GroupedBatchNorm`."""
        if training and self.settings.training.memory == "low":
            sizes = groups.sizes() if isinstance(groups, KindGroups) else groups or [x.shape[0]]
            return self._encode_in_turns(modality, x, sizes, updates)
        return self.generator.encoders(modality)(x, training=training, groups=groups, updates=updates)

    def _encode_in_turns(self, modality: Modality, x: Tensor, groups: Sequence[int], updates: int) -> Codes:
        """The same, group by group."""
        encoders = self.generator.encoders(modality)
        once, again = (partial(encoders.__call__, training=True, updates=times) for times in (updates, 0))
        turns = self._turns((modality, updates), once, encoders.trainable_variables, again)
        ends = [sum(groups[: i + 1]) for i in range(len(groups) - 1)]
        found = turns([(part,) for part in _divided(x, ends)])
        return Codes(*(ops.concatenate(parts) for parts in zip(*found, strict=True)))

    def _turns(self, name: Hashable, *arguments: Any) -> InTurns:
        """A network that runs in turns, made once for each name."""
        if name not in self.turns:
            self.turns[name] = InTurns(*arguments)
        return self.turns[name]

    def decode_all(
        self, prototypes: dict[Modality, Tensor], jobs: dict[Name, tuple[Modality, Tensor]]
    ) -> dict[Name, Tensor]:
        """G of named jobs: the modality whose prototypes (P, h, w, C) to take, with attributes (P, D).

        As one batch, or in turns: nothing in G mixes images. Both modalities' prototypes are taken equally often.
        """
        decoder = self.generator.decoder
        if self.settings.training.memory == "low":
            turns = self._turns("decoder", lambda *code: decoder(code), decoder.trainable_variables)
            pictures = turns([(prototypes[m], attributes) for m, attributes in jobs.values()])
            return dict(zip(jobs, pictures, strict=True))
        of_modality = ([name for name, (m, _) in jobs.items() if m == wanted] for wanted in MODALITIES)
        order = [name for names in zip(*of_modality, strict=True) for name in names]
        attributes = ops.concatenate([jobs[name][1] for name in order])
        pictures = decoder((ops.concatenate([prototypes[m] for m in MODALITIES]), attributes))
        return dict(zip(order, ops.split(pictures, len(order)), strict=True))

    def decode_swaps(self, codes: dict[Modality, Codes]) -> Decoded:
        """Cross, same and illumination-only pictures in the look of both modalities."""
        jobs: dict[tuple[str, Modality], tuple[Modality, Tensor]] = {}
        for m in MODALITIES:
            own, foreign = codes[m].attributes, codes[other(m)].attributes
            swapped = self.layout.swap_style(style=foreign, excluded=own)
            jobs["cross", m] = other(m), swapped
            jobs["same", m] = m, own if self.settings.losses.same_style == "own" else swapped
            jobs["illumination", m] = other(m), self.layout.combine(style=foreign, pose=foreign, illumination=own)
        pictures = self.decode_all({m: codes[m].prototype for m in MODALITIES}, jobs)
        return Decoded(*({m: pictures[kind, m] for m in MODALITIES} for kind in Decoded._fields))

    def generation_terms(self, x: Pictures, codes: dict[Modality, Codes], decoded: Decoded) -> Terms:
        """The unweighted terms of Eq. 1 to 7, each the sum over both modalities."""
        recoded = {m: self.encode(m, x, groups=self._groups(x)) for m, x in decoded.cross.items()}
        cycle = self.decode_cycle(codes, recoded)
        return {
            "same": sum(l1(decoded.same[m], x[m]) for m in MODALITIES),
            "cross": sum(l1(decoded.cross[m], x[m]) for m in MODALITIES),
            "cycle": sum(l1(cycle[m], x[m]) for m in MODALITIES),
            "code": sum(self._code_term(codes, recoded, m) for m in MODALITIES),
            "kl": sum(
                kl(self.layout.excluded_of(codes[m].attributes), self.settings.losses.kl_form) for m in MODALITIES
            ),
            "adversarial": self._adversarial_term(decoded),
        }

    def decode_cycle(self, codes: dict[Modality, Codes], recoded: dict[Modality, Codes]) -> Pictures:
        """G(p^_m, ..), which should equal x_m (Eq. 3): p^_m is re-encoded from what p_m became in the other look."""
        jobs = {}
        for m in MODALITIES:
            source = recoded if self.settings.losses.cycle_attributes == "reconstructed" else codes
            # In `recoded` the picture in the look of o carries the style of m; in `codes` the style is swapped.
            jobs[m] = m, self.layout.swap_style(style=source[other(m)].attributes, excluded=source[m].attributes)
        return self.decode_all({m: recoded[other(m)].prototype for m in MODALITIES}, jobs)

    def _code_term(self, codes: dict[Modality, Codes], recoded: dict[Modality, Codes], m: Modality) -> Tensor:
        """Eq. 4 for the picture in the look of m: its excluded code is m's, its style the other's."""
        again = recoded[m].attributes
        excluded = l1(self.layout.excluded_of(again), self.layout.excluded_of(codes[m].attributes))
        style = l1(self.layout.style_of(again), self.layout.style_of(codes[other(m)].attributes))
        return excluded + style

    def _adversarial_term(self, decoded: Decoded) -> Tensor:
        form = self.settings.losses.adversarial_form
        return sum(
            generator_loss(maps, form)
            for m in MODALITIES
            for maps in self._fake_scores(m, (decoded.cross[m], decoded.illumination[m]))
        )

    # ---------------------------------------------------------------------------------------------- discriminators

    def _fake_scores(self, m: Modality, generated: Sequence[Tensor], learning: bool = False) -> list[list[Tensor]]:
        """D_m's score maps, one list for each kind of generated pictures (P, H, W, 3). learning: whether D_m is."""
        discriminator = self.discriminator(m)
        if self.settings.training.memory == "low":
            learned = discriminator.trainable_variables if learning else []
            turns = self._turns(("discriminator", m, learning), discriminator.__call__, learned)
            return turns([(pictures,) for pictures in generated])
        maps = discriminator(ops.concatenate(generated))
        parts = [ops.split(scale, len(generated)) for scale in maps]
        return [[of[kind] for of in parts] for kind in range(len(generated))]

    def _update_discriminators(self, x: Pictures, decoded: Decoded) -> tuple[Terms, list[Tensor]]:
        """One step of both discriminators: its terms, and the gradients of all their variables.

        A gradient tape each, one after the other, so that only one of them takes up memory.
        """
        seen = {m: [x[m], decoded.cross[m], decoded.illumination[m]] for m in MODALITIES}
        terms: list[Terms] = []
        gradients: list[Tensor] = []
        for m in MODALITIES:
            with tf.GradientTape() as tape:
                terms.append(self.discriminator_terms(m, *held_back(gradients, seen[m])))
            gradients += tape.gradient(terms[-1]["discriminator_total"], self.discriminator(m).trainable_variables)
        self.discriminator_optimiser.apply(replicas.averaged(gradients), self.discriminator_variables)
        both = {name: sum(of[name] for of in terms) for name in terms[0]}
        for name in ("real_score", "fake_score"):
            both[name] /= len(MODALITIES)
        return both, gradients

    def discriminator_terms(self, m: Modality, real: Tensor, *generated: Tensor) -> Terms:
        """D_m's side of Eq. 7, the R1 penalty, their weighted sum, and the mean score of real and generated pictures.

        real, generated: pictures (P, H, W, 3). The release adds one loss a kind of generated pictures, real and penalty
        terms in each: the penalty here counts as often.
        """
        scores, input_gradients = self._real_scores(m, real)
        fakes = self._fake_scores(m, generated, learning=True)
        adversarial = discriminator_loss(scores, fakes, self.settings.losses.adversarial_form)
        penalty = len(fakes) * gradient_penalty(input_gradients)
        return {
            "discriminator": adversarial,
            "gradient_penalty": penalty,
            "real_score": _mean_score(scores),
            "fake_score": _mean_score([scale for maps in fakes for scale in maps]),
            "discriminator_total": discriminator_total(adversarial, penalty, self.weights_of_losses()),
        }

    def _real_scores(self, m: Modality, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """D_m's score maps of real pictures, and the gradients of each scale's sum with respect to the pictures."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            maps = self.discriminator(m)(x)
            totals = [ops.sum(scale) for scale in maps]
        return maps, [tape.gradient(total, x) for total in totals]

    # --------------------------------------------------------------------------------------------------------- HFL

    def identify(self, batch: dict[str, Any], generated: Pictures) -> tuple[Rows, Identification]:
        """HFL on erased real, generated and negative pictures of all replicas: their rows, and what the head makes of
        them."""
        parts = _of_all_replicas(self._parts(self._feature_inputs(batch, generated)))
        negative_labels = {m: batch[f"{m}_negative_identities"] for m in MODALITIES}
        groups = feature_groups(
            self.settings.sampling.groups,
            parts["real"],
            parts.get("generated", {}),
            parts.get("negatives", {}),
            batch["identities"],
            negative_labels,
        )
        rows = stack(groups)
        return rows, self.features.head(rows.combined, training=True)

    def _feature_inputs(self, batch: dict[str, Any], generated: Pictures) -> dict[str, Pictures]:
        """Erased pictures by kind, in the order in which batch norm's running statistics take them in."""
        boxes, sampling = batch["erasing"], self.settings.sampling
        pictures = {"real": {m: erase(batch[m], boxes[m]) for m in MODALITIES}}
        if sampling.groups != "original":
            if sampling.detach_generated:
                generated = {m: ops.stop_gradient(generated[m]) for m in MODALITIES}
            pictures["generated"] = {m: erase(generated[m], boxes[f"generated_{m}"]) for m in MODALITIES}
        if self.settings.batch.negatives:
            names = {m: f"{m}_negatives" for m in MODALITIES}
            pictures["negatives"] = {m: erase(batch[names[m]], boxes[names[m]]) for m in MODALITIES}
        return pictures

    def _parts(self, pictures: dict[str, Pictures]) -> dict[str, dict[Modality, Parts]]:
        """Weighted parts of every picture's codes: one pass a modality through the encoders, one through H."""
        kinds = list(pictures)
        sizes = [pictures[kind][VISIBLE].shape[0] for kind in kinds]
        prototypes: dict[tuple[str, Modality], Tensor] = {}
        styles: dict[tuple[str, Modality], Tensor] = {}
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
        for m in MODALITIES:
            of_modality = [pictures[kind][m] for kind in kinds]
            codes = self.encode(m, ops.concatenate(of_modality), groups=self._groups(*of_modality))
            style = self.features.combination.style_part(self.layout.style_of(codes.attributes))
            for kind, p, s in zip(kinds, _divided(codes.prototype, ends), _divided(style, ends), strict=True):
                prototypes[kind, m], styles[kind, m] = p, s
        embedded = self._embed_prototypes(prototypes)
        return {kind: {m: Parts(embedded[kind, m], styles[kind, m]) for m in MODALITIES} for kind in kinds}

    def _embed_prototypes(self, prototypes: dict[tuple[str, Modality], Tensor]) -> dict[tuple[str, Modality], Tensor]:
        """alpha p^d of every group, H's batch norm keeping the groups apart in the release's order."""
        order = _release_order(prototypes)
        ordered = [prototypes[key] for key in order]
        sizes = [prototype.shape[0] for prototype in ordered]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
        embedded = self.features.embedding(ops.concatenate(ordered), training=True, groups=self._groups(*ordered))
        weighted = self.features.combination.prototype_part(embedded)
        return dict(zip(order, ops.split(weighted, ends), strict=True))

    def triplets(self, rows: Rows, head: Identification) -> Triplets:
        """Eq. 9 on the head's rows, in the configured form."""
        losses = self.weights_of_losses()
        if losses.triplet_form == "euclidean":
            return euclidean_batch_hard(getattr(head, self.features.descriptor), rows.labels, losses.margin)
        anchors = [rows.anchors[m] for m in MODALITIES]
        return cosine_batch_hard(head.triplet, rows.labels, losses.margin, losses.triplet_regulariser, anchors)

    # ---------------------------------------------------------------------------------------------------- inference

    def describe(self, modality: Modality, x: Tensor) -> Tensor:
        """Descriptors (B, E) of length 1 of pictures (B, H, W, 3), through the encoders of their own modality."""
        prototype, attributes = self.encode(modality, x, training=False)
        return self.features.describe(prototype, self.layout.style_of(attributes))


def _of_all_replicas(parts: dict[str, dict[Modality, Parts]]) -> dict[str, dict[Modality, Parts]]:
    """The parts of every picture of the batch, each kind's pictures in the batch's order."""
    keys = [(kind, m) for kind, of_kind in parts.items() for m in of_kind]
    gathered = replicas.gather_rows([part for kind, m in keys for part in parts[kind][m]])
    whole: dict[str, dict[Modality, Parts]] = {kind: {} for kind in parts}
    for position, (kind, m) in enumerate(keys):
        whole[kind][m] = Parts(*gathered[2 * position : 2 * position + 2])
    return whole


def _release_order(keys: dict[tuple[str, Modality], Tensor]) -> list[tuple[str, Modality]]:
    """H's order: real visible, real infrared, generated infrared, generated visible, negatives visible, infrared."""
    order = [(kind, m) for kind in ("real", "generated", "negatives") for m in MODALITIES]
    order[2:4] = reversed(order[2:4])
    return [key for key in order if key in keys]


def _divided(x: Tensor, ends: Sequence[int]) -> list[Tensor]:
    """x in parts that end before these rows, and the rest; Keras takes no empty list of them."""
    parts: list[Tensor] = ops.split(x, ends) if ends else [x]
    return parts


def _after(results: Sequence[Tensor | None], pictures: Pictures) -> Pictures:
    """`held_back` of pictures by modality."""
    return dict(zip(pictures, held_back(results, list(pictures.values())), strict=True))


def _mean_score(maps: Sequence[Tensor]) -> Tensor:
    return sum(ops.mean(accurate(scores)) for scores in maps) / len(maps)


def _sum(first: list[Tensor | None], second: list[Tensor | None]) -> list[Tensor | None]:
    """Two lists of gradients, added; None where neither loss reaches a variable."""
    return [a if b is None else b if a is None else a + b for a, b in zip(first, second, strict=True)]
