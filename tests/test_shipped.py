"""What is shipped of the authors' scores gives what their arrays give, and the pages need nothing else."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.analysis import errata
from cmcsl_lib.analysis.claims import RULES
from cmcsl_lib.analysis.effects import (
    against_uni,
    distinct,
    extents,
    half_differences,
    halves_compared,
    label_traces,
    preprocessing_ranks,
    with_groups,
)
from cmcsl_lib.analysis.scorecard import scorecard
from cmcsl_lib.analysis.shipped import EXAMPLE, shipped_tables
from cmcsl_lib.analysis.statistics import VARIANTS, f_p_value
from cmcsl_lib.analysis.tables import TABLES, beside_paper, paper_table
from cmcsl_lib.book.pages import SOURCES, Page
from cmcsl_lib.experiments import published
from cmcsl_lib.experiments.published import MEAN, REGISTRY, available, load_published
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.experiments.sources import source_scores
from cmcsl_lib.files.errors import Absent
from cmcsl_lib.files.paths import shipped

originals = pytest.mark.skipif(
    not available(), reason="the authors' score arrays are absent: set CMCSL_PUBLISHED_SCORES or fetch them"
)


@pytest.fixture
def without_arrays(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(tmp_path))
    assert not available()


def everything():
    """All that the pages compute from the published scores, by name."""
    scores = errata.all_published()
    together = with_groups(distinct(scores)).assign(source="published scores")
    tables = {
        f"Table {number}, {statistics}": paper_table(number, scores[scores.experiment == layout.experiment], statistics)
        for number, layout in TABLES.items()
        for statistics in VARIANTS
    }
    judged = scorecard(together)
    usual, bayes = together[together.preprocessing == "L2STD"], together[together.classifier == "GNB"]
    one = usual[(usual.dataset == "HR") & (usual.modality == "text") & (usual.classifier == "GNB")]
    return tables | {
        "beside the paper": beside_paper(3, scores[scores.experiment == 2]),
        "printed numbers": errata.printed_numbers(scores),
        "verdicts": errata.verdicts(scores),
        "scorecard": judged.drop(columns="evidence"),
        "evidence": pd.DataFrame(judged.evidence.to_list()),
        "classifiers": against_uni(usual, ["group", "classifier"]),
        "preprocessings": against_uni(bayes, ["preprocessing"]),
        "ranks": preprocessing_ranks(bayes),
        "traces": label_traces(together, ["source"]),
        "extents": extents(together),
        "differences": half_differences(one),
    }


@originals
def test_the_shipped_files_are_what_the_arrays_give():
    computed = shipped_tables()
    assert sorted(f"{name}.csv" for name in [*computed, "published_origin"]) == sorted(
        path.name for path in (shipped() / "paper").glob("published_*")
    )
    for name, table in computed.items():
        table = table.rename(columns=str).astype({"budget": str} if "budget" in table else {})
        written = published._csv(name, na_values=[""])
        pd.testing.assert_frame_equal(written, table, check_dtype=False, rtol=1e-11, atol=1e-15)


@pytest.mark.slow
@originals
def test_tables_verdicts_and_evidence_are_the_same_without_the_arrays(tmp_path, monkeypatch):
    computed = everything()
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(tmp_path))
    assert not available()
    for name, table in everything().items():
        pd.testing.assert_frame_equal(table, computed[name], rtol=0, atol=1e-9, obj=name)


def test_what_was_computed_from_which_arrays_by_what_is_recorded():
    origin = published.published_origin()
    assert {name: value for name, value in origin.items() if name.endswith(".npy")} == {
        name: known.sha256 for name, known in REGISTRY.items()
    }
    assert re.fullmatch("[0-9a-f]{40}", origin["commit"]) and re.match(r"\d+\.\d+", origin["cmcsl"])


def test_no_fold_scores_are_shipped(without_arrays):
    files = list((shipped() / "paper").glob("published_*.csv"))
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert len(published.published_differences()) == 10
    assert set(load_published(3).fold) == {MEAN}


def test_shipped_p_values_are_those_of_their_statistics():
    comparisons = published.published_comparisons()
    for end in ("", "_published"):
        assert f_p_value(comparisons[f"f{end}"].to_numpy()) == pytest.approx(comparisons[f"p_value{end}"], abs=1e-9)
    assert ((comparisons.equal <= comparisons.close) & (comparisons.close <= comparisons.fits)).all()


@pytest.mark.parametrize(("number", "rows"), [(1, 20 * 2 * 3), (2, 20 * 2 * 5 * 61), (3, 20 * 3 * (2 * 61 + 2))])
def test_shipped_means_are_a_scores_table(without_arrays, number, rows):
    scores = load_published(number)
    assert list(scores) == list(COLUMNS) and len(scores) == rows
    assert scores.balanced_accuracy.between(0, 1).all()
    assert not scores.duplicated(["dataset", "modality", "method", "preprocessing", "classifier", "budget"]).any()


def test_every_claim_has_a_verdict_without_the_arrays(without_arrays):
    scores = pd.concat([source_scores("published", number, classifiers=("GNB", "LR", "CART")) for number in (1, 2, 3)])
    judged = scorecard(with_groups(distinct(scores)).assign(source="published scores"))
    assert len(judged) == 2 * len(RULES)
    # What the fine-tuning items teach by themselves is no part of the authors' scores, shipped or not.
    # Neither do they say what the exchange does for classifiers that were trained on other labels.
    untestable = set(judged["name"][judged.verdict == "not testable"])
    assert untestable == {"every-label", "lr-no-gain", "cart-no-gain"}


def test_what_needs_the_arrays_says_so(without_arrays):
    gnb = source_scores("published", 3)
    text = gnb[gnb.modality == "text"]
    needing = [
        lambda: source_scores("published", 3, budgets=(1, 5)),
        lambda: paper_table(5, gnb[gnb.budget <= 10]),
        lambda: paper_table(8, gnb[gnb.dataset != "HR"]),
        lambda: against_uni(gnb[gnb.budget <= 10]),
        lambda: half_differences(text[text.dataset == "DS"]),
    ]
    for compute in needing:
        with pytest.raises(Absent, match="need the authors' arrays, .* `cmcsl fetch published-scores`"):
            compute()
    # What needs no halves can be had of any datasets and budgets.
    assert set(paper_table(5, gnb[gnb.dataset.isin(["HR", "AT"])]).dataset) == {"HR", "AT", "average_rank"}
    assert len(paper_table(8, gnb[gnb.budget <= 10])) == 11
    assert halves_compared(gnb[gnb.dataset == "HR"], "CMCSL", "UNI").dataset.tolist() == ["HR", "HR"]


def test_the_example_differences_are_those_of_the_f_test(without_arrays):
    scores = load_published(3)
    one = scores[np.logical_and.reduce([scores[name] == value for name, value in EXAMPLE.items()])]
    differences = half_differences(one)
    assert differences.shape == (5, 2)
    means = one.groupby("method").balanced_accuracy.mean()
    assert differences.to_numpy().mean() == pytest.approx(means.CMCSL - means.UNI)


@pytest.mark.slow
def test_scorecard_and_published_numbers_are_whole_on_a_fresh_clone(without_arrays, execute_pages, tmp_path):
    pages = {
        name: Page(SOURCES / f"{name}.ipynb", tmp_path / f"{name}.ipynb", {})
        for name in ("00_scorecard", "10_published_numbers")
    }
    execute_pages(pages.values())
    cells = {name: nbformat.read(page.output, as_version=4).cells for name, page in pages.items()}
    shown = {cell.id: str(cell.get("outputs")) for page in cells.values() for cell in page}
    # No column has a claim that it cannot judge, but for the one that needs the fine-tuning items.
    for statistics in ("published", "corrected"):
        assert f"published scores ({statistics} statistics)" in shown["00-15"]
    assert shown["00-15"].count("? not testable") == 6
    assert "326" in shown["10-26"] and "In short" in shown["10-answer"]
