"""People's own pictures, as they lie about: what is taken for what, and what is passed over."""

import os
import re
import shutil
import unicodedata
from datetime import datetime
from pathlib import Path

import drawn_trees as trees
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.config import load
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.data.labels import number, shown
from hicmd_tf.data.sources import DATA_SETS, Listing
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.data.sources.walking import walked
from hicmd_tf.errors import UserError

FOLDER = DATA_SETS["folder"]


def lay(folder: Path, *names: str) -> Path:
    """Files of these names; pictures where the names say so."""
    for seed, name in enumerate(names):
        if name.lower().endswith((".png", ".jpg", ".bmp")):
            trees.picture(folder / name, seed, grey=bool(re.search(r"(^|/)(infrared|thermal|ir)", name, re.IGNORECASE)))
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"x")
    return folder


def people(listing: Listing) -> dict[str, str]:
    return {record.name: shown(record.identity, listing.texts) for record in listing.records}


def cameras(listing: Listing) -> dict[str, str]:
    return {record.name: shown(record.camera, listing.texts) for record in listing.records}


def test_what_systems_leave_behind_is_ignored_without_a_word(tmp_path: Path) -> None:
    own = trees.own(tmp_path, ("anna", "bob", "cleo", "dan"))
    before = anything(own, None), FOLDER.read(own)
    junk = ("._1.png", ".DS_Store", "Thumbs.db", ".Trash-1000/files/1.png", "@eaDir/1.png/XL.jpg", "__MACOSX/._1.png")
    for below in ("", "train/", "train/anna/visible/"):
        lay(own, *(below + name for name in junk))
    assert (anything(own, None), FOLDER.read(own)) == before
    assert before[0].passed == before[1].passed == []


def test_everything_else_that_is_passed_over_is_counted_and_named(tmp_path: Path) -> None:
    own = trees.own(tmp_path)
    odd = ("1.png", "depth/1.png", "visible/old/1.png")
    lay(own, "a.heic", "train/3/notes.txt", *(f"train/3/{name}" for name in odd), "x/1.png", "val/3/visible/1.png")
    (own / "train/3/visible/cam1_1.png").rename(own / "train/3/visible/caf\udce9.png")
    listing = FOLDER.read(own)
    assert {line.split(" (")[0] for line in listing.passed} == {
        "1 file passed over: train/3/visible/caf\\udce9.png",
        "2 files passed over: a.heic, train/3/notes.txt",
        "5 files passed over: train/3/1.png, train/3/depth/1.png, train/3/visible/old/1.png, val/3/visible/1.png, "
        "x/1.png",
    }
    lay(tmp_path / "many", "visible/1.png", *(f"visible/{n:02d}.heic" for n in range(20)))
    (line,) = anything(tmp_path / "many", None).passed
    assert line.startswith("20 files passed over: visible/00.heic, visible/01.heic") and " and 14 more (" in line
    with pytest.raises(UserError, match=r"no pictures .* at any depth \(1 file passed over: a\.heic"):
        anything(lay(tmp_path / "none", "a.heic"), "visible")


def test_links_are_followed_and_every_folder_is_read_once(tmp_path: Path) -> None:
    pool, own = lay(tmp_path / "pool", "1.png"), lay(tmp_path / "own", "anna/visible/1.png", "bob/visible/1.png")
    (own / "anna/infrared").symlink_to(pool)
    (own / "anna/up").symlink_to(own)
    (own / "anna/self").symlink_to(own / "anna/self")
    (own / "bob/friend").symlink_to(own / "anna")
    (own / "bob/out").symlink_to(tmp_path)
    walk = walked(own)
    assert walk.pictures == ["anna/infrared/1.png", "anna/visible/1.png", "bob/visible/1.png"]
    passed = sorted(name for names in walk.passed.values() for name in names)
    assert passed == ["anna/self", "anna/up", "bob/friend", "bob/out/own", "bob/out/pool"]


