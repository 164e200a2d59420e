"""The commands, with a gallery in a folder and on Milvus, from pictures to ranked lists."""

import functools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drawn_trees as trees
import numpy as np
import pytest
from PIL import Image

from hicmd_tf.commands.extract import main as extract
from hicmd_tf.commands.search import main
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError, printable
from hicmd_tf.retrieval.stored import write_descriptors
from hicmd_tf.search import Gallery, describe
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


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Every run's model is built once, for all commands here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(describe, "Model", functools.cache(describe.Model))
        yield


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
    assert "0 pictures added, 12 were already there; the gallery has 12" in capsys.readouterr().out

    asked = pictures / "5" / "visible" / "1_c05.png"
    query = ["query", *place, *run, "--picture", str(asked), "--modality", "visible"]
    main([*query, "--json", "-k", "4", "--both", "--itself"])
    (found,) = said(capsys)
    assert (found["query"], found["modality"], found["among"]) == (str(asked), "visible", "both")
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

    main([*query, "--json"])
    (found,) = said(capsys)
    assert found["among"] == "infrared" and found["left_out"] == []
    assert [hit["modality"] for hit in found["hits"]] == ["infrared"] * 6
    main([*query, "--json", "--same-modality"])
    (found,) = said(capsys)
    assert [hit["modality"] for hit in found["hits"]] == ["visible"] * 5
    assert found["left_out"] == [str(asked)] and str(asked) not in {hit["path"] for hit in found["hits"]}

    main([*query, "--draw", str(tmp_path / "found.png"), "-k", "3", "--both", "--itself"])
    printed = capsys.readouterr().out
    assert f"{asked}: visible, looked up among all pictures" in printed and "rank" in printed
    main([*query, "--both", "-k", "3"])
    printed = capsys.readouterr().out
    assert "left out: 1 in the gallery that are the query itself (--itself shows them)" in printed
    assert printed.count(str(asked)) == 1
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
    asked = ["query", *place, "--descriptors", str(tmp_path / "all.npz"), "--json", "-k", "1"]
    main([*asked, "--both", "--itself"])
    found = said(capsys)
    assert [one["hits"][0]["path"] for one in found] == [one["query"] for one in found]
    main(asked)
    for one in said(capsys):  # each among the other modality
        (hit,) = one["hits"]
        assert {one["modality"], one["among"]} == {"visible", "infrared"} and hit["modality"] == one["among"]
    main([*asked, "--same-modality"])
    for one in said(capsys):
        (hit,) = one["hits"]
        assert hit["modality"] == one["modality"] and hit["path"] != one["query"] and one["left_out"] == [one["query"]]
    main(["add", *place, "--descriptors", str(tmp_path / "all.npz"), "--time", "2026-11-01"])
    assert "0 pictures added, 12 were already there" in capsys.readouterr().out
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


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("info --collection c", "--collection goes with --uri"),
        ("info --token t", "--token goes with --uri"),
        ("add --images p", "--images needs --run"),
        ("index --images p --descriptors d.npz --run r", "either --images with --run, or --descriptors"),
        ("index --descriptors d.npz --run r", "--run goes with --images"),
        ("add --descriptors d.npz --modality visible", "--modality goes with --images"),
        ("add --descriptors d.npz --pattern x", "--pattern goes with --images"),
        ("query --descriptors d.npz --run r", "--run goes with --picture"),
        ("query --descriptors d.npz --modality visible", "--modality goes with --picture"),
        ("query --descriptors d.npz --picture p.png", "either --picture with --run and --modality, or --descriptors"),
        ("query --picture p.png --run r", "--picture needs --run"),
        ("query --descriptors d.npz --lists 4", "--lists goes with --ivf"),
        ("query --descriptors d.npz --probes 4", "--probes goes with --ivf"),
        ("query --descriptors d.npz --least-recall 0", "--least-recall goes with --ivf"),
        ("query --descriptors d.npz --ivf --least-recall 2", "is no share, expected a number from 0 to 1"),
        ("query --descriptors d.npz --ivf --lists 0", "is no number of things"),
        ("query --descriptors d.npz --both --same-modality", "not allowed with"),
        ("query --descriptors d.npz --both --only visible", "not allowed with"),
        ("query --descriptors d.npz --same-modality --only visible", "not allowed with"),
        ("query --descriptors d.npz --path", "expected at least one argument"),
        ("query --descriptors d.npz --identity", "expected at least one argument"),
        *(
            (f"query --descriptors d.npz --ivf --{one} 1", f"leave --{one} out")
            for one in ("path", "identity", "camera")
        ),
        *((f"query --descriptors d.npz --ivf --{one} 2026-01-01", f"leave --{one} out") for one in ("after", "before")),
        ("remove --after 0001-01-01", "is no time"),
        ("remove", "say which pictures"),
    ],
)
def test_options_that_do_not_go_together_are_refused(command: str, text: str, tmp_path: Path) -> None:
    name, *options = command.split()
    with pytest.raises(UserError, match=text) as refusal:
        main([name, "--index", str(tmp_path / "g"), *options])
    assert "\n" not in str(refusal.value) and not list(tmp_path.iterdir())


def test_an_inverted_file_is_no_matter_of_milvus() -> None:
    with pytest.raises(UserError, match="a Milvus server has indexes of its own"):
        main(["query", "--uri", "x.db", "--descriptors", "d.npz", "--ivf"])


