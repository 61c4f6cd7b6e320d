import numpy as np
import pytest

from cmcsl_lib import facts
from cmcsl_lib.corpora import finetuning_split, load
from cmcsl_lib.features import load_features


def test_sentences_tell_what_the_corpus_holds():
    corpus = load("openclipart")
    told = facts.about_items(corpus)
    assert f"{len(corpus.items):,} items with {len(set(corpus.items.labels.explode()))} labels" in told
    chosen = finetuning_split(corpus)
    assert f"{chosen.sum():,} items" in facts.about_split(corpus)
    assert f"{(~chosen).sum():,} are extracted" in facts.about_split(corpus)


def test_the_papers_data_are_told_from_its_table():
    assert "20 datasets, 10 binary and 10 multiclass, of 740 to 8,580 items" in facts.about_paper_data()


def test_the_level_is_that_of_the_tests(monkeypatch):
    monkeypatch.setattr(facts, "ALPHA", 0.123)
    assert "level 0.123" in facts.about_tests() and "(level 0.123)" in facts.about_significance("methods")


@pytest.mark.parametrize(("maker", "expected"), [
    (lambda y: np.where(y == 0, "Ann", "Bob"), 1.0), (lambda y: np.repeat("Ann", len(y)), 0.5)])
def test_a_creator_tells_the_class_only_where_each_draws_one(monkeypatch, maker, expected):
    features = load_features("openclipart", "AF")
    monkeypatch.setattr(facts, "creators", lambda corpus, ids: maker(features.y))
    assert facts.creators_alone("openclipart", "AF")["AF"] == expected


def test_where_creators_are_not_known_nothing_is_told():
    assert "Authors" in facts.about_creators("openclipart", "AF")
    assert facts.about_creators("mm-imdb") == ""
