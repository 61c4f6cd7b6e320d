"""Galleries and the scheme: what they draw, as data and on the figure."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from own_corpora import HOSTILE, picture

from cmcsl_lib.corpora import Corpus, load
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.plots.items import gallery, scheme


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def corpus():
    items = pd.DataFrame({"id": list("abcdef"), "title": "", "text": "", "labels": [["x"]] * 6, "image": picture(0)})
    return Corpus("six", items)


def captions_by_line():
    """Captions of the images on the current figure, by the line in which they stand."""
    drawn = [(place.get_subplotspec().rowspan.start, place.get_title()) for place in plt.gcf().axes if place.images]
    return pd.DataFrame(drawn).groupby(0)[1].apply(list).tolist()


def test_images_stand_line_by_line_in_the_order_of_their_ids(corpus):
    data = gallery(corpus, ["e", "b", "b", "a", "c"], ["cat", "cat", "cow", "cow", "dog"], columns=2)
    assert captions_by_line() == [["cat", "cat"], ["cow", "cow"], ["dog"]]
    assert data.id.tolist() == ["e", "b", "b", "a", "c"] and data.caption.tolist()[-1] == "dog"


def test_hostile_captions_are_drawn_as_they_stand(corpus):
    gallery(corpus, list("abc"), HOSTILE)
    plt.gcf().canvas.draw()
    assert captions_by_line()[0][:2] == ["=1+1|cmd", "\\$\\undefined\\$\n{{x}}"]


def test_captions_of_a_gallery_leave_the_images_free():
    items = load("openclipart")
    gallery(items, items.items.id.iloc[1:5], ["one\ntwo\nthree\nfour"] * 4, columns=2)
    figure = plt.gcf()
    figure.canvas.draw()
    above, below = figure.axes[0], figure.axes[2]
    assert above.title.get_window_extent().y0 > below.get_window_extent().y1
    assert below.title.get_window_extent().y0 >= 0


def test_the_scheme_has_an_arrow_per_row():
    data = scheme(load_features("openclipart", "AF"))
    assert len(data) == sum(hasattr(text, "arrow_patch") for text in plt.gca().texts) == 9
    assert data.iloc[0].tolist() == ["20% of images, for fine-tuning", "EfficientNet-Lite0 1280 features"]
    assert "MiniLM-L6-v2 384 features" in set(data["from"])


def test_the_scheme_names_the_encoders_of_the_features_and_their_widths(make_features):
    data = scheme(make_features())
    assert data.iloc[0, 1] == "visual encoder 512 features"
    named = dataclasses.replace(
        make_features(), metadata={"visual": {"encoder": "EfficientNet-Lite0"}}, visual=np.ones((80, 1280))
    )
    assert scheme(named).iloc[0, 1] == "EfficientNet-Lite0 1280 features"
