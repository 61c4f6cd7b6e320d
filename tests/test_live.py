"""Algorithm 1 in the browser: the same numbers as the library, by mouse and by keys, in light and dark."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_corpora import HOSTILE

from cmcsl_lib.book import live
from cmcsl_lib.corpora import Corpus, load
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.experiments.exchange import exchange_table
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.files.paths import REPOSITORY
from cmcsl_lib.method.calibrated import calibrated_labels
from cmcsl_lib.method.labeling import clustering, labeling, nearest, propagate
from cmcsl_lib.method.preprocessing import preprocessor

STRICT = PROTOCOLS["strict"]
#: Items that are glided to their places need time; who asks for less motion has them there at once.
STILL = {"reduced_motion": "reduce"}
DATASETS = ("AF", "CHMP")


@pytest.fixture(scope="module")
def dataset_data():
    return {
        name: live.dataset_data(load("openclipart"), load_features("openclipart", name), STRICT) for name in DATASETS
    }


def dequantised(name):
    features = load_features("openclipart", name)
    rows = live.training_half(features, STRICT)
    return [live.Quantised(X[rows]).matrix() for X in features.modalities], features, rows


def labels(matrices, y, seeds, preprocessing, rule, classes):
    """Labels by each modality and by both, and who decides, of the library."""
    prepared = [preprocessor(preprocessing).fit_transform(X) for X in matrices]
    clusters = [clustering(X, seeds) for X in prepared]
    own = [propagate(each, y[seeds]) for each in clusters]
    if rule != "calibrated":
        scales = [np.sqrt(X.shape[1]) if rule == "scaled" else 1 for X in prepared]
        both = nearest(own, [each.distance / scale for each, scale in zip(clusters, scales, strict=True)])
        return *own, both.label, both.modality
    codes = np.full(len(y), -1)
    codes[seeds] = y[seeds]
    posterior, evidence = calibrated_labels(prepared, codes, classes)
    label = posterior.argmax(axis=1)
    return *own, label, np.argmax([table[np.arange(len(y)), label] for table in evidence], axis=0)


# Data ---------------------------------------------------------------------------------------------------------------


def test_a_byte_per_value_keeps_each_column_within_half_a_step():
    X = np.random.default_rng(0).normal(size=(50, 4)) * [1, 100, 1e-4, 0] + [0, 1000, 0, 7]
    quantised = live.Quantised(X)
    assert np.all(abs(quantised.matrix() - X) <= 0.501 * quantised.step + 1e-4 * abs(X))
    assert (quantised.matrix()[:, 3] == 7).all()


@pytest.mark.parametrize("name", ["AF", "PT", "CHMP", "AFP"])
def test_labels_of_a_byte_per_value_are_those_of_full_precision(name):
    features = load_features("openclipart", name)
    rows = live.training_half(features, STRICT)
    y, full = features.y[rows], [X[rows] for X in features.modalities]
    coarse = [live.Quantised(X).matrix() for X in full]
    equal = []
    for preprocessing in ("RAW", "L2", "L2STD"):
        for budget in (1, 5, 20):
            seeds = STRICT.draw_seeds(y, budget, 0, 0)
            of_both = (
                labels(matrices, y, seeds, preprocessing, "distance", len(features.classes))
                for matrices in (full, coarse)
            )
            equal.append([(one == other).mean() for one, other in zip(*of_both, strict=True)])
    assert np.mean(equal) >= 0.99 and np.mean(equal, axis=0).min() >= 0.99


def test_the_first_seeds_and_items_are_those_of_the_page(dataset_data):
    features, data = load_features("openclipart", "AF"), dataset_data["AF"]
    table = exchange_table(features, STRICT, 5)
    assert list(np.array(data["classes"])[data["y"]]) == table.true.tolist()
    assert sorted(data["seeds"][5]) == np.flatnonzero(table.seed).tolist()
    assert list(data["seeds"]) == list(range(1, 21)) and len(data["images"]) == len(data["items"]) == len(table)
    titles = load("openclipart").items.set_index("id").title
    assert [title for title, _ in data["items"]] == titles[table.id].tolist()


def test_a_large_half_is_shown_in_part_with_every_class(make_features, monkeypatch):
    features = make_features(classes=("a", "b"), rows=200)
    y = features.y.copy()
    y[: 2 * 90] = 1
    features = make_features(classes=("a", "b"), rows=200)
    object.__setattr__(features, "y", y)
    monkeypatch.setattr(live, "MOST_ITEMS", 60)
    rows = live.training_half(features, STRICT)
    counts = np.bincount(features.y[rows])
    assert counts.sum() <= 60 and counts[0] >= 2 and counts[1] / counts[0] == pytest.approx(19, rel=0.5)
    monkeypatch.setattr(live, "MOST_ITEMS", 600)
    monkeypatch.setattr(live, "MOST_VALUES", 896 * 40)
    assert len(live.training_half(features, STRICT)) <= 40


def test_the_page_stays_light(dataset_data):
    page = live.live("toy", live.toy_data()).data + live.live("dataset", dataset_data["AF"]).data
    assert len(page.encode()) < 2_500_000


# The method in JavaScript -------------------------------------------------------------------------------------------

RUN = """([seeds, preprocessing, rule]) => {
  const data = JSON.parse(document.getElementById("live-dataset-data").textContent);
  const m = cmcslMethod;
  const modalities = data.modalities.map(m.decoded).map((raw) => {
    const matrix = m.preprocessed(raw, preprocessing);
    return { matrix, distances: m.distancesOf(matrix), scale: rule === "scaled" ? Math.sqrt(raw.columns) : 1 };
  });
  const clusters = modalities.map(({ distances }) => m.clustering(distances, seeds, data.y.length));
  const own = clusters.map((each) => m.propagate(each, seeds, data.y));
  const both = rule === "calibrated" ? m.calibrated(modalities, seeds, data.y, data.classes.length)
    : m.nearest(own, clusters.map((each, i) => each.distance.map((away) => away / modalities[i].scale)));
  return { labels: [...own, both.label, both.modality], distances: clusters.map((each) => [...each.distance]),
           posterior: both.posterior };
}"""


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("rule", ["distance", "scaled", "calibrated"])
def test_labels_are_those_of_the_library(open_html, dataset_data, name, rule):
    page = open_html(live.live("dataset", dataset_data[name]).data)
    matrices, features, rows = dequantised(name)
    y = features.y[rows]
    for number, (preprocessing, budget) in enumerate(
        [("RAW", 1), ("L2", 3), ("L2STD", 1), ("L2STD", 5), ("L2STD", 20)]
    ):
        seeds = labeling(y, budget, np.random.default_rng(number))
        got = page.evaluate(RUN, [seeds.tolist(), preprocessing, rule])
        expected = labels(matrices, y, seeds, preprocessing, rule, len(features.classes))
        hidden = np.setdiff1d(np.arange(len(y)), seeds)
        for own, other in zip(got["labels"], expected, strict=True):
            assert (np.array(own)[hidden] == other[hidden]).all()
        for X, distances in zip(matrices, got["distances"], strict=True):
            prepared = preprocessor(preprocessing).fit_transform(X)
            np.testing.assert_allclose(distances, clustering(prepared, seeds).distance, rtol=1e-9)
        if rule == "calibrated":
            prepared = [preprocessor(preprocessing).fit_transform(X) for X in matrices]
            codes = np.where(np.isin(np.arange(len(y)), seeds), y, -1)
            posterior = calibrated_labels(prepared, codes, len(features.classes)).posterior
            np.testing.assert_allclose(got["posterior"], posterior, atol=1e-6)


@pytest.mark.slow
def test_the_generator_repeats_and_nests_seeds(open_html, dataset_data):
    page = open_html(live.live("dataset", dataset_data["CHMP"]).data)
    y = np.array(dataset_data["CHMP"]["y"])
    draw = "([y, budget, number]) => cmcslMethod.labeling(y, 4, budget, cmcslMethod.generator(number))"
    five, three, other = (page.evaluate(draw, [y.tolist(), *each]) for each in ((5, 1), (3, 1), (5, 2)))
    assert y[five].tolist() == np.repeat(np.arange(4), 5).tolist() and len(set(five)) == 20
    assert set(three) < set(five) != set(other)
    assert page.evaluate(draw, [y.tolist(), 5, 1]) == five
    # Each item is drawn about as often as any other of its class.
    many = page.evaluate(
        "(y) => Array.from({ length: 400 }, (_, i) => cmcslMethod.labeling(y, 2, 3, cmcslMethod.generator(i))).flat()",
        [0] * 10 + [1] * 20,
    )
    counts = np.bincount(many, minlength=30)
    assert counts.sum() == 2400 and counts[:10].min() > 80 and counts[10:].min() > 30


# The dataset on the page --------------------------------------------------------------------------------------------

SAYS = re.compile(
    r": (?:picture|visual modality) says (.+), (?:text|text modality) says (.+); label (.+), (right|wrong)$"
)


def read_tiles(page, data):
    """What the tiles say by row: seeds as a mask, labels of each modality and of both, as class numbers or -1."""
    order = np.argsort(data["y"], kind="stable")
    names = page.locator(".tile").evaluate_all("tiles => tiles.map(tile => tile.ariaLabel)")
    seeds, said = np.zeros(len(order), bool), np.full((len(order), 3), -1)
    for row, name in zip(order, names, strict=True):
        match = SAYS.search(name)
        seeds[row] = match is None
        if match:
            said[row] = [data["classes"].index(each) for each in match.groups()[:3]]
            assert (match[4] == "right") == (said[row, 2] == data["y"][row])
    return np.flatnonzero(seeds), said


def summary_numbers(page):
    text = page.locator(".summary").inner_text()
    pattern = (
        r"Of (\d+) hidden labels?, (\d+) \(.*?\) are right .*? alone, (\d+) \(.*?\) by .*? and (\d+) \(.*?\) after .*? "
        r"differ on (\d+) items?: the .*? decides (\d+)(?: \((\d+) right\))?, the .*? (\d+)(?: \((\d+) right\))?\."
    )
    return [int(number or 0) for number in re.search(pattern, text).groups()]


def check_page(page, data, matrices, preprocessing, rule):
    """Tiles and counts of the page are those of the library for the page's seeds; returns the seeds."""
    seeds, said = read_tiles(page, data)
    y = np.array(data["y"])
    hidden = np.setdiff1d(np.arange(len(y)), seeds)
    expected = labels(
        matrices, y, seeds[np.argsort(y[seeds], kind="stable")], preprocessing, rule, len(data["classes"])
    )
    assert (said[hidden] == np.stack(expected[:3], axis=1)[hidden]).all()
    first, second, label, modality = (each[hidden] for each in expected)
    right, differ = label == y[hidden], first != second
    deciders = [
        number
        for m in (0, 1)
        for number in ((differ & (modality == m)).sum(), (right & differ & (modality == m)).sum())
    ]
    shares = [(each == y[hidden]).sum() for each in (first, second, label)]
    assert summary_numbers(page) == [len(hidden), *shares, differ.sum(), *deciders]
    return seeds


