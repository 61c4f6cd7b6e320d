"""The simulation: what is asked for comes out, known limits hold, and the fast way is the estimator's."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from cmcsl_lib.corpora.features import MODALITIES
from cmcsl_lib.estimators import CMCSLClassifier, UnimodalClassifier
from cmcsl_lib.estimators.strategies import EXCHANGES
from cmcsl_lib.files.errors import Absent, CmcslError
from cmcsl_lib.method.naive_bayes import balanced_accuracies
from cmcsl_lib.studies import placement, results, simulation, strengths, synthetic
from cmcsl_lib.studies.results import load_simulation, make_simulation
from cmcsl_lib.studies.simulation import SETTINGS
from cmcsl_lib.studies.synthetic import GEOMETRIES, Setting

SMALL = Setting(2, "ResNet-18", rows=30, repetitions=2)


@pytest.fixture(scope="module")
def shipped():
    return load_simulation("simulation")


def means(setting, visual, text, budgets=simulation.BUDGETS):
    """Outcomes at one pair of separations, averaged, and the standard errors of gains, by budget."""
    return simulation.simulate(setting, ({0.0: visual}, {0.0: text}), budgets, ("distance",)).set_index("budget")


def test_strength_comes_out_as_asked_for(shipped):
    """FULL of repetitions that the separations were not chosen on, within four standard errors of both means.

    A balanced accuracy varies between repetitions by its sampling error over the test rows and by the luck of the
    training half; the variance of a mean of so many repetitions is estimated from the repetitions themselves.
    """
    y = np.repeat(np.arange(2), 100)
    for modality, (dimension, width) in zip(MODALITIES, GEOMETRIES["measured"], strict=True):
        cells = shipped[(shipped.classes == 2) & (shipped.geometry == "measured") & (shipped.dependence == 0)]
        apart = cells.drop_duplicates(modality).set_index(modality)[f"separation_{modality}"]
        for strength in (0.3, 0.6, 0.9):
            reached = []
            for repetition in range(40):
                random = np.random.default_rng([7, repetition])
                noise = random.normal(size=(400, dimension))
                onto = synthetic.directions(dimension, width, random)
                X, X_test = synthetic.standardised(synthetic.features(noise, np.tile(y, 2), apart[strength], onto))
                predicted, _ = synthetic.predictions(X, X_test, y[None])
                reached.append(balanced_accuracies(y, predicted)[0])
            reached = strengths.adjusted(np.array(reached), 2)
            error = reached.std(ddof=1) * np.sqrt(1 / len(reached) + 1 / strengths.CALIBRATIONS)
            assert abs(reached.mean() - strength) < 4 * error


def test_separations_grow_with_strength_and_start_at_none(monkeypatch):
    monkeypatch.setattr(strengths, "CALIBRATIONS", 4)
    apart = strengths.separations(2, 31, 18, 512, (0.0, 0.3, 0.6))
    assert apart[0] == 0
    assert np.all(np.diff(apart) > 0)


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.8])
def test_noises_depend_as_asked_for(rho):
    """Fisher's z of a sample correlation of n pairs has standard error 1 / sqrt(n - 3)."""
    setting = Setting(2, "ResNet-18", rho, rows=5000)
    visual, text = synthetic.noises(setting, np.random.default_rng(0))
    assert text.std(axis=0) == pytest.approx(np.ones(90), abs=4 / np.sqrt(2 * len(text)))
    for place in (0, 17):
        correlation = np.corrcoef(visual[:, place], text[:, place])[0, 1]
        assert abs(np.arctanh(correlation) - np.arctanh(rho)) < 4 / np.sqrt(len(visual) - 3)
    others = [np.corrcoef(visual[:, 0], text[:, place])[0, 1] for place in (1, 17, 18, 89)]
    assert np.abs(others).max() < 4 / np.sqrt(len(visual))


