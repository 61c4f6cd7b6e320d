import numpy as np
import pytest

from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.experiments import authorship
from cmcsl_lib.files.errors import CmcslError


@pytest.mark.parametrize(
    ("draw", "expected"), [(lambda y: np.where(y == 0, "Ann", "Bob"), 1.0), (lambda y: np.repeat("Ann", len(y)), 0.5)]
)
def test_a_creator_predicts_the_class_only_where_each_draws_one(monkeypatch, draw, expected):
    features = load_features("openclipart", "AF")
    monkeypatch.setattr(authorship, "creators", lambda corpus, ids: draw(features.y))
    assert authorship.creators_alone("openclipart", "AF").to_dict() == {"AF": expected}


def test_creators_of_the_embedded_corpus_predict_more_than_chance():
    assert authorship.creators_alone("openclipart", "AF PT").between(0.5, 1, inclusive="neither").all()


def test_where_creators_are_not_known_there_is_an_error(make_features, monkeypatch):
    monkeypatch.setattr(authorship, "load_features", lambda corpus, name: make_features())
    monkeypatch.setattr("cmcsl_lib.corpora.load", lambda name: type("Bare", (), {"items": {"id": []}}))
    with pytest.raises(CmcslError, match="does not tell who made its items"):
        authorship.creators_alone("openclipart", "AF")
