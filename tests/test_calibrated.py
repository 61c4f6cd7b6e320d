import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from cmcsl_lib.estimators import CMCSLClassifier, UnimodalClassifier
from cmcsl_lib.method import calibrated
from cmcsl_lib.method.calibrated import SEED_WEIGHT, calibrated_labels, centre_evidence, posterior, seed_evidence


@st.composite
def problems(draw, modalities=2, seeds=None):
    """Modalities without ties, and the classes of the seeds; every class has one, or so many."""
    n, k = draw(st.integers(10, 40)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    Xs = [random.normal(size=(n, width)) for width in range(2, 2 + modalities)]
    codes = np.full(n, -1)
    rows = random.permutation(n)[: k * seeds if seeds else draw(st.integers(k, n - 1))]
    codes[rows] = np.arange(len(rows)) % k
    return Xs, codes, k


def informed(n=300, strengths=(2.0, 2.0), seeds=10, classes=2, seed=0, dependence=0.0):
    """Modalities whose centres lie so far apart, codes with some seeds per class, and the true classes."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % classes
    common = random.normal(size=(n, 5))
    Xs = []
    for strength in strengths:
        centres = np.eye(classes, 5) * strength
        noise = dependence * common + np.sqrt(1 - dependence**2) * random.normal(size=(n, 5))
        Xs.append(centres[y] + noise)
    return Xs, np.where(np.arange(n) < seeds * classes, y, -1), y


def as_dict(Xs):
    return {f"m{number}": X for number, X in enumerate(Xs)}


def fit(Xs, codes, **parameters):
    return CMCSLClassifier(preprocessing="RAW", exchange="calibrated", **parameters).fit(as_dict(Xs), codes)


def labels_of(Xs, codes, classes, rounds=calibrated.ROUNDS):
    """Labels by modalities that some rows lack."""
    present = [np.flatnonzero(~np.isnan(X[:, 0])) for X in Xs]
    return calibrated_labels([X[rows] for X, rows in zip(Xs, present, strict=True)], codes, classes, rounds, present)


# The evidence, by plain formulas


def plain_temperature(unit, scores, own):
    """The temperature of the grid with the largest likelihood times prior; scores by a function of the temperature."""
    best = []
    for factor in calibrated.TEMPERATURES:
        table = scores(unit * factor)
        likelihood = sum(row[c] - logsumexp(row) for row, c in zip(table, own, strict=True))
        best.append(likelihood - np.log(factor / calibrated.GAPS) ** 2 / 2)
    return unit * calibrated.TEMPERATURES[int(np.argmax(best))]


@given(problems(modalities=1))
@settings(max_examples=40)
def test_evidence_of_seeds_is_that_of_gaussians_judged_by_leaving_one_out(problem):
    (X,), codes, k = problem
    squared = lambda row, seed: ((X[row] - X[seed]) ** 2).sum()  # noqa: E731
    seeds = np.flatnonzero(codes >= 0)

    def score(row, label, t, without=None):
        members = [seed for seed in seeds if codes[seed] == label and seed != without]
        return logsumexp([-squared(row, seed) / t for seed in members]) - np.log(len(members))

    gaps = []
    for row in np.flatnonzero(codes < 0):
        first, second = sorted(min(squared(row, seed) for seed in seeds if codes[seed] == c) for c in range(k))[:2]
        gaps.append(second - first)
    judged = [seed for seed in seeds if (codes[seeds] == codes[seed]).sum() > 1]
    t = plain_temperature(
        np.median(gaps), lambda t: [[score(seed, c, t, seed) for c in range(k)] for seed in judged], codes[judged]
    )
    expected = np.array([[score(row, c, t) for c in range(k)] for row in range(len(X))])
    expected -= logsumexp(expected, axis=1, keepdims=True)
    assert seed_evidence(X, codes, k) == pytest.approx(expected, abs=1e-6)


@given(problems(modalities=1))
@settings(max_examples=40)
def test_evidence_of_centres_is_judged_by_centres_without_the_seed(problem):
    (X,), codes, k = problem
    weights = np.random.default_rng(0).dirichlet(np.ones(k), len(X))
    seeds = np.flatnonzero(codes >= 0)
    weights[seeds] = np.eye(k)[codes[seeds]] * SEED_WEIGHT

    def squared(row, weights):
        return [((X[row] - np.average(X, axis=0, weights=weights[:, c])) ** 2).sum() for c in range(k)]

    gaps = [np.diff(sorted(squared(row, weights))[:2]).item() for row in np.flatnonzero(codes < 0)]
    left_out = []
    for seed in seeds:
        without = weights.copy()
        without[seed] = 0
        left_out.append(squared(seed, without))
    t = plain_temperature(np.median(gaps), lambda t: -np.array(left_out) / t, codes[seeds])
    expected = -np.array([squared(row, weights) for row in range(len(X))]) / t
    expected -= logsumexp(expected, axis=1, keepdims=True)
    assert centre_evidence(X, codes, weights) == pytest.approx(expected, abs=1e-6)


def test_blocks_of_rows_change_nothing(monkeypatch):
    (X,), codes, _ = informed(strengths=(1.0,))
    whole = seed_evidence(X, codes, 2)
    monkeypatch.setattr(calibrated, "MEMORY", 1)
    assert seed_evidence(X, codes, 2) == pytest.approx(whole, abs=1e-9)


def test_some_of_very_many_seeds_tell_the_temperature_about_as_well(monkeypatch):
    (X,), codes, _ = informed(strengths=(1.0,), n=600, seeds=150)
    every = seed_evidence(X, codes, 2)
    monkeypatch.setattr(calibrated, "JUDGED", 100)
    some = seed_evidence(X, codes, 2)
    # At most a step or two of the grid of temperatures, each a factor of about 1.4.
    assert np.median(np.abs(np.exp(some) - np.exp(every))) < 0.1
    assert (some.argmax(axis=1) == every.argmax(axis=1)).mean() > 0.9


def test_an_offset_costs_no_digits():
    (X,), codes, _ = informed(strengths=(1.0,))
    assert seed_evidence(X + 2.0**20, codes, 2) == pytest.approx(seed_evidence(X, codes, 2), abs=1e-6)


# Invariances


@given(problems(modalities=3), st.integers(-8, 8), st.integers(0, 2))
@settings(max_examples=40)
def test_the_unit_of_a_modality_does_not_matter(problem, power, which):
    Xs, codes, k = problem
    # Powers of two scale without rounding.
    scaled = [X * 2.0**power if number == which else X for number, X in enumerate(Xs)]
    first, second = (calibrated_labels(each, codes, k) for each in (Xs, scaled))
    assert (first.posterior == second.posterior).all()
    for one, other in zip(first.evidence, second.evidence, strict=True):
        assert (one == other).all()


@given(problems(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_order_of_rows_and_modalities_does_not_matter(problem, random):
    Xs, codes, k = problem
    order = np.array(random.sample(range(len(codes)), len(codes)))
    plain = calibrated_labels(Xs, codes, k).posterior
    assert calibrated_labels([X[order] for X in Xs], codes[order], k).posterior == pytest.approx(plain[order], abs=1e-6)
    assert calibrated_labels(Xs[::-1], codes, k).posterior == pytest.approx(plain, abs=1e-6)


# Where it is UNI, where it is CMCSL


@given(problems(modalities=1, seeds=1))
@settings(max_examples=40)
def test_one_modality_with_a_seed_per_class_is_uni_before_re_estimation(problem):
    Xs, codes, _ = problem
    uni = UnimodalClassifier(preprocessing="RAW").fit(as_dict(Xs), codes)
    assert (fit(Xs, codes, rounds=0).transduction_ == uni.transduction_).all()


@given(problems(modalities=3, seeds=1))
@settings(max_examples=40)
def test_what_all_modalities_say_is_the_label_as_in_cmcsl(problem):
    Xs, codes, _ = problem
    cmcsl = CMCSLClassifier(preprocessing="RAW").fit(as_dict(Xs), codes)
    said = np.stack(list(cmcsl.unimodal_transduction_.values()))
    agree = (said == said[0]).all(axis=0)
    together = fit(Xs, codes, rounds=0).transduction_
    assert (together[agree] == cmcsl.transduction_[agree]).all()


@given(problems(seeds=1))
@settings(max_examples=40)
def test_a_modality_that_seeds_and_rows_tell_nothing_of_leaves_uni_of_the_other(problem):
    Xs, codes, k = problem
    constant = [Xs[0], np.ones((len(codes), 3))]
    uni = UnimodalClassifier(preprocessing="RAW").fit(Xs[0], codes)
    labels = calibrated_labels(constant, codes, k, rounds=0)
    assert (labels.posterior.argmax(axis=1) == uni.transduction_).all()
    assert np.isnan(labels.evidence[1]).all()


def test_as_temperatures_fall_the_nearest_seed_decides():
    (X,), codes, _ = informed(strengths=(1.0,), n=100)
    seeds = np.flatnonzero(codes >= 0)
    seeds = seeds[np.argsort(codes[seeds], kind="stable")]
    squared = calibrated.squared_distances(X, X[seeds])
    starts = np.unique(codes[seeds], return_index=True)[1]
    uni = UnimodalClassifier(preprocessing="RAW").fit(X, codes).transduction_
    cold, warm = (calibrated._log_sums(squared, starts, t).argmax(axis=1) for t in (1e-3, 10.0))
    assert (cold == uni).all() and (warm != uni).any()


# Missing modalities, classes without seeds


@given(problems(modalities=3, seeds=2))
@settings(max_examples=25)
def test_a_row_with_one_modality_has_its_label(problem):
    Xs, codes, k = problem
    row = np.flatnonzero(codes < 0)[0]
    for X in Xs[1:]:
        X[row] = np.nan
    labels = labels_of(Xs, codes, k)
    assert labels.posterior[row] == pytest.approx(np.exp(labels.evidence[0][row]))
    assert all(np.isnan(each[row]).all() for each in labels.evidence[1:])


def test_nothing_is_said_of_a_class_without_a_seed_in_the_modality():
    (X, Z), codes, _ = informed(classes=3)
    Z[codes == 2] = np.nan
    rows = ~np.isnan(Z[:, 0])
    evidence = seed_evidence(Z[rows], codes[rows], 3)
    assert np.exp(evidence[:, 2]) == pytest.approx(1 / 3)
    assert np.exp(evidence).sum(axis=1) == pytest.approx(1)
    # Rows that the other modality takes for that class give it a centre.
    again = labels_of([X, Z], codes, 3, rounds=1)
    assert np.nanstd(again.evidence[1][:, 2]) > 0


def test_a_modality_without_seeds_is_silent_until_the_others_teach_it():
    (X, Z), codes, y = informed(strengths=(3.0, 3.0))
    Z[codes >= 0] = np.nan
    silent, taught = (labels_of([X, Z], codes, 2, rounds) for rounds in (0, 1))
    assert np.isnan(silent.evidence[1]).all()
    hidden = codes < 0
    assert (taught.evidence[1].argmax(axis=1) == y)[hidden].mean() > 0.9
    assert (taught.posterior.argmax(axis=1) == y)[hidden].mean() > (silent.posterior.argmax(axis=1) == y)[hidden].mean()


def test_rows_that_nobody_speaks_of_have_no_label():
    (X, Z), codes, _ = informed()
    Z[:] = 1.0
    row = np.flatnonzero(codes < 0)[0]
    X[row] = np.nan
    fitted = fit([X, Z], codes)
    assert fitted.transduction_[row] == -1 and fitted.deciding_modality_[row] is None
    assert np.isnan(fitted.distance_[row]) and fitted.seed_row_[row] == -1 and fitted.margin_[row] == 0
    assert np.flatnonzero(fitted.transduction_ == -1).tolist() == [row]


@pytest.mark.parametrize("value", [1.0, 0.1, 1e-9, 12345.678])
@pytest.mark.parametrize("rows", [30, 3000])
def test_a_modality_that_is_the_same_in_all_rows_says_nothing_whatever_sums_are_rounded_to(value, rows):
    codes = np.where(np.arange(rows) < 4, np.arange(rows) % 2, -1)
    weights = np.random.default_rng(0).dirichlet([1, 1], size=rows)
    assert np.isnan(centre_evidence(np.full((rows, 7), value), codes, weights)).all()
    offset = np.random.default_rng(1).normal(size=(rows, 7)) + 1e4 * value
    assert np.isfinite(centre_evidence(offset, codes, weights)).all()


# What it is for


def test_seeds_show_which_modality_carries_nothing():
    (X, noise), codes, y = informed(strengths=(3.0, 0.0), n=600)
    hidden, shares = codes < 0, {}
    for scale in (0.1, 10.0):
        # Noise lies nearer to its seeds, or farther.
        for exchange in ("distance", "calibrated"):
            fitted = CMCSLClassifier(preprocessing="RAW", exchange=exchange).fit(as_dict([X, noise * scale]), codes)
            shares[scale, exchange] = (fitted.transduction_ == y)[hidden].mean()
    assert shares[0.1, "distance"] < 0.7
    assert shares[0.1, "calibrated"] == shares[10.0, "calibrated"]
    assert shares[10.0, "calibrated"] > shares[10.0, "distance"]


def test_balanced_modalities_are_better_together_than_each_and_than_the_nearer():
    Xs, codes, y = informed(n=1000, strengths=(2.0, 2.0))
    hidden, fitted = codes < 0, fit(Xs, codes)
    right = {name: (label == y)[hidden].mean() for name, label in fitted.unimodal_transduction_.items()}
    cmcsl = CMCSLClassifier(preprocessing="RAW").fit(as_dict(Xs), codes)
    together = (fitted.transduction_ == y)[hidden].mean()
    assert together > max(right.values()) + 0.02
    assert together > (cmcsl.transduction_ == y)[hidden].mean() + 0.02


def test_probabilities_are_those_of_being_right_where_modalities_are_independent_but_not_where_they_are_not():
    right = {}
    for dependence in (0.0, 1.0):
        # With full dependence, both modalities are wrong about the same rows, in the same way.
        Xs, codes, y = informed(n=2000, strengths=(1.5, 1.5), seeds=20, dependence=dependence)
        fitted, hidden = fit(Xs, codes), codes < 0
        right[dependence] = (fitted.transduction_ == y)[hidden].mean(), fitted.probability_[hidden].max(axis=1).mean()
    assert right[0.0][1] == pytest.approx(right[0.0][0], abs=0.05)
    assert right[1.0][0] < right[0.0][0]
    assert right[1.0][1] > right[1.0][0] + 0.05


# The estimator around it


def test_provenance_tells_what_each_modality_said_and_what_decided():
    Xs, codes, _ = informed(n=200, strengths=(1.0, 1.0), classes=3)
    Xs[1][50:80] = np.nan
    fitted, k = fit(Xs, codes), 3
    labels = labels_of(Xs, codes, k)
    hidden, table = codes < 0, fitted.provenance_["m0"]
    assert fitted.probability_ == pytest.approx(labels.posterior, abs=1e-12)
    assert table.probability.to_numpy() == pytest.approx(labels.posterior.max(axis=1), abs=1e-12)
    for number, evidence in enumerate(labels.evidence):
        said, strength = table[f"m{number}_label"], table[f"m{number}_probability"]
        spoken = hidden & ~np.isnan(evidence[:, 0])
        assert (said[spoken] == evidence[spoken].argmax(axis=1)).all()
        assert strength[spoken].to_numpy() == pytest.approx(np.exp(evidence[spoken].max(axis=1)), abs=1e-12)
        assert (fitted.unimodal_transduction_[f"m{number}"] == said).all()
        assert (said[hidden & ~spoken] == -1).all() and strength[hidden & ~spoken].isna().all()
    own = np.nan_to_num([each[np.arange(200), fitted.transduction_] for each in labels.evidence], nan=-np.inf)
    assert (fitted.deciding_modality_ == np.array(["m0", "m1"])[own.argmax(axis=0)])[hidden].all()
    for row in np.flatnonzero(hidden):
        X = Xs[int(fitted.deciding_modality_[row][1])]
        own = np.flatnonzero(codes == fitted.transduction_[row])
        own = own[~np.isnan(X[own, 0])]
        distances = np.linalg.norm(X[own] - X[row], axis=1)
        assert fitted.distance_[row] == pytest.approx(distances.min())
        assert fitted.seed_row_[row] == own[distances.argmin()]
    highest = np.sort(labels.posterior, axis=1)
    assert fitted.margin_ == pytest.approx(highest[:, -1] - highest[:, -2])


@given(problems())
@settings(max_examples=25)
def test_labeled_rows_keep_their_label(problem):
    Xs, codes, _ = problem
    fitted, known = fit(Xs, codes, min_margin=1.0), codes >= 0
    assert (fitted.transduction_[known] == codes[known]).all()
    assert (fitted.margin_[known] == 1).all() and (fitted.distance_[known] == 0).all()
    assert (fitted.seed_row_[known] == np.flatnonzero(known)).all()


def test_abstention_is_by_the_posterior():
    Xs, codes, _ = informed(strengths=(1.0, 1.0))
    fitted = fit(Xs, codes, min_margin=0.5)
    highest = np.sort(fitted.probability_, axis=1)
    sure = highest[:, -1] - highest[:, -2] >= 0.5
    assert 0 < sure.sum() < len(sure)
    assert ((fitted.transduction_ >= 0) == sure).all()


def test_classifiers_learn_soft_labels_with_seeds_counting_twice():
    Xs, codes, _ = informed(strengths=(1.0, 1.0))
    fitted = fit(Xs, codes, class_weight=None)
    weights = fitted.probability_ * np.where(codes >= 0, SEED_WEIGHT, 1)[:, None]
    means = [np.average(Xs[1], axis=0, weights=weights[:, label]) for label in range(2)]
    # Shares below a thousandth are left out.
    assert fitted.estimators_["m1"].theta_ == pytest.approx(np.array(means), abs=2e-3)
    assert fitted.estimators_["m1"].class_count_ == pytest.approx(weights.sum(axis=0), rel=2e-3)
    weight = np.random.default_rng(0).random(len(codes))
    importance = CMCSLClassifier(exchange="calibrated", preprocessing="RAW", class_weight=None)
    importance.fit(as_dict(Xs), codes, sample_weight=weight)
    assert importance.estimators_["m1"].class_count_ == pytest.approx(weight @ weights, rel=2e-3)


def test_classifiers_without_weights_learn_the_most_probable_labels():
    Xs, codes, _ = informed(strengths=(1.0, 1.0))
    fitted = fit(Xs, codes, base_estimator=KNeighborsClassifier(1), min_margin=0.3)
    used = fitted.transduction_ >= 0
    assert 0 < used.sum() < len(used)
    assert fitted.estimators_["m0"].n_samples_fit_ == used.sum()
    predicted = fitted.predict_by_modality(as_dict(Xs))["m0"]
    assert (predicted[used] == fitted.transduction_[used]).all()


@pytest.mark.parametrize("transfer", ["crosswise", "m1"])
def test_who_teaches_by_transfer(transfer):
    Xs, codes, _ = informed(strengths=(1.0, 1.0))
    fitted = fit(Xs, codes, transfer=transfer)
    alone = [calibrated_labels([X], codes, 2).posterior.argmax(axis=1) for X in Xs]
    assert (fitted.transduction_by_modality_["m0"] == alone[1]).all()
    assert (fitted.transduction_by_modality_["m1"] == alone[0 if transfer == "crosswise" else 1]).all()


def test_a_stream_goes_on_with_the_seeds_of_earlier_batches():
    Xs, codes, y = informed(n=400)
    first, later = slice(0, 200), slice(200, None)
    streamed = CMCSLClassifier(GaussianNB(), preprocessing="RAW", exchange="calibrated")
    streamed.partial_fit(as_dict([X[first] for X in Xs]), codes[first])
    fitted = fit([X[first] for X in Xs], codes[first])
    assert (streamed.transduction_ == fitted.transduction_).all()
    assert streamed.estimators_["m0"].theta_ == pytest.approx(fitted.estimators_["m0"].theta_)
    streamed.partial_fit(as_dict([X[later] for X in Xs]), np.full(200, -1))
    assert streamed.probability_.shape == (200, 2)
    assert (streamed.transduction_ == y[later]).mean() > 0.8
    assert set(streamed.seed_row_) <= set(np.flatnonzero(codes >= 0))


def test_labels_by_name_and_more_than_two_modalities():
    Xs, codes, y = informed(strengths=(1.5, 1.5, 1.5), classes=3)
    names = np.array(["a", "b", "c"], dtype=object)
    named = fit(Xs, np.where(codes >= 0, names[y], None), base_estimator=LogisticRegression())
    assert (named.transduction_ == names[fit(Xs, codes).transduction_]).all()
    assert set(named.provenance_["m0"].columns) >= {"probability", "m0_label", "m2_probability"}


def test_posteriors_of_rows_that_nothing_is_known_of_are_equal():
    assert posterior([np.full((2, 4), np.nan)], np.array([-1, 2])).tolist() == [[0.25] * 4, [0, 0, 1, 0]]
