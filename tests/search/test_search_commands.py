"""The commands, with a gallery in a folder and on Milvus, from pictures to ranked lists."""

import functools
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import drawn_trees as trees
import numpy as np
import pytest
from PIL import Image

from hicmd_tf.commands.extract import main as extract
from hicmd_tf.commands.search import main
from hicmd_tf.config import dump, load
from hicmd_tf.data.labels import number as number_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.sheet import RIGHT
from hicmd_tf.retrieval.stored import write_descriptors
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.runs.trained import Trained
from hicmd_tf.search import Entry, Gallery, describe

Array = np.ndarray[Any, Any]


DIGEST = "d" * 64


def described(content: bytes) -> Array:
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(8).astype(np.float32)


RUN = ["--run", "runs/one"]


@pytest.fixture
def stand_in(run_that: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hicmd_tf.runs.opened.OpenedRun", {Path("runs/one"): run_that(described)}.__getitem__)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, two pictures of either modality."""
    folder = tmp_path_factory.mktemp("pictures")
    for person in (4, 5, 6):
        for modality in ("visible", "infrared"):
            for number in range(2):
                seed = 10 * person + 2 * number + (modality == "visible")
                trees.picture(folder / str(person) / modality / f"{number}_c0{person}.png", seed)
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints."""

    def said(*arguments: str | Path | list[str]) -> str:
        capsys.readouterr()
        main([str(word) for one in arguments for word in (one if isinstance(one, list) else [one])])
        return capsys.readouterr().out

    return said


@pytest.fixture
def ask(say: Any) -> Any:
    """What a query prints as JSON."""
    return lambda *arguments: json.loads(say("query", *arguments, "--json"))


def stored(file: Path, folder: Path, model: str = DIGEST) -> Path:
    """A file of descriptors, as `hicmd extract` names and describes the pictures of a folder."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    content = [(folder / name).read_bytes() for name in names]
    people = np.array([int(name.split("/")[0]) for name in names])
    samples = Samples(content, names, people, np.array(["infrared" in name for name in names]), people)
    write_descriptors(file, np.stack([*map(described, content)]), samples, model)
    return file


def test_from_a_run_to_ranked_lists(
    smoke_run: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Any, ask: Any
) -> None:
    monkeypatch.setattr("hicmd_tf.runs.opened.OpenedRun", functools.cache(OpenedRun))
    here, run = ["--index", str(tmp_path / "gallery")], ["--run", str(smoke_run)]
    assert "12 pictures added" in say("index", here, run, "--images", pictures)
    query = pictures / "5/visible/1_c05.png"
    (found,) = ask(here, run, "--picture", query, "--modality", "visible", "--both", "--itself", "-k", "1")
    assert found["hits"][0]["path"] == str(query)
    assert found["hits"][0]["similarity"] == pytest.approx(1, abs=1e-5)
    extract([*run, "--images", str(pictures), "--out", str(tmp_path / "all.npz")])
    answers = ask(here, "--descriptors", tmp_path / "all.npz", "--same-modality")
    assert [one["left_out"] for one in answers] == [[str(pictures / one["query"])] for one in answers]  # itself
    assert all(len(one["hits"]) == 5 for one in answers) and len(answers) == 12


def test_pictures_go_in_are_found_and_go_out(
    place: list[str], stand_in: None, pictures: Path, tmp_path: Path, say: Any, ask: Any
) -> None:
    assert "12 pictures added" in say("index", place, RUN, "--images", pictures)
    asked = pictures / "5" / "visible" / "1_c05.png"
    query = [*place, *RUN, "--picture", str(asked), "--modality", "visible"]
    (found,) = ask(query, "-k", "4", "--both", "--itself")
    assert (found["query"], found["modality"], found["among"]) == (str(asked), "visible", "both")
    assert found["hits"][0]["path"] == str(asked)
    similarities = [hit["similarity"] for hit in found["hits"]]
    assert similarities[0] == pytest.approx(1, abs=1e-5) and similarities == sorted(similarities, reverse=True)
    assert (found["hits"][0]["identity"], found["hits"][0]["camera"], len(found["hits"])) == (5, 5, 4)
    (found,) = ask(query, "--only", "infrared", "--camera", "4", "6")
    assert (
        sorted((hit["modality"], hit["camera"]) for hit in found["hits"])
        == [("infrared", 4)] * 2 + [("infrared", 6)] * 2
    )
    (found,) = ask(query)
    assert found["among"] == "infrared" and found["left_out"] == []
    assert [hit["modality"] for hit in found["hits"]] == ["infrared"] * 6
    (found,) = ask(query, "--same-modality")
    assert [hit["modality"] for hit in found["hits"]] == ["visible"] * 5 and found["left_out"] == [str(asked)]

    printed = say("query", query, "--draw", tmp_path / "found.png", "-k", "3", "--both", "--itself")
    assert f"{asked}: visible, looked up among all pictures" in printed and "rank" in printed
    with Image.open(tmp_path / "found.png") as drawing:
        colours = {colour for _, colour in drawing.getcolors(1 << 20) or []}
    assert RIGHT in colours  # the frame of the picture itself
    assert "nothing was found: no picture there is of the given people" in say("query", query, "--before", "1999-01-01")
    if "--index" in place:
        assert "too few rows for an inverted file: searched exactly" in say("query", query, "--ivf")
    printed = say("query", query, "--both", "-k", "3")
    assert "left out: 1 picture of the gallery, the query itself (--itself shows it)" in printed
    assert printed.count(str(asked)) == 1

    assert "removed 4; the gallery has 8" in say("remove", place, "--identity", "5")
    assert "no picture fits; the gallery has 8" in say("remove", place, "--before", "1999-01-01")
    assert json.loads(say("info", place, "--json"))["rows"] == 8


def test_files_of_descriptors_go_in_and_are_asked(
    place: list[str], stand_in: None, pictures: Path, tmp_path: Path, say: Any, ask: Any
) -> None:
    file = stored(tmp_path / "all.npz", pictures)
    say("index", place, "--descriptors", file)
    for one in ask(place, "--descriptors", file, "-k", "1"):  # each among the other modality
        assert {one["modality"], one["among"]} == {"visible", "infrared"}
        assert one["hits"][0]["modality"] == one["among"]
    for one in ask(place, "--descriptors", file, "-k", "1", "--same-modality"):
        (hit,) = one["hits"]
        assert hit["modality"] == one["modality"] and hit["path"] != one["query"] and one["left_out"] == [one["query"]]
    picture = pictures / "4/visible/0_c04.png"  # which the gallery knows by its name below a folder
    (one,) = ask(place, RUN, "--picture", picture, "--modality", "visible", "--same-modality")
    assert one["left_out"] == ["4/visible/0_c04.png"] and len(one["hits"]) == 5
    os.utime(file, (5e8, 5e8))
    assert "0 pictures added, 12 were already there" in say("add", place, "--descriptors", file)
    printed = say("add", place, "--descriptors", file, "--time", "2020-01-01")
    assert "0 pictures added, 12 replaced, which had" in printed
    other = stored(tmp_path / "other.npz", pictures, "0" * 64)
    for command in ("add", "query"):
        with pytest.raises(UserError, match="can't be compared"):
            say(command, place, "--descriptors", other)


def test_people_and_tracks_are_found_with_several_pictures_and_among_cameras_and_times(
    place: list[str], stand_in: None, pictures: Path, tmp_path: Path, say: Any, ask: Any
) -> None:
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    lines, paths = ["path,modality,identity,camera,time,track"], sorted(folder.rglob("*.png"))
    for second, file in enumerate(paths):
        who, modality, name = file.relative_to(folder).parts
        track = f"{who}-{modality}" if who != "6" else ""
        lines.append(f"{who}/{modality}/{name},{modality},{who},gate {modality},2026-11-05T08:00:{second:02},{track}")
    (folder / "pictures.csv").write_text("\n".join(lines))
    assert "tracks: 4, of 8 pictures; in none, and so tracks of one: 4" in say("index", place, RUN, "--images", folder)
    asked = sorted((folder / "5" / "visible").glob("*.png"))
    query = [*place, *RUN, "--modality", "visible", "--picture"]
    unit = {path: row / np.linalg.norm(row) for path, row in ((file, described(file.read_bytes())) for file in paths)}

    (found,) = ask(query, asked[0].parent, "--together", "--group-by", "track")
    mean = sum(unit[file] for file in asked)
    groups = [[file for file in paths if "infrared" in file.parts and file.parts[-3] == who] for who in ("4", "5")]
    groups += [[file] for file in paths if "infrared" in file.parts and file.parts[-3] == "6"]
    wholes = [sum(unit[file] for file in group) for group in groups]
    expected = [whole @ mean / np.linalg.norm(whole) / np.linalg.norm(mean) for whole in wholes]
    assert [hit["similarity"] for hit in found["hits"]] == pytest.approx(sorted(expected, reverse=True), abs=1e-6)
    assert sorted(hit["pictures"] for hit in found["hits"]) == [1, 1, 2, 2]
    assert found["queries"] == [*map(str, asked)] and {hit["track"] for hit in found["hits"]} >= {"4-infrared", ""}
    (found,) = ask(query, *map(str, asked), "--together", "--group-by", "person", "--pool", "best")
    best = {
        who: max(unit[a] @ unit[b] for a in asked for b in paths if b.parts[-3:-1] == (who, "infrared"))
        for who in "456"
    }
    assert [str(hit["identity"]) for hit in found["hits"]] == sorted(best, key=best.__getitem__, reverse=True)
    printed = say("query", query, *map(str, asked), "--together", "--group-by", "person", "--draw", tmp_path / "f.png")
    assert f"{asked[0]} and 1 more: visible, looked up among infrared pictures, by person (mean)" in printed
    assert "  pictures  identity" in printed and "  track  " in printed and "  person  " not in printed

    for grouped in (["--pool", "best"], ["--group-by", "track"], ["--same-modality"]):
        (found,) = ask(place, "--track", "5-visible", *grouped)
        (same,) = ask(query, *map(str, asked), "--together", *grouped)
        assert {**found, "hits": 0} == {**same, "hits": 0}
        assert [hit["path"] for hit in found["hits"]] == [hit["path"] for hit in same["hits"]]
        likeness = [[hit["similarity"] for hit in one["hits"]] for one in (found, same)]
        assert likeness[0] == pytest.approx(likeness[1], abs=1e-6)
    printed = say("query", place, "--track", "5-visible", "--itself", "--both", "--draw", tmp_path / "track.png")
    assert "track 5-visible, 2 pictures: visible, looked up among all pictures (mean)" in printed

    (found,) = ask(query, asked[0], "--same-modality")
    assert found["left_out"] and set(found["left_out"]) == {*map(str, asked)} and len(found["hits"]) == 4
    assert "the query itself and its track (--itself shows it)" in say("query", query, asked[0], "--same-modality")
    (found,) = ask(query, asked[0], "--both", "--not-camera", "gate visible")
    assert {hit["modality"] for hit in found["hits"]} == {"infrared"} and len(found["hits"]) == 6
    (found,) = ask(query, asked[0], "--after", "2026-11-05T08:00:01", "--before", "2026-11-05T08:00:05")
    assert {Path(hit["path"]) for hit in found["hits"]} == {file for file in paths[1:5] if "infrared" in file.parts}
    with pytest.raises(UserError, match="--time is given, but it is known when"):
        say("add", place, RUN, "--images", folder, "--time", "2020-01-01")


def test_mistakes_are_named_before_a_model_is_loaded(tmp_path: Path, pictures: Path) -> None:
    gallery = Gallery.create(tmp_path / "g")
    gallery.add(np.eye(1, 8, dtype=np.float32), [Entry("a.png", 1, 1, "visible", 0.0)], DIGEST)
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(dump(load("tiny")))
    here, run = ["--index", str(tmp_path / "g")], ["--run", str(tmp_path / "run")]
    asked = ["query", *here, *run, "--modality", "visible", "--picture"]
    for command, text in (
        (["info", "--index", str(tmp_path / "none")], "is no gallery: make one with hicmd search index"),
        (["add", "--index", str(tmp_path / "none"), *run, "--images", str(pictures)], "is no gallery"),
        (["index", "--index", str(pictures), *run, "--images", str(pictures)], "exists already and is no gallery"),
        (["index", "--index", "new", "--descriptors", str(tmp_path / "none.npz")], r"none\.npz"),
        (["index", "--index", "new", *run, "--images", str(tmp_path / "none")], "none is no folder"),
        ([*asked, str(tmp_path / "no.png")], r"no\.png can't be read"),
        ([*asked, str(tmp_path / "text.png")], r"text\.png can't be decoded"),
    ):
        with pytest.raises(UserError, match=text) as refusal:
            main(command)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("info --uri x", "--uri: not allowed with"),
        ("info --collection c", "--collection needs --uri"),
        ("info --token t", "--token needs --uri"),
        ("add --images p", "--images needs --run"),
        ("index", "one of the arguments --images --descriptors"),
        ("index --images p --descriptors d.npz --run r", "--descriptors: not allowed with"),
        ("index --descriptors d.npz --run r", "--run needs --images"),
        ("add --descriptors d.npz --modality visible", "--modality needs --images"),
        ("add --descriptors d.npz --pattern x", "--pattern needs --images"),
        ("query", "one of the arguments --picture --descriptors --track"),
        ("query --track t --run r", "--run needs --picture"),
        ("query --track t --picture p.png", "not allowed with"),
        ("query --track t --ivf", "leave --track out"),
        ("query --descriptors d.npz --modality visible", "--modality needs --picture"),
        ("query --picture p.png --run r --modality grey", "'grey' is no modality, expected visible or infrared, or a"),
        ("query --picture p.png --modality visible", "--picture needs --run"),
        ("query --descriptors d.npz --lists 4", "--lists needs --ivf"),
        ("query --descriptors d.npz --least-recall 0", "--least-recall needs --ivf"),
        ("query --descriptors d.npz --ivf --least-recall 2", "is no share, expected a number from 0 to 1"),
        ("query --descriptors d.npz --ivf --path 1", "leave --path out"),
        ("query --descriptors d.npz --ivf --group-by track", "leave --group-by out"),
        ("query --descriptors d.npz --ivf --not-camera 1", "leave --not-camera out"),
        ("query --descriptors d.npz --pool best", "--pool needs --together or --group-by"),
        ("query --descriptors d.npz --group-by day", "'day' is none of person, track"),
        ("query --descriptors d.npz --ivf --before 2026-01-01", "leave --before out"),
        ("query --descriptors d.npz --both --same-modality", "not allowed with"),
        ("query --descriptors d.npz --both --only visible", "not allowed with"),
        ("query --descriptors d.npz -k 0", "'0' is not a count"),
        ("query --descriptors d.npz --after yesterday", "yesterday is no time"),
        ("query --descriptors d.npz --after 2026-11-02 --before 2026-11-01", "no picture fits: swap them"),
        ("remove --after 0001-01-01", "is no time"),
        ("remove", "say which pictures"),
    ],
)
def test_options_that_do_not_go_together_are_refused(command: str, text: str, tmp_path: Path) -> None:
    name, *options = command.split()
    with pytest.raises(UserError, match=text) as refusal:
        main([name, "--index", str(tmp_path / "g"), *options])
    assert "\n" not in str(refusal.value) and not list(tmp_path.iterdir())


