"""Datasets on the map of the simulation: their places, what it predicts for them, and the page's figures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from cmcsl_lib.analysis.effects import gains
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.experiments.exchange import exchange_table
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.sources import source_scores
from cmcsl_lib.plots import simulation as simulation_figures
from cmcsl_lib.studies import placement, prediction, simulation_map
from cmcsl_lib.studies.results import load_simulation

STRICT = PROTOCOLS["strict"]


@pytest.fixture(scope="module")
def table():
    return load_simulation("simulation")


@pytest.fixture(scope="module")
def usual(table):
    return table.query("classes == 2 and geometry == 'measured' and dependence == 0.4")


@pytest.fixture(scope="module")
def own():
    """Two datasets of a corpus with all that places them but rho."""
    scores = source_scores("openclipart", 3, "strict", datasets="PT AFP", budgets=(1,), compute=False)
    return placement.with_features(placement.positions(scores), "openclipart", "strict")


def known_map(gain=lambda visual, text, rho, budget: visual + 10 * text + 100 * rho + 1000 * np.log(budget)):
    """A map with two strengths, dependences and budgets whose gains are linear in all that is interpolated."""
    axes = {"classes": (2, 4), "dependence": (0.0, 0.5), "visual": (0.0, 1.0), "text": (0.0, 1.0), "budget": (1, 20)}
    cells = pd.MultiIndex.from_product(axes.values(), names=list(axes)).to_frame(index=False)
    value = gain(cells.visual, cells.text, cells.dependence, cells.budget)
    return cells.assign(exchange="distance", gain_visual=value, gain_text=-value, geometry="measured", rows=100)


def test_positions_are_full_adjusted_for_chance():
    scores = source_scores("openclipart", 3, "strict", datasets="AF AFP", compute=False)
    place = placement.positions(scores).set_index("dataset")
    full = scores[(scores.method == "FULL") & (scores.modality == "text")].groupby("dataset").balanced_accuracy.mean()
    assert place.text["AF"] == pytest.approx(2 * full["AF"] - 1)
    assert place.text["AFP"] == pytest.approx((full["AFP"] - 1 / 3) / (2 / 3))
    assert place.kind.to_dict() == {"AF": "binary", "AFP": "multiclass"}


def test_interpolation_is_exact_where_the_map_is_linear():
    place = pd.DataFrame({"dataset": ["A"], "classes": [3], "visual": [0.25], "text": [0.5], "rho": [0.1]})
    gained = prediction.predicted(known_map(), place, (1, 4))
    own = gained[gained.modality == "visual"].predicted.to_numpy()
    assert own == pytest.approx(0.25 + 5 + 10 + 1000 * np.log([1, 4]))
    assert gained[gained.modality == "text"].predicted.to_numpy() == pytest.approx(-own)


def test_outside_the_map_its_edge_is_taken():
    place = pd.DataFrame({"dataset": ["A"], "classes": [2], "visual": [-0.1], "text": [1.2], "rho": [0.9]})
    assert prediction.predicted(known_map(), place, (1,)).predicted.iloc[0] == pytest.approx(0 + 10 + 50)


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
    cells = table[
        (table.exchange == "distance")
        & (table.budget == 1)
        & (table.classes == 2)
        & (table.geometry == "measured")
        & (table.visual == 0.6)
        & (table.text == 0.75)
    ]
    place = pd.DataFrame(
        {
            "dataset": ["A", "B", "C"],
            "classes": 2,
            "visual": 0.6,
            "text": 0.75,
            "dependence": prediction.error_correlations(cells),
        }
    )
    assert prediction.latent_dependence(table.query("geometry == 'measured'"), place) == pytest.approx([0, 0.4, 0.8])


def test_agreement_counts_signs():
    compared = pd.DataFrame({"modality": "text", "gain": [1.0, 2.0, -1.0, 3.0], "predicted": [1.0, -1.0, -1.0, 2.0]})
    row = prediction.agreement(compared).iloc[0]
    assert (row.pairs, row.compared, row.share_agreeing, row.share_commoner) == (4, 4, 0.75, 0.75)
    assert row.gain_measured == 1.25


def test_no_sign_is_looked_at_where_no_change_is_predicted():
    compared = pd.DataFrame({"modality": "text", "gain": [1.0, -1.0, 0.1], "predicted": [0.0004, -0.0004, 0.0]})
    row = prediction.agreement(compared).iloc[0]
    assert (row.pairs, row.compared) == (3, 0)
    assert np.isnan([row.share_agreeing, row.rank_correlation]).all()
    row = prediction.agreement(compared.assign(predicted=[0.0, 2.0, 1.0])).iloc[0]
    assert (row.pairs, row.compared, row.share_agreeing) == (3, 2, 0.5)


def test_deciders_count_rows_that_differ():
    row = prediction.deciders("openclipart", ["AT"], STRICT, (20,)).iloc[0]
    table = exchange_table(load_features("openclipart", "AT"), STRICT, 20)
    assert row.differ == (table.visual_label != table.text_label)[~table.seed].sum()
    assert 0 < row.text_decides < 1
    # With two classes exactly one of two different labels is right.
    assert row.right_visual + row.right_text == pytest.approx(1)
    assert row.classes == len(load_features("openclipart", "AT").classes)


def test_deciders_take_a_protocol_or_its_name():
    assert prediction.deciders("openclipart", ["AF"], "paper", (3,)).equals(
        prediction.deciders("openclipart", ["AF"], PROTOCOLS["paper"], (3,))
    )


def test_simulated_deciders_are_shares_of_the_differing(usual):
    shares = prediction.simulated_deciders(usual, 0.45, 0.75, (1, 20))
    cell = usual.query("exchange == 'distance' and visual == 0.45 and text == 0.75 and budget == 20").iloc[0]
    row = shares[(shares.exchange == "distance") & (shares.budget == 20)].iloc[0]
    assert row.text_decides == pytest.approx(cell.text_decides / cell.differ)
    assert (shares.right_visual + shares.right_text).to_numpy() == pytest.approx(np.ones(len(shares)))


def test_all_datasets_and_budgets_are_compared(table, own):
    scores = source_scores("openclipart", 3, "strict", datasets="PT AFP", budgets=(1, 3, 5), compute=False)
    world = table.query("geometry == 'measured'")
    place = own.assign(rho=prediction.latent_dependence(world, own))
    predicted = prediction.predicted(world, place, (1, 3, 5))
    assert len(gains(scores, ["budget"]).merge(predicted, on=prediction.KEYS)) == 2 * 2 * 3


def test_the_papers_datasets_lie_on_the_map(table, monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.delenv("CMCSL_PUBLISHED_SCORES", raising=False)
    place, gained = placement.published()
    assert len(place) == 20 and set(gained.budget) == set(range(1, 21))
    rows = gained[(gained.dataset == "HM") & (gained.modality == "visual")]
    assert rows.gain.mean() == pytest.approx(0.653 - 0.598, abs=1e-3)
    assert place.set_index("dataset").text["HM"] == pytest.approx(2 * 0.924 - 1, abs=1e-3)
    world = table.query("geometry == 'measured' and dependence == 0.4")
    compared = gained.merge(prediction.predicted(world, place, [1, 20]), on=prediction.KEYS)
    assert prediction.agreement(compared).pairs.tolist() == [40, 40]


def four_cells():
    """Four cells of a map with known gains, in the last of which the text is the stronger modality."""
    cells = pd.DataFrame(
        {
            "classes": 2,
            "geometry": "measured",
            "dependence": 0.0,
            "rows": 100,
            "visual": [0.0, 0.5, 0.5, 0.0],
            "text": [0.0, 0.0, 0.5, 0.5],
            "exchange": "distance",
            "budget": 1,
        }
    )
    for name in simulation_map.OUTCOMES:
        cells[f"gain_{name}"], cells[f"error_{name}"] = 0.0, 0.01
    cells["gain_visual"], cells["gain_text"] = [9.0, -0.03, 0.01, 0.05], [9.0, 0.04, 0.5, 0.01]
    return cells


def test_cell_shares_leave_out_chance():
    row = simulation_map.cell_shares(four_cells()).set_index("outcome").loc["over UNI, visual"]
    assert (row.share_gaining, row.share_losing) == pytest.approx((1 / 3, 1 / 3))
    assert (row.gain, row.gain_worst, row.gain_best) == pytest.approx((0.01, -0.03, 0.05))


def test_sides_are_the_weaker_and_the_stronger_modality():
    sides = simulation_map.sides(four_cells()).set_index("side")
    assert sides.gain.to_dict() == pytest.approx({"weaker": 0.045, "stronger": -0.01})
    assert (sides.share_gaining["weaker"], sides.share_losing["stronger"]) == (1, 0.5)


def test_gain_maps_return_what_they_draw(table, own):
    cells = simulation_map.long_gains(
        table.query("geometry == 'measured' and classes == 2 and budget in [1, 20] and exchange == 'distance'"),
        ["visual"],
    )
    place = own.assign(source="openclipart", dependence=[0.4, np.nan])
    drawn = simulation_figures.gain_maps(cells, "dependence", "budget", place)
    axes = plt.gcf().axes[:-1]
    on_map = drawn[drawn.source == "map"]
    assert len(axes) == 3 * 2 and len(on_map) == 3 * 2 * 49
    assert on_map.gain.tolist() == cells.gain.tolist()
    # One dataset is in its own line alone, the other, whose dependence is unknown, in all three.
    assert drawn[drawn.source != "map"].dataset.value_counts().to_dict() == {"AFP": 6, "PT": 2}
    assert sum(len(each.get_offsets()) for panel in axes for each in panel.collections[1:]) == 8
    assert [panel.get_title() for panel in axes[:2]] == ["1 seed per class", "20 seeds per class"]
    plt.close("all")


def test_cells_bear_a_sign_where_the_gain_is_sure(usual):
    cells = simulation_map.long_gains(usual.query("exchange == 'distance' and budget == 20"), ["text"])
    simulation_figures.gain_maps(cells, "outcome", "budget")
    signs = [text.get_text() for text in plt.gcf().axes[0].texts]
    assert signs.count("+") == (cells.gain > 2 * cells.error).sum()
    assert signs.count("\N{MINUS SIGN}") == (cells.gain < -2 * cells.error).sum()
    plt.close("all")


def test_places_name_every_dataset_apart():
    names = [f"$D_{number}$" for number in range(6)]
    place = pd.DataFrame(
        {
            "source": ["published", *["mine"] * 5],
            "dataset": names,
            "kind": "binary",
            "visual": 0.5,
            "text": [0.5, 0.5, 0.5, 0.505, 0.51, 0.6],
        }
    )
    assert simulation_figures.places(place).equals(place[["source", "dataset", "kind", "visual", "text"]])
    panel = plt.gcf().axes[0]
    plt.gcf().canvas.draw()
    assert sorted(text.get_text() for text in panel.texts) == [rf"\$D_{number}\$" for number in range(6)]
    # Without the lines to the marks.
    boxes = [Text.get_window_extent(text) for text in panel.texts]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    plt.close("all")
