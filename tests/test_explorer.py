"""The explorer: its data by value, its page in headless Chromium where there is one."""

import base64
import csv
import io
import json
import re
import xml.etree.ElementTree as ET
import zlib
from itertools import pairwise

import numpy as np
import pytest
from own_corpora import HOSTILE
from PIL import Image

from cmcsl_lib.book import embedding, explorer
from cmcsl_lib.corpora import load
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.experiments.exchange import exchange_table
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.sources import source_scores

STRICT = PROTOCOLS["strict"]
BUDGETS = (1, 2, 3, 5, 20)


@pytest.fixture(scope="module")
def corpus():
    return load("openclipart")


@pytest.fixture(scope="module")
def score_data():
    return explorer.score_data(explorer.score_sources("openclipart", names="AF PT AFP"))


@pytest.fixture(scope="module")
def item_data(corpus):
    return explorer.item_data(corpus, STRICT, "AF AFP", BUDGETS)


@pytest.fixture(scope="module")
def accuracies():
    """Balanced accuracies of the strict protocol: dataset, classifier, modality, method and budget to ten folds."""
    scores = source_scores("openclipart", 3, datasets="AF PT AFP", classifiers=("GNB", "LR", "CART"), compute=False)
    keys = ["dataset", "classifier", "modality", "method", "budget"]
    ordered = scores.sort_values(["repetition", "fold"], kind="stable")
    return ordered.groupby(keys).balanced_accuracy.agg(np.array)


def unpacked(text, differences=False):
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(2, -1).astype(int)
    numbers = 256 * planes[0] + planes[1]
    return np.cumsum(numbers) % 2**16 if differences else numbers


# Data ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("differences", [False, True])
def test_packed_numbers_are_those_that_were_given(differences):
    numbers = np.random.default_rng(0).integers(0, 2**16, 1000)
    assert (unpacked(embedding.packed(numbers, differences=differences), differences) == numbers).all()


def test_scores_are_those_of_every_fold(score_data, accuracies):
    strict = score_data["sources"][0]
    assert strict["title"] == "openclipart, strict protocol" and strict["budgets"] == list(range(1, 21))
    assert strict["datasets"] == ["AF", "PT", "AFP"] and strict["classifiers"] == ["GNB", "LR", "CART"]
    assert strict["groups"] == {"binary datasets, mean": ["AF", "PT"], "multiclass datasets, mean": ["AFP"]}
    curves = unpacked(strict["curve_values"], differences=True).reshape(3, 3, len(strict["curves"]), 10, 20)
    line = strict["curves"].index(["text", "UNI"])
    for budget in (1, 7, 20):
        values = curves[2, 1, line, :, budget - 1] / explorer.PARTS
        np.testing.assert_allclose(values, accuracies["AFP", "LR", "text", "UNI", budget], atol=0.5 / explorer.PARTS)
    levels = unpacked(strict["level_values"], differences=True).reshape(3, 3, len(strict["levels"]), 10)
    values = levels[0, 0, strict["levels"].index(["both", "EF"])] / explorer.PARTS
    np.testing.assert_allclose(values, accuracies["AF", "GNB", "both", "EF", 0], atol=0.5 / explorer.PARTS)
    assert [each["title"] for each in score_data["sources"]][1] == "openclipart, paper protocol"


def test_the_protocol_that_is_asked_for_stands_first():
    assert next(iter(explorer.score_sources("openclipart", "paper", names="AF"))) == "openclipart, paper protocol"


def test_datasets_with_too_many_items_are_left_out(corpus):
    size = len(load_features("openclipart", "AF").y)
    data = explorer.item_data(corpus, STRICT, "AF AFP PT", [1], most=size)
    assert list(data["datasets"]) == ["AF"] and data["budgets"] == [1]
    assert len(data["items"]) == len(data["images"]) == size


