import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.analysis import tables
from cmcsl_lib.analysis.statistics import Statistics, wilcoxon_p_values
from cmcsl_lib.analysis.tables import (
    ROMAN,
    TABLES,
    beside_paper,
    compare_verdicts,
    compare_with_printed,
    count_better,
    csv_text,
    datasets_table,
    example_datasets,
    paper_table,
    readable,
)
from cmcsl_lib.corpora.dataset_classes import MM_IMDB, OPENCLIPART, kind
from cmcsl_lib.experiments.published import AVERAGE_RANK, load_published, printed_table
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.files.errors import Absent, CmcslError
from cmcsl_lib.files.paths import shipped

BINARY = [name for name, classes in OPENCLIPART.items() if kind(classes) == "binary"]
MULTICLASS = [name for name in OPENCLIPART if name not in BINARY]


def made_up(datasets, *, means, modalities=("visual", "text"), budgets=(0,), classifiers=("GNB",), seed=0):
    """Scores around the given means, {(method, preprocessing): mean}, in the store's columns."""
    axes = {
        "dataset": datasets,
        "modality": modalities,
        "case": list(means),
        "classifier": classifiers,
        "budget": budgets,
        "repetition": range(5),
        "fold": range(2),
    }
    scores = pd.MultiIndex.from_product(axes.values(), names=axes).to_frame(index=False)
    scores["method"], scores["preprocessing"] = scores.case.str[0], scores.case.str[1]
    noise = np.random.default_rng(seed).normal(scale=0.005, size=len(scores))
    scores["balanced_accuracy"] = scores.case.map(means) + noise
    return scores.assign(corpus="openclipart", protocol="strict", pseudo_label_accuracy=np.nan)[list(COLUMNS)]


def experiment_3(datasets, budgets=(1, 2), classifiers=("GNB",), pre=0.6, uni=0.7, cmcsl=0.8):
    compared = {("PRE", "L2STD"): pre, ("UNI", "L2STD"): uni, ("CMCSL", "L2STD"): cmcsl}
    return pd.concat(
        [
            made_up(datasets, means={("FULL", "L2STD"): 0.9}, classifiers=classifiers),
            made_up(
                datasets,
                means={("EF", "L2STD"): 0.92, ("LF", "L2STD"): 0.94},
                modalities=["both"],
                classifiers=classifiers,
            ),
            made_up(datasets, means=compared, budgets=budgets, classifiers=classifiers),
        ],
        ignore_index=True,
    )


def experiment_scores(number):
    if number == 1:
        return pd.concat(
            [
                made_up(OPENCLIPART, means={("FULL", "RAW"): mean}, classifiers=[classifier])
                for classifier, mean in (("GNB", 0.8), ("LR", 0.7), ("CART", 0.6))
            ]
        )
    if number == 2:
        means = {("CMCSL", name): 0.5 + 0.05 * place for place, name in enumerate(("RAW", "L2", "STD", "MM", "L2STD"))}
        return made_up(OPENCLIPART, means=means, budgets=(1, 5))
    return experiment_3(OPENCLIPART, classifiers=("GNB", "LR", "CART"))


def test_methods_table_averages_budgets_and_folds():
    scores = experiment_3(["PT", "AF"])
    table = paper_table(5, scores)
    assert list(table.columns) == [
        "dataset",
        "modality",
        "FULL",
        "EF",
        "LF",
        "PRE",
        "UNI",
        "CMCSL",
        "PRE_better_than",
        "UNI_better_than",
        "CMCSL_better_than",
    ]
    assert list(table.dataset) == ["AF", "AF", "PT", "PT", AVERAGE_RANK, AVERAGE_RANK]
    assert list(table.modality) == ["visual", "text"] * 3
    averaged = scores[(scores.dataset == "PT") & (scores.modality == "text") & (scores.method == "UNI")]
    assert len(averaged) == 20
    assert table.UNI[3] == pytest.approx(averaged.balanced_accuracy.mean())
    assert (table.PRE_better_than[:4] == "").all() and (table.UNI_better_than[:4] == "PRE").all()
    assert (table.CMCSL_better_than[:4] == "all").all()


