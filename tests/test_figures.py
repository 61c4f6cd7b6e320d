"""Figures are looked at by people; what they show is tested through their data."""

import numpy as np
import pytest

from cmcsl_lib import figures, tables
from cmcsl_lib.sources import source_scores
from cmcsl_lib.statistics import wilcoxon_p_values


@pytest.fixture(scope="module")
def scores():
    return source_scores("openclipart", 3, compute=False)


def drawn(figure):
    """The figure as PNG; drawing it is part of the test."""
    content = figure._repr_png_()
    assert content.startswith(b"\x89PNG")
    return figure.data


def test_budget_curves_are_means_over_folds(scores):
    data = drawn(figures.budget_curves(scores, ["AF", "AFP"]))
    its = scores.query("dataset == 'AFP' and modality == 'text' and method == 'UNI' and budget == 3")
    row = data.query("datasets == 'AFP' and modality == 'text' and method == 'UNI' and budget == 3")
    assert row.balanced_accuracy.item() == pytest.approx(its.balanced_accuracy.mean())
    assert len(data) == 2 * 2 * (3 + 3 * 20)


def test_group_curves_average_over_the_datasets_of_a_group(scores):
    data = drawn(figures.group_curves(scores))
    assert set(data.datasets) == {"10 binary datasets", "10 multiclass datasets"}
    binary = scores.dataset.isin(tables.datasets_of(scores, "binary"))
    its = scores[binary & (scores.modality == "visual") & (scores.method == "CMCSL") & (scores.budget == 1)]
    row = data[(data.datasets == "10 binary datasets") & (data.modality == "visual") & (data.method == "CMCSL")
               & (data.budget == 1)]
    assert row.balanced_accuracy.item() == pytest.approx(its.balanced_accuracy.mean())


def test_preprocessing_panels_have_histograms_of_area_one():
    data = drawn(figures.preprocessing_panels(source_scores("openclipart", 2, datasets="AT HP", compute=False)))
    assert set(data[data.panel == "histogram"].series) == {"animal", "transport"}
    for _, its in data[data.panel == "histogram"].groupby(["modality", "preprocessing", "series"]):
        assert its.y.sum() * np.diff(its.x).mean() == pytest.approx(1)
    curves = data[data.panel == "balanced_accuracy"]
    assert set(curves.series) == {"FULL", "PRE", "UNI", "CMCSL"}
    assert set(curves.preprocessing) == {"RAW", "L2", "STD", "MM", "L2STD"}


def test_preprocessing_panels_of_published_scores_have_no_histograms():
    scores = source_scores("openclipart", 2, datasets="HP", compute=False).assign(protocol="published")
    assert set(drawn(figures.preprocessing_panels(scores)).panel) == {"balanced_accuracy"}


def test_rank_diagrams_show_the_tables_ranks(scores):
    data = drawn(figures.rank_diagrams_of(scores, {"Binary": 5, "Multiclass": 6}))
    made = tables.table(5, scores)
    last = made[(made.dataset == "average_rank") & (made.modality == "text")]
    its = data[(data.diagram == "Binary") & (data.modality == "text")]
    assert its.groupby("method").average_rank.first().to_dict() == last[["PRE", "UNI", "CMCSL"]].iloc[0].to_dict()
    rows = made[(made.dataset != "average_rank") & (made.modality == "text")][["PRE", "UNI", "CMCSL"]]
    pair = its[(its.method == "UNI") & (its.other == "CMCSL")]
    assert pair.p_value.item() == pytest.approx(wilcoxon_p_values(rows.to_numpy())[1, 2])


def test_rank_diagrams_by_group():
    scores = source_scores("openclipart", 1, compute=False)
    assert set(drawn(figures.rank_diagrams_by_group(scores)).diagram) == {"Binary", "Multiclass"}


def test_rank_diagrams_leave_out_what_the_scores_lack(scores):
    some = scores[scores.dataset.isin(["AF", "PT"])]
    assert set(drawn(figures.rank_diagrams_of(some, {"Binary": 5, "Multiclass": 6})).diagram) == {"Binary"}
