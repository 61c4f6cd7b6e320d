import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.errors import CmcslError
from cmcsl_lib.scores import COLUMNS
from cmcsl_lib.summaries import answer_rq2, example_datasets, gains
from cmcsl_lib.tables import csv_text, datasets_table, readable, table, table_or_note

LEVEL = {"FULL": 0.9, "EF": 0.8, "LF": 0.85, "PRE": 0.5, "UNI": 0.6, "CMCSL": 0.7}


def made_scores(datasets=("AF", "PT", "AFP")):
    """Scores that differ from `LEVEL` by little noise, with budgets 1 and 2."""
    random = np.random.default_rng(0)
    rows = []
    for dataset in datasets:
        for method, level in LEVEL.items():
            modalities = ("both",) if method in ("EF", "LF") else ("visual", "text")
            budgets = (1, 2) if method in ("PRE", "UNI", "CMCSL") else (0,)
            rows += [("openclipart", "strict", dataset, modality, method, "L2STD", "GNB", budget, repetition, fold,
                      level + random.normal(0, 1e-4), np.nan)
                     for modality in modalities for budget in budgets for repetition in range(5) for fold in range(2)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_table_5_has_means_ranks_and_verdicts():
    made = table(5, made_scores())
    assert made.dataset.tolist() == ["AF", "AF", "PT", "PT", "average_rank", "average_rank"]
    assert made.loc[:3, list(LEVEL)].to_numpy() == pytest.approx(np.tile(list(LEVEL.values()), (4, 1)), abs=1e-3)
    assert made.loc[:3, "CMCSL_better_than"].tolist() == ["all"] * 4
    assert made.loc[:3, "UNI_better_than"].tolist() == ["PRE"] * 4
    assert made.loc[4:, ["PRE", "UNI", "CMCSL"]].to_numpy().tolist() == [[1, 2, 3]] * 2
    # Two datasets can't show anything by a signed-rank test.
    assert made.loc[4:, "CMCSL_better_than"].tolist() == ["", ""]


def test_csv_has_the_papers_columns_and_decimals():
    lines = csv_text(table("5", made_scores())).splitlines()
    assert lines[0].startswith("dataset,modality,FULL,EF,LF,PRE,UNI,CMCSL,")
    assert lines[1].startswith("AF,visual,0.900,0.800,0.850,0.500,0.600,0.700,,PRE,all")


def test_table_6_holds_the_multiclass_datasets():
    assert table("6", made_scores()).dataset.tolist() == ["AFP", "AFP", "average_rank", "average_rank"]


def test_a_table_that_can_not_be_filled():
    with pytest.raises(CmcslError, match="no scores of any multiclass dataset"):
        table("6", made_scores(["AF"]))
    assert "no scores of any multiclass" in table_or_note("6", made_scores(["AF"]))
    with pytest.raises(CmcslError, match="must hold PRE, UNI, CMCSL"):
        table("5", made_scores().query("method != 'UNI'"))
    with pytest.raises(CmcslError, match="Unknown table '12': choose from 5, 6"):
        table("12", made_scores())


def test_readable_puts_verdicts_beside_values():
    shown = readable(table("5", made_scores()))
    assert shown.loc[("AF", "text"), ["PRE", "UNI", "CMCSL"]].tolist() == ["0.500", "0.600 > PRE", "0.700 > all"]
    assert shown.loc[("average_rank", "text"), ["FULL", "CMCSL"]].tolist() == ["", "3.000"]


def test_table_1_has_one_row_per_dataset():
    counts = pd.DataFrame({"dataset": ["B", "B", "A"], "kind": "binary", "class": ["x", "y", "z"],
                           "samples": [3, 4, 5], "extracted": [2, 3, 4]})
    made = datasets_table(counts)
    assert made.index.tolist() == ["B", "A"]
    assert made.loc["B"].tolist() == ["binary", "x (3), y (4)", 7, 5]


def test_gains_count_datasets_and_average_differences():
    made = gains(made_scores())
    assert made[["better", "datasets"]].to_numpy().tolist() == [[3, 3]] * 4
    assert made.gain.to_numpy() == pytest.approx([0.1] * 4, abs=1e-3)


def test_the_answer_is_computed():
    assert "In the text modality CMCSL is above UNI in 3 of 3 datasets at 1 seed per class" in answer_rq2(made_scores())
    assert "and in 3 of 3 at 2 seeds (+0.1" in answer_rq2(made_scores())


def test_examples_are_of_both_kinds():
    assert example_datasets(made_scores(["AF", "PT", "CO", "AFP"])) == ["AF", "PT", "AFP"]
