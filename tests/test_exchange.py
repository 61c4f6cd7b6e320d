import pytest

from cmcsl_lib.exchange import exchange_counts, exchange_table, shares_right
from cmcsl_lib.protocol import protocol


@pytest.fixture
def table(make_features):
    return exchange_table(make_features(), protocol("strict"), 3)


def test_seeds_keep_their_class_and_the_closer_modality_decides(table):
    assert (table.label[table.seed] == table.true[table.seed]).all()
    differing = table[~table.agree]
    closer = (differing.text_distance < differing.visual_distance).map({True: "text", False: "visual"})
    assert len(differing) and (differing.decided_by == closer).all()


def test_shares_of_right_labels_leave_seeds_out(table):
    hidden = table[~table.seed]
    shares = shares_right(table).set_index("labels").share_right
    assert shares["text alone"] == pytest.approx((hidden.text_label == hidden.true).mean())
    assert shares["CMCSL"] == pytest.approx(hidden.right.mean())
    assert hidden.right.mean() < table.right.mean()


def test_counts_add_up_to_the_disagreements(table):
    told = exchange_counts(table)
    assert told.labels.sum() == (~table.agree).sum()
    assert (told.right + told.wrong == told.labels).all()
