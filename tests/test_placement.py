"""Datasets on the map of the simulation, what it foretells, and the page's sentences and figures."""

import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.errors import CmcslError
from cmcsl_lib.features import load_features
from cmcsl_lib.figures import simulation as simulation_figures
from cmcsl_lib.protocol import PROTOCOLS
from cmcsl_lib.sources import source_scores
from cmcsl_lib.studies import placement, simulation
from cmcsl_lib.studies import simulation_answers as answers

STRICT = PROTOCOLS["strict"]


@pytest.fixture(scope="module")
def table():
    return simulation.load_map()


@pytest.fixture(scope="module")
def found(table):
    scores = source_scores("openclipart", 3, "strict", datasets="PT AFP", budgets=(1, 3, 5), compute=False)
    return answers.analyse(table, scores)


def known_map(gain=lambda visual, text, rho, budget: visual + 10 * text + 100 * rho + 1000 * np.log(budget)):
    """A map with two strengths, dependences and budgets whose gains are linear in all that is interpolated."""
    axes = {"classes": (2, 4), "dependence": (0.0, 0.5), "visual": (0.0, 1.0), "text": (0.0, 1.0), "budget": (1, 20)}
    made = pd.MultiIndex.from_product(axes.values(), names=list(axes)).to_frame(index=False)
    value = gain(made.visual, made.text, made.dependence, made.budget)
    return made.assign(exchange="distance", gain_visual=value, gain_text=-value, geometry="openclipart", rows=100)


def test_positions_are_full_adjusted_for_chance():
    scores = source_scores("openclipart", 3, "strict", datasets="AF AFP", compute=False)
    place = placement.positions(scores).set_index("dataset")
    full = scores[(scores.method == "FULL") & (scores.modality == "text")].groupby("dataset").balanced_accuracy.mean()
    assert place.text["AF"] == pytest.approx(2 * full["AF"] - 1)
    assert place.text["AFP"] == pytest.approx((full["AFP"] - 1 / 3) / (2 / 3))
    assert place.kind.to_dict() == {"AF": "binary", "AFP": "multiclass"}


def test_gains_are_differences_of_means():
    scores = source_scores("openclipart", 3, "strict", datasets="AF", budgets=(3,), compute=False)
    means = scores[scores.modality == "text"].groupby("method").balanced_accuracy.mean()
    row = placement.gains(scores).query("modality == 'text'")
    assert row.gain.item() == pytest.approx(means["CMCSL"] - means["UNI"])


@pytest.mark.parametrize("exact", [True, False])
def test_interpolation_is_exact_where_the_map_is_linear(exact):
    place = pd.DataFrame({"dataset": ["A"], "classes": [3], "visual": [0.25], "text": [0.5], "rho": [0.1]})
    told = placement.predicted(known_map(), place, (1, 4) if exact else (placement.MEAN,))
    own = told[told.modality == "visual"].predicted.to_numpy()
    expected = 0.25 + 5 + 10 + 1000 * np.log([1, 4] if exact else np.arange(1, 21))
    assert own == pytest.approx(expected if exact else [expected.mean()])
    assert told[told.modality == "text"].predicted.to_numpy() == pytest.approx(-own)


def test_outside_the_map_its_edge_is_taken():
    place = pd.DataFrame({"dataset": ["A"], "classes": [2], "visual": [-0.1], "text": [1.2], "rho": [0.9]})
    assert placement.predicted(known_map(), place, (1,)).predicted.iloc[0] == pytest.approx(0 + 10 + 50)


def test_error_dependence_finds_what_is_there():
    """Standard errors of tetrachoric correlations of n pairs cut at the median are about pi / 2 / sqrt(n)."""
    random, n = np.random.default_rng(0), 20000
    y = np.repeat([0, 1], n)
    one, other = random.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 2 * n).T
    # Classes differ in difficulty, which alone would correlate the errors.
    missed = [score > np.where(y == 0, 0.0, 1.0) for score in (one, other)]
    assert placement.error_dependence(y, *missed) == pytest.approx(0.5, abs=4 * np.pi / 2 / np.sqrt(n))
    apart = [missed[0], random.permuted(missed[1].reshape(2, n), axis=1).ravel()]
    assert placement.error_dependence(y, *apart) == pytest.approx(0, abs=4 * np.pi / 2 / np.sqrt(n))


