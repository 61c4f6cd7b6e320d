from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cmcsl_lib import corpora
from cmcsl_lib.corpora import Corpus, creators, load
from cmcsl_lib.experiments.protocol import PROTOCOLS, check_budgets, protocol, splits
from cmcsl_lib.files.errors import CmcslError

STRICT, PAPER = PROTOCOLS["strict"], PROTOCOLS["paper"]
Y = np.repeat([0, 1], [40, 60])


def test_five_repetitions_of_two_halves():
    folds = list(splits(Y))
    assert [(repetition, fold) for repetition, fold, _, _ in folds] == [(r, f) for r in range(5) for f in range(2)]
    for (_, _, training, test), (_, _, other_training, _) in zip(folds[::2], folds[1::2], strict=True):
        assert sorted([*training, *test]) == list(range(100))
        assert (test == other_training).all()
        assert np.bincount(Y[training]).tolist() == [20, 30]


def test_strict_seeds_differ_between_folds_and_are_nested():
    first, second = STRICT.draw_seeds(Y, 5, 0, 0), STRICT.draw_seeds(Y, 5, 0, 1)
    assert set(first) != set(second)
    assert set(STRICT.draw_seeds(Y, 4, 0, 0)) < set(first)


def test_published_seeds_come_from_a_generator_made_afresh():
    expected = np.random.RandomState(1410)
    rows = np.concatenate([expected.choice(np.flatnonzero(Y == label), 7) for label in (0, 1)])
    assert (PAPER.draw_seeds(Y, 7, 3, 1) == rows).all()


def test_scaling_of_the_test_half():
    random = np.random.default_rng(0)
    training, test = random.normal(0, 1, (50, 3)), random.normal(9, 1, (50, 3))
    _, strict = STRICT.preprocess(training, test, "STD")
    _, paper = PAPER.preprocess(training, test, "STD")
    assert (strict.mean(axis=0) > 5).all()
    assert np.allclose(paper.mean(axis=0), 0)


def test_class_weights_see_the_labels_given_or_all():
    seeds = np.array([0, 0, 1, 1])
    assert STRICT.weights(Y, seeds).tolist() == [0.5, 0.5]
    assert np.allclose(PAPER.weights(Y, seeds), [0.6, 0.4])


def test_every_choice_can_be_changed_alone_and_is_told_in_the_name():
    changed = STRICT.changed(seeds="replacement", folds="creators apart")
    assert changed.name == "strict, seeds=replacement, folds=creators apart"
    assert (changed.seeds, changed.scaling) == ("replacement", "training")
    with pytest.raises(CmcslError, match="nested, replacement"):
        STRICT.changed(seeds="stratified")
    with pytest.raises(CmcslError, match="seeds, scaling, class_weights, late_fusion, folds, distances, features"):
        STRICT.changed(name="loose")


def test_creators_apart():
    random = np.random.default_rng(0)
    creators = random.integers(0, 15, 100).astype(str)
    folds = list(splits(Y, creators))
    assert [(repetition, fold) for repetition, fold, _, _ in folds] == [(r, f) for r in range(5) for f in range(2)]
    for _, _, training, test in folds:
        assert sorted([*training, *test]) == list(range(100))
        assert not set(creators[training]) & set(creators[test])
    assert len({tuple(training) for _, _, training, _ in folds}) == 10


def test_folds_ask_the_corpus_for_its_creators(make_features):
    features = make_features()
    ids = load("openclipart").items.id.to_numpy()[: len(features.y)]
    features = replace(features, ids=ids)
    apart = STRICT.changed(folds="creators apart").divide(features)
    names = creators("openclipart", ids)
    assert all(not set(names[training]) & set(names[test]) for _, _, training, test in apart)
    assert (STRICT.divide(features)[0][2] == next(splits(features.y))[2]).all()


def test_a_corpus_that_does_not_name_creators_is_told(monkeypatch):
    monkeypatch.setattr(corpora, "load", lambda name: Corpus(name, pd.DataFrame({"id": ["a"]})))
    with pytest.raises(CmcslError, match="does not tell who made its items"):
        creators("openclipart", np.array(["a"]))


def test_distances_are_scaled_by_the_root_of_the_width():
    X = np.zeros((3, 16))
    assert STRICT.distance_scale(X) == 1
    assert STRICT.changed(distances="scaled by width").distance_scale(X) == 4


def test_unknown_protocol_lists_the_valid_ones():
    with pytest.raises(CmcslError, match="strict, paper"):
        protocol("loose")


@pytest.mark.parametrize("budgets", [(21,), (0,), ()])
def test_budgets_beyond_the_smallest_class(budgets, make_features):
    features = make_features()
    folds = STRICT.divide(features)
    with pytest.raises(CmcslError, match=r"^Budgets of openclipart/AF must lie in 1\.\.20"):
        check_budgets(features, budgets, folds)
    check_budgets(features, (1, 20), folds)
