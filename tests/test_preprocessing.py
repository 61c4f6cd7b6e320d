import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from cmcsl_lib.estimators import CMCSLClassifier
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.method.preprocessing import PREPROCESSINGS, RELATED_PREPROCESSINGS, fitted, preprocessor
from cmcsl_lib.method.scalers import DecimalScaler, PrincipalComponents

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


def test_decimal_scaling_moves_the_decimal_point():
    columns = np.array([[999.0, -1000, 0.5, 1, 0, 12], [7, 3, -0.25, -0.5, 0, -345]])
    expected = [[0.999, -0.1, 0.5, 0.1, 0, 0.012], [0.007, 0.0003, -0.25, -0.05, 0, -0.345]]
    assert preprocessor("DECIMAL").fit_transform(columns) == pytest.approx(np.array(expected))


def test_components_are_whitened_and_rows_of_unit_length():
    components, rows = preprocessor("PCAL2").fit(X), transformed("PCAL2")
    white = components[0].transform(X)
    assert np.allclose(white.mean(axis=0), 0) and np.allclose(np.cov(white.T), np.eye(3))
    assert np.allclose(rows * np.linalg.norm(white, axis=1)[:, None], white)


def test_components_that_do_not_vary_are_left_out():
    narrow = np.random.default_rng(0).normal(size=(100, 4))
    wide = np.hstack([narrow, narrow @ np.ones((4, 3)), np.ones((100, 600))])
    components = preprocessor("PCAL2").fit(wide)[0]
    assert components.transform(wide).shape == (100, 4)
    new = components.transform(wide + 1)
    assert np.isfinite(new).all() and np.abs(new).max() < 100
    assert (preprocessor("PCAL2").fit_transform(np.ones((5, 3))) == 0).all()
    with pytest.raises(CmcslError, match="at least two rows, got n_samples = 1"):
        preprocessor("PCAL2").fit(X[:1])


@pytest.mark.parametrize(("rows", "components"), [(5, 1), (400, 40), (2900, 256)])
def test_there_is_a_component_for_ten_rows_up_to_those_of_deepcluster(rows, components):
    noise = np.random.default_rng(0).normal(size=(rows, 280))
    assert preprocessor("PCAL2").fit_transform(noise).shape == (rows, components)


def test_groups_are_still_apart_where_there_are_more_columns_than_rows():
    y = np.arange(60) % 2
    wide = y[:, None] + np.random.default_rng(0).normal(size=(60, 200))
    distances = cdist(*[preprocessor("PCAL2").fit_transform(wide)] * 2)
    same = y[:, None] == y
    assert distances[same & ~np.eye(60, dtype=bool)].mean() < 0.9 * distances[~same].mean()
    # As many components as there can be are equally far from each other.
    white = PrincipalComponents(rows_per_component=1).fit(wide).transform(wide)
    assert np.ptp(cdist(white, white)[~np.eye(60, dtype=bool)]) < 1e-6


def test_components_are_those_of_each_modality_where_there_are_more_columns_than_rows():
    random = np.random.default_rng(0)
    y = np.arange(40) % 2
    wide = y[:, None] + random.normal(size=(40, 130))
    wide[:10, :50] = np.nan
    known = np.where(np.arange(40) < 20, y, -1)
    columns = {"visual": slice(0, 50), "text": slice(50, 130)}
    by_name = CMCSLClassifier(modalities=columns, preprocessing="PCAL2").fit(wide, known)
    assert by_name.preprocessors_["visual"][0].scale_.shape == (3,)
    plain = CMCSLClassifier(modalities=columns, preprocessing=make_pipeline(PrincipalComponents(), Normalizer()))
    assert (by_name.predict_proba(wide) == plain.fit(wide, known).predict_proba(wide)).all()
    wide[3, 60] = np.nan
    with pytest.raises(CmcslError, match="NaN in some of the columns of modality 'text' in row 3"):
        by_name.predict(wide)


def test_components_are_not_learnt_step_by_step():
    with pytest.raises(CmcslError, match="preprocessing 'PCAL2': choose from RAW, L2, STD, MM, L2STD, DECIMAL"):
        fitted("PCAL2", [X[:10], X[10:]])


@parametrize_with_checks([DecimalScaler(), PrincipalComponents()])
def test_scikit_learn_accepts(estimator, check):
    check(estimator)


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(CmcslError, match=", ".join((*PREPROCESSINGS, *RELATED_PREPROCESSINGS))):
        preprocessor("PCA")
