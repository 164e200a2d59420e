"""Reading what people have: which pictures, whose, by which camera; and one line for whatever is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import drawn_trees as trees
import pytest

from hicmd_tf.data import check
from hicmd_tf.data.sources import SOURCES, Record, read
from hicmd_tf.errors import UserError

PROTOCOLS = Path(__file__).parents[3] / "shared" / "protocols"
needs_protocols = pytest.mark.skipif(not PROTOCOLS.is_dir(), reason="the data sets' real lists are not here")


def test_regdb_identities_are_folders_not_labels(tmp_path: Path) -> None:
    splits = read("regdb", trees.regdb(tmp_path)).splits
    assert {record.identity for record in splits["train"]} == {1, 3, 5}
    assert {record.identity for record in splits["test"]} == {2, 4, 6}
    assert splits["train"][0] == Record("Thermal/1/male_back_t_00000_1.bmp", 1, "infrared", 2)
    assert {record.camera for record in splits["test"] if record.modality == "visible"} == {1}


def test_sysu_modality_is_the_cameras(tmp_path: Path) -> None:
    splits = read("sysu_mm01", trees.sysu_mm01(tmp_path)).splits
    assert [len(splits[split]) for split in ("train", "val", "test")] == [48, 12, 36]
    infrared = {record.camera for records in splits.values() for record in records if record.modality == "infrared"}
    assert infrared == {3, 6}
    assert splits["test"][0] == Record("cam1/0006/0001.jpg", 6, "visible", 1)


def test_llcm_cameras_are_in_the_names(tmp_path: Path) -> None:
    splits = read("llcm", trees.llcm(tmp_path)).splits
    assert splits["test"][0] == Record("nir/0002/0002_c01_s100_f2_nir.jpg", 2, "infrared", 1)


def test_own_pictures_keep_numbers_and_get_some(tmp_path: Path) -> None:
    splits = read("folder", trees.own(tmp_path / "numbers")).splits
    assert {record.identity for record in splits["test"]} == {11, 12}
    assert {record.camera for record in splits["test"]} == {1, 2}
    named = read("folder", trees.own(tmp_path / "names", ("ann", "7", "zoe", "bob"))).splits
    assert {record.identity for record in named["test"]} == {2, 3}  # 7, ann, bob, zoe


@pytest.mark.parametrize("name", list(SOURCES))
def test_check_prints_a_table(name: str, tmp_path: Path, capsys) -> None:
    trees.TREES[name](tmp_path)
    check.main([name, str(tmp_path), *(["--trial", "1"] if name == "regdb" else [])])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["split", "modality"] and "can be decoded" in lines[-1]
    assert any(line.split()[:2] == ["test", "infrared"] for line in lines)


def test_check_says_what_is_known(tmp_path: Path, capsys) -> None:
    check.main(["regdb", str(trees.regdb(tmp_path, 412, 10)), "--trial", "1"])
    assert capsys.readouterr().out.count("the same") == 4


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


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: put(folder / name, (folder / name).read_bytes()[:150])


FIRST = "Visible/1/male_back_v_00000_1.bmp 0\n"
MISTAKES = {
    "wrong root": ("regdb", without("Visible"), "has no Visible: expected Visible/, Thermal/ and idx/"),
    "no list": ("regdb", without("idx/test_thermal_1.txt"), "has no idx/test_thermal_1.txt"),
    "no picture": (
        "regdb",
        without("Visible/1"),
        "has no Visible/1/male_back_v_00000_1.bmp and 1 more, which its lists",
    ),
    "no label": (
        "regdb",
        rewritten("idx/train_visible_1.txt", lambda s: s.replace(FIRST, "a b.bmp\n")),
        "line 1: 'a b.b",
    ),
    "outside": ("regdb", rewritten("idx/train_visible_1.txt", lambda s: "../x.bmp 0\n" + s), "line 1: .*leads out of"),
    "other folder": (
        "regdb",
        rewritten("idx/train_visible_1.txt", lambda s: "Thermal/1/x.bmp 0\n" + s),
        "no visible pict",
    ),
    "twice": ("regdb", rewritten("idx/train_visible_1.txt", lambda s: FIRST + s), "v_00000_1.bmp is listed twice"),
    "half a picture": (
        "regdb",
        cut("Visible/1/male_back_v_00000_1.bmp"),
        "can't be decoded: copy it again; RegDB is to be",
    ),
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
    "no camera": ("sysu_mm01", without("cam3"), "has no cam3: expected cam1/ to cam6/"),
    "odd name": (
        "llcm",
        rewritten("idx/test_nir.txt", lambda s: "nir/0002/x.jpg 0\n" + s),
        "such as nir/0891/0891_c06",
    ),
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
        check.main([name, str(tmp_path), *(["--trial", "1"] if name == "regdb" else [])])
    assert "\n" not in str(raised.value)


def test_other_names_trials_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no data set regbd \(nearest: regdb\)"):
        read("regbd", tmp_path)
    with pytest.raises(UserError, match="trial is 11: regdb has trials 1 to 10"):
        read("regdb", tmp_path, 11)
    with pytest.raises(UserError, match="is no folder"):
        read("llcm", tmp_path / "nowhere")


@needs_protocols
@pytest.mark.parametrize("trial", [1, 10])
def test_regdbs_real_lists_have_the_known_counts(trial: int, tmp_path: Path) -> None:
    shutil.copytree(PROTOCOLS / "RegDB" / "idx", tmp_path / "idx")
    names = [
        line.split()[0] for file in (tmp_path / "idx").glob(f"*_{trial}.txt") for line in file.read_text().splitlines()
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert check.table(read("regdb", tmp_path, trial), SOURCES["regdb"].counts).count("the same") == 4


@needs_protocols
def test_llcms_real_lists_have_the_known_counts(tmp_path: Path) -> None:
    shutil.copytree(PROTOCOLS / "LLCM" / "idx", tmp_path / "idx")
    for file in (tmp_path / "idx").glob("t*_*.txt"):
        for line in file.read_text().splitlines() if "id" not in file.stem else []:
            path = tmp_path / line.split()[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert check.table(read("llcm", tmp_path), SOURCES["llcm"].counts).count("the same") == 4


@needs_protocols
def test_sysus_real_lists_and_permutations_have_the_known_test_counts() -> None:
    from hicmd_tf.data.sources.records import numbers
    from hicmd_tf.retrieval.galleries import read_permutations

    lists = {split: numbers(PROTOCOLS / f"SYSU-MM01/exp/{split}_id.txt") for split in ("train", "val", "test")}
    known = SOURCES["sysu_mm01"].counts
    assert {split: len(people) for split, people in lists.items()} == {s: known[s, "visible"][0] for s in lists}
    permutations = read_permutations(PROTOCOLS / "SYSU-MM01/official_mat/rand_perm_cam.mat")
    pictures = {c: sum(len(permutations.get((c, i), [[]])[0]) for i in lists["test"]) for c in range(1, 7)}
    assert sum(pictures[c] for c in (1, 2, 4, 5)) == known["test", "visible"][1]
    assert sum(pictures[c] for c in (3, 6)) == known["test", "infrared"][1]