def test_error_dependence_of_an_empty_cell_is_no_certainty():
    y, one, other = np.zeros(20, dtype=int), np.arange(20) < 4, np.arange(20) >= 17
    assert -0.9 < placement.error_dependence(y, one, other) < 0


def test_latent_dependence_finds_the_maps_own(table):
    its = table[(table.exchange == "distance") & (table.budget == 1) & (table.classes == 2)
                & (table.geometry == "openclipart") & (table.visual == 0.6) & (table.text == 0.75)]
    place = pd.DataFrame({"dataset": ["A", "B", "C"], "classes": 2, "visual": 0.6, "text": 0.75,
                          "dependence": placement.error_correlations(its)})
    assert placement.latent_dependence(answers.world(table), place) == pytest.approx([0, 0.4, 0.8])


def test_agreement_counts_signs():
    compared = pd.DataFrame({"modality": "text", "gain": [1.0, 2.0, -1.0, 3.0], "predicted": [1.0, -1.0, -1.0, 2.0]})
    row = placement.agreement(compared).iloc[0]
    assert (row.compared, row.share_agreeing, row.share_commoner) == (4, 0.75, 0.75)
    assert row.gain_measured == 1.25


def test_deciders_count_rows_that_differ():
    told = placement.deciders("openclipart", ["AF"], STRICT, (3,)).iloc[0]
    assert 0 < told.text_decides < 1
    # With two classes exactly one of two different labels is right.
    assert told.right_visual + told.right_text == pytest.approx(1)
    assert told.classes == len(load_features("openclipart", "AF").classes)


def test_simulated_deciders_are_shares_of_the_differing(table):
    told = placement.simulated_deciders(answers.binary(table), 0.45, 0.75, (1, 20))
    its = answers.binary(table, exchange="distance", visual=0.45, text=0.75, budget=20).iloc[0]
    row = told[(told.exchange == "distance") & (told.budget == 20)].iloc[0]
    assert row.text_decides == pytest.approx(its.text_decides / its.differ)
    assert (told.right_visual + told.right_text).to_numpy() == pytest.approx(np.ones(len(told)))


def test_the_corpus_geometry_is_that_of_the_map(found):
    """The two datasets' own dimensions differ from the corpus's mean by less than a fifth."""
    visual, text = simulation.GEOMETRIES["openclipart"]
    own = found.place[found.place.source == "openclipart"]
    assert own.dimension_visual.mean() == pytest.approx(visual, rel=0.2)
    assert own.dimension_text.mean() == pytest.approx(text, rel=0.2)


def test_the_study_compares_all_datasets_and_budgets(found):
    assert len(found.compared) == 2 * 2 * 3
    assert set(found.paper.world) == set(answers.WORLDS)
    assert found.place[found.place.source == "published"].rho.isna().all()


