"""People's own pictures, as they lie about: what is taken for what, and what is passed over."""

import os
import re
import unicodedata
from collections.abc import Sequence
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
from hicmd_tf.notation import Modality


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


def joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


JUNK = ("._1.png", ".DS_Store", "Thumbs.db", ".Trash-1000/files/1.png", "@eaDir/1.png/XL.jpg", "__MACOSX/._1.png")


def test_what_systems_leave_behind_is_ignored_without_a_word(tmp_path: Path) -> None:
    own = trees.own(tmp_path / "own", ("anna", "bob", "cleo", "dan"))
    before = anything(own, None), DATA_SETS["folder"].read(own)
    for below in ("", "train/", "train/anna/", "train/anna/visible/"):
        lay(own, *(below + name for name in JUNK))
    assert (anything(own, None), DATA_SETS["folder"].read(own)) == before
    assert before[0].passed == before[1].passed == []
    sysu = trees.sysu_mm01(tmp_path / "sysu")
    listed = DATA_SETS["sysu_mm01"].read(sysu)
    lay(sysu, *(f"cam1/0001/{name}" for name in JUNK))
    assert DATA_SETS["sysu_mm01"].read(sysu) == listed


def test_everything_else_that_is_passed_over_is_counted_and_named(tmp_path: Path) -> None:
    own = trees.own(tmp_path / "own")
    odd = ("notes.txt", "1.png", "depth/1.png", "visible/old/1.png")
    lay(own, "a.heic", *(f"train/3/{name}" for name in odd), "x/1.png")
    (own / "train/3/visible/gone.png").symlink_to(tmp_path / "nowhere.png")
    passed = DATA_SETS["folder"].read(own).passed
    assert len(passed) == 5
    assert "2 files passed over: a.heic, train/3/notes.txt (no picture by its name" in joined(passed)
    assert "2 files passed over: train/3/1.png, train/3/depth/1.png (in no folder visible or infrared" in joined(passed)
    assert "1 file passed over: train/3/visible/old/1.png (too deep" in joined(passed)
    assert "1 file passed over: x/1.png (not below train or test)" in joined(passed)
    assert "1 file passed over: train/3/visible/gone.png (a link to nothing" in joined(passed)


def test_many_are_counted_and_some_named_those_of_each_kind_first(tmp_path: Path) -> None:
    lay(tmp_path, "visible/1.png", *(f"visible/{n:02d}.heic" for n in range(20)), "visible/z.txt")
    (line,) = anything(tmp_path, None).passed
    assert line.startswith("21 files passed over: visible/00.heic, visible/z.txt, visible/01.heic")
    assert " and 15 more (" in line
    with pytest.raises(UserError, match=r"no pictures .* at any depth \(1 file passed over: a\.heic"):
        anything(lay(tmp_path / "none", "a.heic"), "visible")


def test_loops_of_links_end_and_links_to_pictures_are_followed(tmp_path: Path) -> None:
    pool = lay(tmp_path / "pool", "1.png")
    own = lay(tmp_path / "own", "anna/visible/1.png")
    (own / "anna" / "up").symlink_to(own)
    (own / "anna" / "self").symlink_to(own / "anna" / "self")
    (own / "anna" / "infrared").symlink_to(pool)
    walk = walked(own)
    assert walk.pictures == ["anna/infrared/1.png", "anna/visible/1.png"]
    assert sorted(name for names in walk.passed.values() for name in names) == ["anna/self", "anna/up"]


def test_a_folder_with_many_names_is_read_once(tmp_path: Path) -> None:
    names = "abcdefgh"
    own = lay(tmp_path / "own", *(f"{name}/1.png" for name in names))
    for name in names:
        for other in names:
            (own / name / f"to_{other}").symlink_to(own / other)
    (own / "a" / "out").symlink_to(tmp_path)
    pool = lay(tmp_path / "pool", "2.png")
    (own / "b" / "pool").symlink_to(pool)
    walk = walked(own)
    assert sorted(Path(name).name for name in walk.pictures) == ["1.png"] * len(names) + ["2.png"]
    assert {name for name in walk.pictures if name.endswith("1.png")} == {f"{name}/1.png" for name in names}