@pytest.mark.slow
def test_counts_and_tiles_follow_draws_budgets_rules_and_picks(open_html, dataset_data):
    data = dataset_data["CHMP"]
    matrices, *_ = dequantised("CHMP")
    page = open_html(live.live("dataset", data).data)
    first = check_page(page, data, matrices, "L2STD", "distance")
    assert sorted(data["seeds"][5]) == first.tolist()
    page.get_by_role("button", name="Draw anew").click()
    drawn = check_page(page, data, matrices, "L2STD", "distance")
    assert drawn.tolist() != first.tolist()
    page.get_by_label("Where they differ").select_option("calibrated")
    assert check_page(page, data, matrices, "L2STD", "calibrated").tolist() == drawn.tolist()
    page.get_by_label("Where they differ").select_option("scaled")
    page.get_by_label("Preprocessing").select_option("L2")
    page.get_by_label("seeds per class").fill("2")
    assert len(check_page(page, data, matrices, "L2", "scaled")) == 8
    # A click makes a seed, another one takes it back; the last seed of a class stays.
    page.get_by_label("Preprocessing").select_option("RAW")
    page.get_by_label("Where they differ").select_option("distance")
    tile = page.locator(".tile[aria-pressed=false]").nth(3)
    name = tile.locator("xpath=.").evaluate("tile => { tile.dataset.mine = 1; return tile.ariaLabel; }")
    mine = page.locator(".tile[data-mine]")
    mine.click()
    assert len(check_page(page, data, matrices, "RAW", "distance")) == 9
    assert "picked by hand" in page.locator(".summary").inner_text()
    mine.click()
    assert len(check_page(page, data, matrices, "RAW", "distance")) == 8 and mine.get_attribute("aria-label") == name
    page.get_by_label("seed per class").or_(page.get_by_label("seeds per class")).fill("1")
    page.locator(".tile[aria-pressed=true]").first.click()
    assert "can't be taken away" in page.locator(".summary").inner_text()
    # A number repeats its draw.
    page.get_by_label("seed per class").fill("5")
    page.get_by_label("Draw no.").fill("1")
    page.get_by_label("Draw no.").press("Enter")
    page.get_by_label("Preprocessing").select_option("L2STD")
    assert check_page(page, data, matrices, "L2STD", "distance").tolist() == drawn.tolist()


