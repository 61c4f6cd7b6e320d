import os
import re
from dataclasses import replace

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.semi_supervised import LabelSpreading

from cmcsl_lib.analysis.labels import ITEMS, WITH_SEEDS
from cmcsl_lib.cli import main
from cmcsl_lib.corpora.features import MODALITIES, FinetuningItems, load_features, write_features
from cmcsl_lib.estimators import CMCSLClassifier
from cmcsl_lib.experiments import runs
from cmcsl_lib.experiments.exchange import exchange_table
from cmcsl_lib.experiments.grid import run_fold
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import REPOSITORY
from cmcsl_lib.studies import base, decisions, exchange, finetuning, peers, related, robustness, seeds
from cmcsl_lib.studies.placement import effective_dimension
from cmcsl_lib.studies.results import SIMULATIONS, STUDIES, StudyJob, load_study, study_budgets

STRICT, PAPER = PROTOCOLS["strict"], PROTOCOLS["paper"]


@pytest.fixture
def halves(make_features):
    def make(protocol=STRICT, number=3, **options):
        features = make_features(**options)
        return base.Halves(features, protocol, *protocol.divide(features)[number])

    return make


@pytest.fixture
def kept_features(make_features, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    write_features(make_features(rows=16), tmp_path / "features" / "openclipart" / "AF.parquet")
    return tmp_path


def table(scored):
    return pd.DataFrame(list(scored))


# Folds, seeds and preprocessing are those of Experiment 3


def test_scores_are_those_of_experiment_3():
    features = load_features("openclipart", "AFP")
    fold = STRICT.divide(features)[3]
    expected = run_fold(features, STRICT, 3, ("GNB",), (1, 5), fold).set_index(["method", "modality", "budget"])
    own = table(peers.score(base.Halves(features, STRICT, *fold), (1, 5)))
    compared = own[own.method.isin(["PRE", "UNI", "CMCSL"]) & (own.modality != "both")]
    assert len(compared) == 3 * 2 * 2
    for row in compared.itertuples():
        reference = expected.loc[(row.method, row.modality, row.budget)]
        assert row.balanced_accuracy == pytest.approx(reference.balanced_accuracy, abs=1e-12)
        assert row.pseudo_label_accuracy == pytest.approx(reference.pseudo_label_accuracy, nan_ok=True)


@pytest.mark.parametrize(
    "protocol", [STRICT, PAPER, STRICT.changed(distances="scaled by width")], ids=lambda protocol: protocol.name
)
def test_pseudo_labels_follow_the_protocol(protocol, halves):
    fold = halves(protocol, classes=("a", "b", "c"), rows=30)
    scores = run_fold(
        fold.features, protocol, 3, ("GNB",), (4,), (fold.repetition, fold.fold, fold.training, fold.test)
    )
    expected = scores[(scores.method == "CMCSL") & (scores.modality == "text")].pseudo_label_accuracy.item()
    known = fold.known(fold.seeds(4))
    labels = CMCSLClassifier(**fold.parameters(known)).fit(fold.X, known).transduction_
    assert base.pseudo_label_accuracy(fold.y, labels, known) == pytest.approx(expected)


def test_each_drawn_row_is_a_seed_once(halves):
    fold = halves(PAPER)
    drawn = PAPER.draw_seeds(fold.y, 15, fold.repetition, fold.fold)
    assert len(np.unique(drawn)) < len(drawn)
    assert sorted(fold.seeds(15)) == sorted(set(drawn.tolist()))


def test_class_weights_of_the_paper_protocol_are_the_hidden_shares(halves):
    fold = halves(PAPER)
    weight = fold.parameters(fold.known(fold.seeds(2)))["class_weight"]
    assert weight == {0: 0.5, 1: 0.5}
    assert halves(STRICT).parameters(fold.y)["class_weight"] == "share"


# Peers


def test_every_method_is_scored(halves):
    own = table(peers.score(halves(rows=60), (20,)))
    assert set(own.method) == set(peers.METHODS)
    assert own.groupby("method").modality.agg(set).to_dict() == {
        method: {"both"} if method in peers.JOINT else {*MODALITIES, "both"} for method in peers.METHODS
    }
    assert own.balanced_accuracy.between(0, 1).all()
    # Classes are apart, and two thirds of the rows are seeds: whoever learns at all does better than chance.
    assert own.groupby("method").balanced_accuracy.mean().min() > 0.7


def test_logistic_regression_learns_the_seeds_alone(halves):
    fold = halves()
    known = fold.known(fold.seeds(3))
    own = table(peers.score(fold, (3,)))
    seeds = known >= 0
    for modality, method in (
        ("visual", "logistic regression"),
        ("text", "logistic regression"),
        ("both", "logistic regression, concatenated"),
    ):
        X, X_test = fold.matrices[modality]
        plain = LogisticRegression(max_iter=5000).fit(X[seeds], known[seeds])
        reached = own[(own.method == method) & (own.modality == modality)].balanced_accuracy.item()
        assert reached == pytest.approx(balanced_accuracy_score(fold.y_test, plain.predict(X_test)))


def test_a_fused_graph_joins_the_neighbours_of_both_modalities_whatever_their_scale():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 40, 5))
    columns = [slice(0, 2), slice(2, 5)]
    kernel = peers.fused_graph(columns)
    expected = np.zeros((40, 40))
    for own in columns:
        nearest = cdist(Y[:, own], X[:, own]).argsort(axis=1)[:, : peers.NEIGHBORS]
        for column, rows in enumerate(nearest):
            expected[rows, column] += 0.5
    np.testing.assert_allclose(kernel(X, Y).toarray(), expected)
    scaled = X * [1, 1, 100, 100, 100]
    itself = kernel(scaled, scaled).toarray()
    np.testing.assert_allclose(itself, itself.T)
    np.testing.assert_allclose(itself, kernel(X, X).toarray())