@pytest.mark.parametrize("names", [("anna", "bob", "Zoë", "12"), ("0012", "7", "a.b", "x" * 60)])
def test_one_numbering_for_training_extraction_and_search(names: tuple[str, ...], tmp_path: Path) -> None:
    own = trees.own(tmp_path, names)
    trained, extracted = DATA_SETS["folder"].read(own), anything(own, None)
    assert sorted(trained.records) == extracted.records and trained.texts == extracted.texts
    assert {record.identity for record in trained.records} == {number(name) for name in names}
    assert set(people(trained).values()) == {name.lstrip("0") if name.isdigit() else name for name in names}


def test_two_forms_of_a_name_are_one_person(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "zoë") for form in ("NFC", "NFD"))
    listing = anything(lay(tmp_path, f"visible/{composed}/1.png", f"infrared/{decomposed}/1.png"), None)
    assert set(people(listing).values()) == {composed}


def test_two_folders_of_one_number_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, "0012/visible/1.png", "12/infrared/1.png")
    with pytest.raises(UserError, match="two folders are the same number, 0012 and 12: call every one by one name"):
        anything(tmp_path, None)


@pytest.mark.parametrize("modality", [None, "infrared"])
def test_a_day_is_not_a_person(modality: Modality | None, tmp_path: Path) -> None:
    lay(tmp_path, "nvr/infrared/2026/11/05/a.jpg", "nvr/infrared/2026/11/06/b.jpg")
    listing = anything(tmp_path, modality)
    assert set(people(listing).values()) == {"unknown"}
    assert {record.identity for record in listing.records} == {-1}
    assert listing.taken[0] == "identities: 2 pictures unknown, such as nvr/infrared/2026/11/05/a.jpg"


def test_training_on_days_is_reported(tmp_path: Path) -> None:
    listing = DATA_SETS["folder"].read(trees.own(tmp_path, ("2026-11-05", "20261106", "anna", "2013")))
    assert listing.passed == ["2 people are called like days, such as 2026-11-05: a day is no person"]


def test_what_was_taken_for_people_and_cameras_is_said(tmp_path: Path) -> None:
    lay(tmp_path, "anna/visible/cam3_1.png", "anna/IR/cam3_1.png", "bob/visible/1.png")
    lay(tmp_path, "thermal/cleo/2.png", "visible/3.png")
    listing = anything(tmp_path, None)
    assert people(listing)["visible/3.png"] == "unknown" and people(listing)["thermal/cleo/2.png"] == "cleo"
    identities, cams = listing.taken
    assert "2 by the folder above the modality's, such as anna in anna/IR/cam3_1.png" in identities
    assert "1 by the folder below the modality's, such as cleo in thermal/cleo/2.png" in identities
    assert "1 picture unknown, such as visible/3.png" in identities
    assert "1 by the file's name, such as 3 in anna/IR/cam3_1.png" in cams
    assert "3 pictures without, taken as unnamed visible and unnamed infrared, such as bob/visible/1.png" in cams


def test_cameras_are_any_text(tmp_path: Path) -> None:
    long = "12345678901234567890123"
    files = ("cam192.168.1.64_1.jpg", "0001C6F0099X30823.jpg", f"cam{long}_1.jpg", "x.jpg")
    listing = anything(lay(tmp_path, *(f"anna/visible/{file}" for file in files)), None)
    found = [cameras(listing)[f"anna/visible/{file}"] for file in files]
    assert found == ["192.168.1.64", "6", long, "unnamed visible"]
    assert all(0 <= record.camera < 2**52 for record in listing.records)


def test_a_tree_by_cameras_as_sysu_has_it(tmp_path: Path) -> None:
    listing = anything(lay(tmp_path, "cam1/0001/0001.jpg", "cam4/0001/0002.jpg", "cam4/0002/0001.jpg"), "visible")
    assert people(listing) == {"cam1/0001/0001.jpg": "1", "cam4/0001/0002.jpg": "1", "cam4/0002/0001.jpg": "2"}
    assert cameras(listing) == {"cam1/0001/0001.jpg": "1", "cam4/0001/0002.jpg": "4", "cam4/0002/0001.jpg": "4"}


@pytest.mark.parametrize("below", ["infrared", "IR", "thermal"])
def test_no_picture_goes_through_the_wrong_encoder(below: str, tmp_path: Path) -> None:
    lay(tmp_path, "anna/1.png", f"bob/{below}/1.png")
    with pytest.raises(UserError, match=f"bob/{below}/1.png is infrared by its path, but --modality says"):
        anything(tmp_path, "visible")
    with pytest.raises(UserError, match=f"{below}.* is infrared by its path|1.png is infrared by its path"):
        anything(tmp_path / "bob" / below, "visible")
    assert {record.modality for record in anything(tmp_path / "bob" / below, None).records} == {"infrared"}
    with pytest.raises(UserError, match=r"1\.png lies below no folder named .* with --modality, or, where others lie"):
        anything(tmp_path, None)