def test_large_pictures_are_made_small():
    content = io.BytesIO()
    Image.new("RGB", (400, 200), "red").save(content, "PNG")
    image = Image.open(io.BytesIO(base64.b64decode(embedding.thumbnail(content.getvalue()))))
    assert (image.format, image.size) == ("WEBP", (96, 48))


def test_a_text_can_not_end_the_data():
    texts = ["</script><b>", "<!--<script>"]
    page = explorer.explorer("items", {"items": [texts]}).data
    data = page.split('id="explore-items-data">')[1].split("</script>")[0]
    assert "<" not in data and json.loads(data)["items"] == [texts]


# The page -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_page(open_html):
    """Open plots of the explorer: a function of their data by kind."""

    def open_plots(width=1280, address="", **data):
        body = "".join(explorer.explorer(kind, each).data for kind, each in data.items())
        page = open_html(body, address=address, viewport={"width": width, "height": 900})
        for kind in data:
            page.wait_for_selector(f"#explore-{kind} svg > g")
        return page

    return open_plots


def control(page, name):
    return page.get_by_role("combobox", name=name, exact=True)


def chosen(page, name):
    return control(page, name).evaluate("select => select.selectedOptions[0].textContent")


def saved(page, label):
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    return download.value.suggested_filename, download.value.path().read_text(encoding="utf-8")


def csv_rows(page):
    name, text = saved(page, "Save as CSV")
    return name, list(csv.DictReader(io.StringIO(text)))


def readings(page):
    """The table below the scores: from the second column on, by method and modality, or by modality alone."""
    rows = [row.split("\t") for row in page.locator("#explore-scores tr").all_inner_texts()]
    heads, *rows = [[cell.strip() for cell in row] for row in rows]
    if heads[0] == "Method":
        return {(method, modality): cells for method, modality, *cells in rows}
    return {modality: cells for modality, *cells in rows}


def story(page):
    return " ".join(page.locator("#explore-items .item").inner_text().split())


def set_slider(page, place):
    page.locator("input[type=range]").first.fill(str(place))


ROWS = """async ([name, fold, budget]) => {
  const data = JSON.parse(document.getElementById("explore-items-data").textContent);
  const read = await cmcslExplorerData.readDataset(data.datasets[name], data.decimals);
  return read.labelled(fold, budget);
}"""


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_items_of_any_fold_and_budget_are_those_of_the_exchange(open_page, corpus, protocol):
    rules = PROTOCOLS[protocol]
    data = explorer.item_data(corpus, rules, "AF AFP", BUDGETS)
    page = open_page(items=data)
    titles = corpus.items.set_index("id").title
    for name in ("AF", "AFP"):
        features = load_features("openclipart", name)
        for fold in (0, 7):
            for place, budget in enumerate(BUDGETS):
                rows = page.evaluate(ROWS, [name, fold, place])
                table = exchange_table(features, rules, budget, fold=fold)
                table = table[~table.seed].reset_index(drop=True)
                assert [data["items"][row["number"]][0] for row in rows] == titles[table.id].tolist()
                for column in ("true", "label", "right"):
                    assert [row[column] for row in rows] == table[column].tolist()
                for modality in ("visual", "text"):
                    own = [row[modality] for row in rows]
                    assert [each["label"] for each in own] == table[f"{modality}_label"].tolist()
                    seeds = [data["items"][each["seed"]][0] for each in own]
                    assert seeds == titles[table[f"{modality}_seed"]].tolist()
                    distances = table[f"{modality}_distance"].to_numpy()
                    assert [each["distance"] for each in own] == pytest.approx(distances, abs=0.5001 * 10**-2)
                differ = (~table.agree).to_numpy()
                decided = np.array(["visual", "text"])[[row["decided"] for row in rows]]
                assert (decided == table.decided_by)[differ].all()
                assert [row["outcome"] > 0 for row in rows] == differ.tolist()