def test_labels_spread_on_a_fused_graph_where_each_modality_alone_leaves_gaps():
    # Visual neighbours reach half of each class, text neighbours join the halves.
    classes, halves_of = np.repeat([0, 1], 40), np.tile(np.repeat([0, 1], 20), 2)
    rng = np.random.default_rng(0)
    visual = np.column_stack([classes * 2 + halves_of, np.zeros(80)]) * 100 + rng.normal(size=(80, 2))
    text = np.where(np.arange(80) % 20 < 10, classes, classes * 2 + halves_of + 5)[:, None] * 100
    text = text + rng.normal(size=(80, 1))
    X, known = np.hstack([visual, text]), np.full(80, -1)
    known[[0, 40]] = 0, 1
    spread = LabelSpreading(kernel=peers.fused_graph([slice(0, 2), slice(2, 3)]), max_iter=1000).fit(X, known)
    alone = LabelSpreading(kernel="knn", max_iter=1000).fit(visual, known)
    assert (spread.transduction_ == classes).mean() > (alone.transduction_ == classes).mean()
    assert (spread.transduction_ == classes).all()


def test_one_way_transfer_is_that_of_both_directions(halves):
    fold = halves()
    known = fold.known(fold.seeds(3))
    both = CMCSLClassifier(**fold.parameters(known), transfer="crosswise").fit(fold.X, known)
    for pupil, teacher in (("visual", "text"), ("text", "visual")):
        one = CMCSLClassifier(**fold.parameters(known), transfer=teacher).fit(fold.X, known)
        assert (one.predict_by_modality(fold.X_test)[pupil] == both.predict_by_modality(fold.X_test)[pupil]).all()


def test_ties_of_self_training_are_rows_without_a_margin():
    features = load_features("openclipart", "AF")
    halves = base.Halves(features, STRICT, *STRICT.divide(features)[0])
    known = halves.known(halves.seeds(5))
    fitted = peers.multimodal(halves, known)["CMCSL on self-training"].fit(halves.X, known)
    differ = fitted.unimodal_transduction_["visual"] != fitted.unimodal_transduction_["text"]
    expected = (fitted.margin_[differ] == 0).mean()
    assert 0 < expected < 1
    assert peers.ties("openclipart", "AF", STRICT, (5,)) == {5: pytest.approx(expected)}
    # A tie goes to the modality that stands first.
    assert set(fitted.deciding_modality_[differ & (fitted.margin_ == 0)]) == {"visual"}


