"""The commands, with a gallery in a folder and on Milvus, from pictures to ranked lists."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.errors import UserError, printable
from hicmd_tf.extract import main as extract
from hicmd_tf.search.__main__ import main
from hicmd_tf.search.entries import Entry, Hit, Selection
from hicmd_tf.search.milvus import MilvusGallery


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, two pictures of either modality."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for person in (4, 5, 6):
        for modality in ("visible", "infrared"):
            (folder / str(person) / modality).mkdir(parents=True)
            for number in range(2):
                pixels = random.integers(0, 256, (8, 4, 3), np.uint8)
                picture = Image.fromarray(pixels).resize((20, 44), Image.Resampling.BICUBIC)
                picture.save(folder / str(person) / modality / f"{number}_c0{person}.png")
    return folder


@pytest.fixture(params=["folder", "milvus"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Where the gallery is kept, as options."""
    if request.param == "milvus":
        pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
        return ["--uri", str(tmp_path / "milvus.db"), "--collection", "people"]
    return ["--index", str(tmp_path / "gallery")]


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_pictures_go_in_are_found_and_go_out(
    place: list[str], smoke_run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--run", str(smoke_run)]
    main(["index", *place, *run, "--images", str(pictures)])
    assert "12 pictures added" in capsys.readouterr().out
    main(["add", *place, *run, "--images", str(pictures)])
    assert "12 pictures are known already" in capsys.readouterr().out

    asked = pictures / "5" / "visible" / "1_c05.png"
    query = ["query", *place, *run, "--picture", str(asked), "--modality", "visible"]
    main([*query, "--json", "-k", "4"])
    (found,) = said(capsys)
    assert found["query"] == str(asked)
    assert found["hits"][0]["path"] == str(asked.absolute())
    assert found["hits"][0]["similarity"] == pytest.approx(1, abs=1e-5)
    assert [hit["similarity"] for hit in found["hits"]] == sorted(
        (h["similarity"] for h in found["hits"]), reverse=True
    )
    assert (found["hits"][0]["identity"], found["hits"][0]["camera"], len(found["hits"])) == (5, 5, 4)

    main([*query, "--json", "--only", "infrared", "--camera", "4", "6"])
    (found,) = said(capsys)
    assert {(hit["modality"], hit["camera"]) for hit in found["hits"]} == {("infrared", 4), ("infrared", 6)}
    assert len(found["hits"]) == 4

    main([*query, "--draw", str(tmp_path / "found.png"), "-k", "3"])
    printed = capsys.readouterr().out
    assert str(asked) in printed and "rank" in printed
    with Image.open(tmp_path / "found.png") as drawing:
        colours = {colour for _, colour in drawing.getcolors(1 << 20) or []}
        assert drawing.width > drawing.height
    assert (40, 150, 60) in colours  # the picture itself, framed as right

    main(["remove", *place, "--identity", "5"])
    assert "4 pictures removed; the gallery has 8" in capsys.readouterr().out
    main(["remove", *place, "--before", "1999-01-01"])
    assert "0 pictures removed" in capsys.readouterr().out
    main(["info", *place])
    assert said(capsys)["rows"] == 8


def test_files_of_descriptors_go_in_and_are_asked(
    place: list[str], smoke_run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extract(["--run", str(smoke_run), "--images", str(pictures), "--out", str(tmp_path / "all.npz")])
    main(["index", *place, "--descriptors", str(tmp_path / "all.npz"), "--time", "2026-11-01"])
    capsys.readouterr()
    main(["query", *place, "--descriptors", str(tmp_path / "all.npz"), "--json", "-k", "1"])
    found = said(capsys)
    assert [one["hits"][0]["path"] for one in found] == [one["query"] for one in found]
    with np.load(tmp_path / "all.npz") as whole:
        arrays = {key: whole[key] for key in whole.files}
    np.savez(tmp_path / "other.npz", **{**arrays, "model": np.array("0" * 64)})
    with pytest.raises(UserError, match="can't be compared"):
        main(["add", *place, "--descriptors", str(tmp_path / "other.npz")])
    with pytest.raises(UserError, match="can't be compared"):
        main(["query", *place, "--descriptors", str(tmp_path / "other.npz")])
    short = {**arrays, "descriptors": arrays["descriptors"][:, :5]}
    np.savez(tmp_path / "short.npz", **short)
    with pytest.raises(UserError, match="length 5"):
        main(["query", *place, "--descriptors", str(tmp_path / "short.npz")])


def test_incomplete_commands_are_refused_in_a_line(tmp_path: Path, pictures: Path, smoke_run: Path) -> None:
    here = ["--index", str(tmp_path / "g")]
    one = ["--picture", str(pictures / "4" / "visible" / "0_c04.png")]
    for command, text in (
        (["info"], "either --index"),
        (["info", *here], "is no gallery"),
        (["info", *here, "--uri", "x"], "either --index"),
        (["index", *here], "either --images"),
        (["index", *here, "--images", str(pictures)], "needs --run"),
        (["index", *here, "--descriptors", str(tmp_path / "none.npz")], r"none\.npz"),
        (["remove", *here], "say which pictures"),
    ):
        with pytest.raises(UserError, match=text):
            main(command)
    main(["index", *here, "--run", str(smoke_run), "--images", str(pictures)])
    for command, text in (
        (["query", *here], "either --picture"),
        (["query", *here, *one], "needs --run"),
        (
            ["query", *here, "--run", str(smoke_run), "--picture", str(tmp_path / "no.png"), "--modality", "visible"],
            "no",
        ),
        (["index", *here, "--run", str(smoke_run), "--images", str(pictures)], "exists already"),
    ):
        with pytest.raises(UserError, match=text):
            main(command)
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(UserError, match=r"text\.png can't be decoded"):
        main(
            ["query", *here, "--run", str(smoke_run), "--picture", str(tmp_path / "text.png"), "--modality", "visible"]
        )
    for option, text in ((["-k", "0"], "'0' is no number"), (["--after", "yesterday"], "yesterday is no time")):
        with pytest.raises(UserError, match=text):
            main(["query", *here, *option])


def test_a_server_that_is_not_there_and_collections_that_are_missing_are_named(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    with pytest.raises(UserError, match="can't be reached"):
        main(["info", "--uri", "http://127.0.0.1:1"])
    with pytest.raises(UserError, match="no collection nobody"):
        main(["info", "--uri", str(tmp_path / "m.db"), "--collection", "nobody"])


def test_odd_paths_survive_and_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    from hicmd_tf.search import Gallery

    odd = ['/a "quoted" \\ path', "/ü/日本.png", "/<b>\x1b[31m\n.png", "/it's"]
    rows = np.eye(4, 8, dtype=np.float32)
    known = [Entry(path, 1, 1, "visible", 0.0) for path in odd]
    stores = [Gallery.create(tmp_path / "g", "", 8), MilvusGallery.create(str(tmp_path / "m.db"), "odd", 8)]
    for store in stores:
        assert store.add(rows, known, "") == 4
        assert store.known([*odd, "/other"]) == set(odd)
        assert [hits[0] for hits in store.search(rows, 1, Selection())] == [Hit(1.0, e) for e in known]
        assert store.remove(Selection(paths=[odd[0], odd[2]])) == 2
        assert store.known(odd) == {odd[1], odd[3]}
    np.savez(
        tmp_path / "q.npz",
        descriptors=rows[2:3],
        identities=np.array([1]),
        cameras=np.array([1]),
        modality=np.array(["visible"]),
        names=np.array([odd[2]]),
    )
    main(["query", "--index", str(tmp_path / "g"), "--descriptors", str(tmp_path / "q.npz")])
    assert "\x1b" not in capsys.readouterr().out
    assert printable("/<b>\x1b[31m\n.png") == "/<b>\\x1b[31m\\n.png"