@pytest.mark.slow
def test_of_distances_that_are_rounded_to_one_the_nearer_decides(open_page, corpus):
    data = explorer.item_data(corpus, STRICT, "CHMP", range(1, 21))
    near = data["datasets"]["CHMP"]["near"]
    assert near, "there are some in this dataset"
    page = open_page(items=data)
    for fold, row, place in near:
        rows = page.evaluate(ROWS, ["CHMP", fold, place])
        table = exchange_table(load_features("openclipart", "CHMP"), STRICT, place + 1, fold=fold)
        hidden = int((~table.seed[:row]).sum())
        assert rows[hidden]["visual"]["distance"] == rows[hidden]["text"]["distance"]
        assert rows[hidden]["decided"] == 1 and table.decided_by[row] == "text"


@pytest.mark.slow
def test_another_dataset_is_drawn_and_saved(open_page, score_data, accuracies):
    page = open_page(scores=score_data)
    before = page.inner_html("svg")
    control(page, "Dataset").select_option("AFP")
    assert page.inner_html("svg") != before and "AFP, GNB" in page.inner_text("caption")
    control(page, "Classifier").select_option("CART")
    page.get_by_label("visual").uncheck()
    page.get_by_label("At 5 labelled samples per class").fill("0")
    folds = accuracies["AFP", "CART", "text", "CMCSL", 1]
    reading = readings(page)["CMCSL", "text"]
    assert reading == [f"{folds.mean():.3f}", f"{folds.min():.3f} to {folds.max():.3f}"]
    name, rows = csv_rows(page)
    values = [float(row["balanced_accuracy"]) for row in rows if row["method"] == "CMCSL"]
    means = [accuracies["AFP", "CART", "text", "CMCSL", budget].mean() for budget in range(1, 21)]
    assert name == "scores.csv" and values == pytest.approx(means, abs=6e-5)
    assert {row["modality"] for row in rows} == {"text", "both"} and {row["dataset"] for row in rows} == {"AFP"}
    name, text = saved(page, "Save as SVG")
    assert name == "scores.svg" and ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    control(page, "Fold").select_option("4")
    assert readings(page)["CMCSL", "text"][0] == f"{folds[3]:.3f}" and "fold 4" in page.inner_text("caption")
    control(page, "Scores").select_option("openclipart, paper protocol")
    assert "paper protocol" in page.inner_text("caption")
    # Means over folds alone have no fold to choose.
    control(page, "Scores").select_option("published scores, MM-IMDb")
    folds = control(page, "Fold").locator("option").count()
    assert folds == (1 if score_data["sources"][2]["folds"] == 1 else 11)


@pytest.mark.slow
def test_readings_of_a_group_are_means_over_folds_and_datasets(open_page, score_data, accuracies):
    page = open_page(scores=score_data)
    assert chosen(page, "Dataset") == "binary datasets, mean"
    for budget in (1, 5, 20):
        set_slider(page, budget - 1)
        for (method, modality), (value, _) in readings(page).items():
            key = "GNB", modality, method, budget if method in ("PRE", "UNI", "CMCSL") else 0
            assert value == f"{np.mean([accuracies['AF', *key].mean(), accuracies['PT', *key].mean()]):.3f}"