def test_an_index_that_was_refused_goes_on_when_the_picture_is_mended(
    place: list[str],
    stand_in: None,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    say: Any,
    ask: Any,
) -> None:
    folder, bad = tmp_path / "pictures", tmp_path / "pictures/6/visible/0_c06.png"
    shutil.copytree(pictures, folder)
    bad.write_bytes(b"no picture")
    monkeypatch.setattr(describe, "PART", 5)
    monkeypatch.chdir(tmp_path)
    index = ["index", *place, *RUN, "--images", "pictures"]
    with pytest.raises(UserError, match=r"0_c06\.png can't be decoded"):
        main(index)
    assert json.loads(say("info", place, "--json"))["rows"] == 10
    shutil.copy(pictures / "6/visible/0_c06.png", bad)
    printed = say(index)
    assert "2 pictures added, 10 were already there; the gallery has 12" in printed
    (tmp_path / "link").symlink_to("pictures")
    printed = say("add", place, RUN, "--images", "link/../link")
    assert "0 pictures added, 12 were already there" in printed
    shutil.copy(folder / "4/visible/0_c04.png", bad)
    printed = say("add", place, RUN, "--images", "pictures")
    assert "0 pictures added, 1 replaced, which had changed, 11 were already there" in printed
    printed = say("remove", place, "--path", "link/6/visible/0_c06.png", "pictures/none.png")
    assert printed == "removed 1; the gallery has 11\n"


