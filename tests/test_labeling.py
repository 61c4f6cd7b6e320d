import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.method.labeling import clustering, labeling, nearest, propagate

# Two modalities of five points on a line; rows 0 and 4 are the seeds, of classes 0 and 1.
VISUAL = np.array([[0.0], [1.0], [4.0], [7.0], [10.0]])
TEXT = np.array([[0.0], [9.0], [1.0], [6.5], [10.0]])
SEEDS = np.array([0, 4])
SEED_LABELS = np.array([0, 1])


def self_label(modalities, seeds, seed_labels):
    clusters = [clustering(X, seeds) for X in modalities]
    unimodal = [propagate(cluster, seed_labels) for cluster in clusters]
    return unimodal, nearest(unimodal, [cluster.distance for cluster in clusters])


def test_algorithm_on_points_with_known_neighbours():
    (visual, text), exchanged = self_label([VISUAL, TEXT], SEEDS, SEED_LABELS)
    assert visual.tolist() == [0, 0, 0, 1, 1]
    assert text.tolist() == [0, 1, 0, 1, 1]
    # Row 1 lies 1 from a seed in both modalities: the tie goes to the first, visual.
    assert exchanged.label.tolist() == [0, 0, 0, 1, 1]
    assert exchanged.modality.tolist() == [0, 0, 1, 0, 0]


def test_the_closer_modality_decides():
    text = TEXT.copy()
    text[1] = 9.5
    _, exchanged = self_label([VISUAL, text], SEEDS, SEED_LABELS)
    assert exchanged.label[1] == 1
    assert exchanged.modality[1] == 1


def test_distances_are_euclidean():
    X = np.array([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]])
    clusters = clustering(X, np.array([0, 2]))
    assert clusters.distance.tolist() == [0, 5, 0]
    assert clusters.seed.tolist() == [0, 0, 1]


def test_a_seed_keeps_its_label_beside_a_twin_of_another_class():
    X = np.zeros((2, 3))
    assert propagate(clustering(X, np.array([0, 1])), SEED_LABELS).tolist() == [0, 1]


@st.composite
def problems(draw):
    n, k = draw(st.integers(6, 30)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Coarse values make ties and duplicated rows frequent.
    modalities = [random.integers(0, 3, size=(n, width)).astype(float) for width in (2, 3)]
    seeds = random.permutation(n)[: draw(st.integers(k, n))]
    return modalities, seeds, np.arange(len(seeds)) % k


@given(problems())
def test_labels_of_seeds_survive(problem):
    modalities, seeds, seed_labels = problem
    unimodal, exchanged = self_label(modalities, seeds, seed_labels)
    for labels in (*unimodal, exchanged.label):
        assert (labels[seeds] == seed_labels).all()


@given(problems())
def test_cmcsl_equals_uni_where_modalities_agree(problem):
    unimodal, exchanged = self_label(*problem)
    agree = unimodal[0] == unimodal[1]
    assert (exchanged.label[agree] == unimodal[0][agree]).all()
    assert all((exchanged.label == unimodal[0]) | (exchanged.label == unimodal[1]))


@given(problems(), st.randoms(use_true_random=False))
def test_permuting_rows_permutes_labels(problem, random):
    modalities, seeds, seed_labels = problem
    order = np.array(random.sample(range(len(modalities[0])), len(modalities[0])))
    _, exchanged = self_label(modalities, seeds, seed_labels)
    place = np.argsort(order)
    _, permuted = self_label([X[order] for X in modalities], place[seeds], seed_labels)
    assert (permuted.label == exchanged.label[order]).all()
    assert (permuted.modality == exchanged.modality[order]).all()


@given(st.lists(st.integers(3, 9), min_size=2, max_size=4), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=50)
def test_seeds_without_replacement_are_distinct_balanced_and_nested(sizes, budget, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    rows = labeling(y, budget, np.random.default_rng(seed))
    assert len(set(rows)) == len(rows)
    assert np.bincount(y[rows]).tolist() == [budget] * len(sizes)
    if budget > 1:
        assert set(labeling(y, budget - 1, np.random.default_rng(seed))) < set(rows)


def test_seeds_with_replacement_may_repeat():
    y = np.repeat([0, 1], 3)
    drawn = [labeling(y, 3, np.random.RandomState(seed), replacement=True) for seed in range(20)]
    assert any(len(set(rows)) < len(rows) for rows in drawn)
    assert all(np.bincount(y[rows]).tolist() == [3, 3] for rows in drawn)


@pytest.mark.parametrize("budget", [0, 4])
def test_a_budget_that_can_not_be_drawn(budget):
    with pytest.raises(CmcslError, match=r"1\.\.3.*got"):
        labeling(np.repeat([0, 1], [3, 5]), budget, np.random.default_rng(0))
