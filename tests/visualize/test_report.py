"""The report of a run in a real browser: it stands alone, everyone can read it, and what is missing is said."""

import itertools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.errors import UserError
from hicmd_tf.pictures.decode import as_png
from hicmd_tf.retrieval.evaluation import Row, evaluate
from hicmd_tf.retrieval.threshold import Threshold
from hicmd_tf.retrieval.verification import verify
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.visualize.figure import Figure
from hicmd_tf.visualize.report import (
    SHOWN,
    configuration_name,
    lines,
    parts,
    report_of,
    sections,
    write_report,
)

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
NAMES = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")
DIRECTIONS = ("visible_to_infrared", "infrared_to_visible")

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPEN_ALL = "document.querySelectorAll('details').forEach(x => { x.open = true })"
FOCUS = "() => [document.activeElement.getAttribute('href'), document.activeElement.getAttribute('role')]"
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number)
  const luminance = colour => channels(colour).slice(0, 3).map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0)
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor
    return channels(colour)[3] === 0 ? behind(element.parentElement) : colour
  }
  const texts = [...document.body.querySelectorAll('*')]
    .filter(x => [...x.childNodes].some(y => y.nodeType === 3 && y.data.trim()) && x.checkVisibility())
  return texts.map(x => {
    const [low, high] = [luminance(getComputedStyle(x).color), luminance(behind(x))].sort((a, b) => a - b)
    return [x.tagName, (high + 0.05) / (low + 0.05)]
  })
}"""


def figure_made(name: str, size: tuple[int, int] = (900, 300), **further: Any) -> Figure:
    picture = as_png(Image.new("RGB", size, (90, 120, 60)))
    return Figure(name, f"What {name} shows", f"How to read {name}.", f"Green, as {name} is", picture, **further)


def figures_made() -> list[Figure]:
    return [figure_made("curves", plot=True), figure_made("swaps", (40, 80)), figure_made("small", (16, 32))]


def figures_of(value: float) -> dict[str, float]:
    return dict.fromkeys(NAMES, value)


COMPARED = {"untrained": 0.0823, "raw_pixels": 0.0611, "colour_histogram": 0.0412}
METRICS = {name: {d: figures_of(value) for d in DIRECTIONS} for name, value in COMPARED.items()}


@pytest.fixture(scope="module")
def opened(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    """The run that every report here is of, its folder a copy with metrics.json and losses.csv."""
    folder = tmp_path_factory.mktemp("report") / f"a {HOSTILE.replace('/', '')} run"  # no slash in a name
    shutil.copytree(smoke_run, folder)
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "losses.csv").write_text("step,same\n1,0.5\n")
    environment = {"python": "3.11", "command": f"fit.py --config smoke.yaml {HOSTILE}", HOSTILE: HOSTILE}
    (folder / "environment.json").write_text(json.dumps(environment))
    return OpenedRun(folder)


@pytest.fixture(scope="module")
def report(opened: OpenedRun) -> Path:
    return write_report(opened, figures_made())


def text_of(opened: OpenedRun, tmp_path: Path, **files: Any) -> str:
    """Visible text of the report of a run whose folder has other files; None takes one away."""
    folder = shutil.copytree(opened.folder.path, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    for name, content in files.items():
        file = next(folder.glob(f"{name}.*"), folder / f"{name}.json")
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
    run = opened.having(folder=RunFolder(folder), descriptors=opened.descriptors)
    page = re.sub(r"<style>.*?</style>|<[^>]+>", " ", report_of(run, []), flags=re.DOTALL)
    return " ".join(page.split())


def test_pairs_are_judged_and_the_threshold_is_told_where_there_is_one(opened: OpenedRun, tmp_path: Path) -> None:
    found = verify(opened.descriptors, opened.samples, opened.searches)[0]
    threshold = Threshold(0.4, 0.1, 1e-3, [0.0] * 3, [1.0] * 3, 9, 9, 9, "train")
    metrics = {**METRICS, "steps": opened.model.step, "threshold": threshold._asdict()}
    page, without = text_of(opened, tmp_path / "a", metrics=metrics), text_of(opened, tmp_path / "b")
    assert found.figures["EER"] is not None
    value, low, high = (f"{100 * part:.1f}" for part in found.figures["EER"])
    for text in (page, without):
        assert f"visible → infrared EER {value} {low} to {high} {found.thresholds['EER']:.4f}" in text
        assert "TAR at FAR 1 %" not in text and "24 pairs of one person and 120 of two" in text
    assert "likely one person from similarity 0.4000 on" in page and "by which search marks" not in without


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1600, "light")])
def test_a_page_stands_alone_fits_and_can_be_read(report: Path, browser: Any, width: int, scheme: str) -> None:
    page = browser.open(report.as_uri(), width, 800, scheme)
    assert page.evaluate(OVERFLOW) == 0
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) == 0
    pictures = page.locator("img").all()
    assert len(pictures) == 3
    for picture in pictures:
        assert picture.evaluate("x => x.complete && x.naturalWidth") > 0 and "Green" in picture.get_attribute("alt")
        assert picture.is_visible() and picture.bounding_box()["width"] <= width
    first = page.get_by_role("columnheader", name="mAP", exact=True).first.bounding_box()
    assert first["x"] + first["width"] <= width  # without scrolling
    poor = [(tag, ratio) for tag, ratio in page.evaluate(CONTRASTS) if ratio < 4.5]
    assert not poor and len(page.evaluate(CONTRASTS)) > 100
    inverted = page.locator("figure.plot img").evaluate("x => getComputedStyle(x).filter")
    assert (inverted != "none") == (scheme == "dark")
    assert page.locator("figure.photograph img").first.evaluate("x => getComputedStyle(x).filter") == "none"
    assert not browser.errors
    assert {address for address in browser.requests if not address.startswith("data:")} == {report.as_uri()}


def test_pictures_become_larger_by_keyboard_alone(report: Path, browser: Any) -> None:
    page = browser.open(report.as_uri(), 360)
    for name, smoothing in (("curves", "auto"), ("swaps", "pixelated"), ("small", "pixelated")):
        picture = page.get_by_alt_text(f"Green, as {name} is", exact=True)
        before = picture.bounding_box()["width"]
        page.get_by_label(f"Enlarge What {name} shows").press("Space")
        assert picture.bounding_box()["width"] > 1.9 * before
        assert picture.evaluate("x => getComputedStyle(x).imageRendering") == smoothing
    assert page.evaluate(OVERFLOW) == 0


def test_tab_reaches_contents_and_regions_and_the_first_stop_skips(report: Path, browser: Any) -> None:
    page = browser.open(report.as_uri())
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the report" and skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"
    page.goto(report.as_uri())
    stops = []
    while len(stops) < 80 and (not stops or page.evaluate("document.activeElement !== document.body")):
        page.keyboard.press("Tab")
        stops.append(tuple(page.evaluate(FOCUS)))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or stops[-1][0] is None
    links = page.locator("nav a").evaluate_all("xs => xs.map(x => x.getAttribute('href'))")
    regions = page.locator("[role=region]")
    assert {(link, None) for link in links} <= set(stops)
    assert regions.count() > 5 and stops.count((None, "region")) == page.locator("[role=region]:visible").count()
    assert all(regions.evaluate_all("xs => xs.map(x => !!x.getAttribute('aria-label'))"))


def test_headings_tables_and_anchors_are_sound(report: Path, browser: Any) -> None:
    page = browser.open(report.as_uri())
    levels = page.locator("h1, h2, h3").evaluate_all("xs => xs.map(x => Number(x.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(now <= before + 1 for before, now in itertools.pairwise(levels))
    links = page.locator("a").evaluate_all("xs => xs.map(x => x.getAttribute('href'))")
    assert all(page.locator(f"[id='{link[1:]}']").count() == 1 for link in links)
    tables = page.locator("table")
    assert tables.count() == page.locator("table > caption").count() > 5
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("html").get_attribute("lang") == "en-GB"
    titles = [figure.title for figure in figures_made()]
    assert page.locator("#figures ~ h3").all_inner_texts() == titles


def test_hostile_names_stay_text(opened: OpenedRun, browser: Any, tmp_path: Path) -> None:
    picture = as_png(Image.new("RGB", (9, 9)))
    file = tmp_path / "report.html"
    file.write_text(report_of(opened, [Figure(HOSTILE, HOSTILE, HOSTILE, HOSTILE, picture)]))
    page = browser.open(file.as_uri())
    assert page.locator("script").count() == 0 and page.locator("img").count() == 1
    assert page.locator("img").get_attribute("alt") == HOSTILE
    assert page.locator("figcaption").inner_text() == HOSTILE and page.locator("h3").first.inner_text() == HOSTILE
    assert page.get_by_role("cell", name=HOSTILE, exact=True).count() == 1  # of the environment
    assert not browser.errors and set(browser.requests) <= {file.as_uri(), page.locator("img").get_attribute("src")}


def test_figures_are_shown_with_spread_and_what_they_are_compared_with(opened: OpenedRun, tmp_path: Path) -> None:
    text = text_of(opened, tmp_path)
    assert "Hi-CMD, smoke, seed 777, 0 steps" in text and "visible → infrared" in text
    for name, value in (("the same networks untrained", 8.2), ("nearest raw pixels", 6.1), ("colour histogram", 4.1)):
        assert f"{name} {' '.join([f'{value:.1f}'] * 6)}" in text
    rows = evaluate(opened.descriptors, opened.samples, opened.searches)
    for row in rows:  # six people and initial weights: nothing can be told from chance
        low, high = row.between["mAP"]
        assert f"{100 * low:.1f} to {100 * high:.1f} (95&nbsp;%); chance {100 * row.chance['mAP']:.1f}" in text
        assert f"Hi-CMD {' '.join(f'{100 * row.mean[name]:.1f}' for name in SHOWN)}" in text
        direction = row.direction.replace("_to_", " → ")
        assert f"{direction}: R-1 and mAP are not above chance; 6 people are too few to tell much." in text


def test_a_line_has_a_deviation_over_galleries() -> None:
    row = Row("all", DIRECTIONS[0], False, 10, 9, 0, figures_of(0.4), figures_of(0.1), chance=figures_of(0.2))
    ours, untrained, chance = lines(row, {"untrained": figures_of(0.1)}, "Hi-CMD")
    assert (ours.deviation, ours.multiple, untrained.multiple, chance.multiple) == (row.deviation, 2.0, 0.5, 1.0)
    assert lines(row._replace(trials=1), {}, "Hi-CMD")[0].deviation is None


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"metrics": None}, "metrics.json is missing, so little is compared with the figures: run hicmd evaluate"),
        ({"losses": None}, "losses.csv is missing, so there are no curves"),
        ({"untrained": None}, "untrained.json is missing"),
        ({"environment": None}, "environment.json is missing, so versions, machine and command are not known"),
        ({"untrained": {}}, "training stopped at step 0 of 6"),
        ({"metrics": {"warnings": ["step 9: alpha is 1 <b>"]}}, "the run was warned of: step 9: alpha is 1 &lt;b&gt;."),
        (
            {"changes": [{"step": 40, "setting": "losses.cross", "before": 50.0, "after": 10.0}], "untrained": {}},
            "While it trained these changed: after 40 steps losses.cross, from 50.0 to 10.0",
        ),
    ],
)
def test_what_is_missing_or_happened_is_said(
    opened: OpenedRun, tmp_path: Path, files: dict[str, Any], said: str
) -> None:
    text = text_of(opened, tmp_path, **files)
    assert said in text and ("hicmd reproduce" in text) == ("changes" in files)


@pytest.mark.parametrize("content", ["{", "[1]", {"raw_pixels": {DIRECTIONS[0]: {"rank1": "x"}}}])
def test_a_damaged_file_is_one_line(opened: OpenedRun, tmp_path: Path, content: Any) -> None:
    with pytest.raises(UserError, match=r"metrics\.json.* delete it") as caught:
        text_of(opened, tmp_path, metrics=content)
    assert "\n" not in str(caught.value)


def test_settings_unlike_base_are_marked(opened: OpenedRun) -> None:
    found = {f"{name}.{x.name}": x for name, settings in sections(opened.config) for x in settings}
    assert found["data.height"][1:] == ("32", "256") and found["losses.margin"][1:] == ("0.5", None)
    assert found["networks.decoder.widths"][1:] == ("[4, 4]", "[128, 64]") and found["run.seed"].base is None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("fit.py --config tiny --run x", "tiny"),
        ("fit.py --config=configs/mine.yaml", "mine"),
        ("fit.py --config 'configs/of mine.yaml' --run 'my runs/1'", "of mine"),
        ("fit.py --config tiny --run it's", "tiny"),
        ("fit.py --run x --config", None),
    ],
)
def test_a_configuration_is_called_as_its_command_called_it(command: str, name: str | None) -> None:
    assert configuration_name({"command": command}) == name


def test_people_pictures_and_sizes_are_counted() -> None:
    sizes = ((8, 16), (4, 20), (8, 16), None, (8, 18))
    pictures = [as_png(Image.new("RGB", size)) if size else b"no picture" for size in sizes]
    infrared = np.array([False, False, False, False, True])
    train = Samples(pictures, list("abcde"), np.array([3, 3, 3, 5, 5]), infrared, np.array([1, 2, 2, 1, 7]))
    nobody = train.select(np.zeros(5, bool))
    visible, other = parts(DataSplits(train, nobody, nobody))
    size = sum(map(len, pictures[:4]))
    assert visible == ("training", "visible", 2, 4, "1 / 2 / 3", "1, 2", "16 / 16 / 20", "4 / 8 / 8", size)
    assert other == ("training", "infrared", 1, 1, "1", "7", "18", "8", len(pictures[4]))