def test_a_server_that_is_not_there_and_collections_that_are_missing_are_named(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite", reason="pip install 'hicmd-tf[milvus]'")
    with pytest.raises(UserError, match="can't answer"):
        main(["info", "--uri", "http://127.0.0.1:1"])
    missing = ["--uri", str(tmp_path / "m.db"), "--collection", "nobody"]
    for command in (["info"], ["remove", "--identity", "1"], ["query", "--descriptors", "d.npz"]):
        with pytest.raises(UserError, match=r"m\.db is no server and no file: make it with hicmd search index"):
            main([*command, *missing])
    with pytest.raises(UserError, match=r"none\.npz"):
        main(["index", *missing, "--descriptors", str(tmp_path / "none.npz")])
    assert not [*tmp_path.iterdir()]


def test_an_option_of_several_that_is_given_again_adds_to_them(tmp_path: Path, say: Any) -> None:
    entries = [Entry(str(tmp_path / f"{n}.png"), n, n, "visible", 0.0, str(n)) for n in range(6)]
    Gallery.create(tmp_path / "g").add(np.eye(6, 8, dtype=np.float32), entries, DIGEST)
    chosen = ["--identity", "0", "--identity", "1", "2", "--camera", "0", "--camera", "2", "--path", tmp_path / "2.png"]
    chosen += ["--path", tmp_path / "0.png", tmp_path / "3.png"]
    assert "removed 2; the gallery has 4" in say("remove", "--index", tmp_path / "g", *chosen)


def test_odd_paths_steer_no_terminal(tmp_path: Path, say: Any) -> None:
    odd = "/<b>\x1b[31m\n.png"
    samples = Samples([b""], [odd], np.array([1]), np.array([False]), np.array([1]))
    write_descriptors(tmp_path / "one.npz", np.ones((1, 8), np.float32), samples, "m")
    say("index", "--index", tmp_path / "g", "--descriptors", tmp_path / "one.npz")
    printed = say("query", "--index", tmp_path / "g", "--descriptors", tmp_path / "one.npz", "--both", "--itself")
    assert "\x1b" not in printed and "/<b>\\x1b[31m\\n.png" in printed


def test_hits_are_marked_by_the_threshold_of_the_model_across_modalities_only(
    pictures: Path, tmp_path: Path, say: Any, ask: Any, run_that: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that(described)
    monkeypatch.setattr("hicmd_tf.runs.opened.OpenedRun", lambda path: run)
    here = ["--index", str(tmp_path / "gallery")]
    run.trained_on = Trained("folder", [5, 77])
    assert "the run was trained on 1 of these" in say("index", *here, *RUN, "--images", pictures)
    query = [*here, *RUN, "--picture", str(pictures / "5/visible/1_c05.png"), "--modality", "visible", "--both"]
    assert {hit["mark"] for hit in ask(query, "-k", "11")[0]["hits"]} == {None} and "person" not in say("query", query)
    run.threshold = Threshold(0.4, -0.1, 1e-3, [0.0] * 3, [1.0] * 3, 9, 9, 9, "train")
    hits = ask(query, "-k", "11")[0]["hits"]
    assert {hit["modality"] for hit in hits} == {"visible", "infrared"}
    for hit in hits:
        expected = "likely" if hit["similarity"] >= 0.4 else "uncertain" if hit["similarity"] >= -0.1 else "stranger"
        assert hit["mark"] == (None if hit["modality"] == "visible" else expected) and hit["probability"] is None
    head, *lines = say("query", query, "-k", "11").splitlines()[1:]
    assert head.split()[:4] == ["rank", "similarity", "same", "person?"]
    assert [line.split()[2] for line in lines[:11]] == [hit["mark"] or "-" for hit in hits]
    assert any(line.startswith("likely one person from similarity 0.4000 on") for line in lines)
    run.threshold = run.threshold._replace(calibration=[2.0, -1.0])
    assert "likely one person" not in say("query", query, "--before", "1980-01-01")  # which finds nothing
    for hit in ask(query, "-k", "11")[0]["hits"]:
        probability = 1 / (1 + np.exp(1 - 2 * hit["similarity"]))
        assert hit["probability"] == (None if hit["mark"] is None else pytest.approx(probability))


def test_filters_that_the_gallery_does_not_know_are_named_with_what_it_has(
    place: list[str], tmp_path: Path, say: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    trees.picture(tmp_path / "more/1.png", seed=1)
    names = ["a.png", "b.png", "c.png"]
    texts = {number_of("anna"): "anna", number_of("north"): "north", number_of("gate-7"): "gate-7"}
    samples = Samples(
        [b""] * 3,
        names,
        np.array([number_of("anna"), 12, -1]),
        np.array([False, True, True]),
        np.array([number_of("north")] * 2 + [3]),
        texts=texts,
        tracks=np.array([number_of("gate-7"), -1, -1]),
        times=np.array([0.0, 3600.0, 7200.0]),
    )
    write_descriptors(tmp_path / "some.npz", np.eye(3, 8, dtype=np.float32), samples, DIGEST)
    say("index", place, "--descriptors", tmp_path / "some.npz")
    asked = [*place, "--descriptors", str(tmp_path / "some.npz")]
    for options, said in (
        (["--identity", "Anna"], "no picture of Anna (nearest: anna): it has those of 12, anna, unknown"),
        (["--identity", "anna", "hans"], "no picture of hans: it has those of 12, anna, unknown"),
        (["--camera", "nord"], "no picture by the camera nord (nearest: north): it has those by the camera 3, north"),
        (["--not-camera", "4"], "no picture by the camera 4: it has"),
        (["--path", "d.png"], "the gallery has no picture d.png: give paths as its hits have them"),
    ):
        for command in (["query", *asked], ["remove", *place]):
            with pytest.raises(UserError, match=re.escape(said)):
                main([*command, *options])
    capsys.readouterr()
    main(["query", *asked, "--both", "--itself", "--path", "a.png", "d.png"])
    assert "the gallery has no picture d.png; it is passed over" in capsys.readouterr().err
    assert (
        say("query", asked, "--both", "--identity", "12", "--camera", "3").count("nothing was found: no picture") == 3
    )
    told = say("info", place)
    assert told.splitlines()[:4] == [
        "3 pictures",
        "modalities: 2, with so many pictures: infrared (2), visible (1)",
        "people: 3, with so many pictures: 12 (1), anna (1), unknown (1)",
        "cameras: 2, with so many pictures: 3 (1), north (2)",
    ]
    assert "tracks: 1: gate-7" in told and f"described by the model {DIGEST}, 8 numbers a picture" in told
    for name, said in (
        ("gate7", "no track gate7 (nearest: gate-7): it has gate-7"),
        ("x", "no track x: it has gate-7"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            main(["query", *place, "--track", name])
    known = json.loads(say("info", place, "--json"))
    assert (known["rows"], known["people"]["anna"], known["first"], known["last"]) == (3, 1, 0.0, 7200.0)


def test_pictures_are_of_the_modality_that_their_paths_or_a_table_say(
    place: list[str], stand_in: None, pictures: Path, tmp_path: Path, say: Any, ask: Any
) -> None:
    say("index", place, RUN, "--images", pictures)
    given = [str(pictures / "5" / modality / "1_c05.png") for modality in ("visible", "infrared")]
    answers = ask(place, RUN, "--picture", *given)
    assert [one["modality"] for one in answers] == ["visible", "infrared"]
    assert ask(place, RUN, "--picture", given[1], "--modality", "NIR") == answers[1:]
    trees.picture(tmp_path / "x" / "1.png", seed=3)
    with pytest.raises(UserError, match="nor a table says its modality: give --modality visible or infrared"):
        main(["query", *place, *RUN, "--picture", str(tmp_path / "x" / "1.png")])
    with pytest.raises(UserError, match="of two modalities"):
        main(["query", *place, *RUN, "--together", "--picture", *given])
    people = [str(pictures / who / "visible" / f"1_c0{who}.png") for who in "45"]
    with pytest.raises(UserError, match="the pictures that are one query are of 4, 5: ask with those of one person"):
        main(["query", *place, *RUN, "--together", "--picture", *people])


def test_a_day_of_a_folder_with_a_table_goes_in_as_the_table_says(
    place: list[str], stand_in: None, tmp_path: Path, say: Any, ask: Any
) -> None:
    day = tmp_path / "2026" / "11" / "01"
    for name in ("a.png", "b.png"):
        trees.picture(day / name, seed=ord(name[0]))
    lines = [
        "path,modality,identity,camera,track",
        "2026/11/01/a.png,ir,kira,north,n1",
        "2026/11/01/b.png,rgb,kira,gate,",
    ]
    (tmp_path / "pictures.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"a.png is infrared by .*pictures\.csv, but --modality says visible"):
        main(["index", *place, *RUN, "--images", str(day), "--modality", "visible"])
    assert "2 pictures added" in say("index", place, RUN, "--images", day)
    assert "0 pictures added, 2 were already there" in say("add", place, RUN, "--images", tmp_path)  # tracks, too
    (found,) = ask(place, RUN, "--picture", day / "b.png")
    hit = found["hits"][0]
    assert (hit["person"], hit["device"], hit["track"], hit["modality"]) == ("kira", "north", "n1", "infrared")
    queries = ask(place, RUN, "--picture", day)
    assert [one["modality"] for one in queries] == ["infrared", "visible"]


def test_a_file_of_hicmd_describe_is_named_as_what_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", descriptors=np.eye(2, 8, dtype=np.float32), names=np.array(["a.png", "b.png"]))
    with pytest.raises(UserError, match=r"d\.npz is of hicmd describe, .*: describe them with hicmd extract"):
        main(["index", "--index", str(tmp_path / "g"), "--descriptors", str(tmp_path / "d.npz")])