@pytest.mark.parametrize("names", [("anna", "bob", "Zoë", "12"), ("0012", "7", "a.b", "x" * 60)])
def test_one_numbering_for_training_extraction_and_search(names: tuple[str, ...], tmp_path: Path) -> None:
    own = trees.own(tmp_path, names)
    trained, extracted = FOLDER.read(own), anything(own, None)
    assert sorted(trained.records) == extracted.records and trained.texts == extracted.texts
    assert {record.identity for record in trained.records} == {number(name) for name in names}
    assert set(people(trained).values()) == {name.lstrip("0") if name.isdigit() else name for name in names}


def test_two_forms_of_a_name_are_one_person_and_two_names_of_a_number_are_refused(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "zoë") for form in ("NFC", "NFD"))
    listing = anything(lay(tmp_path / "zoë", f"visible/{composed}/1.png", f"infrared/{decomposed}/1.png"), None)
    assert set(people(listing).values()) == {composed}
    with pytest.raises(UserError, match="two folders are the same number, 0012 and 12: call every one by one name"):
        anything(lay(tmp_path / "twelve", "0012/visible/1.png", "12/infrared/1.png"), None)


def test_nobody_is_trained_on_days(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"nobody says whom train/2026-11-05/infrared/cam1_1.png and 3 more of the train"
    ):
        FOLDER.read(trees.own(tmp_path, ("2026-11-05", "anna", "bob", "2013")))


def test_what_was_taken_for_people_and_cameras_is_said(tmp_path: Path) -> None:
    lay(tmp_path, "anna/visible/cam3_1.png", "anna/IR/cam3_1.png", "bob/visible/1.png")
    lay(tmp_path, "thermal/cleo/2.png", "visible/3.png")
    listing = anything(tmp_path, None)
    assert people(listing)["visible/3.png"] == "unknown" and people(listing)["thermal/cleo/2.png"] == "cleo"
    assert listing.taken == [
        "identities: 2 by the folder above the modality's, such as anna in anna/IR/cam3_1.png; 1 by the folder below "
        "the modality's, such as cleo in thermal/cleo/2.png; 1 picture unknown, such as visible/3.png",
        "cameras: 1 by the file's name, such as 3 in anna/IR/cam3_1.png; 3 pictures without, taken as unnamed visible "
        "and unnamed infrared, such as bob/visible/1.png",
    ]


def test_every_picture_has_a_modality(tmp_path: Path) -> None:
    lay(tmp_path, "anna/1.png", "bob/IR/1.png")
    assert {record.modality for record in anything(tmp_path / "bob" / "IR", None).records} == {"infrared"}
    with pytest.raises(UserError, match=r"bob/IR/1\.png is infrared by its path, but --modality says"):
        anything(tmp_path, "visible")
    listing = anything(tmp_path, None)
    assert [record.name for record in listing.records] == ["bob/IR/1.png"]
    assert listing.passed == [
        "1 file passed over: anna/1.png (below no folder named visible or infrared, and --modality does not say which)"
    ]
    with pytest.raises(UserError, match=r"anna: 1\.png lies below no folder named .*: say which it is with --modality"):
        anything(tmp_path / "anna", None)
    spread = anything(lay(tmp_path / "spread", "a_ir.png", "b_rgb.png", "c_fog.png"), None, "_(?P<modality>[^.]+)")
    assert [record.name for record in spread.records] == ["a_ir.png", "b_rgb.png"]
    assert [line.split(" (")[0] for line in spread.passed] == ["1 file passed over: c_fog.png"]


def test_other_spellings_of_the_modalities_are_trained_on(tmp_path: Path) -> None:
    own = trees.own(tmp_path)
    for name, other in (("train/3/visible", "RGB"), ("train/3/infrared", "thermal"), ("test/11/infrared", "Infrared")):
        (own / name).rename((own / name).with_name(other))
    listing = FOLDER.read(own)
    assert len(listing.records) == 16 and listing.passed == []
    assert {record.modality for record in listing.records if "thermal" in record.name} == {"infrared"}