def test_fusion_stands_in_both_rows_and_may_be_absent():
    scores = experiment_3(["AF"])
    table = paper_table(5, scores)
    fused = scores[scores.method == "LF"].balanced_accuracy.mean()
    assert list(table.LF[:2]) == pytest.approx([fused, fused])
    assert table[["FULL", "EF", "LF"]][2:].isna().all(axis=None)
    without = paper_table(5, scores[~scores.method.isin(["FULL", "EF"])])
    assert without[["FULL", "EF"]].isna().all(axis=None) and list(without.LF[:2]) == list(table.LF[:2])


def test_verdicts_over_datasets_need_enough_of_them():
    few, enough = paper_table(5, experiment_3(BINARY[:5])), paper_table(5, experiment_3(BINARY))
    assert (few.CMCSL_better_than[-2:] == "").all()
    assert list(enough.CMCSL_better_than[-2:]) == ["all", "all"]
    assert list(enough.CMCSL[-2:]) == [3, 3] and list(enough.PRE[-2:]) == [1, 1]


def test_modalities_apart():
    scores = experiment_3(BINARY)
    # CMCSL is the best in the visual modality and the worst in the text modality.
    scores.loc[(scores.modality == "text") & (scores.method == "CMCSL"), "balanced_accuracy"] -= 0.3
    apart = paper_table(5, scores)[-2:]
    assert list(apart.modality) == ["visual", "text"] and list(apart.CMCSL) == [3, 1]
    assert list(apart.CMCSL_better_than) == ["all", ""] and list(apart.UNI_better_than) == ["PRE", "all"]
    together = paper_table(5, scores, Statistics(modalities_apart=False)).iloc[-1]
    assert (together.modality, together.CMCSL, together.UNI) == ("both", 2, 2.5)
    assert (together.CMCSL_better_than, together.UNI_better_than) == ("", "PRE")


@pytest.mark.parametrize(("number", "classifier"), [(6, "GNB"), (7, "LR")])
def test_own_rows(number, classifier):
    # CMCSL is the best of binary datasets and the worst of multiclass ones.
    scores = pd.concat(
        [
            experiment_3(BINARY, classifiers=("GNB", "LR", "CART")),
            experiment_3(MULTICLASS, classifiers=("GNB", "LR", "CART"), cmcsl=0.5),
        ]
    )
    for own, cmcsl, uni in ((True, "", "all"), (False, "all", "PRE")):
        row = paper_table(number, scores, Statistics(own_rows=own)).iloc[-1]
        assert (row.CMCSL, row.UNI) == (1, 3)
        assert (row.CMCSL_better_than, row.UNI_better_than) == (cmcsl, uni)


def test_own_rows_off_needs_the_binary_datasets():
    scores = experiment_3(MULTICLASS[:2])
    assert len(paper_table(6, scores)) == 6
    with pytest.raises(CmcslError, match="no scores of any binary dataset"):
        paper_table(6, scores, "published")


def test_published_and_corrected_f_test():
    scores = experiment_3(["AF"], budgets=(1,), uni=0.6, cmcsl=0.6)
    compared = (scores.method == "CMCSL") & (scores.modality == "text")
    uni = scores[(scores.method == "UNI") & (scores.modality == "text")]
    # Differences 0 and 5, 1 and 6, ... are equal, so that the published pairing sees no variance; in fact f is 1.
    scores.loc[compared, "balanced_accuracy"] = uni.balanced_accuracy.to_numpy() + np.tile([0, 0.1, 0, 0.1, 0], 2)
    assert "UNI" in paper_table(5, scores, "published").CMCSL_better_than[1].replace("all", "PRE UNI")
    assert "UNI" not in paper_table(5, scores, "corrected").CMCSL_better_than[1].replace("all", "PRE UNI")


@pytest.mark.parametrize(
    ("number", "rows", "columns"),
    [
        (2, 2 * (20 + 2), ["group", "dataset", "modality", "GNB", "LR", "CART"]),
        (3, 20 + 2, ["dataset", "modality", "RAW", "L2", "STD", "MM", "L2STD"]),
        (4, 20 + 2, ["dataset", "modality", "RAW", "L2", "STD", "MM", "L2STD"]),
        (6, 20 + 2, ["dataset", "modality", "FULL", "EF", "LF", "PRE", "UNI", "CMCSL"]),
        (7, 4 * (20 + 2), ["group", "classifier", "dataset", "modality", "PRE", "UNI", "CMCSL"]),
        (8, 2 + 1, ["budget", "visual_PRE", "visual_UNI", "visual_CMCSL", "text_PRE", "text_UNI", "text_CMCSL"]),
        (9, 2 + 1, ["budget", "visual_PRE", "visual_UNI", "visual_CMCSL", "text_PRE", "text_UNI", "text_CMCSL"]),
    ],
)
def test_full_tables(number, rows, columns):
    table = paper_table(number, experiment_scores(TABLES[str(number)].experiment))
    assert len(table) == rows
    assert [name for name in table if not name.endswith("_better_than")] == columns
    assert table.drop(columns=["FULL", "EF", "LF"], errors="ignore").notna().all(axis=None)


