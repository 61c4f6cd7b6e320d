"""Streams with drift: what is asked for comes out, and who keeps up with it."""

import numpy as np
import pytest

from cmcsl_lib.estimators import CMCSLClassifier
from cmcsl_lib.studies import drift, synthetic
from cmcsl_lib.studies.drift import LEARNERS, NEWEST, Stream
from cmcsl_lib.studies.results import load_simulation

SMALL = Stream(180.0, batches=4, rows=20, repetitions=2)


@pytest.fixture(scope="module")
def shipped():
    return load_simulation("drift")


@pytest.fixture(scope="module")
def averaged(shipped):
    return drift.means(shipped)


def test_centres_turn_and_stay_apart():
    """Class means of many rows without noise are the centres themselves."""
    y, onto, still = np.array([0, 1]), np.eye(6), np.zeros((2, 6))
    start, quarter, half = (synthetic.features(still, y, 2.0, onto, angle) for angle in np.radians([0, 90, 180]))
    distances = [np.linalg.norm(each[0] - each[1]) * np.sqrt(6) for each in (start, quarter, half)]
    assert distances == pytest.approx([2, 2, 2])
    assert (start[0] - start[1]) @ (quarter[0] - quarter[1]) == pytest.approx(0)
    assert half == pytest.approx(-start)


def test_batches_have_their_seeds():
    stream = drift.batches(SMALL, 0)
    assert [np.bincount(labels[labels >= 0]).tolist() for _, _, labels in stream] == [[5, 5], *[[1, 1]] * 3]
    assert all(np.array_equal(labels[labels >= 0], y[labels >= 0]) for _, y, labels in stream)
    assert stream[0][0].shape == (40, 512 + 384)


def test_batches_are_the_same_again_and_differ_from_each_other():
    one, again, other = (drift.batches(SMALL, number) for number in (0, 0, 1))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0][0], other[0][0]) and not np.array_equal(one[0][0], one[1][0])


def test_newest_are_the_last_labelled_rows_of_each_class():
    labels = np.array([0, 1, -1, *[0] * NEWEST, 1])
    X, newest = drift.newest(np.arange(len(labels))[:, None], labels)
    assert X[:, 0].tolist() == [1, *range(3, 4 + NEWEST)]
    assert newest.tolist() == [1, *[0] * NEWEST, 1]


def test_a_streams_last_score_is_that_of_partial_fit():
    stream = drift.batches(SMALL, 0)
    scores = drift.learn(f"stream, newest {NEWEST} seeds", stream)
    model = CMCSLClassifier(modalities={"visual": slice(0, 512), "text": slice(512, 896)}, max_seeds=NEWEST)
    for X, _, labels in stream[:-1]:
        model.partial_fit(X, labels)
    X, y, _ = stream[-1]
    right = model.predict_by_modality(X)["text"] == y
    row = scores[(scores.batch == 3) & (scores.modality == "text")]
    assert row.balanced_accuracy.item() == pytest.approx(np.mean([right[y == label].mean() for label in (0, 1)]))


def test_memory_reaches_back_to_earlier_batches():
    stream = drift.batches(SMALL, 0)
    with_memory, without = (drift.learn(name, stream) for name in LEARNERS if name.startswith("last batch"))
    assert with_memory[with_memory.batch == 1].balanced_accuracy.tolist() == (
        without[without.batch == 1].balanced_accuracy.tolist()
    )
    assert not with_memory.balanced_accuracy.equals(without.balanced_accuracy)


def test_without_drift_a_stream_learns(averaged):
    rows = averaged[(averaged.turn == 0) & (averaged.learner == "stream, all seeds")].set_index(["modality", "batch"])
    for modality in ("visual", "text"):
        first, last = rows.loc[(modality, 1)], rows.loc[(modality, rows.index.levels[1].max())]
        assert last.balanced_accuracy > first.balanced_accuracy + 2 * np.hypot(first.error, last.error)


def test_after_half_a_turn_old_knowledge_misleads(averaged):
    rows = averaged[(averaged.turn == 180) & (averaged.batch == averaged.batch.max())].set_index(
        ["learner", "modality"]
    )
    assert (rows.loc["first batch only"].balanced_accuracy < 0.5).all()
    assert (rows.loc[f"last batch, newest {NEWEST} seeds"].balanced_accuracy > 0.5).all()


def test_the_shipped_scores_come_from_this_code(shipped):
    stream = drift.batches(drift.STREAMS[1], 3)
    rows = shipped[(shipped.turn == drift.STREAMS[1].turn) & (shipped.repetition == 3)]
    for learner in (f"stream, newest {NEWEST} seeds", "last batch, its own seeds"):
        shipped_rows, again = rows[rows.learner == learner], drift.learn(learner, stream)
        for column in ("balanced_accuracy", "pseudo_label_accuracy"):
            assert shipped_rows[column].to_numpy() == pytest.approx(again[column].to_numpy())


def test_the_shipped_scores_are_whole(shipped):
    stream = drift.STREAMS[0]
    rows = len(drift.STREAMS) * stream.repetitions * len(LEARNERS) * (stream.batches - 1) * 2
    assert len(shipped) == rows


def test_means_are_over_repetitions(shipped):
    row = drift.means(shipped).query("turn == 90 and batch == 7 and modality == 'text'").iloc[0]
    scores = shipped.query("turn == 90 and batch == 7 and modality == 'text'")
    scores = scores[scores.learner == row.learner].balanced_accuracy
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    assert (row.balanced_accuracy, row.error) == pytest.approx((scores.mean(), error))