def test_pseudo_labels_that_were_not_given_do_not_count():
    true, known = np.array([0, 1, 1, 0]), np.array([0, -1, -1, -1])
    assert base.pseudo_label_accuracy(true, np.array([0, 1, 0, -1]), known) == 0.5
    assert np.isnan(base.pseudo_label_accuracy(true, known, known))


# Missing modalities and wrong labels


def test_so_many_rows_lack_a_modality_and_larger_shares_hold_smaller_ones():
    complete = np.arange(300) < 50
    before = np.full(300, -1)
    for share in (0.0, 0.2, 0.4, 0.8, 1.0):
        lacks = robustness.lacking(complete, share, np.random.default_rng(0))
        assert (lacks >= 0).sum() == round(share * 250) and (lacks[complete] == -1).all()
        assert (lacks[before >= 0] == before[before >= 0]).all()
        before = lacks
    assert np.bincount(before[before >= 0]).min() > 100


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.3, 0.4])
def test_a_given_share_of_every_class_is_wrong(share):
    known = np.full(200, -1)
    known[:80] = np.arange(80) % 4
    labels = robustness.wrong_labels(known, 4, share, np.random.default_rng(1))
    assert (labels[80:] == -1).all() and (labels[:80] >= 0).all()
    for label in range(4):
        assert (labels[known == label] != label).sum() == round(20 * share)
    less = robustness.wrong_labels(known, 4, share / 2, np.random.default_rng(1))
    assert (labels[less != known] == less[less != known]).all()


def test_no_class_loses_its_only_seed():
    known = np.array([0, 1, 2, -1])
    assert (robustness.wrong_labels(known, 3, 0.4, np.random.default_rng(0)) == known).all()


def test_all_other_classes_are_equally_likely_to_be_taken_for_a_seeds():
    known = np.zeros(3000, dtype=int)
    labels = robustness.wrong_labels(known, 4, 0.5, np.random.default_rng(0))
    assert np.bincount(labels)[1:] == pytest.approx(500, rel=0.2)


def test_gaps_are_where_they_were_said_to_be(halves):
    fold = halves()
    none, none_test = np.full(len(fold.y), -1), np.full(len(fold.y_test), -1)
    for X, expected in zip(robustness.with_gaps(fold, none, none_test), (fold.X, fold.X_test), strict=True):
        assert (X == expected).all()
    for X, expected in zip(robustness.filled(fold, none, none_test), fold.matrices["both"], strict=True):
        assert (X == expected).all()
    lacks = robustness.lacking(none >= 0, 0.5, np.random.default_rng(0))
    X, X_test = robustness.with_gaps(fold, lacks, none_test)
    for place, name in enumerate(MODALITIES):
        assert (np.isnan(X[:, fold.columns[name]]).all(axis=1) == (lacks == place)).all()
        # Standardised by the rows that are there.
        assert np.nanmean(X[:, fold.columns[name]], axis=0) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(X_test).all()
    assert all(np.isfinite(part).all() for part in robustness.filled(fold, lacks, none_test))


def test_gaps_are_filled_with_the_mean_of_the_training_rows(halves):
    fold = halves()
    lacks, lacks_test = np.full(len(fold.y), -1), np.full(len(fold.y_test), -1)
    lacks[0] = lacks_test[0] = MODALITIES.index("text")
    raw = np.hstack(fold.features.modalities)
    training, test = raw[fold.training], raw[fold.test]
    training[0, 512:] = test[0, 512:] = training[1:, 512:].mean(axis=0)
    for row, half in ((training, 0), (test, 1)):
        unit = robustness.filled(fold, lacks, lacks_test)[half]
        scaled = training / np.linalg.norm(training, axis=1, keepdims=True)
        own = row / np.linalg.norm(row, axis=1, keepdims=True)
        assert unit == pytest.approx((own - scaled.mean(axis=0)) / scaled.std(axis=0))


