"""What is read from people's files is refused in one line or taken, whatever is in it; a few inputs of bench.fuzz, for
the parts of every entry point that read."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Material
from bench.fuzzing.damage import blows, broken, changes, json_texts
from bench.fuzzing.material import write_permutations
from bench.fuzzing.targets import configurations, data_sets, runs, stored
from hicmd_tf.arguments import READERS
from hicmd_tf.config import dump, load
from hicmd_tf.config.command_line import parse as parse_command_line
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import read_permutations
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.export.serving.failures import Failure
from hicmd_tf.export.serving.requests import arrays, parse
from hicmd_tf.files import read_json
from hicmd_tf.retrieval.stored import read_descriptors, write_descriptors
from hicmd_tf.search import Entry, Gallery

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke.yaml"
ROWS = np.eye(4, 8, dtype=np.float32)

some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Whole things without a network in them."""
    from drawn_trees import TREES

    folder = tmp_path_factory.mktemp("whole")
    run = folder / "run"
    run.mkdir()
    (run / "config.yaml").write_text(dump(load(SMOKE)))
    samples = Samples([b""] * 4, list("abcd"), np.arange(4), np.arange(4) % 2 == 1, np.ones(4, np.int64))
    write_descriptors(folder / "descriptors.npz", ROWS, samples)
    entries = [Entry(name, 1, 1, "visible", 0.0) for name in samples.names]
    Gallery.create(folder / "gallery", "", 8).add(ROWS, entries, "")
    write_permutations(folder / "permutations.mat")
    trees = {name: make(folder / name) for name, make in TREES.items()}
    nothing = folder / "nothing"
    return Material(
        run,
        nothing,
        trees,
        folder / "descriptors.npz",
        folder / "gallery",
        nothing,
        nothing,
        folder / "permutations.mat",
    )


@pytest.fixture
def handed(material: Material) -> Callable[[Input, Callable[[list[str]], Any]], None]:
    """Makes the files of an input and has them read: only a UserError of one line may come of it."""

    def hand(given_: Input, reads: Callable[[list[str]], Any]) -> None:
        folder = Path(tempfile.mkdtemp())
        try:
            reads(given_.build(material, folder))
        except UserError as error:
            assert "Traceback" not in str(error) and str(error).strip()
        finally:
            shutil.rmtree(folder)

    return hand


Handed = Callable[[Input, Callable[[list[str]], Any]], None]


def behind(words: list[str], option: str) -> Path:
    return Path(words[words.index(option) + 1])


def drawn(targets: list[Any], entry: str) -> st.SearchStrategy[Input]:
    return st.one_of(*(target.inputs for target in targets if target.entry == entry))


def by_hand(targets: list[Any], entry: str) -> list[Any]:
    return [
        pytest.param(one, id=one.story[:40]) for target in targets if target.entry == entry for one in target.always
    ]


@some
@given(drawn(configurations.targets(), "hicmd_tf.fit"))
def test_configurations(handed: Handed, one: Input) -> None:
    handed(one, lambda words: load(behind(words, "--config")))


SLOW = ("deep", "laughs", "long", "many")  # to a parser in Python; bench.fuzz has them all


@pytest.mark.parametrize("one", by_hand(configurations.targets(), "hicmd_tf.fit"))
def test_configurations_by_hand(handed: Handed, one: Input) -> None:
    if not any(word in one.story for word in SLOW):
        handed(one, lambda words: load(behind(words, "--config")))


@settings(some, max_examples=25)  # each copies a folder
@given(drawn(data_sets.targets(), "hicmd_tf.data.check"))
def test_data_sets(handed: Handed, one: Input) -> None:
    handed(one, lambda words: DATA_SETS[words[0]].read(Path(words[1]), 1))


@some
@given(drawn(stored.targets(), "hicmd_tf.evaluate").filter(lambda one: "mat" not in one.story))
def test_descriptors_and_permutations(handed: Handed, one: Input) -> None:
    def reads(words: list[str]) -> None:
        if "--permutations" in words:
            read_permutations(behind(words, "--permutations"))
        else:
            read_descriptors(behind(words, "--descriptors"))

    handed(one, reads)


@pytest.mark.parametrize("one", by_hand(stored.targets(), "hicmd_tf.evaluate"))
def test_archives_by_hand(handed: Handed, one: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    test_descriptors_and_permutations.hypothesis.inner_test(handed, one)  # type: ignore[attr-defined]
    assert not any(tmp_path.iterdir())  # no payload ran


@some
@given(st.sampled_from([*json_texts().values()]) | st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_json(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("json") / "x.json"
    file.write_bytes(content)
    try:
        read_json(file)
    except UserError as error:
        assert "x.json" in str(error)


BODY = {"signature_name": "visible", "inputs": {"pictures": [[[[1, 2, 3]]]], "modality": ["visible", {"b64": "aGk="}]}}
KINDS = {"pictures": np.dtype(np.uint8), "modality": np.dtype(object), "x": np.dtype(np.float32)}


def requests() -> Iterator[st.SearchStrategy[bytes]]:
    yield changes().map(lambda change: json.dumps(change.of(BODY)).encode())
    yield blows().map(lambda damages: broken(json.dumps(BODY).encode(), damages))
    yield st.sampled_from([*json_texts().values()])


@some
@given(st.one_of(*requests()))
def test_requests(body: bytes) -> None:
    try:
        arrays(parse(body), KINDS)
    except Failure as failure:
        assert str(failure) and "\n" not in str(failure)


def test_half_a_character_is_no_text() -> None:
    body = json.dumps({"signature_name": "visible", "inputs": {"modality": ["\ud800"]}}).encode()
    with pytest.raises(Failure, match="half a character"):
        arrays(parse(body), KINDS)


@some
@given(st.text(max_size=30), st.sampled_from([*READERS.values()]))
def test_words_of_options(word: str, reads: Callable[[str], Any]) -> None:
    from argparse import ArgumentTypeError

    try:
        reads(word)
    except ArgumentTypeError as error:
        assert str(error)


@settings(some, max_examples=25)
@given(
    st.sampled_from(["--seed", "--data.source", "--networks.decoder.widths", "--config", "--sed"]), st.text(max_size=12)
)
def test_words_of_settings(option: str, word: str) -> None:
    try:
        parse_command_line("command", "Does.", [option, word])
    except UserError as error:
        assert str(error)


@pytest.mark.filterwarnings("ignore:.*can't be read")
@some
@given(st.sampled_from(runs.ROWS) | st.text(max_size=30))
def test_tables(tmp_path_factory: pytest.TempPathFactory, row: str) -> None:
    from hicmd_tf.visualize.curves import read_table

    file = tmp_path_factory.mktemp("table") / "losses.csv"
    file.write_text(f"step,same\n1,0.5\n{row}\n", errors="replace")
    try:
        found = read_table(file, "training.log_every")
    except UserError as error:
        assert "losses.csv" in str(error)
    else:
        assert len({len(values) for values in found.values()}) == 1  # NaN among them: a loss may have been
