import numpy as np
import pytest

from cmcsl_lib.corpora.features import MODALITIES
from cmcsl_lib.experiments.exchange import exchange_table
from cmcsl_lib.experiments.protocol import PROTOCOLS


@pytest.fixture
def table(make_features):
    return exchange_table(make_features(), PROTOCOLS["strict"], 3)


def test_seeds_keep_their_class_and_the_closer_modality_decides(table):
    assert (table.label[table.seed] == table.true[table.seed]).all()
    differing = table[~table.agree]
    closer = (differing.text_distance < differing.visual_distance).map({True: "text", False: "visual"})
    assert len(differing) and (differing.decided_by == closer).all()


def test_each_modality_takes_the_class_of_its_nearest_seed_and_the_label_is_one_of_both(table):
    classes = table.set_index("id").true
    for modality in MODALITIES:
        assert (table[f"{modality}_label"] == table[f"{modality}_seed"].map(classes)).all()
        assert set(table[f"{modality}_seed"]) <= set(table.id[table.seed])
    decided = np.where(table.decided_by == "visual", table.visual_label, table.text_label)
    assert (table.label == decided).all() and (table.right == (table.label == table.true)).all()
    assert table.seed.sum() == 6 and not table.right[~table.seed].all()
