"""Stems, strides, pooling, neck, descriptor and initial weights."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from keras import ops

from hicmd_tf.config import Config, with_values
from hicmd_tf.embedding import networks as module
from hicmd_tf.embedding.networks import EmbeddingNetworks, build_embedding
from hicmd_tf.errors import UserError
from hicmd_tf.method.networks.pretrained import ResNetWeights, named
from hicmd_tf.method.networks.resnet import Stage, Stem
from hicmd_tf.notation import MODALITIES

CLASSES = 5
X = np.random.default_rng(0).normal(size=(3, 32, 16, 3)).astype(np.float32)


def built(config: Config, **sizes: Any) -> EmbeddingNetworks:
    return build_embedding(with_values(config, {f"embedding.{name}": v for name, v in sizes.items()}), CLASSES)


def moved(networks: EmbeddingNetworks, seed: int = 0) -> EmbeddingNetworks:
    """With other running statistics than 0 and 1, and weights that differ between layers."""
    rng = np.random.default_rng(seed)
    for name, variable in networks.variables().items():
        variable.assign(
            rng.uniform(0.5, 1.5, variable.shape) if "variance" in name else rng.normal(size=variable.shape)
        )
    return networks


def out(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


@pytest.mark.parametrize(("own", "shared"), [(0, 4), (1, 3), (4, 0)])
def test_each_modality_has_its_own_front_and_the_rest_is_shared(
    embedding_config: Config, own: int, shared: int
) -> None:
    networks = built(embedding_config, stem="two", own_stages=own)
    visible, infrared = networks.backbone.fronts
    assert [networks.backbone.front(m) for m in MODALITIES] == [visible, infrared] and visible is not infrared
    assert len(visible.layers) == len(infrared.layers) == 1 + own
    assert len(networks.backbone.trunk.layers if networks.backbone.trunk else []) == shared
    for one, other in zip(visible.get_weights(), infrared.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)  # the same to begin with
    before = out(networks.descriptor().describe("infrared", X))
    visible.set_weights([np.ones_like(weight) for weight in visible.get_weights()])
    np.testing.assert_array_equal(out(networks.descriptor().describe("infrared", X)), before)


def test_a_shared_stem_does_not_know_the_modality(embedding_config: Config) -> None:
    descriptor = moved(built(embedding_config, stem="shared")).descriptor()
    np.testing.assert_array_equal(*(out(descriptor.describe(m, X)) for m in MODALITIES))


def test_zero_padded_pictures_are_grey_in_the_channel_of_their_modality(embedding_config: Config) -> None:
    backbone = built(embedding_config, stem="zero_padded").backbone
    grey = X @ np.array([0.299, 0.587, 0.114], np.float32)
    nothing = np.zeros_like(grey)
    np.testing.assert_allclose(out(backbone.seen(X, "visible")), np.stack([grey, nothing], -1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out(backbone.seen(X, "infrared")), np.stack([nothing, grey], -1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("stride", "height"), [(1, 2), (2, 1)])
def test_the_last_stride_decides_the_size_of_the_map(embedding_config: Config, stride: int, height: int) -> None:
    """32 x 16: a quarter after the stem, halved by two stages, or three."""
    backbone = built(embedding_config, last_stride=stride).backbone
    maps = backbone.trunk(backbone.fronts[0](X))
    assert maps.shape == (3, height, 1, 16)


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_pooling_is_the_root_of_the_mean_power(embedding_config: Config, power: float) -> None:
    backbone = built(embedding_config, pooling_power=power).backbone
    maps = np.random.default_rng(1).uniform(0, 2, (2, 3, 2, 4)).astype(np.float32)
    expected = [
        [np.mean([maps[b, h, w, c] ** power for h in range(3) for w in range(2)]) ** (1 / power) for c in range(4)]
        for b in range(2)
    ]
    np.testing.assert_allclose(out(backbone.pool(maps)), expected, rtol=1e-5)
    assert (out(backbone.pool(np.zeros((1, 3, 2, 4), np.float32))) < 1e-3).all()


def test_the_neck_is_a_batch_norm_without_a_shift_before_a_classifier_without_bias(embedding_config: Config) -> None:
    head = built(embedding_config, neck=True).head
    assert head.norm is not None
    assert [v.name for v in head.trainable_variables] == ["gamma", "kernel"]
    pooled = np.random.default_rng(2).normal(2, 3, (8, 16)).astype(np.float32)
    found = head(pooled, training=True)
    np.testing.assert_array_equal(out(found.pooled), pooled)  # the triplet loss compares what comes before the neck
    np.testing.assert_allclose(out(found.neck), (pooled - pooled.mean(0)) / pooled.std(0), atol=1e-4)
    np.testing.assert_allclose(out(found.logits), out(found.neck) @ out(head.classify.kernel), atol=1e-6)
    plain = built(embedding_config, neck=False).head
    assert plain.norm is None and plain.classify.use_bias
    np.testing.assert_array_equal(out(plain(pooled, training=True).neck), pooled)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("neck", [False, True])
def test_a_descriptor_has_length_one_and_may_be_of_the_mirror_image_too(
    embedding_config: Config, mirrored: bool, neck: bool
) -> None:
    networks = moved(built(embedding_config, mirrored=mirrored, neck=neck))

    def raw(x: np.ndarray) -> np.ndarray:
        return out(networks.head.described(networks.backbone(x, modality="infrared")))

    expected = (raw(X) + raw(X[:, :, ::-1])) / 2 if mirrored else raw(X)
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    descriptor = networks.descriptor()
    np.testing.assert_allclose(out(descriptor.describe("infrared", X)), expected, atol=1e-5)
    assert descriptor.length == 16


def test_the_digest_knows_weights_and_form_and_not_the_classifier(embedding_config: Config) -> None:
    first, again = (moved(built(embedding_config)) for _ in range(2))
    assert first.descriptor().digest() == again.descriptor().digest()
    again.head.classify.kernel.assign(again.head.classify.kernel + 1.0)
    assert first.descriptor().digest() == again.descriptor().digest()
    plain = moved(built(embedding_config, mirrored=False))
    assert first.descriptor().digest() != plain.descriptor().digest()
    again.head.norm.gamma.assign(again.head.norm.gamma + 1.0)
    assert first.descriptor().digest() != again.descriptor().digest()
    held = {id(v) for v in first.descriptor().variables}
    assert id(first.head.classify.kernel) not in held


def resnet(config: Config) -> ResNetWeights:
    """Weights of a ResNet of these sizes by torchvision's names, as `read_resnet` gives them."""
    sizes, rng = config.embedding, np.random.default_rng(3)
    stem = Stem(sizes.stem_width)
    stem.build((None, None, None, 3))
    stages, channels = [], sizes.stem_width
    for width, depth in zip(sizes.widths, sizes.depths, strict=True):
        stages.append(Stage(width, depth, 1))
        stages[-1].build((None, None, None, channels))
        channels = stages[-1].channels
    arrays = {name: rng.normal(size=tuple(v.shape)).astype(np.float32) for name, v in named(stages, 1, stem)}
    return ResNetWeights({name: abs(a) if "var" in name else a for name, a in arrays.items()}, "a file")