def test_robustness_without_a_disturbance_is_the_plain_method(halves):
    fold = halves(classes=("a", "b", "c"))
    own, plain = (table(study(fold, (5,))) for study in (robustness.score, peers.score))
    shares = own.groupby("disturbance").share.agg(lambda values: sorted(set(values))).to_dict()
    assert shares == {
        **{where: list(robustness.MISSING_SHARES) for where in robustness.MISSING},
        robustness.WRONG: [0.0, 0.2, 0.4],
    }
    both = plain[plain.modality == "both"].set_index("method").balanced_accuracy
    for row in own[(own.share == 0) & (own.modality == "both")].itertuples():
        name = "UNI, concatenated" if row.method == robustness.CONCATENATION else row.method
        assert row.balanced_accuracy == both[name]
    assert not own.duplicated(["method", "modality", "budget", "disturbance", "share"]).any()


def test_missing_in_both_differs_from_missing_in_either(halves):
    own = table(robustness.missing_modalities(halves(rows=80), 5))
    apart = own[own.share == 0.8].pivot_table(index="method", columns="disturbance", values="balanced_accuracy")
    assert (apart["missing in both"] != apart["missing in training"]).any()
    assert (apart["missing in both"] != apart["missing in test"]).any()


# Choice of seeds


def test_farthest_first_by_trying_all_rows():
    X = np.random.default_rng(0).normal(size=(40, 3))
    rows = seeds.farthest_first(X, 10)
    assert rows[0] == np.linalg.norm(X - X.mean(axis=0), axis=1).argmin()
    for place in range(1, 10):
        assert rows[place] == cdist(X, X[rows[:place]]).min(axis=1).argmax()


def test_cluster_centres_find_clusters():
    random = np.random.default_rng(0)
    cluster = np.arange(90) % 3
    X = np.array([[0, 0], [20, 0], [0, 20]])[cluster] + random.normal(size=(90, 2))
    rows = seeds.cluster_centres(X, 3, random_state=0)
    assert sorted(cluster[rows]) == [0, 1, 2]
    for row in rows:
        own = X[cluster == cluster[row]]
        assert np.linalg.norm(X[row] - own.mean(axis=0)) == np.linalg.norm(own - own.mean(axis=0), axis=1).min()


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_cluster_centres_among_equal_rows_are_distinct():
    rows = seeds.cluster_centres(np.repeat([[0.0], [1.0]], 5, axis=0), 4, random_state=0)
    assert len(set(rows)) == 4


@pytest.mark.parametrize("choice", seeds.CHOICES)
def test_choices_give_so_many_distinct_rows(choice, halves):
    fold = halves(classes=("a", "b", "c"))
    for budget, rows in zip((1, 4), seeds.CHOICES[choice](fold, (1, 4), 3), strict=True):
        assert len(rows) == len(set(rows)) == 3 * budget


def test_the_least_sure_rows_are_asked_for(halves):
    fold = halves(rows=60)
    first, more = seeds.least_sure(fold, 2, 2), seeds.least_sure(fold, 4, 2)
    assert (more[:2] == first).all() and len(set(fold.y[first])) == 2
    known = fold.known(first)
    margins = CMCSLClassifier(**fold.parameters(known)).fit(fold.X, known).margin_
    others = np.setdiff1d(np.arange(len(fold.y)), more)
    assert margins[more[2:]].max() <= margins[others].min()


def test_seeds_of_one_class_predict_that_class(halves, monkeypatch):
    fold = halves()
    monkeypatch.setattr(seeds, "CHOICES", {"one": lambda *_: [np.flatnonzero(fold.y == 1)[:2]]})
    own = table(seeds.score(fold, (1,)))
    assert (own.balanced_accuracy == 0.5).all() and (own.classes_found == 1).all() and len(own) == 9


# What Section II names


def test_every_related_method_is_scored_at_every_budget(halves):
    scores = table(related.score(halves(), (1, 4)))
    assert set(scores.method) == set(related.METHODS)
    both = scores[scores.modality == "both"]
    assert (both.groupby("method").budget.agg(list) == pytest.approx([1, 4])).all()
    assert set(scores[scores.method.isin(related.JOINT)].modality) == {"both"}
    assert scores.balanced_accuracy.between(0, 1).all() and (scores.seconds >= 0).all()
    supervised = scores[scores.method.isin(related.SUPERVISED)].groupby("modality").balanced_accuracy
    assert (supervised.nunique() == 1).all()


