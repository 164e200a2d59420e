"""What TensorBoard's projector is given."""

import dataclasses
import io

import numpy as np
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins import projector

from hicmd_tf.data.samples import Samples
from hicmd_tf.training.projector import THUMBNAIL, Projector, spread_out


def samples(people: int, each: int) -> Samples:
    count = people * each
    encoded = []
    for number in range(count):
        buffer = io.BytesIO()
        Image.new("RGB", (4, 8), (number % 256, 0, 0)).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    names = [f"a\tname {number}" for number in range(count)]
    identities = np.repeat(np.arange(people), each)
    return Samples(encoded, names, identities, np.arange(count) % 2 == 1, np.zeros(count, np.int64))


def test_at_most_so_many_pictures_are_shown_and_whole_people_from_all_over() -> None:
    rows = spread_out(samples(20, 4), most=24)
    shown = samples(20, 4).identities[rows]
    assert len(rows) <= 24 and set(np.bincount(shown)[np.unique(shown)]) == {4}
    assert shown.min() == 0 and shown.max() == 19
    assert spread_out(samples(3, 2)).tolist() == list(range(6))


def test_a_name_is_one_cell_and_no_path_whatever_it_holds(tmp_path) -> None:
    names = ["../../out.png", "/absolute", "tab\there", "line\nthere", "line\u2028there", "", "<b>\0</b>", "x" * 5000]
    pictures = samples(4, 2)
    hostile = dataclasses.replace(pictures, names=names)
    Projector(tmp_path / "a" / "b", hostile)
    Projector(tmp_path / "c" / "b", pictures)
    written = [{str(file.relative_to(tmp_path / a)) for file in (tmp_path / a).rglob("*")} for a in ("a", "c")]
    assert written[0] == written[1] and {file.name for file in tmp_path.iterdir()} == {"a", "c"}
    lines = (tmp_path / "a" / "b" / "projector" / "metadata.tsv").read_text().splitlines()
    assert len(lines) == 9 and {line.count("\t") for line in lines} == {3}


def test_tables_pictures_and_configuration_belong_together(tmp_path) -> None:
    described = np.random.default_rng(0).standard_normal((6, 5))
    shown = Projector(tmp_path, samples(3, 2))
    shown.update(np.zeros((6, 5)))
    shown.update(described)
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    (points,) = config.embeddings
    found = np.loadtxt(tmp_path / points.tensor_path, delimiter="\t")
    np.testing.assert_allclose(found, described, rtol=1e-5)
    head, *rows = [line.split("\t") for line in (tmp_path / points.metadata_path).read_text().splitlines()]
    assert head == ["identity", "modality", "camera", "name"] and rows[3] == ["1", "infrared", "0", "a name 3"]
    with Image.open(tmp_path / points.sprite.image_path) as sheet:
        assert sheet.size == (3 * THUMBNAIL[0], 3 * THUMBNAIL[1])
        assert sheet.getpixel((THUMBNAIL[0] + 1, THUMBNAIL[1] + 1))[0] == 4  # second row, second column: the fifth
