import functools
import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cmcsl_lib.corpora import download
from cmcsl_lib.corpora.dataset_classes import MM_IMDB, kind
from cmcsl_lib.experiments import published
from cmcsl_lib.experiments.published import (
    MEAN,
    Published,
    absent,
    available,
    fetch,
    load_published,
    printed_table,
)
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.files.errors import CmcslError

originals = pytest.mark.skipif(
    not available(), reason="the authors' score arrays are absent: set CMCSL_PUBLISHED_SCORES or fetch them"
)


def save(folder, arrays, monkeypatch):
    """Write arrays and make them the published ones."""
    registry = {}
    for name, array in arrays.items():
        np.save(folder / name, array)
        registry[name] = Published(
            hashlib.sha256((folder / name).read_bytes()).hexdigest(), published.REGISTRY[name].shape
        )
    monkeypatch.setattr(published, "REGISTRY", registry)
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(folder))


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Arrays of the right shapes in which every value is another, except that FULL and LF repeat over budgets."""
    arrays, start = {}, 0
    for name, known in published.REGISTRY.items():
        arrays[name] = np.arange(start, start + np.prod(known.shape), dtype=float).reshape(known.shape)
        start += arrays[name].size
    save(tmp_path, arrays, monkeypatch)
    return {name.removesuffix(".npy"): array for name, array in arrays.items()}


def value(scores, **where):
    for column, wanted in where.items():
        scores = scores[scores[column] == wanted]
    assert len(scores) == 1
    return scores.balanced_accuracy.item()


@pytest.mark.parametrize(
    ("experiment", "rows"),
    [
        (1, 20 * 2 * 10 * 3),
        (2, 5 * 20 * 2 * (1 + 3 * 20) * 10),
        (3, 20 * 10 * 3 * (2 * (1 + 3 * 20) + 2)),
    ],
)
def test_one_row_per_fitted_classifier(made_up, experiment, rows):
    scores = load_published(experiment)
    assert list(scores.columns) == list(COLUMNS)
    assert len(scores) == rows
    assert not scores.duplicated([name for name in COLUMNS if not name.endswith("accuracy")]).any()
    assert set(scores.corpus) == {"mm-imdb"} and set(scores.protocol) == {"published"}
    assert list(scores.dataset.unique()) == list(MM_IMDB)
    assert scores.balanced_accuracy.is_unique


def test_axes_of_experiment_1(made_up):
    scores = load_published(1)
    assert (
        value(scores, dataset="HM", modality="text", classifier="LR", repetition=3, fold=1)
        == made_up["experiment_1_52"][2, 1, 7, 1]
    )
    assert set(scores.method) == {"FULL"} and set(scores.preprocessing) == {"RAW"} and set(scores.budget) == {0}


@pytest.mark.parametrize(("preprocessing", "place"), [("RAW", 0), ("L2", 1), ("STD", 2), ("L2STD", 3)])
def test_axes_of_experiment_2(made_up, preprocessing, place):
    scores = load_published(2)
    assert (
        value(
            scores,
            preprocessing=preprocessing,
            dataset="DS",
            modality="visual",
            method="UNI",
            budget=5,
            repetition=0,
            fold=1,
        )
        == made_up["experiment_2_m1_52"][place, 1, 2, 4, 1]
    )
    assert set(scores.classifier) == {"GNB"}


def test_axes_of_experiment_2_minmax(made_up):
    assert (
        value(
            load_published(2),
            preprocessing="MM",
            dataset="AT",
            modality="text",
            method="CMCSL",
            budget=20,
            repetition=4,
            fold=0,
        )
        == made_up["experiment_2_m2_52_more"][0, 9, 3, 19, 8]
    )


def test_axes_of_experiment_3(made_up):
    scores = load_published(3)
    where = dict(dataset="ABFHSS", modality="visual", repetition=2, fold=0)
    assert (
        value(scores, **where, method="PRE", budget=1, classifier="GNB") == made_up["experiment_3_m1_52"][19, 1, 0, 4]
    )
    assert (
        value(scores, **where, method="CMCSL", budget=9, classifier="CART")
        == made_up["experiment_3_m1_52_mc"][19, 3, 8, 4, 1]
    )
    assert (
        value(scores, **where, method="FULL", budget=0, classifier="LR")
        == made_up["experiment_3_m1_52_mc"][19, 0, 0, 4, 0]
    )
    where["modality"] = "both"
    assert (
        value(scores, **where, method="EF", classifier="LR")
        == made_up["experiment_3_52_early_fusion_all_clfs"][19, 0, 0, 4, 1]
    )
    assert (
        value(scores, **where, method="LF", classifier="CART")
        == made_up["experiment_3_52_late_fusion_all_clfs"][19, 0, 0, 4, 2]
    )
    assert set(scores.preprocessing) == {"L2STD"}


def test_unknown_experiment():
    with pytest.raises(CmcslError, match="1, 2, 3"):
        load_published(4)


def test_where_a_file_is_missing_the_shipped_means_stand_in(made_up, tmp_path):
    assert available() and MEAN not in set(load_published(2).fold)
    (tmp_path / "experiment_1_52.npy").unlink()
    assert not available()
    assert set(load_published(2).fold) == {MEAN}
    assert "cmcsl fetch published-scores" in str(absent("These")) and "CMCSL_PUBLISHED_SCORES" in str(absent("These"))


def test_changed_file_is_refused(made_up, tmp_path):
    np.save(tmp_path / "experiment_1_52.npy", made_up["experiment_1_52"] + 1)
    with pytest.raises(CmcslError, match="SHA-256"):
        load_published(1)


def test_pickles_are_never_loaded(tmp_path, monkeypatch):
    save(tmp_path, {"experiment_1_52.npy": np.array([{"a": 1}], dtype=object)}, monkeypatch)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_published(1)


def test_wrong_shape_is_refused(tmp_path, monkeypatch):
    save(tmp_path, {"experiment_1_52.npy": np.zeros((20, 2, 3, 10))}, monkeypatch)
    with pytest.raises(CmcslError, match=r"\(20, 2, 10, 3\)"):
        load_published(1)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A made-up array on a server of this machine, and an empty home."""
    folder = tmp_path / "there"
    folder.mkdir()
    save(folder, {"experiment_1_52.npy": np.zeros((20, 2, 10, 3))}, monkeypatch)
    monkeypatch.delenv("CMCSL_PUBLISHED_SCORES")
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    monkeypatch.setattr(download, "SCHEME", "http")
    monkeypatch.setattr(published, "BASE_URL", f"http://127.0.0.1:{server.server_port}/")
    yield folder
    server.shutdown()
    server.server_close()


