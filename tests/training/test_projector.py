"""What TensorBoard's projector is given."""

import dataclasses
from pathlib import Path

import drawn_trees as trees
import numpy as np
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins import projector

from hicmd_tf.data.samples import Samples
from hicmd_tf.training.projector import THUMBNAIL, Projector, spread_out


def samples(folder: Path, people: int, each: int) -> Samples:
    count = people * each
    trees.picture(folder / "one.png", size=(8, 4))
    encoded = [(folder / "one.png").read_bytes()] * count
    names = [f"a\tname {number}" for number in range(count)]
    identities = np.repeat(np.arange(people), each)
    return Samples(encoded, names, identities, np.arange(count) % 2 == 1, np.zeros(count, np.int64))


def test_at_most_so_many_pictures_are_shown_and_whole_people_from_all_over(tmp_path: Path) -> None:
    many = samples(tmp_path, 20, 4)
    shown = many.identities[spread_out(many, most=24)]
    assert len(shown) == 24 and set(np.bincount(shown)) == {0, 4} and (shown.min(), shown.max()) == (0, 19)
    assert len(spread_out(many)) == 80


def test_tables_pictures_and_configuration_belong_together_whatever_pictures_are_called(tmp_path: Path) -> None:
    names = ["../../out.png", "/absolute", "line\nthere", "a\tname 3", "", "x" * 5000]
    described = np.random.default_rng(0).standard_normal((6, 5))
    board = tmp_path / "board"
    shown = Projector(board, dataclasses.replace(samples(tmp_path, 3, 2), names=names))
    shown.update(np.zeros((6, 5)))
    shown.update(described)
    config = text_format.Parse((board / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    (points,) = config.embeddings
    np.testing.assert_allclose(np.loadtxt(board / points.tensor_path, delimiter="\t"), described, rtol=1e-5)
    head, *rows = [line.split("\t") for line in (board / points.metadata_path).read_text().splitlines()]
    assert head == ["identity", "modality", "camera", "name"] and len(rows) == 6
    assert rows[3] == ["1", "infrared", "0", "a name 3"]
    with Image.open(board / points.sprite.image_path) as sheet:
        assert sheet.size == (3 * THUMBNAIL[0], 3 * THUMBNAIL[1])
        last = np.asarray(sheet)[THUMBNAIL[1] : 2 * THUMBNAIL[1]]
        assert last.std() > 10  # the second row has pictures
    assert {file.name for file in tmp_path.iterdir()} == {"board", "one.png"}
