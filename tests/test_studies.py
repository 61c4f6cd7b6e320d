import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from cmcsl_lib.cli import main
from cmcsl_lib.corpora.features import MODALITIES, load_features, write_features
from cmcsl_lib.estimators import CMCSLClassifier
from cmcsl_lib.experiments import runs
from cmcsl_lib.experiments.grid import run_fold
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import REPOSITORY
from cmcsl_lib.studies import grid, peers, robustness, seeds
from cmcsl_lib.studies.catalogue import STUDIES, load_study

STRICT, PAPER = PROTOCOLS["strict"], PROTOCOLS["paper"]


@pytest.fixture
def halves(make_features):
    def make(protocol=STRICT, number=3, **options):
        features = make_features(**options)
        return grid.Halves(features, protocol, *protocol.divide(features)[number])

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
    own = table(peers.score(grid.Halves(features, STRICT, *fold), (1, 5)))
    compared = own[own.method.isin(["PRE", "UNI", "CMCSL"]) & (own.modality != "both")]
    assert len(compared) == 3 * 2 * 2
    for row in compared.itertuples():
        told = expected.loc[(row.method, row.modality, row.budget)]
        assert row.balanced_accuracy == pytest.approx(told.balanced_accuracy, abs=1e-12)
        assert row.pseudo_label_accuracy == pytest.approx(told.pseudo_label_accuracy, nan_ok=True)


@pytest.mark.parametrize(
    "protocol", [STRICT, PAPER, STRICT.changed(distances="scaled by width")], ids=lambda protocol: protocol.name
)
def test_pseudo_labels_follow_the_protocol(protocol, halves):
    made = halves(protocol, classes=("a", "b", "c"), rows=30)
    told = run_fold(made.features, protocol, 3, ("GNB",), (4,), (made.repetition, made.fold, made.training, made.test))
    expected = told[(told.method == "CMCSL") & (told.modality == "text")].pseudo_label_accuracy.item()
    known = made.known(made.seeds(4))
    labels = CMCSLClassifier(**made.parameters(known)).fit(made.X, known).transduction_
    assert grid.pseudo_label_accuracy(made.y, labels, known) == pytest.approx(expected)


def test_each_drawn_row_is_a_seed_once(halves):
    made = halves(PAPER)
    drawn = PAPER.draw_seeds(made.y, 15, made.repetition, made.fold)
    assert len(np.unique(drawn)) < len(drawn)
    assert sorted(made.seeds(15)) == sorted(set(drawn.tolist()))


def test_class_weights_of_the_paper_protocol_are_the_hidden_shares(halves):
    made = halves(PAPER)
    weight = made.parameters(made.known(made.seeds(2)))["class_weight"]
    assert weight == {0: 0.5, 1: 0.5}
    assert halves(STRICT).parameters(made.y)["class_weight"] == "share"


# Peers


def test_every_method_is_scored(halves):
    own = table(peers.score(halves(rows=60), (20,)))
    assert set(own.method) == set(peers.METHODS)
    assert own.groupby("method").modality.agg(set).to_dict() == {
        method: {"both"} if method.endswith("concatenated") else {*MODALITIES, "both"} for method in peers.METHODS
    }
    assert own.balanced_accuracy.between(0, 1).all()
    # Classes are apart, and two thirds of the rows are seeds: whoever learns at all does better than chance.
    assert own.groupby("method").balanced_accuracy.mean().min() > 0.7


def test_one_way_transfer_is_that_of_both_directions(halves):
    made = halves()
    known = made.known(made.seeds(3))
    both = CMCSLClassifier(**made.parameters(known), transfer="crosswise").fit(made.X, known)
    for pupil, teacher in (("visual", "text"), ("text", "visual")):
        one = CMCSLClassifier(**made.parameters(known), transfer=teacher).fit(made.X, known)
        assert (one.predict_by_modality(made.X_test)[pupil] == both.predict_by_modality(made.X_test)[pupil]).all()


def test_ties_of_self_training_are_rows_without_a_margin():
    features = load_features("openclipart", "AF")
    halves = grid.Halves(features, STRICT, *STRICT.divide(features)[0])
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
    assert grid.pseudo_label_accuracy(true, np.array([0, 1, 0, -1]), known) == 0.5
    assert np.isnan(grid.pseudo_label_accuracy(true, known, known))


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
    told = robustness.wrong_labels(known, 4, share, np.random.default_rng(1))
    assert (told[80:] == -1).all() and (told[:80] >= 0).all()
    for label in range(4):
        assert (told[known == label] != label).sum() == round(20 * share)
    less = robustness.wrong_labels(known, 4, share / 2, np.random.default_rng(1))
    assert (told[less != known] == less[less != known]).all()


def test_no_class_loses_its_only_seed():
    known = np.array([0, 1, 2, -1])
    assert (robustness.wrong_labels(known, 3, 0.4, np.random.default_rng(0)) == known).all()


def test_all_other_classes_are_equally_likely_to_be_taken_for_a_seeds():
    known = np.zeros(3000, dtype=int)
    told = robustness.wrong_labels(known, 4, 0.5, np.random.default_rng(0))
    assert np.bincount(told)[1:] == pytest.approx(500, rel=0.2)


