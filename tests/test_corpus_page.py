import numpy as np
import pandas as pd
import pytest
from own_corpora import picture

from cmcsl_lib import corpus_page
from cmcsl_lib.corpora import Corpus, Subset


@pytest.fixture
def corpus():
    items = pd.DataFrame({"id": list("abcdef"), "title": "", "text": "", "labels": [["x"]] * 6,
                          "image": picture(0)})
    return Corpus("made-up", items)


def captions_by_line(figure):
    """Captions of images that are drawn, by the line in which they stand."""
    drawn = [(place.get_subplotspec().rowspan.start, place.get_title()) for place in figure.axes if place.images]
    return pd.DataFrame(drawn).groupby(0)[1].apply(list).tolist()


def test_each_class_of_seeds_has_a_line_whatever_the_order_of_rows_and_their_number(corpus):
    table = pd.DataFrame({"id": list("abcdef"), "true": ["dog", "cat", "dog", "cow", "cat", "dog"],
                          "seed": [True, True, True, True, False, True]})
    figure = corpus_page.seeds_gallery(corpus, table)
    assert captions_by_line(figure) == [["cat"], ["cow"], ["dog", "dog", "dog"]]
    assert figure.data.id.tolist() == ["b", "d", "a", "c", "f"]


def test_disagreements_are_told_by_both_labels_and_who_decided(corpus):
    table = pd.DataFrame({"id": list("abcdef"), "agree": [False] * 5 + [True],
                          "visual_label": "cat", "text_label": "dog",
                          "decided_by": ["text", "text", "visual", "text", "text", "visual"],
                          "label": ["dog", "dog", "cat", "dog", "dog", "cat"],
                          "right": [True, True, True, False, True, True]})
    right = corpus_page.disagreements_gallery(corpus, table, right=True, count=2)
    assert right.data.id.tolist() == ["a", "b", "c"], "at most two of each modality"
    assert right.data.caption.tolist()[1:] == ["cat / dog\ntext decides:\ndog", "cat / dog\nvisual decides:\ncat"]
    assert corpus_page.disagreements_gallery(corpus, table, right=False).data.id.tolist() == ["d"]


def test_finetuning_items_are_named_by_their_class(corpus):
    none = np.array([], dtype=np.int64)
    divided = Subset("made-up", "AB", ("x", "y"), np.array([4, 2]), np.array([1, 0]), rows=none, y=none)
    figure = corpus_page.finetuning_gallery(corpus, divided)
    assert figure.data.id.tolist() == ["e", "c"] and figure.data.caption.tolist() == ["y", "x"]


def test_without_images_there_is_no_gallery(corpus):
    bare = Corpus("bare", corpus.items.assign(image=None))
    table = pd.DataFrame({"id": ["a"], "true": ["dog"], "seed": [True]})
    assert corpus_page.seeds_gallery(bare, table) is None
