"""pictures.csv: the same people, cameras and splits as paths would say, wherever the pictures lie."""

from pathlib import Path

import drawn_trees as trees
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.data.labels import number, shown
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.data.sources.table import TABLE, whom
from hicmd_tf.errors import UserError

FOLDER = DATA_SETS["folder"]
HEAD = "path,modality,identity,camera,split"


def written(folder: Path, *lines: str, head: str = HEAD) -> Path:
    (folder / TABLE).write_text("\n".join([head, *lines, ""]), "utf-8")
    return folder


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A tree of own pictures thrown into one folder, with a table of what its paths said."""
    tree, heap, lines = trees.own(tmp_path / "tree", ("anna", "bob", "cleo", "dan")), tmp_path / "heap", []
    for place, file in enumerate(sorted(tree.rglob("*.png"))):
        split, who, modality, name = file.relative_to(tree).parts
        target = heap / f"2026/{place:02d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
        lines.append(f"2026/{place:02d}.png,{modality},{who},{name[3]},{split}")
    return written(heap, *lines)


def test_what_the_table_says_is_what_paths_would_have_said(listed: Path, tmp_path: Path) -> None:
    tree = trees.own(tmp_path / "again", ("anna", "bob", "cleo", "dan"))
    ours, theirs = FOLDER.read(listed), FOLDER.read(tree)
    for split in ("train", "test"):
        assert [one[1:] for one in ours.splits[split]] == [one[1:] for one in theirs.splits[split]]
    assert ours.texts == theirs.texts and ours.passed == []
    assert ours.taken[0] == f"identities: 4 by {TABLE}, such as cleo in 2026/00.png"
    assert sorted(anything(listed, None).records) == sorted(ours.records)


def test_nobody_unnamed_cameras_quotes_and_other_spellings_are_read(tmp_path: Path) -> None:
    for name in ("a.png", "b, c.png", "d.png", "e.png"):
        trees.picture(tmp_path / name, seed=1)
    written(
        tmp_path,
        " a.png , RGB,anna",
        '"b, c.png",thermal,',
        "./d.png,ir,unknown",
        "",
        head="\ufeffPath,Modality,identity",
    )
    listing = anything(tmp_path, None)
    found = {one.name: (shown(one.identity, listing.texts), one.modality, one.camera) for one in listing.records}
    assert found == {
        "a.png": ("anna", "visible", 1),
        "b, c.png": ("unknown", "infrared", 2),
        "d.png": ("unknown", "infrared", 2),
    }
    assert listing.passed == [f"1 file passed over: e.png (not in {TABLE})"]
    with pytest.raises(UserError, match=f"{TABLE} has no column split: say of each picture train or test"):
        FOLDER.read(tmp_path)


@pytest.mark.parametrize(
    ("lines", "head", "said"),
    [
        (["1.png,visible"], "path,modality", "it has no column identity: expected a first line of path, modality"),
        (
            ["1.png,visible,anna"],
            "path,modalty,identity",
            r"unknown column 'modalty' \(nearest: modality\); modality is missing",
        ),
        (["1.png,visible,anna"], "Pfad,modality,identity", "unknown column 'pfad'; path is missing"),
        (["1.png;visible;anna"], "path;modality;identity", "semicolons between them: expected .* with commas"),
        (["1.png\tvisible\tanna"], "path\tmodality\tidentity", "tabs between them"),
        (["1.png,visible,anna,1,train"], f"{HEAD},colour", "unknown column 'colour'"),
        (["1.png,visible,anna,1,train"], f"{HEAD},path", "the column path twice"),
        (["1.png,green,anna,1,train"], HEAD, "line 2: modality is 'green': expected visible or infrared"),
        (["1.png,visible,anna,1,val"], HEAD, "line 2: split is 'val': expected train or test"),
        (["1.png,visible,anna,1,train", "2.png,visible,anna,1,train"], HEAD, "line 3: there is no picture '2.png'"),
        (["1.png,visible,anna,1,train"] * 2, HEAD, "line 3: 1.png is listed twice"),
        (["1.png,visible,anna"], HEAD, "line 2 has 3 columns, expected 5"),
        (['"1.png,visible,anna,1,train'], HEAD, "line 2: .* quote a text"),
        ([], HEAD, "lists no picture"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(lines: list[str], head: str, said: str, tmp_path: Path) -> None:
    trees.picture(tmp_path / "1.png", seed=1)
    written(tmp_path, *lines, head=head)
    for read in (lambda: FOLDER.read(tmp_path), lambda: anything(tmp_path, None)):
        with pytest.raises(UserError, match=f"{TABLE}.*{said}"):
            read()


def test_a_pattern_and_another_modality_beside_it_are_refused(listed: Path) -> None:
    with pytest.raises(UserError, match=rf"{TABLE} and data\.pattern both say"):
        FOLDER.read(listed, pattern="(?P<identity>.)")
    with pytest.raises(UserError, match=f"is infrared by .*{TABLE}, but --modality says visible"):
        anything(listed, "visible")


def test_a_single_picture_is_what_the_nearest_table_that_lists_it_says(tmp_path: Path) -> None:
    inner, outer = tmp_path / "visible" / "inner", tmp_path
    inner.mkdir(parents=True)
    written(outer, "visible/inner/1.png,ir,bob", "visible/inner/2.png,ir,", head="path,modality,identity")
    written(inner, "1.png,ir,anna", head="path,modality,identity")
    assert [whom(inner / name, "infrared")[0] for name in ("1.png", "2.png")] == ["anna", None]
    assert whom(inner / "1.png", None) == ("anna", "infrared")
    with pytest.raises(UserError, match=f"1.png is infrared by {inner / TABLE}, but visible is said"):
        whom(inner / "1.png", "visible")
    assert (
        whom(inner / "3.png", "visible") == whom(inner / "3.png", None) == ("inner", "visible")
    )  # which no table lists, but its path says so
    with pytest.raises(UserError, match="lies in a folder of visible pictures"):
        whom(inner / "3.png", "infrared")
    written(inner, "1.png,rgb,cleo", head="path,modality,identity,")  # none of ours
    assert whom(inner / "1.png", "infrared")[0] == "bob"
    written(inner, "1.png,green,cleo", head="path,modality,identity")  # of which the line is not understood
    with pytest.raises(UserError, match="line 2: modality is 'green'"):
        whom(inner / "1.png", "infrared")
    with pytest.raises(UserError, match=r"neither the path of .*4\.png nor a table says its modality: give --modality"):
        whom(outer / "4.png", None)


def test_a_table_below_the_folder_is_named_with_what_to_do(listed: Path) -> None:
    said = f"heap/{TABLE} is not read: .* name that folder, or move the table"
    for read in (lambda: anything(listed.parent, "visible"), lambda: FOLDER.read(listed.parent)):
        with pytest.raises(UserError, match=said):
            read()
    with pytest.warns(UserWarning, match=said):  # for a pattern says what the pictures are
        assert not [line for line in anything(listed.parent, "visible", "(?P<identity>heap)").passed if TABLE in line]
    written(listed, head="title,size")
    with pytest.warns(UserWarning, match=said):  # which is none
        anything(listed.parent, "visible")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_table_above_the_folder_says_what_it_says_of_the_whole(
    depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path.joinpath(*("2026", "11", "01")[:depth])
    below = folder.relative_to(tmp_path).as_posix()
    lines = []
    for place, name in enumerate(("a.png", "b.png", "c/d.png")):
        trees.picture(folder / name, seed=place)
        lines.append(f"{below}/{name},{('ir', 'rgb', 'ir')[place]},{('kira', 'bob', '')[place]},,,t{place}")
    trees.picture(tmp_path / "other.png", seed=9)
    trees.picture(folder / "not listed.png", seed=8)
    head = "path,modality,identity,camera,time,track"
    written(tmp_path, *lines, "other.png,rgb,kira,gate,,", head=head)
    whole = anything(tmp_path, None)
    monkeypatch.chdir(folder)
    (tmp_path / "link").symlink_to(folder)
    for given in (folder, Path(), tmp_path / "link"):
        part = anything(given, None)
        named = [record._replace(name=f"{below}/{record.name}") for record in part.records]
        assert named == [record for record in whole.records if record.name != "other.png"]
        assert part.labelled_in == whole.labelled_in == tmp_path
        assert part.taken[0] == f"{tmp_path / TABLE} says what these pictures are"
        assert part.passed == [f"1 file passed over: not listed.png (not in {TABLE})"]
        with pytest.raises(UserError, match=f"a.png is infrared by {tmp_path / TABLE}, but --modality says visible"):
            anything(given, "visible")
        with pytest.raises(UserError, match=f"{tmp_path / TABLE} and --pattern both say"):
            anything(given, None, "(?P<identity>.)")
        with pytest.raises(UserError, match=f"{tmp_path / TABLE} has no column split"):
            FOLDER.read(given)
    (folder / "a.png").unlink()
    with pytest.raises(UserError, match=f"{TABLE}, line 2: there is no picture 'a.png' below"):
        anything(folder, None)


def test_a_table_above_that_lists_nothing_below_the_folder_or_is_none_says_nothing(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    trees.picture(inner / "1.png", seed=1)
    trees.picture(tmp_path / "2.png", seed=2)
    written(tmp_path, "2.png,ir,anna", head="path,modality,identity")
    listing = anything(inner, "visible")
    assert [record.modality for record in listing.records] == ["visible"] and listing.labelled_in is None
    written(tmp_path / "a", head="title,size")
    with pytest.warns(UserWarning, match=rf"a/{TABLE}: unknown column 'title'.* it is not read with"):
        anything(inner, "visible")


def test_a_table_of_another_spelling_and_absolute_paths_are_named(tmp_path: Path) -> None:
    trees.picture(tmp_path / "1.png", seed=1)
    (written(tmp_path, "1.png,ir,anna", head="path,modality,identity") / TABLE).rename(tmp_path / "Pictures.csv")
    with pytest.raises(UserError, match=r"Pictures\.csv is not read: a table is called pictures\.csv, in small"):
        anything(tmp_path, "visible")
    (tmp_path / "Pictures.csv").unlink()
    written(tmp_path, f"{tmp_path}/1.png,ir,anna", head="path,modality,identity")
    with pytest.raises(UserError, match=f"line 2: .* is absolute: write it as it is below {tmp_path}"):
        anything(tmp_path, None)


def test_who_names_a_split_of_a_tree_is_told_the_folder_above(tmp_path: Path) -> None:
    tree = trees.own(tmp_path / "tree", ("anna", "bob", "cleo", "dan"))
    with pytest.raises(UserError, match=f"test has no train: name the folder above it, {tree}"):
        FOLDER.read(tree / "test")


def test_check_takes_it(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="took pictures of one person in both modalities"):
        hicmd(["check", "folder", str(listed)])
    printed = capsys.readouterr().out
    assert f"by {TABLE}" in printed and "hicmd fit" in printed
    assert number("anna") in {record.identity for record in FOLDER.read(listed).splits["train"]}
