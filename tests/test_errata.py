from dataclasses import fields

import pandas as pd
import pytest

from cmcsl_lib.analysis import errata
from cmcsl_lib.analysis.errata import (
    AS_PUBLISHED,
    REPAIRED,
    SLIPS,
    all_published,
    printed_numbers,
    variants,
    verdicts,
)
from cmcsl_lib.analysis.statistics import VARIANTS, Statistics
from cmcsl_lib.analysis.tables import ROMAN, TABLES, count_better, paper_table
from cmcsl_lib.experiments.published import printed_table
from cmcsl_lib.experiments.sources import source_scores

ENDS = {title: VARIANTS[name] for title, name in ((AS_PUBLISHED, "published"), (REPAIRED, "corrected"))}
NAMES = ["table", "row", "modality", "column"]


@pytest.fixture(scope="module")
def some():
    """Scores of the embedded corpus in the place of the authors'."""
    names = "AF PT CO OT PS AP AFP PTT COT AFT FPS ACPT"
    return pd.concat(
        [
            source_scores(
                "openclipart",
                number,
                datasets=names,
                budgets=(1, 5, 20),
                compute=False,
                classifiers=("GNB", "LR", "CART") if number != 2 else None,
            ).assign(experiment=number)
            for number in (1, 2, 3)
        ]
    )


@pytest.fixture(scope="module")
def both(some):
    return verdicts(some, ENDS)


def over_uni(both):
    """In how many rows CMCSL is better than UNI, and how many there are, by table and modality."""
    cmcsl = both[(both.column == "CMCSL") & ~both.ranked].set_index(["table", "modality"])
    better = cmcsl[[AS_PUBLISHED, REPAIRED]].apply(lambda names: names.str.split().map(lambda each: "UNI" in each))
    return better.groupby(level=[0, 1]).agg(["sum", "size"])


def test_every_switch_has_a_name():
    assert list(SLIPS) == [field.name for field in fields(Statistics)]
    assert len(set(SLIPS.values())) == len(SLIPS)


def test_variants_differ_from_an_end_by_one_slip():
    by_title = variants()
    assert len(by_title) == 2 + 2 * len(SLIPS)
    assert next(iter(by_title)) == AS_PUBLISHED and list(by_title)[-1] == REPAIRED
    assert {title: by_title[title] for title in ENDS} == ENDS
    for field, title in SLIPS.items():
        repaired, slip = by_title[f"only repaired: {title}"], by_title[f"only slip: {title}"]
        for name in SLIPS:
            assert getattr(repaired, name) is (name == field)
            assert getattr(slip, name) is (name != field)


def test_verdicts_name_their_rows(both):
    assert list(both) == [*NAMES, "ranked", *ENDS]
    assert not both.duplicated(NAMES).any() and not both.isna().any(axis=None)
    assert list(both.table.unique()) == [ROMAN[number] for number in TABLES]
    assert set(both.modality) == {"visual", "text"}
    assert not {"all", ""} & {*both[AS_PUBLISHED], *both[REPAIRED]}
    rows = {number: set(part.row) for number, part in both.groupby("table")}
    assert rows["IX"] == {"budget 1", "budget 5", "budget 20", "average rank"}
    assert {"binary, AF", "multiclass, AFP", "binary, average rank"} <= rows["II"]
    assert {"binary, LR, AF", "multiclass, CART, average rank"} <= rows["VII"]
    assert set(both[both.ranked].row.str.split(", ").str[-1]) == {"average rank"}
    assert not both[~both.ranked].row.str.contains("rank").any()


def test_verdicts_stand_row_by_row(both):
    first = both[both.table == "V"][NAMES].head(7).to_numpy().tolist()
    assert first == [
        ["V", "AF", modality, column] for modality in ("visual", "text") for column in ("PRE", "UNI", "CMCSL")
    ] + [["V", "PT", "visual", "PRE"]]


def test_verdicts_are_those_of_the_tables(both, some):
    wins = over_uni(both)
    for title, statistics in ENDS.items():
        for number in ("5", "6"):
            expected = count_better(paper_table(number, some[some.experiment == 3], statistics), "CMCSL", "UNI")
            assert tuple(wins.loc[ROMAN[number], title].sum()) == expected
        for number in ("8", "9"):
            table = paper_table(number, some[some.experiment == TABLES[number].experiment], statistics)
            for modality in ("visual", "text"):
                expected = count_better(table, f"{modality}_CMCSL", "UNI")
                assert tuple(wins.loc[(ROMAN[number], modality), title]) == expected


def test_verdicts_over_both_modalities_stand_for_each(both, some):
    row = paper_table(5, some[some.experiment == 3], "published").iloc[-1]
    assert row.modality == "both" and row.UNI_better_than == "PRE"
    average = both[(both.table == "V") & both.ranked & (both.column == "UNI")]
    assert average[["modality", AS_PUBLISHED]].to_numpy().tolist() == [["visual", "PRE"], ["text", "PRE"]]


def test_printed_numbers_that_are_not_met(monkeypatch):
    def printed(number, scores, statistics):
        table = printed_table(number)
        if number == "5":
            table.loc[3, "UNI"] += 0.002
            table.loc[19, "UNI_better_than"] = "all"
        return table

    monkeypatch.setattr(errata, "paper_table", printed)
    numbers = printed_numbers(pd.DataFrame({"experiment": []})).set_index("table")
    assert list(numbers.index) == [*(ROMAN[number] for number in TABLES), "all"]
    assert numbers.loc["V"].to_list() == [123, 122, pytest.approx(0.002), 4, 3]
    assert numbers.loc["IX"].to_list() == [6, 6, 0, 4, 4]
    assert numbers.loc["all"].to_list() == [326, 325, pytest.approx(0.002), 88, 87]


def test_published_verdicts_that_change():
    scores = all_published()
    assert printed_numbers(scores).iloc[-1].to_list() == ["all", 326, 326, 0, 88, 88]
    both = verdicts(scores, ENDS)
    assert len(both) == 1000 and (both[AS_PUBLISHED] != both[REPAIRED]).sum() == 178
    wins = over_uni(both).xs("sum", axis="columns", level=1)
    by_modality = {name: (row[AS_PUBLISHED], row[REPAIRED]) for name, row in wins.iterrows()}
    assert {name: by_modality[name] for name in by_modality if name[0] in ("VIII", "IX")} == {
        ("VIII", "visual"): (15, 5),
        ("VIII", "text"): (20, 3),
        ("IX", "visual"): (20, 19),
        ("IX", "text"): (3, 1),
    }
    assert wins.loc["V"].sum().to_list() == [5, 1] and wins.loc["VI"].sum().to_list() == [11, 9]
    ranked = both[both.ranked & (both.column == "CMCSL")].set_index(["table", "modality"])[list(ENDS)]
    assert ranked.loc[("VI", "text")].to_list() == ["PRE UNI", "PRE"]
    beats_uni = ranked.loc[["V", "VI", "VIII", "IX"]].apply(lambda names: names.str.contains("UNI")).sum()
    assert beats_uni.to_list() == [8, 7]


def test_rows_that_table_6_and_7_are_tested_on():
    title = f"only repaired: {SLIPS['own_rows']}"
    both = verdicts(all_published(), {AS_PUBLISHED: ENDS[AS_PUBLISHED], title: variants()[title]})
    changed = both[both[AS_PUBLISHED] != both[title]]
    assert changed[["table", "row", "column"]].drop_duplicates().to_numpy().tolist() == [
        ["VII", "multiclass, CART, average rank", "UNI"]
    ]
