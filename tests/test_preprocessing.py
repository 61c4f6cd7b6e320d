import numpy as np
import pytest

from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.method.preprocessing import PREPROCESSINGS, preprocessor

X = np.random.default_rng(0).normal(3, 2, size=(30, 4))


def transformed(name):
    return preprocessor(name).fit_transform(X)


def test_raw_changes_nothing():
    assert (transformed("RAW") == X).all()


def test_l2_gives_unit_rows():
    assert np.allclose(np.linalg.norm(transformed("L2"), axis=1), 1)


@pytest.mark.parametrize("name", ["STD", "L2STD"])
def test_standardised_columns(name):
    assert np.allclose(transformed(name).mean(axis=0), 0)
    assert np.allclose(transformed(name).std(axis=0), 1)


def test_min_max_fills_the_unit_interval():
    assert transformed("MM").min(axis=0).tolist() == [0] * 4
    assert np.allclose(transformed("MM").max(axis=0), 1)


def test_l2std_is_l2_first():
    scaled = preprocessor("STD").fit_transform(transformed("L2"))
    assert np.array_equal(transformed("L2STD"), scaled)


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(CmcslError, match=", ".join(PREPROCESSINGS)):
        preprocessor("PCA")
