import pytest

from cmcsl_lib.errors import Absent, CmcslError
from cmcsl_lib.published import available
from cmcsl_lib.sources import source_scores


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
        source_scores("published", 3)
    with pytest.raises(Absent, match="cmcsl extract"):
        source_scores("mm-imdb", 3)


def test_unknown_sources_list_the_valid_ones():
    with pytest.raises(CmcslError, match="openclipart, mm-imdb, published"):
        source_scores("imdb", 3)