def test_references_of_the_related_methods_are_those_of_the_peers(halves):
    own = halves()
    keys = ["method", "modality", "budget"]
    expected = table(peers.score(own, (3,))).set_index(keys)
    scores = table(related.score(own, (3,))).assign(
        method=lambda rows: rows.method.replace({"CMCSL calibrated": "CMCSL, calibrated"})
    )
    shared = scores[
        scores.method.isin(["PRE", "logistic regression", "UNI", "CMCSL", "CMCSL, calibrated", "co-training"])
    ]
    assert len(shared) == 18
    reached = expected.loc[pd.MultiIndex.from_frame(shared[keys])].balanced_accuracy
    np.testing.assert_array_equal(shared.balanced_accuracy, reached)


@pytest.mark.parametrize("method", related.ASKING)
@pytest.mark.parametrize("budget", [1, 4])
def test_who_asks_gets_as_many_labels_as_the_others(method, budget, halves):
    own = halves()
    _, known = related.METHODS[method](own, budget)
    assert np.count_nonzero(known >= 0) == len(own.seeds(budget))
    assert (known[known >= 0] == own.y[known >= 0]).all()


def test_answers_of_one_class_predict_that_class(halves, monkeypatch):
    own = halves()
    one = np.flatnonzero(own.y == 1)
    monkeypatch.setattr(related.APMAClassifier, "queries", lambda self, X, n: one[:n])
    monkeypatch.setattr(related, "METHODS", {"APMA asking": related.METHODS["APMA asking"]})
    scores = table(related.score(own, (1,)))
    assert scores.modality.tolist() == ["visual", "text", "both"]
    assert (scores.balanced_accuracy == 1 / len(own.features.classes)).all()


def test_other_preprocessings_are_those_of_the_protocol(halves):
    own = halves()
    for method, name in related.PREPROCESSED.items():
        (scored,) = [row for row in related.score(own, (2,)) if (row["method"], row["modality"]) == (method, "text")]
        X, X_test = STRICT.preprocess(own.features.text[own.training], own.features.text[own.test], name)
        visual, _ = STRICT.preprocess(own.features.visual[own.training], own.features.visual[own.test], name)
        known = own.known(own.seeds(2))
        modalities = {"visual": slice(0, visual.shape[1]), "text": slice(visual.shape[1], None)}
        fitted = CMCSLClassifier(modalities=modalities, preprocessing="RAW").fit(np.hstack([visual, X]), known)
        predicted = fitted.predict_by_modality({"text": X_test})["text"]
        assert scored["balanced_accuracy"] == balanced_accuracy_score(own.y_test, predicted)


# What methods and choices are stands in their notebooks