@pytest.mark.parametrize("number", range(2, 10))
def test_order_of_rows_does_not_matter(number):
    scores = experiment_scores(TABLES[str(number)].experiment)
    pd.testing.assert_frame_equal(
        paper_table(number, scores.sample(frac=1, random_state=0)), paper_table(number, scores)
    )


def test_table_7_holds_both_classifiers():
    scores = experiment_3(BINARY[:1], classifiers=("LR", "CART"))
    scores.loc[scores.classifier == "CART", "balanced_accuracy"] -= 0.1
    table = paper_table(7, scores).set_index(["group", "classifier", "dataset", "modality"]).UNI
    assert table["binary", "CART", "AF", "text"] == pytest.approx(0.6, abs=0.01)
    assert table["binary", "LR", "AF", "text"] == pytest.approx(0.7, abs=0.01)


def test_budgets_table_averages_datasets():
    scores = experiment_3(["AF", "PT"], budgets=(3, 11))
    table = paper_table(8, scores)
    assert list(table.budget) == ["3", "11", AVERAGE_RANK]
    averaged = scores[(scores.method == "CMCSL") & (scores.modality == "visual") & (scores.budget == 11)]
    assert table.visual_CMCSL[1] == pytest.approx(averaged.balanced_accuracy.mean())
    assert list(table.visual_CMCSL_better_than[:2]) == ["all", "all"]
    assert list(table.text_UNI_better_than[:2]) == ["PRE", "PRE"]
    assert table.text_CMCSL[2] == 3


def test_equal_rows_of_two_experiments_are_one():
    scores = experiment_3(["AF"])
    pd.testing.assert_frame_equal(paper_table(5, pd.concat([scores, scores])), paper_table(5, scores))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[s.method != "UNI"], "must hold PRE, UNI, CMCSL, but lack UNI"),
        (lambda s: s[(s.budget != 2) | (s.dataset != "PT")], "dataset PT, .*budget 2"),
        (lambda s: s[(s.repetition != 4) | (s.fold != 1)], "repetition 4, fold 1"),
        (lambda s: pd.concat([s, s.assign(balanced_accuracy=0.5)]), "two balanced accuracies"),
        (lambda s: s.assign(balanced_accuracy=s.balanced_accuracy.where(s.budget != 1)), "method PRE, budget 1"),
        (lambda s: pd.concat([s, s.assign(repetition=s.repetition + 5)]), "5 repetitions"),
        (lambda s: pd.concat([s, s.assign(protocol="paper")]), "one protocol"),
        (lambda s: pd.concat([s, s.assign(corpus="mm-imdb")]), "one corpus"),
        (lambda s: s.assign(dataset="AFP"), "any binary dataset"),
        (lambda s: s.assign(classifier="LR"), "classifier GNB"),
        (lambda s: s[:0], "none"),
    ],
)
def test_scores_that_cannot_fill_the_table(change, message):
    with pytest.raises(CmcslError, match=message):
        paper_table(5, change(experiment_3(["AF", "PT"])))


def test_unknown_table_and_statistics():
    with pytest.raises(CmcslError, match=", ".join(ROMAN)):
        paper_table(10, experiment_3(["AF"]))
    with pytest.raises(CmcslError, match="corrected, published"):
        paper_table(5, experiment_3(["AF"]), "right")


def test_table_1_adds_totals():
    table = paper_table(1, printed_table(1))
    assert table[table.dataset == "FMSW"].total.unique() == [4098]
    assert (compare_with_printed(1, table).difference == 0).all()
    with pytest.raises(CmcslError, match="samples is missing"):
        paper_table(1, printed_table(1).drop(columns="samples"))


