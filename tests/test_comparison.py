"""Made-up scores of which it is known who is better."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.analysis.sensitivity.intervals import mean_interval
from cmcsl_lib.analysis.statistics import holm, wilcoxon_p_values
from cmcsl_lib.plots.studies import gains_by_method
from cmcsl_lib.studies import comparison
from cmcsl_lib.studies.robustness import COMPARED, DISTURBANCES, WRONG
from cmcsl_lib.studies.seeds import CHOICES, PER_CLASS, RANDOM

LEVELS = {"PRE": -0.1, "UNI": 0.0, "CMCSL": 0.0, "co-training": 0.05}


def made_up(datasets=12, modalities=("visual", "text", "both"), budgets=(1, 5), levels=LEVELS, noise=0.0, **columns):
    """Scores of 0.6 plus the level of the method; UNI lies above and below that in turn, by about the same amount.

    No two differences are of one size: SciPy tests ties by trying all signs, which takes long.
    """
    random = np.random.default_rng(0)
    rows = [
        {
            "dataset": f"D{dataset}",
            "method": method,
            "modality": modality,
            "budget": budget,
            "fold": fold,
            "balanced_accuracy": 0.6
            + level * (1 + 1e-5 * dataset)
            + noise * random.normal()
            + (0.004 * (-1) ** dataset * (1 + 1e-3 * dataset) if method == "UNI" else 0),
            **columns,
        }
        for dataset in range(datasets)
        for method, level in levels.items()
        for modality in modalities
        for budget in budgets
        for fold in range(2)
    ]
    return pd.DataFrame(rows)


def test_verdicts_beside_the_reference():
    scores = made_up()
    table = comparison.compared(scores)
    assert table.groupby(["modality", "budget"], sort=False).size().to_dict() == {
        (modality, budget): 4 for modality in ("visual", "text", "both") for budget in (1, 5)
    }
    assert set(table.verdict[table.method == "PRE"]) == {"worse"}
    assert set(table.verdict[table.method == "co-training"]) == {"better"}
    assert set(table.verdict[table.method == "UNI"]) == {"no difference"}
    assert set(table.verdict[table.method == "CMCSL"]) == {""}
    assert (table.gain[table.method == "CMCSL"] == 0).all()
    assert (table.above[table.method == "co-training"] == 12).all() and (table.datasets == 12).all()


def test_p_values_are_corrected_over_the_comparisons_made():
    scores = made_up(
        levels={"CMCSL": 0, "a": 0.006, "b": 0.003, "c": 0}, modalities=("text",), budgets=(1,), noise=0.01
    )
    table = comparison.compared(scores).set_index("method")
    means = scores.pivot_table(index="dataset", columns="method", values="balanced_accuracy")
    alone = [wilcoxon_p_values(means[["CMCSL", name]].to_numpy())[0, 1] for name in "abc"]
    assert table.p_value[list("abc")].tolist() == pytest.approx(holm(np.array(alone)))
    assert table.average_rank.sum() == pytest.approx(10)


def test_intervals_of_gains_allow_for_shared_items():
    scores = made_up(datasets=6, noise=0.01)
    names = [f"D{dataset}" for dataset in range(5, -1, -1)]
    shared = pd.DataFrame(np.eye(6), names, names)
    shared.loc["D0", "D1"] = shared.loc["D1", "D0"] = 0.8
    plain, table = comparison.compared(scores), comparison.compared(scores, shared=shared)
    pd.testing.assert_frame_equal(table.drop(columns=["low", "high"]), plain)
    means = scores.pivot_table(index="dataset", columns=["method", "modality", "budget"], values="balanced_accuracy")
    for row in table[table.method != "CMCSL"].itertuples():
        gain = means[row.method, row.modality, row.budget] - means["CMCSL", row.modality, row.budget]
        expected = mean_interval(gain.to_numpy(), shared.loc[gain.index, gain.index].to_numpy())
        assert (row.gain, row.low, row.high) == pytest.approx(expected[:3])
    assert comparison.compared(made_up(datasets=1), shared=shared).low.isna().all()


def test_without_a_reference_all_are_beside_the_best():
    scores = made_up(modalities=("visual", "text"), budgets=(1,))
    scores.loc[(scores.method == "PRE") & (scores.modality == "text"), "balanced_accuracy"] += 0.2
    table = comparison.compared(scores, None)
    assert table[table.verdict == ""].set_index("modality").method.to_dict() == {"visual": "co-training", "text": "PRE"}
    assert set(table.verdict) == {"worse", ""} and (table.gain <= 0).all()
    assert table.method.tolist() == 2 * list(LEVELS)


def test_too_few_datasets_are_a_verdict():
    assert set(comparison.compared(made_up(datasets=4)).verdict) == {"too few datasets", ""}
    # Seven datasets are enough for three comparisons, six are not: 3 / 2^5 is above 0.05.
    assert set(comparison.compared(made_up(datasets=6)).verdict) == {"too few datasets", ""}
    assert "better" in set(comparison.compared(made_up(datasets=7)).verdict)


def test_the_table_for_reading_marks_verdicts():
    table = comparison.compared(made_up())
    text = comparison.marked(table)
    assert text.index.tolist() == list(LEVELS)
    assert text.columns.tolist() == [(m, b) for m in ("visual", "text", "both") for b in (1, 5)]
    assert text.loc["co-training"].str.endswith("▲").all() and text.loc["PRE"].str.endswith("▼").all()
    assert not text.loc["CMCSL"].str.contains("[▲▼]").any()
    assert text.loc["CMCSL"].tolist() == ["0.600"] * 6
    gains = comparison.marked(table[table.budget == 5], ["modality", "method"], ["budget"], "gain")
    assert gains.columns.tolist() == [5] and gains.loc[("text", "co-training"), 5] == "+0.050 ▲"
    few = comparison.marked(table[(table.method != "PRE") | (table.modality == "text")])
    assert few.loc["PRE", ("visual", 1)] == "" and few.loc["PRE", ("text", 1)] == "0.500 ▼"


def test_the_exchange_on_each_propagator():
    levels = {"UNI on k-NN": 0.1, "CMCSL on k-NN": 0.0}
    table = comparison.compared(made_up(levels=levels), "UNI on k-NN", by=["modality"]).set_index("method")
    assert table.verdict["CMCSL on k-NN"].tolist() == ["worse"] * 3
    assert table.gain["CMCSL on k-NN"].tolist() == pytest.approx([-0.1] * 3, abs=1e-4)


def test_modalities_are_compared_as_methods_are():
    scores = pd.concat(
        [
            made_up(modalities=("visual", "both"), levels={"CMCSL": 0}),
            made_up(modalities=("text",), levels={"CMCSL": 0.2}),
        ]
    )
    table = comparison.compared(scores, "both", column="modality", by=["budget"]).set_index("modality")
    assert table.verdict["text"].tolist() == ["better"] * 2 and table.above["text"].tolist() == [12, 12]
    assert table.verdict["visual"].tolist() == ["no difference"] * 2 and table.p_value["visual"].tolist() == [1, 1]


def disturbed():
    """CMCSL falls by half of the share of wrong labels; UNI falls by all of it; concatenation is low and level."""
    parts = [
        made_up(
            modalities=("visual", "text", "both"),
            levels={"CMCSL": -share / 2, "UNI": -share, "concatenation": -0.3},
            disturbance=disturbance,
            share=share,
        )
        for disturbance in DISTURBANCES
        for share in (0.0, 0.2, 0.4)
    ]
    return pd.concat(parts, ignore_index=True)


def test_curves_are_means_over_datasets():
    curves = comparison.curves(disturbed())
    rows = curves[
        (curves.disturbance == WRONG) & (curves.method == "UNI") & (curves.modality == "text") & (curves.budget == 1)
    ]
    assert rows.share.tolist() == [0, 0.2, 0.4]
    assert rows.balanced_accuracy.tolist() == pytest.approx([0.6, 0.4, 0.2], abs=0.02)
    assert len(curves) == len(DISTURBANCES) * 3 * 2 * 3 * 3


def test_verdicts_at_each_share():
    scores = comparison.ordered(disturbed(), disturbance=DISTURBANCES, method=COMPARED)
    table = comparison.compared(scores[scores.modality == "both"], by=["disturbance", "budget", "share"])
    assert table.disturbance.unique().tolist() == list(DISTURBANCES)
    verdicts = table.groupby(["method", "share"]).verdict.agg(set)
    assert verdicts["UNI"].tolist() == [{"no difference"}, {"worse"}, {"worse"}]
    assert verdicts["concatenation"].tolist() == [{"worse"}] * 3


def test_choices_of_seeds_beside_random_ones():
    scores = pd.concat(
        [
            made_up(levels={"PRE": 0, "UNI": level, "CMCSL": 2 * level}, choice=choice, classes_found=2)
            for choice, level in zip(CHOICES, (0.1, 0, 0, -0.1, 0, 0, 0), strict=True)
        ]
    )
    scores.loc[(scores.choice == RANDOM) & (scores.budget == 1), "classes_found"] = 1
    scores = comparison.ordered(scores, choice=CHOICES)
    own = scores[scores.method == "CMCSL"]
    verdicts = comparison.compared(own, RANDOM, "choice").groupby("choice", sort=False).verdict.agg(set)
    assert verdicts.index.tolist() == list(CHOICES)
    assert verdicts["random per class"] == {"better"} and verdicts["cluster centres"] == {"worse"}
    beside_paper = comparison.compared(own, PER_CLASS, "choice")
    assert set(beside_paper.verdict[beside_paper.choice == RANDOM]) == {"worse"}
    assert comparison.classes_found(scores).loc[RANDOM].to_dict() == {1: 0.5, 5: 1.0}
    exchange = comparison.compared(scores, "UNI", by=("choice", "modality", "budget"))
    first = exchange[(exchange.choice == PER_CLASS) & (exchange.method == "CMCSL")]
    assert first.verdict.tolist() == ["better"] * 6 and first.gain.tolist() == pytest.approx([0.1] * 6, abs=1e-3)


def test_the_figure_shows_the_table():
    table = comparison.compared(made_up())
    drawn = gains_by_method(table)
    figure = plt.gcf()
    assert len(drawn) == 3 * 3 * 2 and "CMCSL" not in set(drawn.method)
    marks = np.concatenate(
        [marks.get_offsets().data for panel in figure.axes for marks in panel.collections if len(marks.get_offsets())]
    )
    assert sorted(marks[:, 0]) == pytest.approx(sorted(drawn.gain))
    filled = sum(
        len(marks.get_offsets())
        for panel in figure.axes
        for marks in panel.collections
        if len(marks.get_offsets()) and marks.get_label().endswith("per class")
    )
    assert filled == drawn.verdict.isin(["better", "worse"]).sum()
    plt.close(figure)