@pytest.mark.slow
def test_a_difference_shows_its_spread_over_folds(open_page, score_data, accuracies):
    page = open_page(scores=score_data)
    control(page, "Dataset").select_option("AF")
    control(page, "Show").select_option("difference of two methods")
    assert page.locator("svg .spread").count() == 2

    def sign(value):
        return f"{value:+.3f}".replace("-", "−") if round(value, 3) else "0.000"

    def expected(first, minus, modality):
        folds = accuracies["AF", "GNB", modality, first, 5] - accuracies["AF", "GNB", modality, minus, 5]
        spread = f"{sign(folds.min())} to {sign(folds.max())}"
        return [sign(folds.mean()), spread, f"{(folds > 0).sum()} of 10"]

    assert readings(page) == {name: expected("CMCSL", "UNI", name) for name in ("visual", "text")}
    assert page.locator("caption").inner_text().startswith("CMCSL − UNI, AF, GNB")
    control(page, "minus").select_option("PRE")
    page.get_by_label("text", exact=True).uncheck()
    assert readings(page) == {"visual": expected("CMCSL", "PRE", "visual")}
    _, rows = csv_rows(page)
    assert len(rows) == 20 and {row["method"] for row in rows} == {"CMCSL − PRE"}
    # What has no folds has no spread.
    control(page, "Scores").select_option("published scores, MM-IMDb")
    assert page.locator("svg .spread").count() == (score_data["sources"][2]["folds"] > 1)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 375])
def test_two_sources_or_methods_stand_side_by_side_on_one_scale(open_page, score_data, width):
    page = open_page(scores=score_data, width=width)
    control(page, "Dataset").select_option("AF")
    control(page, "Beside it").select_option("openclipart, paper protocol")
    captions = page.locator("caption").all_inner_texts()
    assert [caption.split(", mean")[0] for caption in captions] == [
        f"AF, GNB, openclipart, {protocol} protocol" for protocol in ("strict", "paper")
    ]
    labels = page.locator("svg text[text-anchor=end]").all_inner_texts()
    assert labels[: len(labels) // 2] == labels[len(labels) // 2 :] and len(labels) >= 6
    titles = [
        page.locator("svg").get_by_text(f"openclipart, {name} protocol").bounding_box() for name in ("strict", "paper")
    ]
    across, down = titles[1]["x"] - titles[0]["x"], titles[1]["y"] - titles[0]["y"]
    assert (across > 200 and down == 0) if width == 1280 else (across == 0 and down > 200)
    control(page, "Beside it").select_option("openclipart, strict protocol")
    control(page, "its methods").select_option("UNI")
    control(page, "its dataset").select_option("PT")
    table = page.locator("table").nth(1).inner_text()
    assert "PT, GNB" in table and "UNI" in table and "CMCSL" not in table
    _, rows = csv_rows(page)
    assert {(row["dataset"], row["method"]) for row in rows} >= {("PT", "UNI"), ("AF", "CMCSL")}
    assert ("PT", "CMCSL") not in {(row["dataset"], row["method"]) for row in rows}


@pytest.mark.slow
def test_unticking_everything_says_so(open_page, score_data):
    page = open_page(scores=score_data)
    for name in ("visual", "text"):
        page.get_by_label(name, exact=True).uncheck()
    assert page.locator(".nothing").inner_text() == "Nothing is drawn: tick at least one modality and one method."
    assert not page.locator("#explore-scores svg").is_visible() and not page.locator("table").is_visible()
    page.get_by_label("text", exact=True).check()
    assert page.locator("#explore-scores svg").is_visible() and page.locator(".nothing").inner_text() == ""
    for name in score_data["styles"]:
        page.get_by_label(name, exact=True).uncheck()
    assert "tick at least one" in page.locator(".nothing").inner_text()


@pytest.mark.slow
def test_an_item_can_be_clicked_and_tells_its_story(open_page, item_data, corpus):
    page = open_page(items=item_data)
    control(page, "Dataset").select_option("AFP")
    control(page, "Fold").select_option("2")
    control(page, "Show").select_option("labels differ, the text decides")
    table = exchange_table(load_features("openclipart", "AFP"), STRICT, 20, fold=1)
    set_slider(page, BUDGETS.index(20))
    table = table[~table.seed & ~table.agree & (table.decided_by == "text")]
    assert page.locator("svg [data-item]").count() == len(table)
    # The outermost mark, which no other one covers.
    row = table.loc[(table.visual_distance - table.text_distance).idxmax()]
    features = load_features("openclipart", "AFP")
    items = unpacked(item_data["datasets"]["AFP"]["items"], differences=True)
    number = items[list(features.ids).index(row.id)]
    page.locator(f"svg [data-item='{number}']").click()
    told = story(page)
    title, text = corpus.items.set_index("id").loc[row.id, ["title", "text"]]
    assert " ".join(title.split()) in told and " ".join(text.split()) in told
    assert f"the text is closer to its seed, so it decides: {row.label}." in told
    assert f"at {row.text_distance:.2f}: {row.text_label}" in told
    assert ("✓ right" in told) == row.right
    panel = page.locator(".item")
    assert panel.locator("img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    # By keys: the list of items.
    control(page, "Item").focus()
    page.keyboard.press("ArrowDown" if control(page, "Item").evaluate("s => s.selectedIndex") == 0 else "ArrowUp")
    assert story(page) != told
    name, rows = csv_rows(page)
    assert name == "items.csv" and len(rows) == len(table) and {each["decided_by"] for each in rows} == {"text"}
    name, text = saved(page, "Save as SVG")
    assert name == "items.svg" and "transient" not in text and ET.fromstring(text) is not None


def centre(mark):
    box = mark.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.slow
def test_pointing_shows_an_item_and_a_click_far_from_marks_picks_none(open_page, item_data):
    page = open_page(items=item_data)
    svg = page.locator("#explore-items svg")
    svg.scroll_into_view_if_needed()
    first, item = story(page), chosen(page, "Item")
    marks = page.locator("svg [data-item]")
    places = np.array([centre(mark) for mark in marks.all()])
    # A mark far from others, and a place far from all.
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1)) + 1e9 * np.eye(len(places))
    lonely = marks.nth(int(apart.min(axis=1).argmax()))
    page.mouse.move(*centre(lonely))
    shown = story(page)
    assert shown != first and lonely.get_attribute("aria-label").split(": label")[0] in shown
    assert chosen(page, "Item") == item, "it is looked at, not picked"
    box = svg.bounding_box()
    grid = box["x"] + 70 + np.indices((12, 12)).reshape(2, -1).T * [25, 25] - [0, box["x"] - box["y"] + 40]
    far = grid[np.hypot(*(grid[:, None] - places).transpose(2, 0, 1)).min(axis=1).argmax()]
    page.mouse.move(*far)
    assert story(page) == first
    page.mouse.click(*far)
    assert (story(page), chosen(page, "Item")) == (first, item)
    x, y = centre(lonely)
    page.mouse.click(x + 5, y + 5)
    page.mouse.move(*far)
    assert story(page) == shown and chosen(page, "Item") != item