def test_an_index_that_was_refused_goes_on_when_the_picture_is_mended(
    place: list[str],
    smoke_run: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, bad = tmp_path / "pictures", tmp_path / "pictures/6/visible/0_c06.png"
    shutil.copytree(pictures, folder)
    bad.write_bytes(b"no picture")
    monkeypatch.setattr(describe, "PART", 5)
    monkeypatch.chdir(tmp_path)
    index = ["index", *place, "--run", os.path.relpath(smoke_run), "--images", "pictures"]
    with pytest.raises(UserError, match=r"0_c06\.png can't be decoded"):
        main(index)
    with pytest.raises(UserError, match="at 10 pictures: give the same index command again, which goes on"):
        main(["add", *index[1:]])
    with pytest.raises(UserError, match="at 10 pictures"):
        main(["add", *place, "--run", str(smoke_run), "--images", str(pictures)])
    query = ["query", *place, "--run", str(smoke_run), "--picture", "pictures/4/visible/0_c04.png"]
    with pytest.warns(UserWarning, match="was stopped, or goes on: 10 pictures are searched"):
        main([*query, "--modality", "visible", "--json"])
    main(["info", *place])
    assert said(capsys)["complete"] is False
    shutil.copy(pictures / "6/visible/0_c06.png", bad)
    main(index)
    printed = capsys.readouterr().out
    assert "going on with an index that was stopped at 10 pictures" in printed
    assert "2 pictures added, 10 were already there; the gallery has 12" in printed
    with pytest.raises(UserError, match="already: add to it"):
        main(index)
    (tmp_path / "link").symlink_to("pictures")
    main(["add", *place, "--run", str(smoke_run), "--images", "link/../link"])
    assert "0 pictures added, 12 were already there" in capsys.readouterr().out
    shutil.copy(folder / "4/visible/0_c04.png", bad)
    main(["add", *place, "--run", str(smoke_run), "--images", "pictures"])
    assert "0 pictures added, 1 replaced, which had changed, 11 were already there" in capsys.readouterr().out
    main(["remove", *place, "--path", "link/6/visible/0_c06.png", "pictures/none.png"])
    printed = capsys.readouterr().out
    assert printed == "1 pictures removed; the gallery has 11\n1 of the given paths are not in it: pictures/none.png\n"


def test_every_kind_of_data_is_indexed_and_searched(
    smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ["--run", str(smoke_run)]
    for name, made, parts, query in (
        ("regdb", trees.regdb, {"Visible": "visible", "Thermal": "infrared"}, "Visible/1/male_back_v_00000_1.bmp"),
        ("sysu", trees.sysu_mm01, {f"cam{n}": "infrared" if n in (3, 6) else "visible" for n in range(1, 7)}, ""),
        ("llcm", trees.llcm, {"vis": "visible", "nir": "infrared"}, ""),
        ("own", trees.own, {"": ""}, "test/11/visible/cam1_1.png"),
    ):
        folder = made(tmp_path / name)
        count = sum(1 for file in folder.rglob("*") if file.suffix in (".bmp", ".jpg", ".png"))
        for command, (part, modality) in zip(["index", *["add"] * 9], parts.items(), strict=False):
            more = ["--modality", modality] if modality else []
            main([command, "--index", f"{name}.gallery", *run, "--images", f"{name}/{part}", *more])
        assert f"the gallery has {count}" in capsys.readouterr().out
        if query:
            asked = ["--picture", f"{name}/{query}", "--modality", "visible", "--json", "-k", "99"]
            main(["query", "--index", str(tmp_path / f"{name}.gallery"), *run, *asked])
            (found,) = said(capsys)
            assert {hit["modality"] for hit in found["hits"]} == {"infrared"} and len(found["hits"]) == count // 2
            assert {hit["identity"] for hit in found["hits"]} >= {3, 5} if name == "own" else {1, 2}


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


def test_an_option_of_several_that_is_given_again_adds_to_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ["--index", str(tmp_path / "g")]
    entries = [Entry(str(tmp_path / f"{n}.png"), n, n, "visible", 0.0, str(n)) for n in range(6)]
    Gallery.create(tmp_path / "g", "m", 6).add(np.eye(6, dtype=np.float32), entries, "m")
    asked = describe.Described(np.eye(6, dtype=np.float32)[:1], [entries[0]])
    monkeypatch.setattr("hicmd_tf.commands.search._asked", lambda *_: (asked, ["one"]))
    chosen = ["--path", str(tmp_path / "3.png"), "--path", str(tmp_path / "5.png"), "gone.png"]
    main(["query", *here, "--descriptors", "one.npz", "--both", "--json", *chosen])
    printed = capsys.readouterr()
    assert [hit["identity"] for hit in json.loads(printed.out)[0]["hits"]] == [3, 5]
    assert printed.err == "1 of the given paths are not in it: gone.png\n"
    main(["remove", *here, "--identity", "0", "--identity", "1", "2", "--camera", "0", "--camera", "2"])
    assert "2 pictures removed; the gallery has 4" in capsys.readouterr().out


def test_a_file_of_descriptors_that_was_touched_changes_nothing(
    place: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "three.npz"
    samples = Samples([b""] * 3, list("abc"), np.arange(3), np.array([False, True, True]), np.zeros(3, np.int64))
    write_descriptors(file, np.eye(3, dtype=np.float32), samples, "m")
    main(["index", *place, "--descriptors", str(file)])
    os.utime(file, (5e8, 5e8))
    main(["add", *place, "--descriptors", str(file)])
    assert "0 pictures added, 3 were already there; the gallery has 3" in capsys.readouterr().out
    main(["add", *place, "--descriptors", str(file), "--time", "2020-01-01"])
    assert "0 pictures added, 3 replaced, which had changed; the gallery has 3" in capsys.readouterr().out