def test_errors_depend_by_rho_where_classifiers_know_the_truth():
    """With directions known, errors are thresholded normal scores, whose tetrachoric correlation is rho."""
    setting = Setting(2, "equal", 0.6, rows=20000)
    y = np.tile(np.repeat([0, 1], setting.rows), 2)
    missed = []
    for noise, separation in zip(synthetic.noises(setting, np.random.default_rng(0)), (1.0, 2.0), strict=True):
        latent = synthetic.features(noise, y, separation, np.eye(40))
        missed.append((latent[:, 1] > latent[:, 0]) != y)
    correlation = placement.tetrachoric((missed[0] & missed[1]).mean(), missed[0].mean(), missed[1].mean())
    assert correlation == pytest.approx(0.6, abs=0.03)


def test_tetrachoric_of_known_cases():
    assert placement.tetrachoric(0.06, 0.2, 0.3) == pytest.approx(0, abs=1e-4)
    # Of two halves, both are above with probability 1/4 + arcsin(rho) / (2 pi).
    assert placement.tetrachoric(0.25 + np.arcsin(0.5) / (2 * np.pi), 0.5, 0.5) == pytest.approx(0.5, abs=1e-4)
    assert placement.tetrachoric(0.2, 0.2, 0.3) == 0.999
    assert placement.tetrachoric(0.0, 0.2, 0.3) == -0.999


def test_effective_dimension_is_that_of_the_noise():
    random = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 50)
    dimensions = []
    for _ in range(20):
        noise = random.normal(size=(150, 90))
        X = synthetic.features(noise, y, 4.0, synthetic.directions(90, 384, random))
        dimensions.append(placement.effective_dimension(X, y))
    assert abs(np.mean(dimensions) - 90) < 4 * np.std(dimensions, ddof=1) / np.sqrt(len(dimensions))


def test_directions_are_orthonormal():
    onto = synthetic.directions(18, 512, np.random.default_rng(0))
    assert onto @ onto.T == pytest.approx(np.eye(18), abs=1e-12)


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_fast_way_is_the_estimators(exchange, classes):
    setting, apart = replace(SMALL, classes=classes), ([1.0, 2.0], [0.0, 2.5])
    measured = simulation.measure(setting, apart, 0, (1, 5), (exchange,))
    seeds, (visuals, texts) = simulation.draw(setting, apart, 0, (1, 5), (exchange,))
    y = visuals[0].y
    columns = {"visual": slice(0, 512), "text": slice(512, 896)}
    for v, t, b in np.ndindex(2, 2, 2):
        training, test = np.split(np.hstack([visuals[v].raw, texts[t].raw]), 2)
        known = np.full(len(y), -1)
        known[seeds[b]] = y[seeds[b]]
        cmcsl = CMCSLClassifier(modalities=columns, exchange=exchange, fusion="mean").fit(training, known)
        uni = UnimodalClassifier(modalities=columns, fusion="mean").fit(training, known)
        joint = UnimodalClassifier().fit(training, known)

        def score(predicted, truth=y):
            return np.mean([(predicted[truth == label] == label).mean() for label in range(classes)])

        place = (v, t, 0, b)
        for modality in MODALITIES:
            assert measured[f"uni_{modality}"][place] == score(uni.predict_by_modality(test)[modality])
            assert measured[f"cmcsl_{modality}"][place] == score(cmcsl.predict_by_modality(test)[modality])
        assert measured["lf"][place] == score(uni.predict(test))
        assert measured["fused"][place] == score(cmcsl.predict(test))
        assert measured["ef"][place] == score(joint.predict(test))
        unlabelled = known < 0
        visual, text = (cmcsl.unimodal_transduction_[modality] for modality in MODALITIES)
        differ = (visual != text) & unlabelled
        assert measured["differ"][place] == differ.sum() / unlabelled.sum()
        assert measured["text_decides"][place] * unlabelled.sum() == pytest.approx(
            (differ & (cmcsl.deciding_modality_ == "text")).sum()
        )
        assert measured["right_kept"][place] * unlabelled.sum() == pytest.approx(
            (differ & (cmcsl.transduction_ == y)).sum()
        )