def test_unknown_people_are_tested_on_and_never_trained_on(tmp_path: Path) -> None:
    own = lay(trees.own(tmp_path), "test/unknown/visible/1.png", "test/-1/infrared/1.png")
    strangers = [record.name for record in FOLDER.read(own).records if record.identity < 0]
    assert sorted(strangers) == ["test/-1/infrared/1.png", "test/unknown/visible/1.png"]
    lay(own, "train/-1/visible/1.png")
    with pytest.raises(UserError, match=r"nobody says whom train/-1/visible/1\.png of the train split shows"):
        FOLDER.read(own)


PATTERN = r"(?P<split>train|test)ing/\d{4}/\d\d/(?P<modality>ir|rgb)_(?P<identity>[^_/]+)_(?P<camera>[^_/]+)_"


def by_pattern(folder: Path) -> Path:
    names = (
        f"{split}ing/2026/{11 + n:02d}/{m}_{person}_{camera}_{n}.jpg"
        for split, persons in (("train", ("anna", "bob")), ("test", ("cleo", "dan")))
        for person in persons
        for m, camera in (("rgb", "gate"), ("ir", "192.168.1.64"))
        for n in range(2)
    )
    return lay(folder, *names, "testing/2026/11/IMG_0001.jpg")


def test_with_a_pattern_pictures_lie_as_they_will(tmp_path: Path) -> None:
    listing = FOLDER.read(by_pattern(tmp_path / "own"), pattern=PATTERN)
    assert {split: len(records) for split, records in listing.splits.items()} == {"train": 8, "test": 8}
    assert listing.passed == ["1 file passed over: testing/2026/11/IMG_0001.jpg (the pattern does not match)"]
    assert "by the pattern, such as" in listing.taken[0]
    settings = {"data.source": str(tmp_path / "own"), "data.directory": str(tmp_path / "data"), "data.pattern": PATTERN}
    with pytest.warns(UserWarning, match=r"own: 1 file passed over: testing/2026/11/IMG_0001\.jpg \(the patt"):
        data = load_data(load("tiny", {"data.name": "folder", **settings}).data)
    assert {data.train.identity(row) for row in range(len(data.train))} == {"anna", "bob"}
    assert {data.test.camera(row) for row in range(len(data.test))} == {"gate", "192.168.1.64"}


def test_a_pattern_without_a_split_goes_by_the_folders(tmp_path: Path) -> None:
    pattern = r"(?P<modality>[a-z]+)/(?P<identity>-?\d+)_c(?P<camera>\d)s"
    who = (("train", "0001"), ("test", "0002"), ("test", "-1"))
    names = [f"{split}/{m}/{p}_c{c}s1_1.jpg" for split, p in who for m, c in (("vis", 1), ("ir", 2))]
    lay(tmp_path, *names, "val/vis/0009_c1s1_1.jpg", "train/odd/0001_c1s1_1.jpg")
    listing = FOLDER.read(tmp_path, pattern=pattern)
    assert people(listing)["train/vis/0001_c1s1_1.jpg"] == "1" and people(listing)["test/ir/-1_c2s1_1.jpg"] == "unknown"
    assert sorted(listing.passed) == [
        "1 file passed over: train/odd/0001_c1s1_1.jpg (neither the pattern nor a folder says visible or infrared)",
        "1 file passed over: val/vis/0009_c1s1_1.jpg (not of the split train or test)",
    ]


def test_patterns_where_they_have_no_meaning_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a pattern is given, which is for folder: regdb has a layout of its own"):
        DATA_SETS["regdb"].read(tmp_path, pattern="(?P<identity>x)")
    with pytest.raises(UserError, match="--pattern has a group split, which is for training"):
        anything(lay(tmp_path, "train/visible/1.png"), None, PATTERN)
    with pytest.raises(UserError, match=r"the split train has no pictures .*: data\.pattern 'nothing.*' finds none"):
        FOLDER.read(tmp_path, pattern="nothing(?P<identity>x)")
    with pytest.raises(UserError, match=r"at any depth \(1 file passed over: .*1\.png \(the pattern does not"):
        anything(tmp_path, None, "nothing(?P<identity>x)")