@pytest.mark.slow
def test_all_marks_are_reached_by_keys(open_page, item_data):
    page = open_page(items=item_data)
    count = page.locator("svg [data-item]").count()
    focused = "document.activeElement.dataset.item"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate(focused):
            break
    page.keyboard.press("Home")
    reached, stories = [page.evaluate(focused)], [story(page)]
    for _ in range(count - 1):
        page.keyboard.press("ArrowRight")
        reached.append(page.evaluate(focused))
        stories.append(story(page))
    assert len(set(reached)) == count and all(one != other for one, other in pairwise(stories))
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == reached[-1]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    kept = page.evaluate(focused)
    assert control(page, "Item").input_value() == kept != reached[-1] and f"item={kept}" in page.url
    # All marks are one stop.
    page.keyboard.press("Tab")
    assert not page.evaluate(focused) and story(page)


@pytest.mark.slow
def test_the_totals_are_those_of_the_exchange(open_page, item_data):
    page = open_page(items=item_data)
    table = exchange_table(load_features("openclipart", "AF"), STRICT, 5)
    table = table[~table.seed]
    words = page.locator(".sums").inner_text()
    alone = [(table[f"{name}_label"] == table.true).sum() for name in ("visual", "text")]
    numbers = [int(number) for number in re.findall(r"(\d+) \(", words)]
    assert numbers == [*alone, table.right.sum()] and words.startswith(f"Of {len(table)} hidden labels")
    differ = table[~table.agree]
    assert f"differ on {len(differ)}:" in words
    for name, modality in (("image", "visual"), ("text", "text")):
        part = differ[differ.decided_by == modality]
        share = f", right {100 * part.right.mean():.0f}%" if len(part) else ""
        assert f"the {name} decides {len(part)}{share}" in words


