"""The explorer: its data by value, its page in headless Chromium where there is one."""

import base64
import csv
import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from own_corpora import HOSTILE
from PIL import Image

from cmcsl_lib.book import explorer
from cmcsl_lib.corpora import load
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.experiments.exchange import exchange_table
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.sources import source_scores

STRICT = PROTOCOLS["strict"]


@pytest.fixture(scope="module")
def corpus():
    return load("openclipart")


@pytest.fixture(scope="module")
def score_data():
    return explorer.score_data(explorer.score_sources("openclipart", names="AF PT AFP"))


@pytest.fixture(scope="module")
def item_data(corpus):
    return explorer.item_data(corpus, STRICT, "AF AFP")


def test_scores_are_means_over_folds_and_over_the_datasets_of_a_group(score_data):
    scores = source_scores("openclipart", 3, datasets="AF PT AFP", classifiers=("GNB", "LR", "CART"), compute=False)
    strict = score_data["sources"][0]
    assert strict["title"] == "openclipart, strict protocol" and strict["budgets"] == list(range(1, 21))
    assert list(strict["datasets"]) == ["binary datasets, mean", "multiclass datasets, mean", "AF", "PT", "AFP"]
    selected = scores.query("classifier == 'LR' and modality == 'text' and method == 'UNI' and budget == 3")
    means = selected.groupby("dataset").balanced_accuracy.mean()
    assert strict["datasets"]["AFP"]["LR"]["text"]["UNI"][2] == pytest.approx(means["AFP"], abs=5e-5)
    together = strict["datasets"]["binary datasets, mean"]["LR"]["text"]["UNI"][2]
    assert together == pytest.approx((means["AF"] + means["PT"]) / 2, abs=5e-5)
    assert len(strict["datasets"]["AF"]["GNB"]["both"]["EF"]) == 1
    assert [each["title"] for each in score_data["sources"]][1] == "openclipart, paper protocol"


def test_the_protocol_that_is_asked_for_stands_first():
    assert next(iter(explorer.score_sources("openclipart", "paper", names="AF"))) == "openclipart, paper protocol"


def test_items_are_those_of_the_exchange(corpus, item_data):
    table = exchange_table(load_features("openclipart", "AF"), STRICT, 5)
    table = table[~table.seed].reset_index(drop=True)
    columns = item_data["datasets"]["AF"]["budgets"][5]
    classes = np.array(item_data["datasets"]["AF"]["classes"])
    titles = np.array([title for title, _ in item_data["items"]])
    by_id = corpus.items.set_index("id")
    assert list(titles[columns["item"]]) == by_id.title[table.id].tolist()
    assert list(titles[columns["text"]["seed"]]) == by_id.title[table.text_seed].tolist()
    assert list(classes[columns["label"]]) == table.label.tolist()
    assert list(classes[columns["visual"]["label"]]) == table.visual_label.tolist()
    assert columns["text"]["distance"] == pytest.approx(table.text_distance.tolist(), abs=5e-4)
    assert [("visual", "text")[number] for number in columns["decided"]] == table.decided_by.tolist()


def test_budgets_that_were_not_run_are_not_shown(corpus):
    data = explorer.item_data(corpus, STRICT, "AF", budgets=[2, 3])
    assert list(data["datasets"]["AF"]["budgets"]) == [2]
    assert list(explorer.item_data(corpus, STRICT, "AF", budgets=[1, 3, 5])["datasets"]["AF"]["budgets"]) == [1, 5]


def test_datasets_with_too_many_items_are_left_out(corpus):
    assert list(explorer.item_data(corpus, STRICT, "AF AFP PT", most=240)["datasets"]) == ["AF"]


def test_large_pictures_are_made_small():
    content = io.BytesIO()
    Image.new("RGB", (400, 200), "red").save(content, "PNG")
    image = Image.open(io.BytesIO(base64.b64decode(explorer.thumbnail(content.getvalue()))))
    assert (image.format, image.size) == ("WEBP", (96, 48))


def test_a_text_can_not_end_the_data():
    texts = ["</script><b>", "<!--<script>"]
    page = explorer.explorer("items", {"items": [texts]}).data
    data = page.split('id="explore-items-data">')[1].split("</script>")[0]
    assert "<" not in data and json.loads(data)["items"] == [texts]


@pytest.fixture
def open_page(open_html):
    """Open one plot of the explorer."""
    return lambda kind, data, width=1280: open_html(
        explorer.explorer(kind, data).data, viewport={"width": width, "height": 900}
    )