@pytest.mark.slow
def test_many_draws_are_counted(open_html, dataset_data):
    data = dataset_data["AF"]
    matrices, *_ = dequantised("AF")
    y = np.array(data["y"])
    page = open_html(live.live("dataset", data).data)
    page.get_by_role("button", name="100 draws").click()
    page.wait_for_selector(".overall:not(:empty)")
    draws = page.evaluate(
        "y => Array.from({ length: 100 }, (_, i) => cmcslMethod.labeling(y, 2, 5, cmcslMethod.generator(i + 1)))",
        data["y"],
    )
    shares = []
    for seeds in draws:
        hidden = np.setdiff1d(np.arange(len(y)), seeds)
        each = labels(matrices, y, np.array(seeds), "L2STD", "distance", 2)[:3]
        shares.append([(label[hidden] == y[hidden]).mean() for label in each])
    shares = np.array(shares)
    words = page.locator(".overall").inner_text()
    assert re.findall(r"[\d.]+%", words) == [f"{100 * mean:.1f}%" for mean in shares.mean(axis=0)]
    better = shares[:, :2].max(axis=1)
    assert f"in {(shares[:, 2] > better).sum()} draw" in words and f"in {(shares[:, 2] < better).sum()}." in words
    assert page.locator(".chart .past").count() == 300
    # Other settings have other draws.
    page.get_by_label("Preprocessing").select_option("RAW")
    assert page.locator(".chart .past").count() == 0 and page.locator(".overall").inner_text() == ""