@pytest.mark.parametrize(
    ("page", "names"),
    [
        # Names stand in lists on that page, whose commas would divide them.
        ("13_peers", [re.sub(", (.+)", r" (\1)", name) for name in peers.METHODS]),
        ("16_active_seeds", seeds.CHOICES),
        ("21_related", related.METHODS),
    ],
)
def test_each_method_and_choice_is_described_in_the_table_of_its_notebook(page, names):
    cells = nbformat.read(REPOSITORY / "notebooks" / f"{page}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if line.startswith("| ")]
    described = dict(rows[2:])
    assert list(described) == list(names) and all(len(words) > 5 for words in described.values())


# Kept, found and resumed


@pytest.fixture
def quick(kept_features, monkeypatch):
    """A study that costs nothing: how many seeds there are."""

    def score(halves, budgets):
        for budget in budgets:
            yield {
                "method": "CMCSL",
                "modality": "text",
                "budget": budget,
                "pseudo_label_accuracy": np.nan,
                "balanced_accuracy": len(halves.seeds(budget)) / 100,
                "choice": "random",
            }

    monkeypatch.setitem(STUDIES, "seeds", base.Study(score, (1, 3)))
    return kept_features / "scores" / "openclipart" / "strict" / "study_seeds" / "AF.parquet"


def load(protocol=STRICT, **options):
    return load_study("seeds", "openclipart", protocol, datasets="AF", **options)


def test_scores_of_studies_are_kept_and_found_again(quick, monkeypatch):
    first = load()
    assert tuple(first.columns) == (*COLUMNS, "choice") and set(first.budget) == {1, 3} and len(first) == 20
    monkeypatch.setattr(runs, "run_jobs", lambda *_: pytest.fail("computed again"))
    again = load(budgets=(3,))
    pd.testing.assert_frame_equal(again, first[first.budget == 3].reset_index(drop=True))
    with pytest.raises(
        CmcslError, match="cmcsl study seeds --corpus openclipart --datasets AF --protocol paper --budgets 1"
    ):
        load(PAPER, budgets=(1,), compute=False)


def test_scores_of_another_version_are_not_taken(quick, monkeypatch):
    load()
    monkeypatch.setitem(STUDIES, "seeds", STUDIES["seeds"]._replace(version=2))
    with pytest.raises(CmcslError, match="no scores of openclipart/AF"):
        load(compute=False)


def test_a_study_goes_on_where_it_stopped(quick, monkeypatch):
    load()
    unbroken = quick.read_bytes()
    quick.unlink()
    run, done = StudyJob.run, []

    def stop_after_four(*arguments):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(arguments)
        return run(*arguments)

    monkeypatch.setattr(StudyJob, "run", stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        load()
    finished = len(list(quick.with_suffix(".parts").rglob("*.parquet")))
    assert finished >= 3
    done.clear()
    monkeypatch.setattr(StudyJob, "run", lambda *arguments: done.append(arguments) or run(*arguments))
    load()
    assert len(done) == 10 - finished and quick.read_bytes() == unbroken


def test_the_command_runs_a_study_and_tells_wrong_names(quick, capsys):
    assert main(["study", "seeds", "--datasets", "AF", "--budgets", "1"]) == 0
    out, err = capsys.readouterr()
    assert "0.020" in out and "Study seeds, strict: 10 of 10 folds" in err
    assert main(["study", "nothing"]) == 2
    assert "choose from peers, robustness, seeds" in capsys.readouterr().err
    assert main(["study", "seeds", "--datasets", "AF", "--budgets", "99"]) == 2
    assert "Budgets of openclipart/AF must lie in 1..8" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in STUDIES if name != "stream"])
def test_shipped_scores_of_studies_are_those_of_the_shipped_features(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    scores = load_study(name, "openclipart", STRICT, compute=False)
    assert scores.dataset.nunique() == 20
    assert (scores.groupby(["dataset", "repetition", "fold"]).size() == len(scores) / 200).all()
    assert not scores.duplicated([column for column in scores if not column.endswith(("accuracy", "seconds"))]).any()
    if name == "peers":
        features = load_features("openclipart", "OT")
        own = scores[(scores.dataset == "OT") & (scores.repetition == 1) & (scores.fold == 0)]
        again = table(peers.score(base.Halves(features, STRICT, *STRICT.divide(features)[2]), (5,)))
        both = own.merge(again, on=["method", "modality", "budget"])
        assert len(both) == len(again)
        # On another machine rounding may move single rows from one class to the other.
        assert ((both.balanced_accuracy_x - both.balanced_accuracy_y).abs() < 1e-12).mean() > 0.9


@pytest.fixture
def tiny_simulation(monkeypatch):
    """A simulation of one row."""

    def simulate(setting):
        return pd.DataFrame({"setting": [setting]})

    monkeypatch.setitem(SIMULATIONS, "drift", base.Simulation("simulation/tiny", simulate, (1,), {"version": 1}))


def test_a_simulation_is_written_through_links_and_for_those_whom_the_umask_lets_read(tiny_simulation, tmp_path):
    (tmp_path / "link.parquet").symlink_to(tmp_path / "file.parquet")
    before = os.umask(0o077)
    try:
        assert main(["study", "drift", "--to", str(tmp_path / "link.parquet")]) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "link.parquet").is_symlink()
    assert (tmp_path / "file.parquet").stat().st_mode & 0o777 == 0o600
    assert pd.read_parquet(tmp_path / "file.parquet").setting.tolist() == [1]


