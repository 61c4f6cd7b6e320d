"""Streams of items by their times: the order, the chunks, and scores that can be followed by hand."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from own_corpora import make_folder, write_list, write_pictures
from sklearn.naive_bayes import GaussianNB

from cmcsl_lib import corpora
from cmcsl_lib.cli import main
from cmcsl_lib.corpora import folder, items_file
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.files.checksums import SEAL, written_sealed
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.studies import base, stream
from cmcsl_lib.studies.results import load_study

STRICT = PROTOCOLS["strict"]
ROWS = 60


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))


def dated_corpus(root, times, classes="ab"):
    """A corpus with a time for each item, and made-up features; its classes take turns."""
    from own_corpora import make_features

    names = [f"{number:03}.png" for number in range(len(times))]
    write_pictures(root, names)
    labels = [classes[number % len(classes)] for number in range(len(times))]
    rows = zip(names, ["words"] * len(times), labels, times, strict=True)
    path = write_list(root / "items.csv", rows, header=("image", "text", "label", "year"))
    folder.read_folder("dated", path, time="year")
    make_features("dated")
    return load_features("dated", "dated")


def test_items_come_in_the_order_of_their_times_ties_by_their_ids_and_those_without_one_not_at_all(tmp_path):
    features = dated_corpus(tmp_path, [2001, 1999, "", 1999, "2000.5", "NA", 1998, 2001])
    ids = features.ids[stream.by_time(features)]
    assert ids.tolist() == [f"{number:03}.png" for number in (6, 1, 3, 4, 0, 7)]
    assert stream.dated_items(features) == {"items": 6, "without_time": 2, "first": 1998, "last": 2001}


@pytest.mark.parametrize("time", ["in spring", "1999-05-01", "inf"])
def test_a_time_that_is_no_number_is_refused(tmp_path, time):
    with pytest.raises(CmcslError, match=f"Row 2 of 'year' holds '{time}' where a number is needed"):
        dated_corpus(tmp_path, [2001, time])


def test_a_chunk_may_lack_classes_but_the_first_has_all_seeds():
    y = np.array([0] * 10 + [1] * 2 + [0] * 18)
    parts = stream.chunks(y, 2, 2)
    # Three rows are a tenth, but the second item of class 1 is row 11.
    assert [len(rows) for rows in parts] == [12, *[2] * 9]
    assert np.concatenate(parts).tolist() == list(range(30))
    known = stream.draw_seeds(y, parts, 2, np.random.default_rng(0))
    assert [np.bincount(known[rows][known[rows] >= 0]).tolist() for rows in parts] == [[2, 2], *[[1]] * 9]
    assert np.array_equal(known[known >= 0], y[known >= 0])


def test_few_rows_make_fewer_chunks():
    assert [len(rows) for rows in stream.chunks(np.array([0, 1, 0, 1, 0]), 2, 1)] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("y", "reason"), [([0, 0, 1, 0, 0], "of one class only 1 item"), ([0, 0, 0, 1, 1], "no item comes after them")]
)
def test_classes_that_come_too_late_make_no_stream(y, reason):
    with pytest.raises(CmcslError, match=reason):
        stream.chunks(np.array(y), 2, 2)


def test_prequential_scores_by_hand():
    """One feature per modality, RAW; seeds are the first of each class in every chunk."""
    X = np.array([[0.0, 0], [10, 10], [1, 9], [9, 9], [1, 1], [2, 9], [9, 8], [1, 1], [2, 2]])
    y = np.array([0, 1, 0, 1, 0, 0, 1, 0, 0])
    known = np.array([0, 1, -1, -1, 0, -1, 1, 0, -1])
    parts = [np.arange(4), np.arange(4, 7), np.arange(7, 9)]
    parameters = {"modalities": {"visual": slice(0, 1), "text": slice(1, 2)}, "preprocessing": "RAW"}
    parameters |= {"class_weight": None, "fusion": "mean"}
    scores = {
        method: pd.DataFrame(
            stream.prequential(method, X, y, known, parts, parameters),
            columns=["chunk", "modality", "accuracy", "pseudo"],
        ).set_index(["chunk", "modality"])
        for method in stream.METHODS
    }
    # Row 2 is near class 0 in the picture and near class 1 in the text, each at distance 1: the picture decides.
    # So CMCSL's text classifier has learnt that 9 may be of class 0 too, and UNI's that it is of class 1.
    taught = {"UNI": [0, 1, 1, 1], "CMCSL": [0, 1, 0, 1]}
    for method, labels in taught.items():
        expected = GaussianNB().fit(X[:4, 1:], labels).predict(X[4:7, 1:])
        assert scores[method].accuracy[1, "text"] == base.accuracy(y[4:7], expected)
        assert scores[method].accuracy[1, "visual"] == 1
    # UNI's text has seen class 0 at one point, so that its variance is next to nothing, and only 0 is of class 0.
    assert scores["UNI"].accuracy[1, "text"] == (0 + 1) / 2
    # Row 5: the picture is right, the text is wrong by itself.
    assert scores["UNI"].pseudo[1, "text"] == 0 and scores["UNI"].pseudo[1, "visual"] == 1
    # The last chunk has class 0 alone: what counts is its share of right ones. PRE has no pseudo-labels.
    seeds = np.flatnonzero(known[:7] >= 0)
    expected = GaussianNB().fit(X[seeds, :1], y[seeds]).predict(X[7:, :1])
    assert scores["PRE"].accuracy[2, "visual"] == pytest.approx((expected == 0).mean())
    assert scores["PRE"].pseudo.isna().all()


def test_every_chunk_is_scored_before_it_is_learnt():
    """The labels of a chunk have no influence on its own score, but on the next one."""
    random = np.random.default_rng(0)
    y = np.tile([0, 1], 15)
    X = random.normal(size=(30, 4)) + y[:, None]
    parts = np.array_split(np.arange(30), 3)
    parameters = {"modalities": {"visual": slice(0, 2), "text": slice(2, 4)}, "preprocessing": "RAW"}

    def accuracies(y_known):
        known = stream.draw_seeds(y_known, parts, 2, np.random.default_rng(0))
        return [row[:3] for row in stream.prequential("CMCSL", X, y, known, parts, parameters)]

    turned = y.copy()
    turned[10:20] = 1 - turned[10:20]
    assert accuracies(y)[:2] == accuracies(turned)[:2] and accuracies(y)[2:] != accuracies(turned)[2:]


def test_a_stream_that_drifts_is_harder_in_the_order_of_time(tmp_path):
    features = dated_corpus(tmp_path, range(ROWS))
    # Late items of one class look like early ones of the other.
    rows = stream.by_time(features)
    late = rows[len(rows) // 2 :]
    for X in features.modalities:
        centres = np.array([X[features.y == label].mean(axis=0) for label in (0, 1)])
        X[late] += centres[1 - features.y[late]] - centres[features.y[late]]
    rows = stream.score(base.Halves(features, STRICT, *STRICT.divide(features)[0]), (3,))
    scores = pd.DataFrame(list(rows)).assign(dataset="dated")
    assert scores.groupby(["order", "method", "modality"]).size().eq(stream.CHUNKS - 1).all()
    assert scores.groupby("order").size().to_dict() == dict.fromkeys(stream.ORDERS, 3 * 2 * 9)
    by_time = scores[scores.order == "time"]
    assert by_time.groupby("chunk").time.first().is_monotonic_increasing
    drift = stream.drift_by_chunk(scores).query("5 <= chunk <= 7").groupby(["method", "modality"]).difference.mean()
    assert len(drift) == 6 and (drift < -0.1).all()


def test_the_command_computes_the_study_and_counts_the_items_without_a_time(tmp_path, capsys):
    features = dated_corpus(tmp_path, [*range(ROWS - 20), *[""] * 20])
    words = ["study", "stream", "--corpus", "dated", "--budgets", "2"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "random" in printed.out and "CMCSL" in printed.out
    dated = stream.dated_items(features)
    assert dated["items"] + dated["without_time"] == len(features.y) and dated["without_time"]
    assert f"dated: {dated['items']} items, of times from {dated['first']:.0f} to " in printed.err
    assert f"; {dated['without_time']} without a time are left out." in printed.err
    scores = load_study("stream", "dated", STRICT, budgets=(2,), compute=False)
    assert len(scores) == 10 * 2 * 3 * 2 * 9
    assert scores.query("order == 'time'")["items"].groupby(scores.repetition).sum().nunique() == 1


@pytest.mark.parametrize("corpus", ["openclipart", "pets"])
def test_corpora_without_times_are_refused_before_anything_is_computed(tmp_path, capsys, corpus):
    if corpus == "pets":
        from own_corpora import make_features

        make_folder(tmp_path, "pets", ["cat", "dog"] * 8)
        make_features("pets")
    datasets = ["--datasets", "AF"] if corpus == "openclipart" else []
    assert main(["study", "stream", "--corpus", corpus, *datasets]) == 2
    err = capsys.readouterr().err
    assert f"The corpus {corpus} does not tell when its items were made" in err and "folds" not in err
    assert not stream.ordered(corpus) and not stream.ordered("mm-imdb")


def test_files_of_items_of_before_there_were_times_are_read(tmp_path):
    make_folder(tmp_path, "pets", ["cat", "dog"] * 3)
    path, now = items_file.items_path("pets"), corpora.load("pets").items
    table = pa.ipc.open_file(path).read_all().select(items_file.EARLIER_SCHEMA.names)
    schema = items_file.EARLIER_SCHEMA.with_metadata({items_file.NAME: b"pets"} | SEAL)
    with (
        written_sealed(path) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        writer.write_table(table.cast(schema))
    earlier = items_file.read_items("pets", "a command").items
    pd.testing.assert_frame_equal(earlier, now)
    assert earlier.time.isna().all()


def test_a_learner_of_a_stream_is_the_classifier_of_the_library():
    """With one modality and all labels known, PRE, UNI and CMCSL are naive Bayes that goes on learning."""
    random = np.random.default_rng(1)
    y = np.tile([0, 1], 20)
    X, parts = random.normal(size=(40, 2)) + y[:, None], np.array_split(np.arange(40), 4)
    parameters = {"modalities": {"text": slice(0, 2)}, "preprocessing": "RAW", "class_weight": None}
    scores = {method: list(stream.prequential(method, X, y, y, parts, parameters)) for method in stream.METHODS}
    model, expected = GaussianNB(), []
    for number, rows in enumerate(parts):
        if number:
            expected.append(base.accuracy(y[rows], model.predict(X[rows])))
        model.partial_fit(X[rows], y[rows], classes=[0, 1])
    for rows in scores.values():
        assert [row[2] for row in rows] == pytest.approx(expected)
