"""Claims and the scorecard on made-up worlds where the answer is known."""

import itertools

import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.book import source_notebooks
from cmcsl_lib.claims import CLAIMS, VERDICTS, Evidence
from cmcsl_lib.corpora import datasets
from cmcsl_lib.published import available
from cmcsl_lib.scorecard import (
    answers,
    counts,
    counts_table,
    details,
    evidence_columns,
    extent,
    scorecard,
    summary,
    verdict_table,
)
from cmcsl_lib.scores import COLUMNS

BUDGETS = (1, 2, 3, 4, 5, 16, 17, 18, 19, 20)
JUDGED = {claim.name: claim for claim in CLAIMS}


def world(gain, names=None, classifiers=("GNB",), budgets=BUDGETS):
    """Scores of Experiment 3: UNI at 0.6 (visual) and 0.7 (text), CMCSL above it by gain(modality, budget, dataset)."""
    random = np.random.default_rng(0)
    full = {"visual": 0.8, "text": 0.9}
    rows = []
    names = list(datasets("openclipart")) if names is None else names
    for name, classifier, repetition, fold in itertools.product(names, classifiers, range(5), range(2)):
        # Datasets differ and folds do, but methods share it: the gain is all that tells them apart.
        shared = random.normal(0, 0.02)
        for modality, uni in (("visual", 0.6), ("text", 0.7)):
            rows.append((name, modality, "FULL", classifier, 0, repetition, fold, full[modality] + shared))
            for budget in budgets:
                methods = {"PRE": uni - 0.1, "UNI": uni, "CMCSL": uni + gain(modality, budget, name)}
                rows += [(name, modality, method, classifier, budget, repetition, fold,
                          value + shared + random.normal(0, 1e-4)) for method, value in methods.items()]
        rows += [(name, "both", method, classifier, 0, repetition, fold, 0.7 + shared) for method in ("EF", "LF")]
    columns = ["dataset", "modality", "method", "classifier", "budget", "repetition", "fold", "balanced_accuracy"]
    scores = pd.DataFrame(rows, columns=columns)
    return scores.assign(corpus="openclipart", protocol="strict", preprocessing="L2STD",
                         pseudo_label_accuracy=np.nan)[list(COLUMNS)]


def verdicts(scores, statistics="corrected", number=3):
    evidence = Evidence("made up", statistics, {number: scores})
    return {name: claim.judged(evidence) for name, claim in JUDGED.items()}


def test_every_claim_is_told_in_full():
    pages = {path.stem for path in source_notebooks()}
    assert len(CLAIMS) >= 15
    assert len(JUDGED) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.page in pages
        assert all(len(text) > 5 for text in (claim.claim, claim.where, claim.rule))
        assert "holds" in claim.rule and "fails" in claim.rule


def test_without_scores_nothing_can_be_told():
    evidence = Evidence("nothing", "corrected", {})
    for claim in CLAIMS:
        verdict, why = claim.judged(evidence)
        assert verdict == "cannot tell" and "not at hand" in why


GAINS = ("cmcsl-binary", "cmcsl-multiclass", "rq2", "binary-tends", "budgets-binary-visual", "budgets-binary-text",
         "budgets-multiclass-text", "both-gain")


@pytest.mark.parametrize(("gain", "expected"), [
    (lambda modality, budget, name: 0.05, "holds"),
    (lambda modality, budget, name: -0.05, "fails"),
])
def test_a_world_where_the_exchange_always_helps_or_harms(gain, expected):
    found = verdicts(world(gain))
    assert {name: found[name].verdict for name in GAINS} == dict.fromkeys(GAINS, expected)


def test_a_world_where_only_images_gain():
    found = verdicts(world(lambda modality, budget, name: 0.05 if modality == "visual" else -0.05))
    expected = {"cmcsl-binary": "weaker", "rq2": "weaker", "binary-tends": "fails", "visual-gains-more": "holds",
                "budgets-binary-visual": "holds", "budgets-binary-text": "fails", "fusion-harms": "holds",
                "text-stronger": "holds", "both-gain": "fails"}
    assert {name: found[name].verdict for name in expected} == expected
    assert "visual: mean gain +0.050, above UNI in 20 of 20" in found["rq2"].evidence.lower().replace("uni", "UNI")


def test_a_gain_at_few_seeds_only():
    few = verdicts(world(lambda modality, budget, name: 0.05 if budget <= 5 else 0.01))
    many = verdicts(world(lambda modality, budget, name: 0.01 if budget <= 5 else 0.05))
    one = verdicts(world(lambda modality, budget, name: 0.05 if (budget <= 5) == (modality == "text") else 0.01))
    assert [found["few-seeds"].verdict for found in (few, many, one)] == ["holds", "fails", "weaker"]


def test_classifiers_that_do_not_gain():
    scores = world(lambda modality, budget, name: -0.05, classifiers=("LR", "CART"))
    assert verdicts(scores)["lr-no-gain"].verdict == "holds"
    scores = world(lambda modality, budget, name: 0.05, classifiers=("LR", "CART"))
    assert verdicts(scores)["cart-no-gain"].verdict == "fails"
    scores = world(lambda modality, budget, name: 0.05 if modality == "text" else -0.05, classifiers=("LR", "CART"))
    assert verdicts(scores)["lr-no-gain"].verdict == "weaker"