def test_a_simulation_replaces_no_pipe_and_says_so_before_it_begins(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(SIMULATIONS, "drift", SIMULATIONS["drift"]._replace(simulate=lambda _: pytest.fail("begun")))
    os.mkfifo(tmp_path / "pipe")
    assert main(["study", "drift", "--to", str(tmp_path / "pipe")]) == 2
    assert "is no regular file, and is left as it is" in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo()


# The calibrated exchange


def test_the_study_of_the_exchange_scores_the_same_classifiers_by_both_fusions(halves):
    fold = halves(rows=40, classes=("a", "b", "c"))
    own = table(exchange.score(fold, (4,))).set_index(["method", "modality"])
    known = fold.known(fold.seeds(4))
    classifier = CMCSLClassifier(**fold.parameters(known) | {"fusion": "calibrated"}, exchange="calibrated")
    classifier.fit(fold.X, known)
    for fusion, method in (("calibrated", exchange.CALIBRATED), ("mean", exchange.PLAIN_MEAN)):
        classifier.set_params(fusion=fusion)
        row = own.loc[method, "both"]
        assert row.balanced_accuracy == base.accuracy(fold.y_test, classifier.predict(fold.X_test))
        assert row.log_loss == log_loss(fold.y_test, classifier.predict_proba(fold.X_test))
    for modality, predicted in classifier.predict_by_modality(fold.X_test).items():
        assert own.balanced_accuracy[exchange.CALIBRATED, modality] == base.accuracy(fold.y_test, predicted)
    assert set(own.index.get_level_values("method")) == set(exchange.METHODS)
    assert own.log_loss.notna().groupby("modality").all().to_dict() == {"both": True, "text": False, "visual": False}


def test_gains_of_the_exchange_by_hand():
    shared = pd.DataFrame(np.eye(3), list("ABC"), list("ABC"))
    rows = [
        (dataset, modality, budget, method, value)
        for dataset, lead in zip("ABC", (0.1, 0.2, -0.06), strict=True)
        for modality in MODALITIES
        for budget in (1, 5)
        for method, value in (("UNI", 0.5), ("CMCSL", 0.4), ("calibrated", 0.5 + lead * budget))
    ]
    scores = pd.DataFrame(rows, columns=["dataset", "modality", "budget", "method", "balanced_accuracy"])
    table = exchange.gains(scores, shared).set_index(["reference", "modality", "budget"])
    assert table.gain["UNI", "text", 5] == pytest.approx(0.4) and table.gain["UNI", "text", "all"] == pytest.approx(
        0.24
    )
    assert table.gain["CMCSL", "visual", 1] == pytest.approx(0.18)
    assert table.above["UNI", "text", 5] == 2 and table.above["CMCSL", "text", 1] == 3
    half = 4.302653 * np.std([0.1, 0.2, -0.06], ddof=1) / np.sqrt(3)
    assert table.high["UNI", "text", 1] - table.gain["UNI", "text", 1] == pytest.approx(half)
    assert exchange.group(pd.Series(["AF", "ACPT"])).tolist() == ["developed on", "untouched"]


# Who decides


@pytest.mark.parametrize("protocol", [STRICT, STRICT.changed(distances="scaled by width")], ids=lambda each: each.name)
def test_decisions_are_those_of_the_table_of_the_exchange(protocol, halves):
    fold = halves(protocol, number=0, classes=("a", "b", "c"), rows=30)
    own = table(decisions.score(fold, (1, 4))).set_index(["budget", "modality"])
    for budget in (1, 4):
        rows = exchange_table(fold.features, protocol, budget)
        rows = rows[~rows.seed]
        for modality in MODALITIES:
            row, decided = own.loc[budget, modality], rows[rows.decided_by == modality]
            assert row.decided == pytest.approx(len(decided) / len(rows))
            assert row.pseudo_label_accuracy == pytest.approx(decided.right.mean(), nan_ok=True)
            expected = balanced_accuracy_score(rows.true, rows[f"{modality}_label"])
            assert row.balanced_accuracy == pytest.approx(expected)
    assert own.width.unstack().iloc[0].to_dict() == {"text": 384, "visual": 512}
    assert own.loc[(1, "text"), "dimension"] == effective_dimension(fold.matrices["text"][0], fold.y)
    # Narrower features lie nearer to their seeds; over the root of the width neither modality has all.
    assert (own.decided.unstack().text == 1).all() == (protocol is STRICT)


def test_a_tie_counts_for_the_first_modality(make_features):
    features = make_features()
    twice = replace(features, text=features.visual)
    own = table(decisions.score(base.Halves(twice, STRICT, *STRICT.divide(twice)[0]), (2,))).set_index("modality")
    assert own.decided.to_dict() == {"visual": 1, "text": 0} and np.isnan(own.pseudo_label_accuracy["text"])


@pytest.mark.filterwarnings("error")
def test_decisions_say_nothing_where_nothing_is_left_to_decide(halves):
    own = table(decisions.score(halves(rows=2), (1,)))
    assert own[["balanced_accuracy", "pseudo_label_accuracy", "decided", "dimension"]].isna().all(axis=None)


# Labels truly used


def finetuned(features, rows=5, seed=1):
    """The same features beside some items that the network knows, whose texts are far off in every class."""
    y = np.arange(rows) % len(features.classes)
    text = np.random.default_rng(seed).normal(size=(rows, features.text.shape[1]))
    for label in range(len(features.classes)):
        text[y == label] += features.text[features.y == label].mean(axis=0)
    return replace(features, finetuning=FinetuningItems(np.array([f"f{row}" for row in range(rows)]), y, text))


@pytest.mark.parametrize("protocol", [STRICT, PAPER], ids=lambda protocol: protocol.name)
def test_items_that_the_network_knows_teach_a_classifier_of_texts(protocol, make_features):
    features = finetuned(make_features(classes=("a", "b", "c")), rows=11)
    fold = base.Halves(features, protocol, *protocol.divide(features)[3])
    own = table(finetuning.score(fold, (1, 4))).set_index(["method", "budget"])
    assert set(own.modality) == {"text"} and own.n_labels[ITEMS].to_dict() == {1: 11, 4: 11}
    assert own.balanced_accuracy[ITEMS].nunique() == 1
    raw, items = features.text, features.finetuning

    def scaled(X, rows):
        norm = np.linalg.norm
        unit, fitted = X / norm(X, axis=1, keepdims=True), rows / norm(rows, axis=1, keepdims=True)
        return (unit - fitted.mean(axis=0)) / fitted.std(axis=0)

    halved = protocol is PAPER
    X_items = scaled(items.text, items.text if halved else raw[fold.training])
    X_test = scaled(raw[fold.test], raw[fold.test] if halved else raw[fold.training])
    for budget in (1, 4):
        seeds = fold.seeds(budget)
        y = np.concatenate([items.y, fold.y[seeds]])
        share = np.bincount(fold.y if halved else y) / len(fold.y if halved else y)
        X = np.vstack([X_items, scaled(raw[fold.training], raw[fold.training])[seeds]])
        expected = GaussianNB().fit(X, y, sample_weight=1 - share[y]).predict(X_test)
        row = own.loc[WITH_SEEDS, budget]
        assert row.balanced_accuracy == base.accuracy(fold.y_test, expected) and row.n_labels == 11 + len(seeds)


def test_without_fine_tuning_items_the_study_says_so_before_it_begins(kept_features, capsys):
    assert main(["study", "finetuning", "--datasets", "AF", "--budgets", "1"]) == 2
    err = capsys.readouterr().err
    assert "openclipart/AF name no items that their visual network was fine-tuned on" in err and "folds" not in err


def test_fine_tuning_items_are_read_from_the_features(kept_features, make_features):
    path = kept_features / "features" / "openclipart" / "AF.parquet"
    write_features(finetuned(make_features(rows=16)), path)
    scores = load_study("finetuning", "openclipart", STRICT, datasets="AF", budgets=(1, 2))
    assert scores.groupby("method").n_labels.agg(set).to_dict() == {
        ITEMS: {5},
        WITH_SEEDS: {7, 9},
    }
    assert len(scores) == 2 * 2 * 10


def test_a_page_shows_a_study_at_its_own_budgets_if_it_can():
    assert study_budgets("finetuning", range(1, 8)) == (1, 2, 5)
    assert study_budgets("decisions", [3, 4]) == (3, 4)
