"""The Python interface: verbs, NumPy in and out, mistakes as one line."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hicmd_tf
from hicmd_tf.config import load
from hicmd_tf.data.pictures import DEVIATION, MEAN
from hicmd_tf.errors import UserError
from hicmd_tf.method.descriptor import Descriptor
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.notation import MODALITIES, Codes
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.runs.model import BATCH, Model

Array = np.ndarray[Any, Any]
NOTEBOOK = Path(__file__).parents[2] / "docs" / "model.ipynb"


@pytest.fixture(scope="module")
def model(smoke_run: Path) -> Model:
    return hicmd_tf.load(smoke_run)


def pictures(count: int = 2, height: int = 32, width: int = 16) -> Array:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def normalised(*shape: int) -> Array:
    return np.float32((pictures(*shape) / 255 - MEAN) / DEVIATION)


def same(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-4, atol=1e-5))


@pytest.mark.parametrize("modality", MODALITIES)
def test_each_verb_says_what_the_networks_of_that_modality_say(model: Model, smoke_run: Path, modality: Any) -> None:
    networks = hicmd_tf.load(smoke_run).networks
    x = normalised()
    p, a = networks.generator.encoders(modality)(x)

    codes = model.encode(x, modality)

    assert same(codes.prototype, p) and same(codes.attributes, a)
    assert same(model.decode(*codes), networks.generator.decoder((p, a)))
    assert same(model.embed(x, modality), Descriptor(networks).of_codes(p, networks.layout.style_of(a)))
    style, pose, illumination = (of(a) for of in networks.layout.parts().values())
    vectors = {"prototype": networks.features.embedding(p), "style": style, "pose": pose, "illumination": illumination}
    dissected = model.dissect(x, modality)
    assert list(dissected) == list(vectors) and all(same(dissected[name], vectors[name]) for name in vectors)
    for got, expected in zip(model.discriminate(x, modality), networks.discriminators[modality](x), strict=True):
        assert same(got, expected)


def test_shapes_and_types_are_those_that_the_documentation_states(model: Model) -> None:
    codes = model.encode(pictures(), "visible")
    described = model.embed(pictures(), "visible")
    results = [*codes, model.decode(*codes), described, *model.discriminate(pictures(), "visible")]
    assert [r.shape for r in results] == [(2, 8, 4, 8), (2, 64), (2, 32, 16, 3), (2, 16), (2, 8, 4, 1), (2, 4, 2, 1)]
    assert all(isinstance(r, np.ndarray) and r.dtype == np.float32 for r in results)
    assert np.allclose(np.linalg.norm(described, axis=1), 1, atol=1e-5)


def test_uint8_and_the_same_normalised_floats_are_one_and_floats_keep_their_size(model: Model) -> None:
    described = model.embed(pictures(), "infrared")
    assert same(described, model.embed(normalised(), "infrared"))
    assert same(described, model.embed(normalised().astype(np.float64), "infrared"))
    codes = model.encode(normalised(1, 48, 20), "visible")
    assert codes.prototype.shape == (1, 12, 5, 8)
    generated = model.decode(*codes)
    assert generated.shape == (1, 48, 20, 3) and model.encode(generated, "infrared").attributes.shape == (1, 64)
    assert model.embed(normalised(1, 16, 16), "visible").shape == (1, 16)  # the smallest
    assert np.isfinite(model.embed(np.zeros((1, 32, 16, 3), np.float32), "visible")).all()  # of the mean colour


def test_uint8_of_another_size_is_resized_as_the_data_set_is(model: Model) -> None:
    """As a stored picture is, by PIL's bicubic rule; TensorFlow's rounds otherwise by one level now and then."""
    from PIL import Image

    large = pictures(2, 50, 41)
    expected = np.stack([Image.fromarray(x).resize((16, 32), Image.Resampling.BICUBIC) for x in large])
    assert np.allclose(model.embed(large, "visible"), model.embed(expected, "visible"), atol=0.02)
    assert not np.allclose(model.embed(large, "visible"), model.embed(large[:, :32, :16], "visible"), atol=0.02)


def test_paths_single_grey_and_mixed_pictures_are_what_arrays_of_them_would_be(model: Model, tmp_path: Path) -> None:
    from PIL import Image

    (a, b), grey = pictures(2, 40, 24), pictures(1, 20, 12)[0, ..., 0]
    Image.fromarray(a).save(tmp_path / "a.png")
    Image.fromarray(grey).save(tmp_path / "grey.png")
    in_three = np.repeat(grey[None, ..., None], 3, -1)
    each = [model.embed(one, "visible") for one in (a[None], b[None], in_three)]
    for given, expected in (
        (a, each[0]),
        (str(tmp_path / "a.png"), each[0]),
        (grey, each[2]),
        (in_three[..., :1], each[2]),
        ([tmp_path / "a.png", b, grey, tmp_path / "grey.png"], np.concatenate([*each, each[2]])),
        ([a, b], np.concatenate(each[:2])),
    ):
        assert same(model.embed(given, "visible"), expected)


def test_a_swap_takes_a_part_of_the_other(model: Model) -> None:
    a, b = model.encode(pictures(), "visible"), model.encode(pictures()[::-1], "infrared")
    layout = model.layout
    style = np.asarray(layout.combine(b.attributes, a.attributes, a.attributes))
    excluded = np.asarray(layout.swap_style(a.attributes, b.attributes))
    assert same(model.swap(a, b, "prototype"), model.decode(b.prototype, a.attributes))
    assert same(model.swap(a, b, "style"), model.decode(a.prototype, style))
    assert same(model.swap(a, b, "excluded"), model.decode(a.prototype, excluded))
    both = model.swap(
        a, Codes(a.prototype, np.asarray(layout.combine(a.attributes, b.attributes, a.attributes))), "pose"
    )
    assert same(both, model.swap(a, b, "pose")) and not same(both, model.swap(a, b, "illumination"))
    with pytest.raises(UserError, match="part is 'clothes', expected prototype, style, pose, illumination, excluded"):
        model.swap(a, b, "clothes")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="a and b are no codes: give what encode returned"):
        model.swap("a", b, "style")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="a has 2 codes, b 1: give as many of both"):
        model.swap(a, Codes(b.prototype[:1], b.attributes[:1]), "style")


def test_it_says_what_it_is(model: Model) -> None:
    assert repr(model).startswith(
        "<Hi-CMD after 0 steps on 6 identities of synthetic_vi: pictures 32 x 16, descriptors"
    )


def copied(run: Path, folder: Path, metrics: dict[str, Any]) -> Any:
    """The model of a copy of a run with other figures."""
    shutil.copytree(run, folder)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return hicmd_tf.load(folder)


def test_a_gallery_is_searched_with_pictures(smoke_run: Path, tmp_path: Path) -> None:
    from PIL import Image

    from hicmd_tf.search import Entry, Gallery

    model = hicmd_tf.load(smoke_run)
    x, gallery = pictures(4), Gallery.create(tmp_path / "gallery")
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for one, file in zip(x, files, strict=True):
        Image.fromarray(one).save(file)
    modalities = ("visible", "visible", "infrared", "infrared")
    described = np.concatenate([model.embed(one, m) for one, m in zip(x, modalities, strict=True)])
    entries = [Entry(str(file), 1, 1, m, 0.0) for file, m in zip(files, modalities, strict=True)]
    gallery.add(described, entries, model.descriptor.digest())

    similarities = described @ described.T
    ((first, second), *others) = model.search(tmp_path / "gallery", [files[0], x[1]], "visible", k=2)
    assert {first.entry.path, second.entry.path} == set(map(str, files[2:])) and len(others) == 1
    assert first.similarity == pytest.approx(similarities[0, 2:].max(), abs=1e-5)
    ((itself, *_),) = model.search(gallery, x[0], "visible", k=1, among="same")
    assert itself.entry.path == str(files[0]) and itself.similarity == pytest.approx(1, abs=1e-5)
    ((neighbour, *_),) = model.search(gallery, str(files[0]), "visible", k=1, among="same")
    assert neighbour.entry.path == str(files[1])
    told = Threshold(first.similarity - 1e-5, -1.0, 1e-3, [0.0] * 3, [1.0] * 3, 9, 9, 9, "train")
    marked = copied(smoke_run, tmp_path / "marked", {"steps": model.step, "threshold": told._asdict()})
    for among, marks in (("other", ["likely", "uncertain"]), ("same", [None])):
        ((*hits,),) = marked.search(gallery, [files[0]], "visible", among=among)
        assert [hit.mark for hit in hits] == marks
    older = copied(smoke_run, tmp_path / "older", {"steps": model.step - 1, "threshold": told._asdict()})
    assert [hit.mark for hit in older.search(gallery, files[0], "visible")[0]] == [None, None]
    with pytest.raises(UserError, match="lies in a folder of infrared pictures, but visible is said"):
        model.search(gallery, tmp_path / "infrared" / "1.png", "visible")
    Gallery.create(tmp_path / "other").add(described, entries, "another")
    with pytest.raises(UserError, match="whose descriptors can't be compared"):
        model.search(tmp_path / "other", x, "visible")


def test_the_notebook_does_what_it_says(
    smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copytree(smoke_run, tmp_path / "runs" / "tiny")
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    known: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # figures and pictures are the reader's own
            exec("".join(cell["source"]), known)
    assert capsys.readouterr().out.count("person ") == 3
    assert known["similarity"].shape == (4, 4) and len(known["rows"]) == 5


def test_many_pictures_go_in_batches_and_come_out_as_one(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    x, seen = pictures(BATCH + 3), []
    prepared = Model._prepared
    monkeypatch.setattr(Model, "_prepared", lambda self, images: (seen.append(len(images)), prepared(self, images))[1])
    together = model.embed(x, "visible")
    assert seen == [BATCH, 3]
    assert same(together, np.concatenate([model.embed(part, "visible") for part in (x[:7], x[7:])]))
    codes = model.encode(x, "visible")
    assert same(model.decode(*codes)[-1:], model.decode(codes.prototype[-1:], codes.attributes[-1:]))


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (pictures().astype(np.int64), "int64"),
        (pictures().astype(bool), "bool"),
        (pictures()[..., 0], r"\(2, 32, 16\), expected \(B, H, W, 3\)"),
        (pictures()[..., :2], r"\(2, 32, 16, 2\)"),
        ("nowhere.png", r"nowhere.png can't be read \(No such file"),
        (Path(__file__), r"test_model.py .*can't be decoded|test_model.py is no"),
        (pictures()[:0], "at least one picture"),
        ([pictures(1)[0], normalised(1, 20, 16)[0]], r"shapes \(32, 16, 3\), \(20, 16, 3\): .* once for each size"),
        (pictures().astype(np.float32), "0 to 255 as uint8"),
        (pictures() / 255, "255 \\* images"),
        (np.where(np.arange(16)[:, None] == 3, np.nan, normalised()), "192 values that are not finite"),
        (np.where(np.arange(16)[:, None] == 3, np.inf, normalised()), "not finite"),
        (normalised(1, 34, 16), "34 x 16 pixels, expected multiples of 4"),
        (normalised(1, 8, 16), "8 x 16 pixels, expected multiples of 4 from 16 on"),
    ],
)
def test_images_that_cannot_be_meant_are_one_clear_line(model: Model, images: Any, says: str) -> None:
    for verb in (model.encode, model.embed, model.discriminate):
        with pytest.raises(UserError, match=says) as error:
            verb(images, "visible")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("verb", ["encode", "embed", "discriminate"])
def test_an_unknown_modality_names_those_there_are(model: Model, verb: str) -> None:
    with pytest.raises(UserError, match="'thermal', expected 'visible' or 'infrared'"):
        getattr(model, verb)(pictures(), "thermal")


@pytest.mark.parametrize(
    ("prototype", "attributes", "says"),
    [
        (np.zeros((2, 8, 4, 7)), np.zeros((2, 64)), r"prototype has shape \(2, 8, 4, 7\), expected \(B, h, w, 8\)"),
        (np.zeros((2, 1, 4, 8)), np.zeros((2, 64)), "from 2 on"),
        (np.zeros((8, 4, 8)), np.zeros((2, 64)), "prototype has shape"),
        (np.zeros((2, 8, 4, 8)), np.zeros((1, 64)), r"expected \(2, 64\)"),
        (np.zeros((2, 8, 4, 8)), np.zeros((2, 63)), r"expected \(2, 64\)"),
        (np.zeros((2, 8, 4, 8)), np.zeros((2, 64), int), "attributes are int64, expected floats"),
        (np.full((2, 8, 4, 8), np.nan), np.zeros((2, 64)), "512 values that are not finite"),
    ],
)
def test_codes_that_do_not_fit_are_one_clear_line(model: Model, prototype: Array, attributes: Array, says: str) -> None:
    with pytest.raises(UserError, match=says):
        model.decode(prototype, attributes)


def test_a_folder_without_a_run_or_a_checkpoint_is_one_clear_line(smoke_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run folder"):
        hicmd_tf.load(tmp_path)
    (tmp_path / "config.yaml").write_text((smoke_run / "config.yaml").read_text())
    with pytest.raises(UserError, match="has no checkpoint yet"):
        hicmd_tf.load(tmp_path)


@pytest.mark.parametrize(("source", "stride_first"), [("absent.h5", True), ("absent.pth", False), ("imagenet", True)])
def test_networks_to_be_restored_fetch_no_initial_weights(smoke_run: Path, source: str, stride_first: bool) -> None:
    """A run that began with a weight file loads where that file is not, with the strides that it wanted."""
    config = replace(load(smoke_run / "config.yaml").networks, resnet_weights=source)

    networks = build_networks(config, 6, restored=True)

    assert networks.generator.infrared.attribute.stride_first == stride_first
    assert networks.features.embedding.stride_first == stride_first
