"""Configuration files: settings with values that they can't have, and texts that are no settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Material, Target
from bench.fuzzing.damage import DEEP, blows, broken, told
from bench.fuzzing.places import PLACES, story
from hicmd_tf.config.settings import SETTINGS as KEYS

KIND = "configuration"

COMMANDS: dict[str, Callable[[Material, Path, Path], list[Any]]] = {
    "hicmd_tf.fit": lambda m, file, f: ["--config", file, "--run", f / "new"],
    "hicmd_tf.baselines": lambda m, file, f: ["--config", file],
    "hicmd_tf.convert": lambda m, file, f: ["--config", file, m.run, f / "new"],
    "hicmd_tf.tuning.search": lambda m, file, f: ["--config", file, "--out", f / "new"],
    "hicmd_tf.tuning.ablations": lambda m, file, f: ["--config", file, "--out", f / "new"],
    "hicmd_tf.tuning.search --space": lambda m, file, f: [
        "--config", m.run / "config.yaml", "--space", file, "--out", f / "new"
    ],
}  # fmt: skip

VALUES = (
    *("[1, 2]", "[]", "[[1]]", "[1, two, .nan]", "{a: 1}", "{}", "{seed: {seed: 1}}", "~", '""', "' '", "seven", "'7'"),
    *("-1", "0", "1", "-0.0", "0.5", "3", "1e-400", "1e308", "1e400", "-1e308", "010", "0x10", "0b1", "1_000", "1:30"),
    *(".nan", ".inf", "-.inf", "NaN", "true", "no", "2020-01-01", "9" * 30, "9" * 5000, "-" + "9" * 30, "1" + "0" * 18),
    *('"\\0"', '"\\ud800"', '"\\U0001F4A9"', '"a\\nb"', "|\n  text\n", "x" * 5000, "!!python/object/apply:os.abort []"),
    *("!!python/name:os.system", "!!binary aGVsbG8=", "!!binary '*'", "!!set {a, b}", "!!timestamp 2020", "!odd 1"),
    *("!!int seven", "!!float x", "!!bool x", "!!null x", "&a [*a]", "&a {b: *a}", "*nobody", "? a", "<<: {a: 1}"),
    *("[" * 5, "]", "}", ": :", "- 1", "%YAML 9.9", "@", "`", "\t1", "'", '"', "released", "regdb", "none", "imagenet"),
    *("/dev/zero", "../../../etc/passwd", "\x01", "\ufffe", "[" * 300 + "]" * 300, "1.0.0", "--", "=", "!!str"),
)


def _laughs() -> bytes:
    lines = ["a0: &a0 [ha, ha]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]
    return "\n".join(lines).encode()


TEXTS: dict[str, bytes] = {
    "nothing but comments": b"# nothing\n---\n...\n",
    "a list": b"- seed: 1\n",
    "a number": b"7\n",
    "two documents": b"seed: 1\n---\nseed: 2\n",
    "a key twice": b"extends: base\nseed: 1\nseed: 2\n",
    "a section twice": b"extends: base\ndata:\n  height: 32\ndata:\n  width: 32\n",
    "extends twice": b"extends: base\nextends: tiny\n",
    "an unknown key": b"extends: base\nsed: 1\n",
    "an unknown section": b"extends: base\ndatum:\n  height: 1\n",
    "a section as a value": b"extends: base\ndata: 1\n",
    "a value as a section": b"extends: base\nseed:\n  seed: 1\n",
    "a list as a key": b"extends: base\n? [a, b]\n: 1\n",
    "a mapping as a key": b"extends: base\n? {a: b}\n: 1\n",
    "no text as a key": b"extends: base\n1: 1\n~: 2\n.nan: 3\ntrue: 4\n",
    "a dotted key": b"extends: base\ndata.height: 32\ndata:\n  height: 64\n",
    "extends a list": b"extends: [base, tiny]\n",
    "extends a number": b"extends: 7\n",
    "extends nothing": b"extends: ''\n",
    "extends a missing file": b"extends: ./nowhere.yaml\n",
    "extends a folder": b"extends: /\n",
    "extends itself": b"extends: ./broken.yaml\n",
    "extends a NUL": b'extends: "a\\0b.yaml"\n',
    "extends a device": b"extends: /dev/zero\n",
    "extends a long name": b"extends: " + b"x" * 300 + b".yaml\n",
    "extends a longer name": b"extends: " + b"x" * 9000 + b".yaml\n",
    "deep lists": b"seed: " + b"[" * DEEP,
    "deep closed lists": b"seed: " + b"[" * DEEP + b"]" * DEEP,
    "deep mappings": b"{a: " * DEEP,
    "deep blocks": b"\n".join(b" " * i + b"a:" for i in range(1400)),
    "deep dashes": b"- " * DEEP,
    "laughs": _laughs(),
    "laughs as a value": b"extends: base\n" + _laughs(),
    "merged laughs": b"a: &a {b: 1}\nc: {<<: [" + b", ".join([b"*a"] * 500) + b"]}\n",
    "a circle of anchors": b"extends: base\nseed: &a [1, *a]\n",
    "a mapping within itself": b"&a\nextends: base\ndata: *a\n",
    "a Python object": b"extends: base\nseed: !!python/object/apply:os.abort []\n",
    "a Python object as a key": b"!!python/object/apply:os.abort []: 1\n",
    "a tag on everything": b"!!python/object:hicmd_tf.config.Config {seed: 1}\n",
    "BOM": "\ufeffextends: base\nsed: 1\n".encode(),
    "UTF-16": "extends: base\n".encode("utf-16"),
    "UTF-32": "extends: base\n".encode("utf-32"),
    "Latin-1": "extends: base # für\n".encode("latin-1"),
    "a NUL": b"extends: base\n\0",
    "a lone surrogate": b"extends: base\nseed: \xed\xa0\x80\n",
    "tabs": b"extends: base\ndata:\n\theight: 32\n",
    "old Mac lines": b"extends: base\rsed: 1\r",
    "JSON": b'{"extends": "base", "sed": 1}',
    "TOML": b"[data]\nheight = 32\n",
    "Python": b"import os\nos.abort()\n",
    "2 MiB of letters": b"a" * (2 << 20),
    "2 MiB of comments": b"# comment\n" * (2 << 17),
    "many keys": b"".join(b"key%d: 1\n" % i for i in range(20_000)),
    "a long list": b"extends: base\nseed: [" + b"1, " * 100_000 + b"1]\n",
    "a long key": b"k" * 200_000 + b": 1\n",
    "a long tag": b"extends: base\nseed: !" + b"x" * 100_000 + b" 1\n",
    "many anchors": b"".join(b"k%d: &a%d 1\n" % (i, i) for i in range(10_000)),
    "a long number": b"extends: base\nseed: " + b"9" * 100_000 + b"\n",
    "directives": b"%YAML 9.9\n%TAG ! tag:x,2000:\n---\nextends: base\nsed: 1\n",
}


def _input(what: str, content: Callable[[Material], bytes], entry: str) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        file = folder / "broken.yaml"
        file.write_bytes(content(material))
        return [str(word) for word in COMMANDS[entry](material, file, folder)]

    return Input(what, build)


def _at(place: str, entry: str) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        return [str(word) for word in COMMANDS[entry](material, PLACES[place](folder), folder)]

    return Input(story(place), build)


def _chain(length: int, closed: bool) -> Input:
    """Files that extend one another, in a circle or to nowhere."""

    def build(material: Material, folder: Path) -> list[str]:
        for number in range(length):
            following = 0 if closed and number == length - 1 else number + 1
            (folder / f"{number}.yaml").write_text(f"extends: ./{following}.yaml\n")
        return [str(word) for word in COMMANDS["hicmd_tf.fit"](material, folder / "0.yaml", folder)]

    return Input(f"{length} files that extend one another{', in a circle' if closed else ''}", build)


def _set(key: str, value: str, entry: str) -> Input:
    """A whole configuration in which one setting, or section, has another text."""

    def content(material: Material) -> bytes:
        import yaml

        tree = yaml.safe_load((material.run / "config.yaml").read_text())
        *sections, name = key.split(".")
        inner = tree
        for section in sections:
            inner = inner[section]
        inner[name] = "HERE"
        return yaml.safe_dump(tree, sort_keys=False).replace("HERE", value).encode(errors="surrogatepass")

    return _input(f"{key}: {value[:60]!r}", content, entry)


def _damaged(entry: str) -> st.SearchStrategy[Input]:
    return blows().map(
        lambda damages: _input(told(damages), lambda m: broken((m.run / "config.yaml").read_bytes(), damages), entry)
    )


def _settings(entry: str) -> st.SearchStrategy[Input]:
    sections = sorted({key.rpartition(".")[0] for key in KEYS} - {""})
    values = st.sampled_from(VALUES) | st.text(max_size=20)
    keys = st.sampled_from([*KEYS]) | st.sampled_from(sections)
    return st.builds(lambda key, value: _set(key, value, entry), keys, values)


def _spaces(entry: str) -> st.SearchStrategy[Input]:
    names = st.sampled_from(("losses.cross", "losses.kl", "optimisers.alpha_rate", "seed", "losses", "x"))
    return st.builds(
        lambda name, value: _input(f"{name}: {value[:60]!r}", lambda _: f"{name}: {value}\n".encode(), entry),
        names,
        st.sampled_from((*VALUES, "[0, 1]", "[2, 1]", "[1, 1e999]", "[.nan, 1]", "[1e-300, 1e300]", "fixed")),
    )


def targets() -> list[Target]:
    """Half of all for hicmd_tf.fit: every command with a configuration reads it alike."""
    found = []
    for entry in COMMANDS:
        main = entry == "hicmd_tf.fit"
        texts = [_input(name, lambda _, text=text: text, entry) for name, text in TEXTS.items()]  # type: ignore[misc]
        always = [*texts, *(_at(place, entry) for place in PLACES)] if main else []
        if main:
            always += [_chain(50, True), _chain(5000, True), _chain(3000, False)]
        drawn = _spaces(entry) if entry.endswith("--space") else st.one_of(_settings(entry), _damaged(entry))
        found.append(Target(entry.partition(" ")[0], KIND, 8 if main else 1, drawn, always))
    return found