def test_equal_and_independent_modalities_help_each_other():
    """Where the modalities differ neither is right more often, but the labels that both give are righter for both."""
    gained = means(Setting(2, "equal", 0.0, rows=200, repetitions=20), 2.5, 2.5, (1,))
    assert (gained.gain_visual > 2 * gained.error_visual).all()
    # The text is closer in the narrower space and decides nearly all: it can't gain much, and must not lose.
    assert (gained.text_decides / gained.differ > 0.8).all()
    assert (gained.gain_text > -2 * gained.error_text).all()


def test_a_modality_of_noise_hurts_a_good_one_that_it_overrules():
    """The text says nothing, is closer to its seeds, and decides."""
    gained = means(Setting(2, "swapped", 0.0, repetitions=16), 3.0, 0.0, (3, 10))
    assert (gained.text_decides / gained.differ > 0.8).all()
    assert (gained.gain_visual < -4 * gained.error_visual).all()
    assert (gained.gain_text.abs() < 4 * gained.error_text + 1e-9).all()


def test_full_dependence_leaves_nothing_to_gain(monkeypatch):
    """Modalities that are the same up to a rotation give the same labels but for what the rotation does to L2STD."""
    monkeypatch.setitem(GEOMETRIES, "equal", GEOMETRIES["equal"][:1] * 2)
    setting = Setting(2, "equal", 1.0, repetitions=4)
    same, apart = (means(replace(setting, dependence=rho), 2.0, 2.0, (1, 10)) for rho in (1.0, 0.0))
    assert (same.differ < 0.25 * apart.differ).all()
    for modality in MODALITIES:
        assert (same[f"gain_{modality}"].abs() < 4 * same[f"error_{modality}"] + 0.01).all()


def test_repetitions_are_the_same_again_and_differ_from_each_other():
    one, again, other = (simulation.measure(SMALL, ([2.0], [2.0]), number, (2,)) for number in (0, 0, 1))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_seeds_are_nested():
    seeds, _ = simulation.draw(SMALL, ([1.0], [1.0]), 0, (1, 3, 10))
    assert set(seeds[0]) < set(seeds[1]) < set(seeds[2])


@pytest.mark.parametrize("setting", [SETTINGS[1], SETTINGS[3]], ids=["measured", "ResNet-18"])
def test_the_shipped_map_comes_from_this_code(shipped, setting):
    """A few of its cells computed again: every repetition shares its noise between all strengths."""
    cells = shipped[
        (shipped.classes == setting.classes)
        & (shipped.geometry == setting.geometry)
        & (shipped.dependence == setting.dependence)
        & (shipped.rows == setting.rows)
    ]
    cells = cells[cells.visual.isin([0.3, 0.75]) & (cells.text == 0.6) & (cells.budget == 10)]
    apart = tuple(
        cells.drop_duplicates(modality).set_index(modality)[f"separation_{modality}"].to_dict()
        for modality in MODALITIES
    )
    again = simulation.simulate(setting, apart, (10,))
    for column in again.select_dtypes("number"):
        assert again[column].to_numpy() == pytest.approx(cells[column].to_numpy(), rel=1e-5, abs=1e-6), column


def test_the_shipped_map_is_whole(shipped):
    assert len(shipped) == len(SETTINGS) * len(simulation.STRENGTHS) ** 2 * len(simulation.BUDGETS) * len(EXCHANGES)
    assert shipped.notna().all(axis=None)


def test_a_map_is_kept_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.setattr(strengths, "CALIBRATIONS", 2)
    small = simulation.MAP._replace(
        settings=(SMALL, replace(SMALL, dependence=0.8)),
        simulate=partial(simulation.simulate_strengths, strengths=(0.0, 0.5)),
        key={"version": 1, "settings": (1, 2)},
    )
    monkeypatch.setitem(results.SIMULATIONS, "simulation", small)
    with pytest.raises(Absent, match="cmcsl study simulation"):
        load_simulation("simulation")
    path = make_simulation("simulation")
    assert path.is_relative_to(tmp_path)
    gain_map = load_simulation("simulation")
    assert len(gain_map) == 2 * 4 * len(simulation.BUDGETS) * len(EXCHANGES)
    assert gain_map.dependence.unique().tolist() == [0.4, 0.8]
    path.write_bytes(b"nothing")
    with pytest.raises(CmcslError, match="can't be read"):
        load_simulation("simulation")
