"""Reading what people have: which pictures, whose, by which camera; and one line for whatever is wrong."""

import contextlib
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.commands.fit import _options
from hicmd_tf.config import Config, load
from hicmd_tf.config.command_line import parse
from hicmd_tf.data import check
from hicmd_tf.data.batches import BatchPlanner, fitting
from hicmd_tf.data.identity_batches import IdentityPlanner
from hicmd_tf.data.sources import DATA_SETS, Record, in_folders
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.data.sources.records import numbers, read_pictures
from hicmd_tf.data.sources.sysu_mm01 import read_permutations
from hicmd_tf.errors import UserError

CPU_LINE, EMBEDDING_LINE = -5, -3  # of what check prints, the commands that train embedding networks
PROTOCOLS = Path(__file__).parents[3] / "shared" / "protocols"
needs_protocols = pytest.mark.skipif(not PROTOCOLS.is_dir(), reason="the data sets' real lists are not here")


def checked(name: str, folder: Path) -> None:
    hicmd(["check", name, str(folder), *(["--trial", "1"] if name == "regdb" else [])])


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


def suggested(printed: str, line: int = -1) -> tuple[Config, list[str]]:
    """The configuration of the command that `check` ends with, by `fit`'s own checks, and the command's words."""
    program, command, *words = shlex.split(printed.splitlines()[line])
    assert (program, command) == ("hicmd", "fit")
    return parse("hicmd fit", "", words, _options, {})[0], words


@pytest.mark.filterwarnings("ignore:cameras 1, 2 took")
@pytest.mark.parametrize("name", in_folders())
def test_check_ends_with_a_table_and_commands_that_fit_takes(name: str, tmp_path: Path, capsys) -> None:
    folder = trees.TREES[name](tmp_path / "my pictures")
    checked(name, folder)
    printed = capsys.readouterr().out
    *lines, verdict, _, _, _, _, _, _ = printed.splitlines()
    assert "can be decoded" in verdict and lines[-1] == ""
    rows = [line.split()[:2] for line in lines[lines.index(name if name != "regdb" else "regdb, trial 1", 1) + 1 : -1]]
    assert rows[0] == ["split", "modality"] and ["test", "infrared"] in rows
    config, words = suggested(printed)
    assert config.data.name == name and config.data.source == str(folder)
    assert (config.data.trial == 1 and "--data.trial" in words) == (name == "regdb")
    train, _, _ = DATA_SETS[name].divided(config.data)
    people = len(np.unique(train.identities))
    BatchPlanner(train, config.batch, 8, 4, seed=0).plan(0)
    assert people - (config.batch.pairs + 2 * config.batch.negatives) in (0, 1)  # nobody is left out who could be in
    strong, again = suggested(printed, EMBEDDING_LINE)
    assert strong.method == "embedding" and strong.networks.resnet_weights == "imagenet"
    assert [strong.data.name, strong.data.source, strong.data.trial] == [name, str(folder), config.data.trial]
    assert strong.embedding.people == people == len(set(IdentityPlanner(train, strong).plan(0).labels["visible"]))
    assert again[-1] == words[-1] + "_strong"
    small, cpu = suggested(printed, CPU_LINE)
    assert [small.data.name, small.data.source, small.data.trial] == [name, str(folder), config.data.trial]
    assert small.embedding.people == people == len(set(IdentityPlanner(train, small).plan(0).labels["visible"]))
    assert small.embedding.widths[-1] < strong.embedding.widths[-1] and cpu[-1] == words[-1] + "_tiny_strong"


