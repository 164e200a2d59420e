"""Folders of data sets: lists with broken lines, files and folders that are missing or something else."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Material, Target
from bench.fuzzing.damage import blows, broken, told
from bench.fuzzing.places import LINKED, PLACES
from bench.fuzzing.whole import copied

KIND = "data set"

LISTS = {
    "regdb": ("idx/train_visible_1.txt", "idx/train_thermal_1.txt", "idx/test_visible_1.txt", "idx/test_thermal_1.txt"),
    "sysu_mm01": ("exp/train_id.txt", "exp/val_id.txt", "exp/test_id.txt"),
    "llcm": ("idx/train_vis.txt", "idx/train_nir.txt", "idx/test_vis.txt", "idx/test_nir.txt"),
}
LINES = (
    *("", " ", "x", "0", "-1", "9" * 9, "9" * 30, "9" * 5000, "1,2,3", ",", "1.5", "nan", "../../etc/passwd 0", "\0"),
    *("/etc/passwd 0", "Visible/1 0", "Visible/1/ 0", "Visible/../Thermal/1/a.bmp 0", "vis/0001/../x.jpg 0", "²", "१"),
    *("C:\\data\\x.bmp 0", "Visible\\1\\x.bmp 0", "Visible/1/a b c.bmp 0", "Visible/999/x_999.bmp 0", "\x1b[31m", "…"),
    *("Visible/1/male_back_v_00000_1.bmp -1", "Visible/1/male_back_v_00000_1.bmp 1e3", "\ufeff0", "1;2", "x" * 5000),
    *("Visible/1/male_back_v_00000_1.bmp " + "9" * 12, "vis/0001/0001_c" + "9" * 30 + "_s1_f1_vis.jpg 0"),
    *("vis/" + "9" * 30 + "/" + "9" * 30 + "_c1_s_f.jpg 0", "Visible/1/male_back_v_00000_2.bmp 0", "2147483648"),
)
NAMES = (
    "cam" + "9" * 30 + ".png",
    "c0_1.png",
    "x" * 200 + ".png",
    "a\nb.png",
    os.fsdecode(b"\xff.png"),
    ".png",
    "é.png",
)

Break = Callable[[Path], None]


def _lines_of(file: Path, how: str, at: float, line: str) -> None:
    lines = file.read_text().splitlines()
    place = min(int(at * len(lines)), len(lines) - 1)
    if how == "replace":
        lines[place] = line
    elif how == "insert":
        lines.insert(place, line)
    elif how == "double":
        lines.insert(place, lines[place])
    elif how == "drop":
        del lines[place]
    elif how == "label":
        lines[place] = lines[place].rpartition(" ")[0] + f" {line}"
    else:  # the first comes last, too
        lines.append(lines[0] if how == "again" else "")
    file.write_text("\n".join(lines) + "\n", errors="surrogatepass")


def _entry_of(folder: Path, how: str, at: float, place: str) -> None:
    """Something done to a file or folder of the tree."""
    paths = sorted(path for path in folder.rglob("*"))
    path = paths[min(int(at * len(paths)), len(paths) - 1)]
    if how == "rename":
        path.rename(path.with_name(path.name + "_"))
        return
    if how == "copy":
        target = path.with_name("1" + path.name)
        shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
        return
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if how == "place":
        (folder.parent / "other").mkdir(exist_ok=True)
        path.symlink_to(PLACES[place](folder.parent / "other"))


def _named(folder: Path, at: float, name: str) -> None:
    pictures = sorted(path for path in folder.rglob("*.*") if path.suffix in (".png", ".jpg", ".bmp"))
    chosen = pictures[min(int(at * len(pictures)), len(pictures) - 1)]
    shutil.copy(chosen, chosen.with_name(name))


USES: dict[str, Callable[[Material, str, Path, Path], list[Any]]] = {
    "hicmd_tf.data.check": lambda m, name, tree, f: [name, tree, *(["--trial", "1"] if name == "regdb" else [])],
    "hicmd_tf.extract": lambda m, name, tree, f: [
        "--run", m.run, "--data", name, "--source", tree, "--out", f / "out.npz"
    ],
    "hicmd_tf.evaluate": lambda m, name, tree, f: [
        "--run", m.run, "--data", name, "--source", tree, "--out", f / "out", "--rerank"
    ],
    "hicmd_tf.fit": lambda m, name, tree, f: [
        "--config", m.run / "config.yaml", "--run", f / "new", "--data.name", name, "--data.source", tree,
        "--data.directory", f.parent / "prepared", "--batch.negatives", "0", "--batch.pairs", "1",
    ],
}  # fmt: skip
SHARES = {"hicmd_tf.data.check": 5.0, "hicmd_tf.fit": 1.5}


def _input(what: str, name: str, entry: str, wreck: Break) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        tree = copied(material.trees[name], folder / "tree")
        wreck(tree)
        return [str(word) for word in USES[entry](material, name, tree, folder)]

    return Input(f"{name}: {what}", build)


def _drawn(entry: str) -> st.SearchStrategy[Input]:
    share = st.floats(0, 1, exclude_max=True, width=32)
    lists = st.sampled_from([(name, file) for name, files in LISTS.items() for file in files])
    hows = st.sampled_from(("replace", "insert", "double", "drop", "label", "again"))

    def by_line(of: tuple[str, str], how: str, at: float, line: str) -> Input:
        what = f"{of[1]}: {how} at {at:.3f}, {line[:40]!r}"
        return _input(what, of[0], entry, lambda tree: _lines_of(tree / of[1], how, at, line))

    def by_bytes(of: tuple[str, str], damages: Any) -> Input:
        def wreck(tree: Path) -> None:
            (tree / of[1]).write_bytes(broken((tree / of[1]).read_bytes(), damages))

        return _input(f"{of[1]}: {told(damages)}", of[0], entry, wreck)

    def by_entry(name: str, how: str, at: float, place: str) -> Input:
        return _input(f"{how} entry {at:.4f}, {place}", name, entry, lambda tree: _entry_of(tree, how, at, place))

    def by_name(name: str, at: float, file: str) -> Input:
        return _input(f"a copy of {at:.3f} named {file[:40]!r}", name, entry, lambda tree: _named(tree, at, file))

    names = st.sampled_from((*LISTS, "folder"))
    places = st.sampled_from(LINKED)
    return st.one_of(
        st.builds(by_line, lists, hows, share, st.sampled_from(LINES) | st.text(max_size=20)),
        st.builds(by_bytes, lists, blows()),
        st.builds(by_entry, names, st.sampled_from(("remove", "rename", "copy", "place")), share, places),
        st.builds(by_name, names, share, st.sampled_from(NAMES)),
    )


def targets() -> list[Target]:
    """Every command that reads such folders."""
    return [Target(entry, KIND, SHARES.get(entry, 1.0), _drawn(entry)) for entry in USES]