@pytest.mark.slow
def test_both_plots_share_dataset_fold_and_budget_and_the_address_holds_them(open_page, score_data, item_data):
    page = open_page(scores=score_data, items=item_data)
    scores, items = page.locator("#explore-scores"), page.locator("#explore-items")
    control(scores, "Dataset").select_option("AFP")
    control(scores, "Fold").select_option("3")
    scores.locator("input[type=range]").fill("1")
    assert (chosen(items, "Dataset"), chosen(items, "Fold")) == ("AFP", "3")
    assert "2 seeds per class" in items.inner_text()
    control(items, "Dataset").select_option("AF")
    items.locator("input[type=range]").fill("0")
    assert chosen(scores, "Dataset") == "AF" and "At 1 labelled sample per class" in scores.inner_text()
    # What items have no such name for, such as a group or another corpus, leaves them as they are.
    control(scores, "Scores").select_option("published scores, MM-IMDb")
    control(scores, "Dataset").select_option("HR")
    assert chosen(items, "Dataset") == "AF"
    control(scores, "Show").select_option("difference of two methods")
    control(items, "Show").select_option("all items")
    items.locator("svg [data-item]").nth(3).dispatch_event("focus")
    control(items, "Item").select_option(index=3)
    state = """() => [...document.querySelectorAll("select, input")]
      .map(each => each.type === "checkbox" ? each.checked : each.value)"""
    expected, address = page.evaluate(state), page.evaluate("location.hash")
    assert (
        address.startswith("#explore-items?")
        and items.get_by_text("Link to this view").get_attribute("href") == address
    )
    other = open_page(scores=score_data, items=item_data, address=address)
    assert other.evaluate(state) == expected and story(other) == story(page)
    assert 0 <= other.locator("#explore-items").bounding_box()["y"] < 900, "the page is opened at the plot"
    # An address that is typed over the old one is followed; what it says wrongly is passed over.
    other.evaluate("location.hash = '#explore-scores?dataset-openclipart=AFP&budget=17.5&fold=x'")
    other.wait_for_function("document.querySelector('#explore-items select').value === 'AFP'")
    assert "5 seeds per class" in other.locator("#explore-items").inner_text()


@pytest.mark.slow
def test_hostile_names_are_shown_and_saved_as_they_stand(open_page, item_data):
    classes = [HOSTILE[2], HOSTILE[0]]
    datasets = {"AF": item_data["datasets"]["AF"] | {"classes": classes}}
    data = item_data | {"datasets": datasets, "items": [HOSTILE[:2]] * len(item_data["items"])}
    page = open_page(items=data)
    control(page, "Show").select_option("all items")
    options = control(page, "Item").locator("option").all_inner_texts()
    assert set(options) == {f"{HOSTILE[0]} ({name})" for name in classes} and page.locator("img[src=x]").count() == 0
    _, rows = csv_rows(page)
    assert {row["title"] for row in rows} == {f"'{HOSTILE[0]}"}
    assert {row["true_class"] for row in rows} == {classes[0], f"'{classes[1]}"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "address", ["", "#explore-scores?show=difference+of+two+methods&beside=openclipart%2C+paper+protocol"]
)
def test_a_narrow_screen_is_wide_enough(open_page, address, score_data, item_data):
    page = open_page(width=375, address=address, scores=score_data, items=item_data)
    assert page.locator("table").count() == (2 if address else 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