@pytest.mark.parametrize("name", ["regdb", "sysu_mm01", "llcm"])
def test_lists_with_a_byte_order_mark_and_windows_lines_are_read(name: str, tmp_path: Path) -> None:
    folder = trees.TREES[name](tmp_path)
    expected = DATA_SETS[name].read(folder)
    for file in folder.rglob("*.txt"):
        file.write_bytes(b"\xef\xbb\xbf\r\n" + file.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert DATA_SETS[name].read(folder) == expected


def test_check_lists_people_and_cameras_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = trees.own(tmp_path, ("anna", "bob", "7", "12"))
    (own / "test/12/visible/cam2_2.png").rename(own / "test/12/visible/cam192.168.1.64_2.png")
    lay(own, "test/unknown/visible/cam9_1.png", "test/a.heic")
    os.utime(own / "test/12/infrared/cam1_1.png", (0, datetime(1999, 3, 1, 8, 5).timestamp()))
    with pytest.warns(UserWarning, match=r"1 file passed over: test/a.heic \(no picture by its name"):
        hicmd(["check", "folder", str(own)])
    said = capsys.readouterr().out
    assert "4 people: 7, 12, anna, bob\n" in said and "1 picture of unknown people" in said
    assert "visible cameras: 1 (4 pictures), 2 (3 pictures), 9 (1 picture), 192.168.1.64 (1 picture)\n" in said
    assert "infrared cameras: 1 (4 pictures), 2 (4 pictures)\n" in said
    assert "times: from 1999-03-01 08:05 to 20" in said


def test_check_counts_the_pictures_that_no_list_names(tmp_path: Path) -> None:
    lay(trees.sysu_mm01(tmp_path), "cam1/0099/0001.jpg", "cam2/0001/readme.txt", ".DS_Store")
    with pytest.warns(UserWarning) as warned:
        hicmd(["check", "sysu_mm01", str(tmp_path)])
    assert [str(one.message) for one in warned] == [
        "1 file passed over: cam1/0099/0001.jpg (in no list of the data set)"
    ]


def test_check_names_every_broken_picture_and_can_go_on_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = trees.own(tmp_path / "own", ("anna", "bob", "cleo", "dan"))
    for name in ("train/anna/visible/cam1_1.png", "test/dan/infrared/cam2_2.png"):
        (own / name).write_bytes(b"no picture")
    said = r"^picture test/dan/.* can't be decoded \(and 1 more can't be used: train/anna/.*\), .*hicmd check --skip"
    with pytest.warns(UserWarning), pytest.raises(UserError, match=said):
        hicmd(["check", "folder", str(own)])
    capsys.readouterr()
    with pytest.warns(UserWarning, match="2 of 16 pictures can't be used and are skipped"):
        hicmd(["check", "folder", str(own), "--skip"])
    printed = capsys.readouterr().out
    assert "14 of 16 pictures can be decoded" in printed and "--data.check skip" in printed


def test_check_names_people_of_the_test_in_one_modality_only(tmp_path: Path) -> None:
    own = trees.own(tmp_path / "own", ("anna", "bob", "cleo", "dan"))
    shutil.rmtree(own / "test/dan/visible")
    said = "of 1 test person all pictures are infrared: dan; as queries they have no visible match and count nowhere"
    with pytest.warns(UserWarning) as warned:
        hicmd(["check", "folder", str(own)])
    assert any(said in str(one.message) for one in warned)


def test_names_that_differ_in_blanks_are_one_and_those_that_differ_in_capitals_are_named(tmp_path: Path) -> None:
    own = trees.own(tmp_path / "own", ("anna", "cleo", "bob", "Bob "))
    listing = FOLDER.read(own)
    assert "Bob and bob differ in capitals alone and are different people" in listing.passed
    (own / "test/bob").rename(own / "test/Bob")
    listing = FOLDER.read(own)
    assert {record.identity for record in listing.splits["test"]} == {number("Bob")} and not listing.passed
    assert {shown(record.identity, listing.texts) for record in listing.records} == {"anna", "cleo", "Bob"}
