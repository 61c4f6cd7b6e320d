import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmcsl_lib.method import distances
from cmcsl_lib.method.distances import clusterings
from cmcsl_lib.method.labeling import clustering, labeling


def check(X, seeds):
    for clusters, rows in zip(clusterings(X, seeds), seeds, strict=True):
        expected = clustering(X, rows)
        assert clusters.seed.tolist() == expected.seed.tolist()
        assert clusters.distance == pytest.approx(expected.distance, rel=1e-9, abs=0)


@st.composite
def problems(draw):
    """Rows, and the seeds of several budgets: nested, drawn with replacement, or in any order."""
    n, d, k = draw(st.integers(6, 40)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = random.normal(size=(n, d))
    if draw(st.booleans()):
        # Coarse values: many rows and distances are equal.
        X = X.round()
    X = X * draw(st.sampled_from([1e-20, 1, 1e4])) + draw(st.sampled_from([0, 0, 1e3]))
    y = np.arange(n) % k
    budgets = draw(st.permutations(range(1, n // k + 1)).map(lambda budgets: budgets[:3]))
    replacement = draw(st.booleans())
    if draw(st.booleans()):
        budgets = sorted(budgets)
    return X, [
        labeling(y, budget, np.random.RandomState(budget if replacement else 0), replacement=replacement)
        for budget in budgets
    ]


@given(problems())
def test_as_one_list_of_seeds_after_the_other(problem):
    check(*problem)


@given(problems(), st.integers(1, 20))
def test_steps_over_few_rows_change_nothing(problem, step):
    X, seeds = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "MEMORY", 8 * step * len(np.unique(np.concatenate(seeds))))
        check(X, seeds)


def test_rows_beside_a_seed_and_beside_two_at_once():
    random = np.random.default_rng(0)
    X = 100 + random.normal(size=(60, 50))
    # Rows 20 to 39 are all but seeds; 40 to 59 lie between two seeds, closer to one by a part in 1e12.
    X[20:40] = X[:20] + 1e-9 * random.normal(size=(20, 50))
    X[40:] = X[:20] + (0.5 + 1e-13 * random.normal(size=(20, 1))) * (np.roll(X[:20], 1, axis=0) - X[:20])
    seeds = [np.arange(budget) for budget in (1, 10, 20)]
    for clusters, rows in zip(clusterings(X, seeds), seeds, strict=True):
        expected = clustering(X, rows)
        assert (clusters.seed == expected.seed).all()
        assert (clusters.distance == expected.distance)[20 : 20 + len(rows)].all()


def test_a_list_without_new_seeds():
    X = np.random.default_rng(0).normal(size=(10, 3))
    check(X, [np.array([1, 4]), np.array([4, 4, 1]), np.array([1, 4])])