def test_csv_text_rounds_to_three_decimals():
    text = csv_text(paper_table(5, experiment_3(["AF"]))).splitlines()
    assert text[0].startswith("dataset,modality,FULL,EF,LF,PRE,UNI,CMCSL,PRE_better_than")
    assert text[1].startswith("AF,visual,0.") and text[1].endswith(",,PRE,all")
    assert text[3].startswith("average_rank,visual,,,,1.000,2.000,3.000,")


def test_readable_puts_verdicts_beside_values():
    shown = readable(paper_table(5, experiment_3(["AF"], pre=0.6001)))
    assert shown.loc[("AF", "text"), "UNI"].endswith(" > PRE") and shown.loc[("AF", "text"), "CMCSL"].endswith(" > all")
    assert len(shown.loc[("AF", "text"), "FULL"]) == len(shown.loc[("AF", "text"), "PRE"]) == len("0.600")
    assert shown.loc[(AVERAGE_RANK, "text"), ["FULL", "CMCSL"]].tolist() == ["", "3.000"]


@pytest.mark.parametrize("number", range(2, 10))
def test_every_table_is_readable(number):
    shown = readable(paper_table(number, experiment_scores(TABLES[str(number)].experiment)))
    assert not any(name.endswith("_better_than") for name in shown)
    assert shown.index.is_unique


def test_examples_are_of_both_groups():
    assert example_datasets(experiment_3(["CO", "AFP", "PT", "AF"])) == ["AF", "PT", "AFP"]
    assert example_datasets(experiment_3(MULTICLASS[:3]), each=1) == MULTICLASS[:1]


def test_table_1_for_reading_has_one_row_per_dataset():
    counts = pd.DataFrame(
        {
            "dataset": ["B", "B", "A"],
            "kind": "binary",
            "class": ["x", "y", "z"],
            "samples": [3, 4, 5],
            "extracted": [2, 3, 4],
        }
    )
    table = datasets_table(counts)
    assert table.index.tolist() == ["B", "A"]
    assert table.loc["B"].tolist() == ["binary", "x (3), y (4)", 7, 5]


def test_count_better_leaves_averaged_ranks_out():
    table = paper_table(5, experiment_3(BINARY))
    assert count_better(table, "CMCSL", "UNI") == (20, 20)
    assert count_better(table, "UNI", "PRE") == (20, 20)
    assert count_better(table, "UNI", "CMCSL") == (0, 20)
    assert count_better(paper_table(8, experiment_3(BINARY)), "visual_CMCSL", "UNI") == (2, 2)
    with pytest.raises(CmcslError, match="PRE, UNI, CMCSL"):
        count_better(table, "FULL", "UNI")


def test_comparison_shows_what_differs():
    table = printed_table(5)
    table.loc[3, "UNI"] += 0.0024
    table.loc[19, "UNI_better_than"] = "all"
    numbers = compare_with_printed(5, table)
    assert len(numbers) == 20 * 6 + 3
    wrong = numbers[numbers.difference != 0]
    assert wrong[["dataset", "modality", "column", "difference"]].to_numpy().tolist() == [["DS", "text", "UNI", 0.002]]
    verdicts = compare_verdicts(5, table)
    assert verdicts[~verdicts.same][["dataset", "printed", "ours"]].to_numpy().tolist() == [["AT", "PRE", "all"]]


@pytest.fixture(scope="module")
def original():
    return {experiment: load_published(experiment) for experiment in (1, 2, 3)}


@pytest.mark.parametrize(
    ("number", "numbers", "letters"),
    [
        (2, 6, 6),
        (3, 105, 23),
        (4, 5, 5),
        (5, 123, 4),
        (6, 3, 3),
        (7, 12, 4),
        (8, 66, 39),
        (9, 6, 4),
    ],
)
def test_published_statistics_meet_every_printed_number_and_verdict(original, number, numbers, letters):
    table = paper_table(number, original[TABLES[str(number)].experiment], "published")
    compared, verdicts = compare_with_printed(number, table), compare_verdicts(number, table)
    assert (len(compared), len(verdicts)) == (numbers, letters)
    assert compared[compared.difference != 0].empty
    assert verdicts[~verdicts.same].empty


def test_published_statistics_meet_the_complete_table_8(original):
    expected = (shipped() / "paper" / "table_8_complete.csv").read_text().rstrip("\n")
    assert csv_text(paper_table(8, original[3], "published")) == expected


