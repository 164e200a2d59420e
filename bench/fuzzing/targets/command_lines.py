"""Command lines: options that are missing, unknown, doubled or have values that they can't have."""

from pathlib import Path

from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Material, Target
from bench.fuzzing.entries import COMMANDS
from bench.fuzzing.places import PLACES, story
from bench.fuzzing.whole import WHOLE

KIND = "command line"

WORDS = (
    *("", " ", "-", "--", "-1", "0", "1", "1.5", "1e9", "nan", "inf", "-inf", "9" * 30, "9" * 5000, "seven", "1,2"),
    *(
        "a\0b",
        "\udcff",
        "💥",
        "x" * 300,
        "x" * 5000,
        "..",
        "../..",
        "[1, 2]",
        "{a: 1}",
        "null",
        "true",
        "10-1",
        "1-999",
    ),
    *("@file", "$HOME", "%s%n", "a\nb", "\x1b[31m", "--help=1", "2026-13-45", "0001-01-01", "9999-12-31T23:59:59"),
    *("http://", "http://[", "grpc://x", "file:///etc/passwd", "127.0.0.1", "visible", "regdb", "sysu_mm01", "all"),
)
OPTIONS = {
    "hicmd_tf.fit": "--trials --steps --seed --data.trial --data.name --data.source --resume --batch.pairs",
    "hicmd_tf.evaluate": "--run --model --descriptors --data --source --trial --permutations --out",
    "hicmd_tf.extract": "--data --source --trial --modality --images",
    "hicmd_tf.convert": "--iteration --config --to-torch",
    "hicmd_tf.search": "--uri --collection --identity --camera --only --after --before -k --lists --probes --draw"
    " --least-recall --path --picture --modality",
    "hicmd_tf.visualize": "--seed --out",
    "hicmd_tf.disentangle": "--seed --pairs --observer-steps --out",
    "hicmd_tf.explore": "--port",
    "hicmd_tf.reproduce": "--run --source --devices",
    "hicmd_tf.data.check": "--trial",
    "hicmd_tf.drawn_people.preview": "--height --width --identities --images --spectrum --yaw-range --framing --noise"
    " --seed",
    "hicmd_tf.tuning.search": "--tuner --max-trials --intervals --space --workers --steps --seed",
    "hicmd_tf.tuning.ablations": "--seeds --workers --steps --seed",
    "hicmd_tf.export.saved_model": "--data --source --trial --identities --licence",
    "hicmd_tf.export.onnx": "--precisions --calibration --data --source --trial --identities",
    "hicmd_tf.export.check": "--data --source --trial --identities",
    "hicmd_tf.export.client": "--url --model --timeout --out --modality",
    "hicmd_tf.export.serve": "--name --version --host --port --grpc-port --max-batch --batch-wait --max-rows"
    " --max-body --timeout",
    "bench.train_step": "--rounds --memory --only --compare --config",
    "bench.inference": "--rounds --threads --run",
    "bench.metrics": "--case --inside",
    "bench.scaling": "--rounds --config",
    "bench.kills": "--kills --seed-of-kills --steps --seed",
    "bench.search": "--rows --dimension --queries --spread --seed --threads",
}


def _changed(entry: str, how: str, place: float, word: str) -> Input:
    def build(material: Material, folder: Path) -> list[str]:
        words = WHOLE[entry](material, folder)
        at = min(int(place * len(words)), len(words) - 1)
        if how == "drop":
            return words[:at] + words[at + 1 :]
        if how == "double":
            return words[: at + 1] + words[at:]
        if how == "replace":
            return [*words[:at], word, *words[at + 1 :]]
        return [*words[:at], word, *words[at:]]

    return Input(f"{how} at {place:.3f}, {word[:40]!r}", build)


def _option(entry: str, option: str, word: str) -> Input:
    return Input(f"{option} {word[:40]!r}", lambda m, f: [*WHOLE[entry](m, f), option, word])


def _placed(entry: str, place: str, at: float) -> Input:
    """What is no file, or no folder, in place of a path of the command line."""

    def build(material: Material, folder: Path) -> list[str]:
        words = WHOLE[entry](material, folder)
        paths = [i for i, word in enumerate(words) if "/" in word and "://" not in word]
        if paths:
            words[paths[min(int(at * len(paths)), len(paths) - 1)]] = str(PLACES[place](folder))
        return words

    return Input(f"{story(place)}, path {at:.3f}", build)


def targets() -> list[Target]:
    """Every command."""
    share, words = st.floats(0, 1, exclude_max=True, width=32), st.sampled_from(WORDS) | st.text(max_size=8)
    found = []
    for entry in COMMANDS:

        def changed(how: str, at: float, word: str, entry: str = entry) -> Input:
            return _changed(entry, how, at, word)

        def option(name: str, word: str, entry: str = entry) -> Input:
            return _option(entry, name, word)

        def placed(place: str, at: float, entry: str = entry) -> Input:
            return _placed(entry, place, at)

        kinds = [
            st.builds(changed, st.sampled_from(("drop", "double", "replace", "insert")), share, words),
            st.builds(placed, st.sampled_from([*PLACES]), share),
        ]
        if entry in OPTIONS:
            kinds.append(st.builds(option, st.sampled_from(OPTIONS[entry].split()), words))
        found.append(Target(entry, KIND, 1.2, st.one_of(kinds)))
    return found