@pytest.mark.slow
def test_an_item_that_is_looked_at_tells_its_story(open_html, dataset_data):
    data = dataset_data["AF"]
    page = open_html(live.live("dataset", data).data)
    table = exchange_table(load_features("openclipart", "AF"), STRICT, 5)
    matrices, features, rows = dequantised("AF")
    first, second, *_ = labels(matrices, features.y[rows], np.array(data["seeds"][5]), "L2STD", "distance", 2)
    differing = np.flatnonzero((first != second) & ~table.seed)
    # Of full precision and of bytes alike.
    place = next(place for place, row in enumerate(differing) if not table.agree[row])
    row = differing[place]
    page.get_by_label("picture and text differ").check()
    assert page.locator(".tile:visible").count() == len(differing)
    page.locator(".tile:visible").nth(place).hover()
    panel = page.locator(".panel-of-item")
    story = " ".join(panel.inner_text().split())
    titles = load("openclipart").items.set_index("id").title
    assert titles[table.id[row]] in story and f"seed “{titles[table.text_seed[row]]}”" in story
    distances = [float(number) for number in re.findall(r"at ([\d.]+):", story)]
    assert distances == pytest.approx([table.visual_distance[row], table.text_distance[row]], abs=0.2)
    assert (
        f"the {table.decided_by[row].replace('visual', 'picture')} is nearer to its seed. Label: {table.label[row]}"
        in story
    )
    assert panel.locator("img").count() == 3
    page.get_by_label("Where they differ").select_option("calibrated")
    assert "Its evidence:" in panel.inner_text() and "Together:" in panel.inner_text()


@pytest.mark.slow
def test_the_dataset_can_be_used_by_keys_alone(open_html, dataset_data):
    data = dataset_data["CHMP"]
    matrices, *_ = dequantised("CHMP")
    page = open_html(live.live("dataset", data).data)

    def focused(what="document.activeElement.outerHTML"):
        return page.evaluate(what)

    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert len(check_page(page, data, matrices, "L2STD", "distance")) == 16
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    check_page(page, data, matrices, "L2STD", "distance")
    assert page.get_by_label("Draw no.").input_value() == "1"
    for _ in range(20):
        page.keyboard.press("Tab")
        if 'class="tile' in focused():
            break
    label = "document.activeElement.ariaLabel"
    start = focused(label)
    page.keyboard.press("ArrowRight")
    beside = focused(label)
    page.keyboard.press("ArrowDown")
    below = focused(label)
    page.keyboard.press("ArrowUp")
    assert len({start, beside, below}) == 3 and focused(label) == beside
    title = beside.split(": ")[0]
    assert title in page.locator(".panel-of-item").inner_text()
    before = read_tiles(page, data)[0]
    page.keyboard.press("Enter")
    assert len(set(before) ^ set(read_tiles(page, data)[0])) == 1 and focused(label).startswith(title)
    check_page(page, data, matrices, "L2STD", "distance")
    # All tiles are one stop: the next one is the button of the item.
    page.keyboard.press("Tab")
    assert "seed" in focused() and 'class="tile' not in focused()


