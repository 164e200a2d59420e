"""Reading what people have: which pictures, whose, by which camera; and one line for whatever is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.data import check, labels
from hicmd_tf.data.sources import DATA_SETS, Record, in_folders
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.errors import UserError

PROTOCOLS = Path(__file__).parents[3] / "shared" / "protocols"
needs_protocols = pytest.mark.skipif(not PROTOCOLS.is_dir(), reason="the data sets' real lists are not here")


def test_regdb_identities_are_folders_not_labels(tmp_path: Path) -> None:
    splits = DATA_SETS["regdb"].read(trees.regdb(tmp_path)).splits
    assert {record.identity for record in splits["train"]} == {1, 3, 5}
    assert {record.identity for record in splits["test"]} == {2, 4, 6}
    assert splits["train"][0] == Record("Thermal/1/male_back_t_00000_1.bmp", 1, "infrared", 2)
    assert {record.camera for record in splits["test"] if record.modality == "visible"} == {1}


def test_sysu_modality_is_the_cameras(tmp_path: Path) -> None:
    splits = DATA_SETS["sysu_mm01"].read(trees.sysu_mm01(tmp_path)).splits
    assert [len(splits[split]) for split in ("train", "val", "test")] == [48, 12, 36]
    infrared = {record.camera for records in splits.values() for record in records if record.modality == "infrared"}
    assert infrared == {3, 6}
    assert splits["test"][0] == Record("cam1/0006/0001.jpg", 6, "visible", 1)


def test_llcm_cameras_are_in_the_names(tmp_path: Path) -> None:
    splits = DATA_SETS["llcm"].read(trees.llcm(tmp_path)).splits
    assert splits["test"][0] == Record("nir/0002/0002_c01_s100_f2_nir.jpg", 2, "infrared", 1)


def test_own_pictures_keep_numbers_and_get_some(tmp_path: Path) -> None:
    splits = DATA_SETS["folder"].read(trees.own(tmp_path / "numbers")).splits
    assert {record.identity for record in splits["test"]} == {11, 12}
    assert {record.camera for record in splits["test"]} == {1, 2}
    named = DATA_SETS["folder"].read(trees.own(tmp_path / "names", ("ann", "7", "zoe", "bob")))
    assert {labels.shown(record.identity, named.texts) for record in named.splits["test"]} == {"bob", "zoe"}
    assert {record.identity for record in named.splits["train"]} == {7, labels.number("ann")}


@pytest.mark.parametrize("name", in_folders())
def test_check_prints_a_table(name: str, tmp_path: Path, capsys) -> None:
    trees.TREES[name](tmp_path)
    hicmd(["check", name, str(tmp_path), *(["--trial", "1"] if name == "regdb" else [])])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["split", "modality"] and "can be decoded" in lines[-1]
    assert any(line.split()[:2] == ["test", "infrared"] for line in lines)


def put(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def without(name: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def rewritten(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda folder: put(folder / name, change((folder / name).read_text()).encode())


def nobody(folder: Path) -> None:
    shutil.rmtree(folder / "test")
    (folder / "test").mkdir()


def cut(name: str, end: int = 150) -> Callable[[Path], None]:
    return lambda folder: put(folder / name, (folder / name).read_bytes()[:end])


def another_persons_file(folder: Path) -> None:
    (folder / FIRST.split()[0]).rename(folder / "Visible/1/male_back_v_00000_9.bmp")
    rewritten("idx/train_visible_1.txt", lambda s: s.replace("v_00000_1.bmp", "v_00000_9.bmp"))(folder)


def unseen(folder: Path) -> None:
    for camera in range(1, 7):
        shutil.rmtree(folder / f"cam{camera}/0001")


def only_matlab(folder: Path) -> None:
    (folder / "exp/val_id.txt").rename(folder / "exp/val_id.mat")


def permuted(folder: Path, pictures: int = 2) -> None:
    rows = np.tile(np.arange(1, pictures + 1), (10, 1))
    of = {(camera, person): rows for camera in range(1, 7) for person in range(1, 9)}
    trees.permutations(folder / "exp/rand_perm_cam.mat", of)


def elsewhere(folder: Path) -> None:
    (folder / "test/11/visible").rename(folder / "test/11/left")
    (folder / "test/11/infrared").rename(folder / "test/11/right")


def miscounted(folder: Path) -> None:
    permuted(folder)
    (folder / "cam3/0006/0002.jpg").unlink()
    shutil.rmtree(folder / "cam5/0001")


def relabelled(before: str, after: str) -> Callable[[Path], None]:
    """Another label in both training lists."""

    def change(folder: Path) -> None:
        for part in ("visible", "thermal"):
            rewritten(f"idx/train_{part}_1.txt", lambda s: s.replace(f"{before}\n", f"{after}\n"))(folder)

    return change


def listed_in_both(folder: Path) -> None:
    """A person of the training lists stands in place of the last one of the test lists."""
    for part in ("visible", "thermal"):
        trained = (folder / f"idx/train_{part}_1.txt").read_text().splitlines()[:2]
        lines = (folder / f"idx/test_{part}_1.txt").read_text().splitlines()[:-2]
        put(folder / f"idx/test_{part}_1.txt", "\n".join([*lines, *(line[:-1] + "2" for line in trained)]).encode())


def copied(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


FIRST = "Visible/1/male_back_v_00000_1.bmp 0\n"
MISTAKES = {
    "wrong root": ("regdb", without("Visible"), "has no Visible: expected Visible/, Thermal/ and idx/"),
    "no list": ("regdb", without("idx/test_thermal_1.txt"), "has no idx/test_thermal_1.txt"),
    "no picture": (
        "regdb",
        without("Visible/1"),
        "has no Visible/1/male_back_v_00000_1.bmp and 1 more, which its lists",
    ),
    "label out of range": (
        "regdb",
        relabelled(" 2", " 3"),
        r"idx/train_visible_1.txt, line 5: Visible/5/.*_5.bmp has label 3, expected 0 to 2 for the 3 identities of",
    ),
    "both halves": ("regdb", listed_in_both, "identity 1 is in the train and the test split: who was trained on can't"),
    "both folders": (
        "folder",
        lambda f: trees.picture(f / "test/3/visible/a.png", 99),
        "identity 3 is in the train and",
    ),
    "both splits, as numbers": (
        "folder",
        lambda f: trees.picture(f / "test/03/visible/a.png", 99),
        "two folders are the same number",
    ),
    "trained and tested": (
        "folder",
        lambda f: copied(f / "train/3/visible/cam1_1.png", f / "test/11/visible/cam1_1.png"),
        r"train/3/visible/cam1_1.png \(training\) and test/11/visible/cam1_1.png \(test\) are the same picture: wh",
    ),
    "two people": (
        "sysu_mm01",
        lambda f: [copied(f / f"cam1/0006/{n}.jpg", f / f"cam3/0007/{n}.jpg") for n in ("0001", "0002")],
        r"cam1/0006/0001.jpg of identity 6 and cam3/0007/0001.jpg of identity 7, both test, are the same picture "
        r"\(2 such pictures\): it shows one",
    ),
    "vast picture": (
        "folder",
        lambda f: put(f / "train/3/visible/cam1_1.png", trees.vast_png()),
        "train/3/visible/cam1_1.png has 60000 x 60000 pixels, more than 25 million, expected at most so",
    ),
    "no label": (
        "regdb",
        rewritten("idx/train_visible_1.txt", lambda s: s.replace(FIRST, "a b.bmp\n")),
        "line 1: 'a b.b",
    ),
    "outside": ("regdb", rewritten("idx/train_visible_1.txt", lambda s: "../x.bmp 0\n" + s), "line 1: .*leads out of"),
    "twice": ("regdb", rewritten("idx/train_visible_1.txt", lambda s: FIRST + s), "v_00000_1.bmp is listed twice"),
    "half a picture": (
        "regdb",
        cut("Visible/1/male_back_v_00000_1.bmp"),
        "can't be decoded, expected a whole .*: copy it again; RegDB is to be",
    ),
    "another label": (
        "regdb",
        rewritten("idx/train_visible_1.txt", lambda s: s.replace(FIRST, FIRST.replace(" 0", " 1"))),
        r"line 2: Visible/1/male_back_v_00001_1.bmp has label 0, expected one label for each identity of the train",
    ),
    "another person's file": ("regdb", another_persons_file, "line 1: .*00000_9.bmp is no visible picture"),
    "no pictures": (
        "regdb",
        rewritten("idx/test_visible_1.txt", lambda s: "\n"),
        "no visible picture in its test split",
    ),
    "binary list": (
        "regdb",
        lambda f: put(f / "idx/train_visible_1.txt", b"\xff\xfe"),
        "as a list",
    ),
    "both splits": (
        "sysu_mm01",
        rewritten("exp/test_id.txt", lambda s: "1," + s),
        "identity 1 is in the train and the te",
    ),
    "no number": ("sysu_mm01", rewritten("exp/val_id.txt", lambda s: "five,6\n"), "line 1: 'five' is no identity"),
    "empty list": ("sysu_mm01", rewritten("exp/val_id.txt", lambda s: "\n"), "val_id.txt is empty"),
    "no one there": (
        "sysu_mm01",
        rewritten("exp/test_id.txt", lambda s: "900\n"),
        "no visible picture in its test split",
    ),
    "no pictures of one": (
        "sysu_mm01",
        rewritten("exp/test_id.txt", lambda s: "900," + s),
        r"identity 900 of exp/test_id.txt has no picture by any camera \(1 such",
    ),
    "no one to train on": ("sysu_mm01", unseen, "identity 1 of exp/train_id.txt has no picture"),
    "only MATLAB's list": (
        "sysu_mm01",
        only_matlab,
        "has no exp/val_id.txt: the text file with the same numbers as exp/val_id.mat, expected cam1/",
    ),
    "other counts": (
        "sysu_mm01",
        miscounted,
        "cam3/0006 holds 1, expected 2 pictures and 1 more, by .*rand_perm_cam.mat",
    ),
    "no camera": ("sysu_mm01", without("cam3"), "has no cam3: expected cam1/ to cam6/"),
    "odd name": (
        "llcm",
        rewritten("idx/test_nir.txt", lambda s: "nir/0002/x.jpg 0\n" + s),
        "such as nir/0891/0891_c06",
    ),
    "endless numbers": (
        "llcm",
        rewritten("idx/test_nir.txt", lambda s: f"nir/0002/0002_c{'1' * 23}_x.jpg 0\n" + s),
        "line 1: .* is no infrared picture: expected nir/ID/ID_cCAMERA",
    ),
    "other people tested": (
        "llcm",
        lambda f: put(f / "idx/test_id.txt", b"0002,0004,0008"),
        r"identity 6 is in only one of idx/test_id.txt and the test lists \(2 such",
    ),
    "no end": ("folder", cut("train/3/visible/cam1_1.png", -3), "train/3/visible/cam1_1.png can't be decoded"),
    "other modalities": ("folder", elsewhere, "test/11 has no pictures below visible or infrared"),
    "one modality": ("folder", without("train/3/infrared"), "training identity 3 has no infrared picture"),
    "no split": ("folder", without("test"), "has no test: expected train/ID/visible"),
    "no people": ("folder", nobody, "test has no pictures"),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_every_mistake_is_named(mistake: str, tmp_path: Path) -> None:
    name, spoil, said = MISTAKES[mistake]
    trees.TREES[name](tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match=said) as raised:
        hicmd(["check", name, str(tmp_path), *(["--trial", "1"] if name == "regdb" else [])])
    assert "\n" not in str(raised.value)


def test_what_agrees_is_accepted(tmp_path: Path, capsys) -> None:
    permuted(trees.sysu_mm01(tmp_path / "sysu"))
    hicmd(["check", "sysu_mm01", str(tmp_path / "sysu")])
    put(trees.llcm(tmp_path / "llcm") / "idx/test_id.txt", b"0002,0006,0004")
    hicmd(["check", "llcm", str(tmp_path / "llcm")])
    assert capsys.readouterr().out.count("can be decoded") == 2


def test_other_names_trials_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trial is 11: regdb has trials 1 to 10"):
        DATA_SETS["regdb"].read(tmp_path, 11)
    with pytest.raises(UserError, match="is no folder"):
        DATA_SETS["llcm"].read(tmp_path / "nowhere")


HOSTILE = (
    "<script>alert(1)<",
    "a\tb\nc",
    "..x",
    "x" * 200,
    "C:\\windows\\x",
    "%2e%2e%2fx",
    "\x1b[2J",
    "$(touch sprung)",
)


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    folder = trees.own(tmp_path)
    shutil.rmtree(folder / "test")
    (folder / "test").write_text("")
    with pytest.raises(UserError, match="test is no folder: expected train/ID/visible"):
        DATA_SETS["folder"].read(folder)


def test_names_of_pictures_are_names_and_nothing_else(tmp_path: Path) -> None:
    folder = trees.own(tmp_path / "own")
    for name in HOSTILE:
        trees.picture(folder / "train" / "3" / "visible" / f"{name}.png", len(name))
    before = sorted(tmp_path.rglob("*"))
    names = {record.name for record in DATA_SETS["folder"].read(folder).records}
    assert names >= {f"train/3/visible/{name}.png" for name in HOSTILE}
    assert {record.name for record in anything(folder, None).records} == names and sorted(tmp_path.rglob("*")) == before


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = trees.own(tmp_path)
    (folder / "train/3/visible/cam1_1.png").rename(folder / "train/3/visible/caf\udce9.png")
    for found in (lambda: DATA_SETS["folder"].read(folder), lambda: anything(folder, None)):
        with pytest.raises(UserError, match=r"the name 'train/3/visible/caf\\udce9.png' is not in UTF-8: rename"):
            found()


@needs_protocols
@pytest.mark.parametrize(
    ("name", "folder", "trial"), [("regdb", "RegDB", 1), ("regdb", "RegDB", 10), ("llcm", "LLCM", 1)]
)
def test_real_lists_have_the_known_counts(name: str, folder: str, trial: int, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(PROTOCOLS / folder / "idx", tmp_path / "idx")
    for part in ("Visible", "Thermal", "vis", "nir"):
        (tmp_path / part).mkdir()
    monkeypatch.setattr(Path, "is_file", lambda file: True)  # as if all pictures were there
    listing = DATA_SETS[name].read(tmp_path, trial)
    assert check.table(listing, DATA_SETS[name].counts).count("the same") == 4


@needs_protocols
def test_sysus_real_lists_and_permutations_have_the_known_counts() -> None:
    from hicmd_tf.data.sources.records import numbers
    from hicmd_tf.data.sources.sysu_mm01 import read_permutations

    lists = {split: numbers(PROTOCOLS / f"SYSU-MM01/exp/{split}_id.txt") for split in ("train", "val", "test")}
    known = DATA_SETS["sysu_mm01"].counts
    assert {split: len(people) for split, people in lists.items()} == {s: known[s, "visible"][0] for s in lists}
    permutations = read_permutations(PROTOCOLS / "SYSU-MM01/official_mat/rand_perm_cam.mat")
    for split, people in lists.items():
        pictures = {c: sum(len(permutations.get((c, i), [[]])[0]) for i in people) for c in range(1, 7)}
        assert sum(pictures[c] for c in (1, 2, 4, 5)) == known[split, "visible"][1]
        assert sum(pictures[c] for c in (3, 6)) == known[split, "infrared"][1]