@pytest.mark.parametrize("stem", ["shared", "two", "zero_padded"])
def test_initial_weights_of_a_file_fill_every_stem(
    embedding_config: Config, monkeypatch: pytest.MonkeyPatch, stem: str
) -> None:
    weights = resnet(embedding_config)
    monkeypatch.setattr(module, "read_resnet", lambda source: weights)
    networks = built(embedding_config, stem=stem, **({"own_stages": 2} if stem == "two" else {}))
    backbone = networks.backbone
    for front in backbone.fronts:
        first, *own = front.layers
        stages = [*own, *(backbone.trunk.layers if backbone.trunk else [])]
        for name, variable in named(stages, 1, first):
            expected = weights.arrays[name]
            if stem == "zero_padded" and name == "conv1.weight":
                expected = np.repeat(expected.sum(axis=2, keepdims=True), 2, axis=2)
            np.testing.assert_array_equal(out(variable), expected)


def test_zero_padded_initial_weights_see_grey_as_they_did(
    embedding_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grey picture gives what the file's three equal channels give."""
    weights = resnet(embedding_config)
    monkeypatch.setattr(module, "read_resnet", lambda source: weights)
    padded, shared = (built(embedding_config, stem=stem).backbone for stem in ("zero_padded", "shared"))
    grey = np.repeat(X[..., :1], 3, axis=-1)
    for m in MODALITIES:
        np.testing.assert_allclose(out(padded.fronts[0](padded.seen(grey, m))), out(shared.fronts[0](grey)), rtol=1e-3)


def test_weights_of_other_sizes_are_refused(embedding_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = resnet(embedding_config)
    small = weights._replace(arrays={**weights.arrays, "conv1.weight": np.zeros((3, 3, 3, 4), np.float32)})
    monkeypatch.setattr(module, "read_resnet", lambda source: small)
    with pytest.raises(UserError, match=r"a file: expected conv1.weight of shape \(7, 7, 3, 4\)"):
        built(embedding_config)


def test_settings_of_the_other_method_are_refused_when_they_are_given(embedding_config: Config) -> None:
    from hicmd_tf.config.validation import refuse_unread

    with pytest.raises(UserError, match=r"losses\.same is for method hicmd, and method is embedding"):
        refuse_unread(embedding_config, ["losses.same"])
    hicmd = dataclasses.replace(embedding_config, method="hicmd")
    with pytest.raises(UserError, match=r"embedding\.neck is for method embedding, and method is hicmd"):
        refuse_unread(hicmd, ["embedding.neck"])
    with pytest.raises(UserError, match=r"training.frozen is \['decoder'\]: method embedding has fronts, trunk, head"):
        with_values(embedding_config, {"training.frozen": ["decoder"]})
