import numpy as np
import pytest
from own_corpora import binary_corpus

from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.experiments.published import available
from cmcsl_lib.experiments.sources import source_budgets, source_scores
from cmcsl_lib.files.errors import Absent, CmcslError


def test_a_corpus_and_a_protocol_by_name():
    scores = source_scores("openclipart", 1, "paper", datasets="AF PT", compute=False)
    assert set(scores.dataset) == {"AF", "PT"}
    assert set(scores.protocol) == {"paper"}
    assert set(scores.classifier) == {"GNB", "LR", "CART"}


@pytest.mark.skipif(not available(), reason="the authors' arrays are not here")
def test_published_scores_are_chosen_from_like_a_corpuss():
    scores = source_scores("published", 3, datasets="HR AT", budgets=(2,))
    assert set(scores.dataset) == {"HR", "AT"}
    assert set(scores.budget) == {0, 2}
    assert set(scores.classifier) == {"GNB"}
    with pytest.raises(CmcslError, match="dataset of corpus mm-imdb"):
        source_scores("published", 3, datasets="AFP")


def test_what_is_not_here_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.delenv("CMCSL_PUBLISHED_SCORES", raising=False)
    with pytest.raises(Absent, match="cmcsl fetch published-scores"):
        source_scores("published", 3, budgets=(1, 5))
    with pytest.raises(Absent, match="cmcsl extract"):
        source_scores("mm-imdb", 3)


def test_unknown_sources_list_the_valid_ones():
    with pytest.raises(CmcslError, match="openclipart, mm-imdb, published"):
        source_scores("imdb", 3)


def test_budgets_that_a_source_can_give(tmp_path, monkeypatch):
    assert source_budgets("published", budgets=[1, 5, 1000]) == (1, 5, 1000)
    smallest = np.bincount(load_features("openclipart", "AF").y).min()
    assert source_budgets("openclipart", "AF", [1, smallest // 2, smallest // 2 + 1]) == (1, smallest // 2)
    assert source_budgets("openclipart") == tuple(range(1, 21))
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    binary_corpus(tmp_path)  # seven items in each class, three in the smaller half
    assert source_budgets("two") == (1, 2, 3)
    assert source_budgets("two", "AB", [2, 5]) == (2,)
    assert source_budgets("two", budgets=[5, 6]) == (3,)