def control(page, name):
    return page.get_by_role("combobox", name=name, exact=True)


def saved(page, label):
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    return download.value.suggested_filename, download.value.path().read_text(encoding="utf-8")


@pytest.mark.slow
def test_another_dataset_is_drawn_and_saved(open_page, score_data):
    page = open_page("scores", score_data)
    before = page.inner_html("svg")
    control(page, "Dataset").select_option("AFP")
    assert page.inner_html("svg") != before and "AFP, GNB" in page.inner_text("caption")
    control(page, "Classifier").select_option("CART")
    page.get_by_label("visual").uncheck()
    page.get_by_label("At 5 labelled samples per class").fill("0")
    reading = page.get_by_role("row", name="CMCSL text").inner_text().split()[-1]
    values = score_data["sources"][0]["datasets"]["AFP"]["CART"]["text"]["CMCSL"]
    assert reading == f"{values[0]:.3f}"
    name, text = saved(page, "Save as CSV")
    rows = list(csv.DictReader(io.StringIO(text)))
    accuracies = [float(row["balanced_accuracy"]) for row in rows if row["method"] == "CMCSL"]
    assert name == "scores.csv" and accuracies == values
    assert {row["modality"] for row in rows} == {"text"} and {row["dataset"] for row in rows} == {"AFP"}
    name, text = saved(page, "Save as SVG")
    assert name == "scores.svg" and ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    control(page, "Scores").select_option("openclipart, paper protocol")
    assert "paper protocol" in page.inner_text("caption")


@pytest.mark.slow
def test_an_item_can_be_clicked_and_tells_its_story(open_page, item_data):
    page = open_page("items", item_data)
    control(page, "Dataset").select_option("AFP")
    control(page, "Seeds per class").select_option("5")
    control(page, "Show").select_option("labels differ, the text decides")
    columns = item_data["datasets"]["AFP"]["budgets"][5]
    differing = [
        i
        for i in range(len(columns["item"]))
        if columns["visual"]["label"][i] != columns["text"]["label"][i] and columns["decided"][i] == 1
    ]
    assert page.locator("svg [data-item]").count() == len(differing)
    # The outermost mark, which no other one covers.
    outermost = max(differing, key=lambda i: columns["visual"]["distance"][i] - columns["text"]["distance"][i])
    number = columns["item"][outermost]
    page.locator(f"svg [data-item='{number}']").click()
    panel = page.locator(".item")
    title, text = item_data["items"][number]
    classes = item_data["datasets"]["AFP"]["classes"]
    story = " ".join(panel.inner_text().split())
    assert " ".join(title.split()) in story and " ".join(text.split()) in story
    assert f"the text is closer to its seed, so it decides: {classes[columns['label'][outermost]]}." in story
    assert ("✓ right" in story) == (columns["label"][outermost] == columns["true"][outermost])
    assert panel.locator("img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    # By keys: the list of items.
    control(page, "Item").focus()
    page.keyboard.press("ArrowDown" if control(page, "Item").evaluate("s => s.selectedIndex") == 0 else "ArrowUp")
    assert " ".join(panel.inner_text().split()) != story
    name, text = saved(page, "Save as CSV")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert name == "items.csv" and len(rows) == len(differing) and {row["decided_by"] for row in rows} == {"text"}
    name, text = saved(page, "Save as SVG")
    assert name == "items.svg" and "transient" not in text and ET.fromstring(text) is not None


@pytest.mark.slow
def test_hostile_names_are_shown_and_saved_as_they_stand(open_page, item_data):
    classes = [HOSTILE[2], HOSTILE[0]]
    datasets = {"AF": item_data["datasets"]["AF"] | {"classes": classes}}
    page = open_page("items", item_data | {"datasets": datasets, "items": [HOSTILE[:2]] * len(item_data["items"])})
    control(page, "Show").select_option("all items")
    options = control(page, "Item").locator("option").all_inner_texts()
    assert set(options) == {f"{HOSTILE[0]} ({name})" for name in classes} and page.locator("img[src=x]").count() == 0
    rows = list(csv.DictReader(io.StringIO(saved(page, "Save as CSV")[1])))
    assert {row["title"] for row in rows} == {f"'{HOSTILE[0]}"}
    assert {row["true_class"] for row in rows} == {classes[0], f"'{classes[1]}"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scores", "items"])
def test_a_narrow_screen_is_wide_enough(open_page, kind, score_data, item_data):
    page = open_page(kind, score_data if kind == "scores" else item_data, width=375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