@pytest.mark.filterwarnings("ignore:cameras 1, 2 took")
def test_check_suggests_all_trials_and_repeats_what_it_was_given(tmp_path: Path, capsys) -> None:
    regdb = trees.regdb(tmp_path / "regdb")
    for trial in range(2, 11):
        trees.regdb(regdb, trial=trial)
    hicmd(["check", "regdb", str(regdb)])
    printed = capsys.readouterr().out
    for line in (CPU_LINE, EMBEDDING_LINE, -1):
        _, words = suggested(printed, line)
        assert words[words.index("--trials") + 1] == "1-10" and "--data.trial" not in words
    own = trees.own(tmp_path / "-own", ("a", "b", "c d", "e"))
    pattern = r"-?(?P<split>train|test)/(?P<identity>[^/]+)/(?P<modality>[^/]+)/"
    with contextlib.chdir(tmp_path):
        hicmd(["check", "folder", "--sixteen-bit", "1%-99%", f"--pattern={pattern}", "--", own.name])
        printed = capsys.readouterr().out
    for line in (CPU_LINE, EMBEDDING_LINE, -1):
        data = suggested(printed, line)[0].data
        assert (data.source, data.pattern, data.sixteen_bit) == ("-own", pattern, "1%-99%")


@pytest.mark.parametrize("name", in_folders())
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--config tiny_strong --embedding.people 500 --steps 40", "a batch of 500 people needs as many training"),
        ("--config tiny_strong --embedding.people 2 --data.held_out 500", "data.held_out is 500"),
        ("--config tiny --batch.pairs 500 --batch.negatives 0", "a batch of 500 pairs and 2 x 0 negatives needs 500"),
    ],
)
def test_fit_refuses_a_batch_of_more_people_than_train_after_a_look_at_the_folder(
    name: str, words: str, said: str, tmp_path: Path, capsys
) -> None:
    folder = trees.TREES[name](tmp_path / "pictures")
    settings = ["--data.name", name, "--data.source", str(folder)]
    train, _, _ = DATA_SETS[name].divided(load("tiny", {"data.name": name, "data.source": str(folder)}).data)
    people = len(np.unique(train.identities))
    with pytest.raises(UserError, match=f"{said}.*( identities, there are {people}: |: of {people} training people)"):
        hicmd(["fit", *words.split(), *settings, "--run", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists() and capsys.readouterr().err == ""


@pytest.mark.parametrize(("people", "batch"), [(1, (1, 0)), (5, (4, 0)), (10, (4, 3)), (84, (4, 40)), (1000, (4, 40))])
def test_a_batch_has_as_many_people_as_there_are_to_a_bound(people: int, batch: tuple[int, int]) -> None:
    assert fitting(people, 4, 40) == batch


def test_own_pictures_of_ten_people_are_enough_for_its_configuration() -> None:
    batch = load("own").batch
    assert (batch.pairs, batch.negatives) == fitting(10, batch.pairs, DATA_SETS["folder"].negatives)
    assert load("own_strong").embedding.people <= 10


def put(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()

    return remove


def rewritten(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda folder: put(folder / name, change((folder / name).read_text()).encode())


def copied(source: str, target: str) -> Callable[[Path], None]:
    return lambda folder: put(folder / target, (folder / source).read_bytes())


def cut(name: str, end: int = 150) -> Callable[[Path], None]:
    return lambda folder: put(folder / name, (folder / name).read_bytes()[:end])


def added(name: str) -> Callable[[Path], None]:
    return lambda folder: trees.picture(folder / name, 99)


def listed_in_both(folder: Path) -> None:
    """A person of the training lists stands in the test lists, too."""
    for part in ("visible", "thermal"):
        lines = (folder / f"idx/train_{part}_1.txt").read_text().splitlines()[:2]
        rewritten(f"idx/test_{part}_1.txt", lambda s, lines=lines: "\n".join([*s.splitlines(), *lines]))(folder)


def permuted(folder: Path) -> None:
    of = {(camera, person): np.tile([1, 2], (10, 1)) for camera in range(1, 7) for person in range(1, 9)}
    trees.permutations(folder / "exp/rand_perm_cam.mat", of)


def miscounted(folder: Path) -> None:
    permuted(folder)
    (folder / "cam2/0006/0002.jpg").unlink()


FIRST = "Visible/1/male_back_v_00000_1.bmp 0\n"
NUMBERED = "train/3/visible/cam1_1.png"
MISTAKES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "wrong root": ("regdb", without("Visible"), "has no Visible: expected Visible/, Thermal/ and idx/"),
    "no list": ("regdb", without("idx/test_thermal_1.txt"), "has no idx/test_thermal_1.txt"),
    "no picture": (
        "regdb",
        without("Visible/1"),
        "there is no Visible/1/male_back_v_00000_1.bmp and 1 more, which its lists",
    ),
    "no label": (
        "regdb",
        rewritten("idx/train_visible_1.txt", lambda s: s.replace(FIRST, "a b.bmp\n")),
        "idx/train_visible_1.txt, line 1: 'a b.b",
    ),
    "outside": (
        "regdb",
        rewritten("idx/train_visible_1.txt", lambda s: "../x.bmp 0\n" + s),
        r"line 1: '../x.bmp 0': expected a visible picture's path below Visible, which",
    ),
    "twice": ("regdb", rewritten("idx/train_visible_1.txt", lambda s: FIRST + s), "v_00000_1.bmp is listed twice"),
    "both halves": ("regdb", listed_in_both, "identity 1 is in the train and the test split: who was trained on can't"),
    "no pictures": (
        "regdb",
        rewritten("idx/test_visible_1.txt", lambda s: "\n"),
        "no visible picture in its test split",
    ),
    "binary list": ("regdb", lambda f: put(f / "idx/train_visible_1.txt", b"\xff\xfe"), "not a text file in UTF-8"),
    "half a picture": (
        "regdb",
        cut("Visible/1/male_back_v_00000_1.bmp"),
        "can't be decoded, expected a whole .*: repl",
    ),
    "two people": (
        "sysu_mm01",
        lambda f: [copied(f"cam1/0006/{n}.jpg", f"cam3/0007/{n}.jpg")(f) for n in ("0001", "0002")],
        r"cam1/0006/0001.jpg of identity 6 and cam3/0007/0001.jpg of identity 7, both test, are the same picture "
        r"\(2 such pictures\): it shows one",
    ),
    "both splits": (
        "sysu_mm01",
        rewritten("exp/test_id.txt", lambda s: "1," + s),
        "identity 1 is in the train and the te",
    ),
    "no number": ("sysu_mm01", rewritten("exp/val_id.txt", lambda s: "five,6\n"), "line 1: 'five' is no identity"),
    "empty list": ("sysu_mm01", rewritten("exp/val_id.txt", lambda s: "\n"), "val_id.txt is empty"),
    "no pictures of one": (
        "sysu_mm01",
        rewritten("exp/test_id.txt", lambda s: "900," + s),
        r"identity 900 of exp/test_id.txt has no picture by any camera \(1 such",
    ),
    "no list of people": ("sysu_mm01", without("exp/val_id.txt"), "has no exp/val_id.txt: expected cam1/"),
    "other counts": ("sysu_mm01", miscounted, "rand_perm_cam.mat knows 2 pictures of identity 6 by camera 2, the data"),
    "no camera": ("sysu_mm01", without("cam3"), "has no cam3: expected cam1/ to cam6/"),
    "odd name": (
        "llcm",
        rewritten("idx/test_nir.txt", lambda s: "nir/0002/x.jpg 0\n" + s),
        "line 1: 'nir/0002/x.jpg 0': expected an? infrared picture's path below nir",
    ),
    "both folders": ("folder", added("test/3/visible/a.png"), "identity 3 is in the train and"),
    "both splits, as numbers": ("folder", added("test/03/visible/a.png"), "two folders are the same number"),
    "trained and tested": (
        "folder",
        copied(NUMBERED, "test/11/visible/cam1_1.png"),
        rf"{NUMBERED} \(training\) and test/11/visible/cam1_1.png \(test\) are the same picture: wh",
    ),
    "both modalities": (
        "folder",
        copied("test/11/visible/cam1_1.png", "test/11/infrared/cam1_1.png"),
        r"\(infrared\) and .* \(visible\) of identity 11, both test, are the same",
    ),
    "vast picture": (
        "folder",
        lambda f: put(f / NUMBERED, trees.vast_png()),
        f"{NUMBERED} has 60000 x 60000 pixels, more than 25 million, expected at most so",
    ),
    "no end": ("folder", cut(NUMBERED, -3), f"picture {NUMBERED} can't be decoded, .*: replace it or take it out"),
    "other modalities": (
        "folder",
        lambda f: [(f / f"test/{n}/visible").rename(f / f"test/{n}/left") for n in (11, 12)],
        "no visible picture in its test split",
    ),
    "one modality": ("folder", without("train/3/infrared"), "no infrared picture of training identity 3"),
    "no split": ("folder", without("test"), "has no test: expected train/ID/visible"),
    "no people": (
        "folder",
        without("test/11", "test/12"),
        "the split test has no pictures .*: expected train/ID/visible.*; put your",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_every_mistake_is_named(mistake: str, tmp_path: Path) -> None:
    name, spoil, said = MISTAKES[mistake]
    spoil(trees.TREES[name](tmp_path))
    with pytest.raises(UserError, match=said) as raised:
        checked(name, tmp_path)
    assert "\n" not in str(raised.value)


def test_permutations_that_agree_are_accepted(tmp_path: Path, capsys) -> None:
    permuted(trees.sysu_mm01(tmp_path))
    checked("sysu_mm01", tmp_path)
    assert "can be decoded" in capsys.readouterr().out


def test_other_trials_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trial is 11: regdb has trials 1 to 10"):
        DATA_SETS["regdb"].read(tmp_path, 11)
    with pytest.raises(UserError, match="is no folder"):
        DATA_SETS["llcm"].read(tmp_path / "nowhere")


def test_names_of_pictures_are_names_and_nothing_else(tmp_path: Path) -> None:
    hostile = ("<b>alert<", "a\tb\nc", "..x", "x" * 200, "C:\\windows\\x", "%2e%2e%2fx", "\x1b[2J", "$(touch sprung)")
    folder = trees.own(tmp_path / "own")
    for name in hostile:
        trees.picture(folder / "train" / "3" / "visible" / f"{name}.png", len(name))
    before = sorted(tmp_path.rglob("*"))
    names = {record.name for record in DATA_SETS["folder"].read(folder).records}
    assert names >= {f"train/3/visible/{name}.png" for name in hostile}
    assert {record.name for record in anything(folder, None).records} == names and sorted(tmp_path.rglob("*")) == before


@needs_protocols
@pytest.mark.parametrize(
    ("name", "folder", "trial"), [("regdb", "RegDB", 1), ("regdb", "RegDB", 10), ("llcm", "LLCM", 1)]
)
def test_real_lists_have_the_known_counts(name: str, folder: str, trial: int, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(PROTOCOLS / folder / "idx", tmp_path / "idx")
    for part in ("Visible", "Thermal", "vis", "nir"):
        (tmp_path / part).mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("hicmd_tf.data.sources.records.Path.is_file", lambda file: True)  # as if all pictures were there
        listing = DATA_SETS[name].read(tmp_path, trial)
    splits = {split: read_pictures(tmp_path, records) for split, records in listing.splits.items()}
    assert check.table(splits, DATA_SETS[name].counts).count("the same") == 4


@needs_protocols
def test_sysus_real_lists_and_permutations_have_the_known_counts() -> None:
    lists = {split: numbers(PROTOCOLS / f"SYSU-MM01/exp/{split}_id.txt") for split in ("train", "val", "test")}
    known = DATA_SETS["sysu_mm01"].counts
    assert {split: len(people) for split, people in lists.items()} == {s: known[s, "visible"][0] for s in lists}
    permutations = read_permutations(PROTOCOLS / "SYSU-MM01/official_mat/rand_perm_cam.mat")
    for split, people in lists.items():
        pictures = {c: sum(len(permutations.get((c, i), [[]])[0]) for i in people) for c in range(1, 7)}
        assert sum(pictures[c] for c in (1, 2, 4, 5)) == known[split, "visible"][1]
        assert sum(pictures[c] for c in (3, 6)) == known[split, "infrared"][1]