@pytest.mark.parametrize(
    ("number", "column", "published", "corrected"),
    [
        (5, "CMCSL", 5, 1),
        (6, "CMCSL", 11, 9),
        (8, "visual_CMCSL", 15, 5),
        (8, "text_CMCSL", 20, 3),
        (9, "visual_CMCSL", 20, 19),
        (9, "text_CMCSL", 3, 1),
    ],
)
def test_verdicts_that_fall_with_the_right_statistics(original, number, column, published, corrected):
    for statistics, wins in (("published", published), ("corrected", corrected)):
        assert count_better(paper_table(number, original[3], statistics), column, "UNI") == (wins, 20)


def test_global_claim_over_datasets(original):
    parts = [paper_table(number, original[3]) for number in (5, 6)]
    rows = pd.concat([part[part.dataset != AVERAGE_RANK] for part in parts])
    alone = Statistics(holm=False)

    def p_value(modality, datasets):
        of_pair = rows[(rows.modality == modality) & rows.dataset.isin(datasets)]
        return wilcoxon_p_values(of_pair[["UNI", "CMCSL"]].to_numpy(), alone)[0, 1]

    assert p_value("visual", MM_IMDB) < 0.001 and p_value("text", MM_IMDB) < 0.001
    multiclass = [name for name, classes in MM_IMDB.items() if kind(classes) == "multiclass"]
    assert p_value("text", multiclass) == pytest.approx(0.084, abs=5e-4)


def test_on_other_datasets_only_averages_stand_beside_the_paper():
    scores = experiment_3(BINARY)
    table = beside_paper(5, scores)
    assert set(table.dataset) == {"mean", AVERAGE_RANK}
    row = table[(table.dataset == "mean") & (table.modality == "text") & (table.column == "UNI")].squeeze()
    printed = printed_table(5)
    paper = printed[(printed.modality == "text") & (printed.dataset != AVERAGE_RANK)].UNI.mean()
    ours = scores[(scores.modality == "text") & (scores.method == "UNI")].balanced_accuracy.mean()
    assert (row.paper, row.ours) == (round(paper, 3), round(ours, 3))
    assert row.difference == pytest.approx(row.ours - row.paper, abs=1e-9)
    ranks = table[table.dataset == AVERAGE_RANK].set_index("column")
    assert list(ranks.ours) == [1, 2, 3] and set(ranks.modality) == {"both"}
    assert set(table.table) == {"V"}


def test_scores_that_can_not_stand_beside_the_paper_say_so():
    with pytest.raises(CmcslError, match="no scores of any binary dataset"):
        beside_paper(5, experiment_3(MULTICLASS))


@pytest.mark.parametrize("number", [6, 7, 9])
def test_multiclass_datasets_alone_stand_beside_the_paper(number):
    scores = experiment_scores(3)
    alone = beside_paper(number, scores[scores.dataset.isin(MULTICLASS)])
    every = beside_paper(number, scores)
    if "group" in every:
        every = every[every.group == "multiclass"]
    assert alone.ours.tolist() == every.ours.tolist()


def test_every_printed_number_stands_beside_the_published_scores():
    table = beside_paper(5, load_published(3))
    assert len(table) == 123 and (table.difference == 0).all()
    assert table.dataset.iloc[0] == "HR" and list(table.column[:3]) == ["FULL", "EF", "LF"]


def test_datasets_are_the_papers_by_their_counts_not_by_their_names(monkeypatch):
    classes = ("Horror", "Romance")
    scores = experiment_3(["HR"]).assign(corpus="films")
    sizes = pd.DataFrame({"dataset": "HR", "class": classes, "samples": (2151, 4653)})
    monkeypatch.setattr(tables, "load", lambda corpus: corpus)
    monkeypatch.setattr(tables, "datasets", lambda corpus: {"HR": classes})
    monkeypatch.setattr(tables, "class_counts", lambda corpus, names: sizes)
    assert "HR" in set(beside_paper(5, scores).dataset)
    monkeypatch.setattr(tables, "class_counts", lambda corpus, names: sizes.replace(4653, 4652))
    assert set(beside_paper(5, scores).dataset) == {"mean", AVERAGE_RANK}

    def absent(corpus):
        raise Absent("The films are not here.")

    monkeypatch.setattr(tables, "load", absent)
    assert set(beside_paper(5, scores).dataset) == {"mean", AVERAGE_RANK}
