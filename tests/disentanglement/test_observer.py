"""The observer learns what it is shown, the same each time, and measures distances as stated."""

import numpy as np

from hicmd_tf.data.pictures import normalise
from hicmd_tf.disentanglement.observer import HEIGHT, WIDTH, Observer, Targets, build, fitted, train_observer


def shown(rng: np.random.Generator, count: int = 60) -> tuple[np.ndarray, Targets]:
    """Grey pictures, dark ones infrared, whose brightness is the number to be read."""
    infrared = np.arange(count) % 2 == 1
    level = rng.uniform(0, 1, count)
    base = np.where(infrared, 20, 150) + 90 * level
    pictures = (base[:, None, None, None] + rng.normal(0, 3, (count, HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8)
    return pictures, Targets(infrared, level[:, None], np.ones(1), np.arange(count) % 3)


def test_it_reads_what_it_was_taught_and_is_the_same_for_the_same_seed(graphs: None) -> None:
    pictures, targets = shown(np.random.default_rng(0))
    first, second = (train_observer(pictures, targets, 60, seed=1).look(pictures) for _ in range(2))
    assert (first.infrared == targets.infrared).mean() > 0.9
    assert np.corrcoef(first.numbers[:, 0], targets.numbers[:, 0])[0, 1] > 0.8
    np.testing.assert_allclose(np.linalg.norm(first.embedding, axis=1), 1, atol=1e-5)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_numbers_it_still_learns_modality_and_people() -> None:
    pictures, targets = shown(np.random.default_rng(0), 12)
    seen = train_observer(pictures, targets._replace(numbers=np.empty((12, 0)), mirrored=np.empty(0)), 2, seed=0)
    assert seen.look(pictures).infrared.shape == (12,)


def test_distances_are_one_minus_cosines_of_channels_over_stages_and_places() -> None:
    pictures, _ = shown(np.random.default_rng(0), 4)
    network = build(1, 3)
    observer = Observer(network)
    np.testing.assert_allclose(observer.distance(pictures, pictures), 0, atol=1e-5)
    stages = [np.asarray(stage) for stage in network(normalise(pictures), training=False)["maps"]]
    naive = []
    for stage in stages:
        a, b = stage[0].reshape(-1, stage.shape[-1]), stage[1].reshape(-1, stage.shape[-1])
        lengths = [max(np.linalg.norm(x) * np.linalg.norm(y), 1e-12) for x, y in zip(a, b, strict=True)]
        naive.append(np.mean([1 - x @ y / length for x, y, length in zip(a, b, lengths, strict=True)]))
    np.testing.assert_allclose(observer.distance(pictures[:1], pictures[1:2]), [np.mean(naive)], rtol=1e-4, atol=1e-6)


def test_pictures_of_any_size_are_brought_to_its_own() -> None:
    grey = np.full((2, 20, 30, 3), 77, np.uint8)
    np.testing.assert_array_equal(fitted(grey), np.full((2, HEIGHT, WIDTH, 3), 77, np.uint8))