def test_fetch(served, tmp_path):
    assert not available()
    assert fetch() == tmp_path / "home" / "published-scores"
    assert available()
    assert (load_published(1).balanced_accuracy == 0).all()


@pytest.mark.parametrize("wrong", ["absent", "changed"])
def test_fetch_leaves_nothing_wrong_behind(served, wrong):
    file = served / "experiment_1_52.npy"
    file.unlink()
    if wrong == "changed":
        np.save(file, np.ones(3))
    with pytest.raises(CmcslError, match="CMCSL_PUBLISHED_SCORES"):
        fetch()
    assert not available()


@originals
@pytest.mark.parametrize("name", published.REGISTRY)
def test_full_and_late_fusion_do_not_depend_on_the_budget(name):
    array = np.load(published.published_folder() / name, allow_pickle=False)
    *datasets, budgets = [axis for axis, length in enumerate(array.shape) if length == 20]
    if datasets:
        constant = array if "late_fusion" in name else np.take(array, [0], axis=budgets - 1)
        assert np.ptp(constant, axis=budgets).max() == 0


@originals
def test_experiments_agree_where_they_share_fits():
    keys = ["dataset", "modality", "method", "preprocessing", "classifier", "budget", "repetition", "fold"]
    one, two, three = (load_published(experiment).set_index(keys).balanced_accuracy for experiment in (1, 2, 3))
    for first, second, shared in ((one, two, 20 * 2 * 10), (two, three, 20 * 2 * 61 * 10)):
        first, second = first.align(second, join="inner")
        assert len(first) == shared
        assert (first == second).all()


def test_printed_table_1_adds_up():
    printed = printed_table(1)
    totals = printed.groupby("dataset", sort=False).samples.sum()
    assert list(totals.index) == list(MM_IMDB)
    for dataset, classes in MM_IMDB.items():
        rows = printed[printed.dataset == dataset]
        assert tuple(rows["class"]) == classes and set(rows.kind) == {kind(classes)}
    assert (totals["HR"], totals["FMSW"], totals["ACCDDHMRS"], totals["ABFHSS"]) == (6804, 4098, 8580, 7116)


@pytest.mark.parametrize(
    ("number", "rows", "expected"),
    [
        (2, 2, 6),
        (3, 21, 23),
        (4, 1, 5),
        (5, 21, 4),
        (6, 1, 3),
        (7, 4, 4),
        (8, 11, 39),
        (9, 1, 4),
    ],
)
def test_printed_tables(number, rows, expected):
    printed = printed_table(number)
    verdicts = printed[[name for name in printed if name.endswith("_better_than")]]
    assert len(printed) == rows
    assert verdicts.notna().to_numpy().sum() == expected
    values = printed.select_dtypes("number").to_numpy()
    assert np.nanmin(values) > 0.5 and np.nanmax(values) <= 5


def test_unknown_printed_table():
    with pytest.raises(CmcslError, match="Unknown table '10'"):
        printed_table(10)