def test_gaps_are_where_they_were_said_to_be(halves):
    made = halves()
    none, none_test = np.full(len(made.y), -1), np.full(len(made.y_test), -1)
    for X, expected in zip(robustness.with_gaps(made, none, none_test), (made.X, made.X_test), strict=True):
        assert (X == expected).all()
    for X, expected in zip(robustness.filled(made, none, none_test), made.alone["both"], strict=True):
        assert (X == expected).all()
    lacks = robustness.lacking(none >= 0, 0.5, np.random.default_rng(0))
    X, X_test = robustness.with_gaps(made, lacks, none_test)
    for place, name in enumerate(MODALITIES):
        assert (np.isnan(X[:, made.columns[name]]).all(axis=1) == (lacks == place)).all()
        # Standardised by the rows that are there.
        assert np.nanmean(X[:, made.columns[name]], axis=0) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(X_test).all()
    assert all(np.isfinite(part).all() for part in robustness.filled(made, lacks, none_test))


def test_gaps_are_filled_with_the_mean_of_the_training_rows(halves):
    made = halves()
    lacks, lacks_test = np.full(len(made.y), -1), np.full(len(made.y_test), -1)
    lacks[0] = lacks_test[0] = MODALITIES.index("text")
    raw = np.hstack(made.features.modalities)
    training, test = raw[made.training], raw[made.test]
    training[0, 512:] = test[0, 512:] = training[1:, 512:].mean(axis=0)
    for row, told in ((training, 0), (test, 1)):
        unit = robustness.filled(made, lacks, lacks_test)[told]
        scaled = training / np.linalg.norm(training, axis=1, keepdims=True)
        own = row / np.linalg.norm(row, axis=1, keepdims=True)
        assert unit == pytest.approx((own - scaled.mean(axis=0)) / scaled.std(axis=0))


def test_robustness_without_a_disturbance_is_the_plain_method(halves):
    made = halves(classes=("a", "b", "c"))
    own, plain = (table(study(made, (5,))) for study in (robustness.score, peers.score))
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
    made = halves(classes=("a", "b", "c"))
    for budget, rows in zip((1, 4), seeds.CHOICES[choice](made, (1, 4), 3), strict=True):
        assert len(rows) == len(set(rows)) == 3 * budget


def test_the_least_sure_rows_are_asked_for(halves):
    made = halves(rows=60)
    first, more = seeds.least_sure(made, 2, 2), seeds.least_sure(made, 4, 2)
    assert (more[:2] == first).all() and len(set(made.y[first])) == 2
    known = made.known(first)
    margins = CMCSLClassifier(**made.parameters(known)).fit(made.X, known).margin_
    others = np.setdiff1d(np.arange(len(made.y)), more)
    assert margins[more[2:]].max() <= margins[others].min()


def test_seeds_of_one_class_predict_that_class(halves, monkeypatch):
    made = halves()
    monkeypatch.setattr(seeds, "CHOICES", {"one": lambda *_: [np.flatnonzero(made.y == 1)[:2]]})
    own = table(seeds.score(made, (1,)))
    assert (own.balanced_accuracy == 0.5).all() and (own.classes_found == 1).all() and len(own) == 9


# What methods and choices are stands in their notebooks


@pytest.mark.parametrize(("page", "names"), [("13_peers", peers.METHODS), ("16_active_seeds", seeds.CHOICES)])
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

    monkeypatch.setitem(STUDIES, "seeds", grid.Study(score, (1, 3)))
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
    run, done = grid.StudyJob.run, []

    def stop_after_four(*arguments):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(arguments)
        return run(*arguments)

    monkeypatch.setattr(grid.StudyJob, "run", stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        load()
    kept = len(list(quick.with_suffix(".parts").rglob("*.parquet")))
    assert kept >= 3
    done.clear()
    monkeypatch.setattr(grid.StudyJob, "run", lambda *arguments: done.append(arguments) or run(*arguments))
    load()
    assert len(done) == 10 - kept and quick.read_bytes() == unbroken


def test_the_command_runs_a_study_and_tells_wrong_names(quick, capsys):
    assert main(["study", "seeds", "--datasets", "AF", "--budgets", "1"]) == 0
    out, err = capsys.readouterr()
    assert "0.020" in out and "Study seeds, strict: 10 of 10 folds" in err
    assert main(["study", "nothing"]) == 2
    assert "choose from peers, robustness, seeds" in capsys.readouterr().err
    assert main(["study", "seeds", "--datasets", "AF", "--budgets", "99"]) == 2
    assert "Budgets of openclipart/AF must lie in 1..8" in capsys.readouterr().err


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_scores_of_studies_are_those_of_the_shipped_features(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    scores = load_study(name, "openclipart", STRICT, compute=False)
    assert scores.dataset.nunique() == 20
    assert (scores.groupby(["dataset", "repetition", "fold"]).size() == len(scores) / 200).all()
    assert not scores.duplicated([column for column in scores if not column.endswith("accuracy")]).any()
    if name == "peers":
        features = load_features("openclipart", "OT")
        own = scores[(scores.dataset == "OT") & (scores.repetition == 1) & (scores.fold == 0)]
        again = table(peers.score(grid.Halves(features, STRICT, *STRICT.divide(features)[2]), (5,)))
        both = own.merge(again, on=["method", "modality", "budget"])
        assert len(both) == len(again)
        # On another machine rounding may move single rows from one class to the other.
        assert ((both.balanced_accuracy_x - both.balanced_accuracy_y).abs() < 1e-12).mean() > 0.9