@pytest.mark.slow
def test_touch_looks_first_and_picks_then(open_html, dataset_data):
    page = open_html(live.live("dataset", dataset_data["AF"]).data, has_touch=True)
    tile = page.locator(".tile[aria-pressed=false]").nth(4)
    handle = tile.element_handle()
    handle.tap()
    assert handle.get_attribute("aria-pressed") == "false" and "looked" in handle.get_attribute("class")
    handle.tap()
    assert handle.get_attribute("aria-pressed") == "true"


@pytest.mark.slow
def test_items_without_pictures_and_with_hostile_names(open_html, make_features):
    features = make_features(classes=HOSTILE[:2], rows=30)
    items = pd.DataFrame({"id": features.ids, "text": None, "image": None})
    items.loc[3, "text"] = HOSTILE[2]
    data = live.dataset_data(Corpus("mine", items), features, STRICT)
    assert not data["images"] and data["names"][0] == "visual modality"
    page = open_html(live.live("dataset", data).data)
    assert page.locator("img").count() == 0 and page.locator(".tile").count() == len(data["y"])
    matrices = [live.Quantised(X[live.training_half(features, STRICT)]).matrix() for X in features.modalities]
    check_page(page, data, matrices, "L2STD", "distance")


# The toy ------------------------------------------------------------------------------------------------------------


def toy_labels(data, preprocessing="STD"):
    y, seeds = np.array(data["y"]), np.array(data["seeds"])
    return labels([np.array(data[name]) for name in ("visual", "text")], y, seeds, preprocessing, "distance", 3)


def toy_table(page):
    """The table of items on which picture and text differ: name, two labels, two distances, label."""
    rows = page.locator("#live-toy tr").all_inner_texts()[1:]
    parts = [re.split(r"\t|, | (?=[✓✗])", row) for row in rows]
    return [[part.strip() for part in row] for row in parts]


def toy_page(open_html, **options):
    return open_html(live.live("toy", live.toy_data()).data, **STILL | options)


def go(page, step):
    page.locator(".steps button").nth(step - 1).click()


@pytest.mark.slow
def test_the_toys_numbers_are_those_of_the_library(open_html):
    data = live.toy_data()
    page = toy_page(open_html)
    go(page, 5)
    first, second, label, _ = toy_labels(data)
    y = np.array(data["y"])
    names = [f"{data['classes'][of]} {i - data['y'].index(of) + 1}" for i, of in enumerate(data["y"])]
    differing = [i for i in range(len(y)) if first[i] != second[i] and i not in data["seeds"]]
    expected = [[names[i], *(data["classes"][each[i]] for each in (first, second, label))] for i in differing]
    assert [[row[0], row[1], row[3], row[5]] for row in toy_table(page)] == expected
    hidden = np.setdiff1d(np.arange(len(y)), data["seeds"])
    caption = page.locator(".caption").inner_text()
    right = [(each == y)[hidden].sum() for each in (label, first, second)]
    assert f"Now {right[0]} of {len(hidden)} labels are right" in caption
    assert f"the pictures alone would give {right[1]}, the texts alone {right[2]}." in caption
    assert right[0] > max(right[1:]), "the toy begins with seeds for which the exchange helps"
    page.get_by_label("leave out PREPROCESS").check()
    first, second, *_ = toy_labels(data, "RAW")
    differing = (first != second)[hidden]
    assert f"the picture decides 0, the text {differing.sum()}" in page.locator(".caption").inner_text()


#: All that is seen: elements with their attributes, in any order, and words.
STATE = """() => [...document.querySelectorAll("#live-toy *")].map((part) => [
  part.tagName, part.childElementCount ? "" : part.textContent,
  [...part.attributes].filter((each) => each.value).map((each) => `${each.name}=${each.value}`).sort(),
])"""