def test_other_spellings_of_the_modalities_are_trained_on(tmp_path: Path) -> None:
    own = trees.own(tmp_path)
    (own / "train/3/visible").rename(own / "train/3/RGB")
    (own / "train/3/infrared").rename(own / "train/3/thermal")
    (own / "test/11/infrared").rename(own / "test/11/Infrared")
    listing = DATA_SETS["folder"].read(own)
    assert len(listing.records) == 16 and listing.passed == []
    assert {record.modality for record in listing.records if "thermal" in record.name} == {"infrared"}


def test_unknown_people_are_tested_on_and_never_trained_on(tmp_path: Path) -> None:
    own = lay(trees.own(tmp_path), "test/unknown/visible/1.png", "test/-1/infrared/1.png")
    listing = DATA_SETS["folder"].read(own)
    assert sorted(record.name for record in listing.records if record.identity < 0) == [
        "test/-1/infrared/1.png",
        "test/unknown/visible/1.png",
    ]
    lay(own, "train/-1/visible/1.png")
    with pytest.raises(UserError, match=r"nobody says whom train/-1/visible/1\.png of the train split shows"):
        DATA_SETS["folder"].read(own)


PATTERN = r"(?P<split>train|test)ing/\d{4}/\d\d/(?P<modality>ir|rgb)_(?P<identity>[^_/]+)_(?P<camera>[^_/]+)_"


def by_pattern(folder: Path) -> Path:
    return lay(
        folder,
        *(
            f"{split}ing/2026/{11 + n:02d}/{m}_{person}_{camera}_{n}.jpg"
            for split, persons in (("train", ("anna", "bob")), ("test", ("cleo", "dan")))
            for person in persons
            for m, camera in (("rgb", "gate"), ("ir", "192.168.1.64"))
            for n in range(2)
        ),
        "testing/2026/11/IMG_0001.jpg",
    )


def test_with_a_pattern_pictures_lie_as_they_will(tmp_path: Path) -> None:
    listing = DATA_SETS["folder"].read(by_pattern(tmp_path), pattern=PATTERN)
    assert {split: len(records) for split, records in listing.splits.items()} == {"train": 8, "test": 8}
    assert set(people(listing).values()) == {"anna", "bob", "cleo", "dan"}
    assert set(cameras(listing).values()) == {"gate", "192.168.1.64"}
    assert listing.passed == ["1 file passed over: testing/2026/11/IMG_0001.jpg (the pattern does not match)"]
    assert "by the pattern, such as" in listing.taken[0]


def test_a_pattern_without_a_split_goes_by_the_folders(tmp_path: Path) -> None:
    pattern = r"(?P<identity>\d+)_c(?P<camera>\d)s\d_(?P<modality>[vt])"
    with pytest.raises(UserError, match="the pattern's modality is 'v'"):
        DATA_SETS["folder"].read(lay(tmp_path / "odd", "train/0001_c1s1_v.jpg"), pattern=pattern)
    pattern = r"(?P<modality>vis|ir)/(?P<identity>-?\d+)_c(?P<camera>\d)s"
    names = [
        f"{split}/{m}/{p}_c{c}s1_1.jpg"
        for split, p in (("train", "0001"), ("test", "0002"), ("test", "-1"))
        for m, c in (("vis", 1), ("ir", 2))
    ]
    listing = DATA_SETS["folder"].read(lay(tmp_path / "own", *names, "val/vis/0009_c1s1_1.jpg"), pattern=pattern)
    assert people(listing)["train/vis/0001_c1s1_1.jpg"] == "1" and people(listing)["test/ir/-1_c2s1_1.jpg"] == "unknown"
    assert listing.passed == ["1 file passed over: val/vis/0009_c1s1_1.jpg (not below train or test)"]