def test_too_few_datasets_or_budgets_can_tell_nothing():
    names = ["AF", "PT", "AFP", "PTT"]
    found = verdicts(world(lambda modality, budget, name: 0.05, names=names, budgets=(1, 3)))
    assert "4 rows are too few" in found["rq2"].evidence
    for name in ("rq2", "cmcsl-binary", "visual-gains-more", "budgets-multiclass-text", "few-seeds"):
        assert found[name].verdict == "cannot tell"


def test_preprocessings_that_take_labels_from_one_modality():
    scores = world(lambda modality, budget, name: 0.05)
    text = scores.modality == "text"
    same = scores[text & (scores.method == "UNI")].assign(method="CMCSL")
    raw = pd.concat([scores[~(text & (scores.method == "CMCSL"))], same]).assign(preprocessing="RAW")
    found = verdicts(raw, number=2)
    assert found["raw-text"].verdict == "holds"
    assert found["raw-text"].evidence.startswith("Under RAW CMCSL scores exactly as UNI in 100.0%")
    assert found["l2-visual"].verdict == "cannot tell"
    close = raw.assign(balanced_accuracy=raw.balanced_accuracy + 1e-3 * (raw.method == "CMCSL"))
    assert verdicts(close, number=2)["raw-text"].verdict == "weaker"


@pytest.fixture(scope="module")
def judged():
    return scorecard([Evidence("<one>", "corrected", {3: world(lambda modality, budget, name: 0.05)}),
                      Evidence("nothing", "corrected", {}, "published/")])


def test_the_scorecard_has_one_row_per_claim_and_column(judged):
    assert len(judged) == 2 * len(CLAIMS)
    assert set(judged.verdict) <= set(VERDICTS)
    table = counts(judged)
    assert table.loc["nothing", "cannot tell"] == len(CLAIMS)
    assert (table.sum(axis=1) == len(CLAIMS)).all()
    assert set(judged[judged.column == "nothing"].page) >= {"published/06_experiment_3", "09_rq3"}


def test_the_page_tells_verdicts_by_word_and_leads_to_the_details(judged):
    table, below = verdict_table(judged).data, details(judged).data
    for claim in CLAIMS:
        assert f'href="#{claim.name}"' in table
        assert below.count(f'id="{claim.name}"') == 1
    assert table.count("holds") == counts(judged).loc["<one>", "holds"]
    assert "&lt;one&gt;" in table and "<one>" not in table + below
    assert "Nothing can be told from nothing" in summary(judged).data


def test_the_columns_of_the_page():
    columns = evidence_columns()
    assert [set(column.scores) for column in columns] == [{1, 2, 3} if available() else set()] * 2 + [{1, 2, 3}]
    assert [column.statistics for column in columns] == ["published", "corrected", "corrected"]


@pytest.mark.skipif(not available(), reason="the authors' arrays are not here")
def test_what_the_paper_says_holds_with_its_own_scores_and_statistics():
    published, corrected, _ = evidence_columns()
    for name in ("gnb-multiclass", "cart-worst", "l2std-binary", "l2std-multiclass", "cmcsl-binary", "cmcsl-multiclass",
                 "budgets-binary-visual", "budgets-binary-text", "budgets-multiclass-visual"):
        assert JUDGED[name].judged(published).verdict == "holds"
    assert "significantly at 5," in JUDGED["budgets-binary-visual"].judged(corrected).evidence
    assert "significantly at 3," in JUDGED["budgets-binary-text"].judged(corrected).evidence


def test_the_front_page_tells_what_was_replicated_and_how_the_questions_were_answered():
    columns = evidence_columns("openclipart", datasets="AF AFP", budgets=(1, 2))
    own = columns[-1]
    told = extent([own])
    assert told.startswith(f"{len(CLAIMS)} claims") and "(2 datasets, " in told
    # Two datasets: FULL by 3 classifiers without preprocessing, of 2 modalities and 10 folds, and then what two
    # experiments share stands once.
    every = pd.concat(own.scores.values())
    keys = [name for name in COLUMNS if not name.endswith("accuracy")]
    assert f"{len(every[keys].drop_duplicates()):,} fitted" in told and len(every[keys].drop_duplicates()) < len(every)
    table = answers([Evidence("absent", "corrected", {}), own])
    assert list(table) == ["question", "the paper", "openclipart, strict protocol"]
    assert table.iloc[:, 2].tolist() == ["Too few datasets for a verdict."] * 3


def test_counts_for_a_page_have_signs():
    judged = scorecard([Evidence("nothing", "corrected", {})])
    assert list(counts_table(judged)) == ["✓ holds", "≈ weaker", "✗ fails", "? cannot tell"]
    assert counts_table(judged).to_numpy().tolist() == [[0, 0, 0, len(CLAIMS)]]


def test_columns_that_can_tell_nothing_stand_only_by_themselves():
    told = Evidence("own", "corrected", {3: world(lambda modality, budget, name: 0.05)})
    judged = scorecard([Evidence("nothing", "corrected", {}), told])
    assert list(counts_table(judged).index) == ["own"]