@pytest.mark.slow
def test_stepping_back_and_forth_restores_the_state(open_html):
    page = toy_page(open_html)
    back, forth = (page.get_by_role("button", name=name) for name in ("Back", "Next"))
    states = [page.evaluate(STATE)]
    for _ in range(4):
        forth.click()
        states.append(page.evaluate(STATE))
    assert all(one != other for one, other in itertools.pairwise(states)) and forth.is_disabled()
    for state in states[-2::-1]:
        back.click()
        assert page.evaluate(STATE) == state
    assert back.is_disabled()


def place_of(point):
    return [float(number) for number in re.findall(r"-?[\d.]+", point.get_attribute("transform"))]


@pytest.mark.slow
def test_the_toy_can_be_used_by_keys_alone(open_html):
    page = toy_page(open_html)
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert page.get_by_role("button", name="5 NEAREST").get_attribute("aria-current") == "step"
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert page.get_by_role("button", name="1 LABELING").evaluate("button => button === document.activeElement")
    page.keyboard.press("End")
    point = page.locator(".point").nth(0)
    for _ in range(20):
        page.keyboard.press("Tab")
        if point.evaluate("point => point === document.activeElement"):
            break
    left, top = place_of(point)
    assert point.get_attribute("aria-label").startswith("circle 1, picture: ")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    moved = place_of(point)
    assert moved[0] > left + 15 and moved[1] < top - 2
    page.keyboard.press("Enter")
    assert "a seed." in point.get_attribute("aria-label") and page.locator(".point.seed").count() == 6
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Start over").press("Enter")
    go(page, 5)
    assert place_of(point) == [left, top]


@pytest.mark.slow
def test_an_item_is_dragged_and_labels_follow(open_html):
    data = live.toy_data()
    page = toy_page(open_html)
    go(page, 5)
    # An item of which picture and text say the same is dragged, in the pictures, onto another class's seed.
    first, second, *_ = toy_labels(data)
    i = next(i for i in range(len(first)) if first[i] == second[i] and i not in data["seeds"])
    other = next(seed for seed in data["seeds"] if data["y"][seed] != first[i])
    boxes = [page.locator(".point").nth(number).locator(".glyph").bounding_box() for number in (i, other)]
    (x, y), (to_x, to_y) = ((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes)
    before = page.locator(".point.differs").count()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x + 6, to_y, steps=5)
    page.mouse.up()
    label = page.locator(".point").nth(i).get_attribute("aria-label")
    assert "They differ, and the picture decides" in label
    assert page.locator(".point.differs").count() == before + 2
    after = place_of(page.locator(".point").nth(i))
    seed = place_of(page.locator(".point").nth(other))
    assert np.hypot(*np.subtract(after, seed)) < 25


# Both ---------------------------------------------------------------------------------------------------------------


def theme() -> str:
    """The colours of the book's theme in dark mode, and the book's own style."""
    package = pytest.importorskip("pydata_sphinx_theme")
    styles = Path(package.__file__).parent / "theme/pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css"
    colours = re.search(r"data-theme=dark\]\{(--pst[^}]*)\}", styles.read_text(encoding="utf-8"))[1]
    body = "body{background:var(--pst-color-background,#fff);color:var(--pst-color-text-base,#222832)}"
    book = (REPOSITORY / "book/_static/cmcsl.css").read_text(encoding="utf-8")
    return f"<title>Live</title><style>html[data-theme=dark]{{{colours}}}{body}{book}</style>"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["toy", "dataset"])
def test_nothing_serious_is_found_by_axe_in_light_and_dark_and_on_narrow_screens(open_html, kind, dataset_data):
    axe = pytest.importorskip("axe_playwright_python.base").AXE_SCRIPT
    data = live.toy_data() if kind == "toy" else dataset_data["AF"]
    html = f"<main><h1>Live</h1>{live.live(kind, data).data}</main>"
    page = open_html(html, head=theme(), viewport={"width": 375, "height": 800}, **STILL)
    page.evaluate(axe)
    faults = []
    for shade in ("light", "dark"):
        page.evaluate("shade => { document.documentElement.dataset.theme = shade; }", shade)
        for _ in range(5 if kind == "toy" else 1):
            violations = page.evaluate("axe.run({preload: false, resultTypes: ['violations']})")["violations"]
            faults += [
                (shade, fault["id"], node["html"][:120])
                for fault in violations
                if fault["impact"] in ("serious", "critical")
                for node in fault["nodes"]
            ]
            if kind == "toy" and page.get_by_role("button", name="Next").is_enabled():
                page.get_by_role("button", name="Next").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        if kind == "toy":
            page.get_by_role("button", name="Start over").click()
    assert not faults