def test_without_the_authors_arrays_the_printed_table_stands_in(table, monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.delenv("CMCSL_PUBLISHED_SCORES", raising=False)
    place, gained = placement.published()
    assert len(place) == 10 and set(gained.budget) == {placement.MEAN}
    row = gained[(gained.dataset == "HM") & (gained.modality == "visual")]
    assert row.gain.item() == pytest.approx(0.653 - 0.598)
    assert place.set_index("dataset").text["HM"] == pytest.approx(2 * 0.924 - 1)
    scores = source_scores("openclipart", 3, "strict", datasets="AFP", budgets=(2,), compute=False)
    told = answers.paper_told(answers.analyse(table, scores).paper)
    assert "averaged over budgets" in told


def test_budgets_beyond_the_map_are_told(table):
    scores = source_scores("openclipart", 3, "strict", datasets="AF", budgets=(1,), compute=False)
    with pytest.raises(CmcslError, match="Budgets must include one of 1..20"):
        answers.analyse(table, scores.assign(budget=0))


def test_verdicts_and_sides_count_cells():
    made = pd.DataFrame({"classes": 2, "geometry": "openclipart", "dependence": 0.0, "rows": 100,
                         "visual": [0.0, 0.5, 0.5, 0.0], "text": [0.0, 0.0, 0.5, 0.5], "exchange": "distance",
                         "budget": 1})
    for name in answers.OUTCOMES:
        made[f"gain_{name}"], made[f"error_{name}"] = 0.0, 0.01
    made["gain_visual"], made["gain_text"] = [9.0, -0.03, 0.01, 0.05], [9.0, 0.04, 0.5, 0.01]
    told = answers.verdicts(made).set_index("outcome").loc["over UNI, visual"]
    assert (told.share_gaining, told.share_losing) == pytest.approx((1 / 3, 1 / 3))
    sides = answers.sides(made).iloc[0]
    assert (sides.gain_weaker, sides.gain_stronger) == pytest.approx((0.045, -0.01))
    assert (sides.share_gaining_weaker, sides.share_losing_stronger) == (1, 0.5)


def test_sentences_tell_the_numbers(table, found):
    made = answers.binary(table, exchange="distance")
    assert answers.losses_told(made).count("\n") == len(answers.OUTCOMES) - 1
    best = answers.sides(answers.binary(table)).query("budget == 20").set_index("exchange")
    best = (best.gain_weaker + best.gain_stronger).idxmax()
    assert f"largest with `{best}`" in answers.sides_told(answers.binary(table)).splitlines()[-1]
    share = placement.agreement(found.compared).set_index("modality").share_agreeing["text"]
    assert f"in text {share:.0%} of 6, " in answers.agreement_told(found.compared, "openclipart")
    assert "The 2 datasets of openclipart" in answers.geometry_told(found.place)
    assert answers.why_told(found.simulated, found.measured).count("the text decides") == 4


def test_the_budget_from_which_the_text_loses():
    compared = pd.DataFrame({"modality": "text", "budget": [1, 2, 3, 4], "gain": [1.0, -1.0, -2.0, -1.0],
                             "predicted": [-1.0, -1.0, -1.0, 1.0]})
    told = answers.turning_told(compared)
    assert "measured, from 2 seeds per class on" in told and "foretold, never" in told


def drawn(figure):
    assert figure._repr_png_().startswith(b"\x89PNG")
    return figure.data


def test_figures_hold_what_they_show(table, found):
    told = answers.panels(answers.world(table, classes=2, exchange="distance"), ["visual"])
    data = drawn(simulation_figures.gain_maps(told, "dependence", "panel", answers.marks(found.place)))
    assert len(data) == 3 * 4 * 49
    assert set(data.panel) == {"1 seed per class", "3 seeds per class", "10 seeds per class", "20 seeds per class"}
    assert len(drawn(simulation_figures.places(found.place))) == len(found.place)
    one = found.simulated[found.simulated.exchange == "distance"]
    assert len(drawn(simulation_figures.who_decides(one, found.measured))) == len(one) + len(found.measured)
    assert set(drawn(simulation_figures.foretold(answers.with_paper(found))).source) == {"openclipart", "published"}


def test_cells_bear_a_sign_where_the_gain_is_sure(table):
    told = answers.panels(answers.binary(table, exchange="distance"), ["text"], [20])
    figure = simulation_figures.gain_maps(told, "dependence", "panel")
    signs = [text.get_text() for text in figure.axes[0].texts]
    assert signs.count("+") == (told.gain > 2 * told.error).sum()
    assert signs.count("\N{MINUS SIGN}") == (told.gain < -2 * told.error).sum()