def test_patterns_where_they_have_no_meaning_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a pattern is given, which is for folder: regdb has a layout of its own"):
        DATA_SETS["regdb"].read(trees.regdb(tmp_path / "regdb"), pattern="(?P<identity>x)")
    with pytest.raises(UserError, match="--pattern has a group split, which is for training"):
        anything(lay(tmp_path / "own", "train/visible/1.png"), None, PATTERN)
    with pytest.raises(UserError, match=r"train has no pictures .*: data\.pattern 'nothing.*' finds none"):
        DATA_SETS["folder"].read(tmp_path / "own", pattern="nothing(?P<identity>x)")
    with pytest.raises(UserError, match=r"at any depth \(1 file passed over: .*1\.png \(the pattern does not"):
        anything(tmp_path / "own", None, "nothing(?P<identity>x)")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe"])
@pytest.mark.parametrize("name", ["regdb", "sysu_mm01", "llcm"])
def test_lists_with_a_byte_order_mark_and_windows_lines_are_read(name: str, mark: bytes, tmp_path: Path) -> None:
    folder = trees.TREES[name](tmp_path)
    expected = DATA_SETS[name].read(folder)
    lists = [file for file in folder.rglob("*.txt")]
    assert lists
    for file in lists:
        text = "\r\n" + file.read_text().replace("\n", "\r\n\r\n")
        file.write_bytes(mark + text.encode("utf-16-le" if mark == b"\xff\xfe" else "utf-8"))
    assert DATA_SETS[name].read(folder) == expected


def test_folders_that_cannot_be_listed_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, "visible/1.png", "visible/shut/2.png")
    (tmp_path / "visible/shut").chmod(0)
    if os.access(tmp_path / "visible/shut", os.R_OK):
        pytest.skip("everything may be read here")
    with pytest.raises(PermissionError):
        anything(tmp_path, None)


def test_check_lists_people_and_cameras_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = trees.own(tmp_path, ("anna", "bob", "7", "12"))
    (own / "test/12/visible/cam2_2.png").rename(own / "test/12/visible/cam192.168.1.64_2.png")
    lay(own, "test/unknown/visible/cam9_1.png", "test/a.heic")
    hicmd(["check", "folder", str(own)])
    said = capsys.readouterr()
    assert "4 people: 7, 12, anna, bob\n" in said.out
    assert "visible cameras: 1 (4 pictures), 2 (3 pictures), 9 (1 pictures), 192.168.1.64 (1 pictures)\n" in said.out
    assert "infrared cameras: 1 (4 pictures), 2 (4 pictures)\n" in said.out
    assert "1 pictures of unknown people" in said.out
    assert "warning: 1 file passed over: test/a.heic (no picture by its name" in said.err


def test_check_counts_the_pictures_that_no_list_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.sysu_mm01(tmp_path)
    lay(tmp_path, "cam1/0099/0001.jpg", "cam2/0001/readme.txt", ".DS_Store")
    hicmd(["check", "sysu_mm01", str(tmp_path)])
    warned = capsys.readouterr().err
    assert "warning: 1 file passed over: cam1/0099/0001.jpg (in no list of the data set)" in warned
    assert "readme" not in warned


@pytest.mark.parametrize("name", ["folder", "regdb"])
def test_one_file_in_both_modalities_is_refused(name: str, tmp_path: Path) -> None:
    trees.TREES[name](tmp_path)
    own = ("test/11/visible/cam1_1.png", "test/11/infrared/cam1_1.png")
    regdb = ("Visible/2/male_back_v_00000_2.bmp", "Thermal/2/male_back_t_00000_2.bmp")
    source, target = (tmp_path / file for file in (own if name == "folder" else regdb))
    target.write_bytes(source.read_bytes())
    with pytest.raises(UserError, match=r"\(infrared\) and .* \(visible\) of identity \d+, both test, are the same"):
        hicmd(["check", name, str(tmp_path), *(["--trial", "1"] if name == "regdb" else [])])


def test_what_is_trained_on_has_the_names_and_warns_of_what_is_passed_over(tmp_path: Path) -> None:
    folder, settings = by_pattern(tmp_path / "own"), {"data.directory": str(tmp_path / "data"), "data.pattern": PATTERN}
    config = load("tiny", {"data.name": "folder", "data.source": str(folder), **settings}).data
    with pytest.warns(UserWarning, match=r"own: 1 file passed over: testing/2026/11/IMG_0001\.jpg \(the patt"):
        data = load_data(config)
    assert {data.train.identity(row) for row in range(len(data.train))} == {"anna", "bob"}
    assert {data.test.camera(row) for row in range(len(data.test))} == {"gate", "192.168.1.64"}
