"""Claims and the scorecard on made-up worlds where the answer is known."""

import itertools

import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.analysis.claims import RULES, VERDICTS, Source, judge
from cmcsl_lib.analysis.effects import load_sources
from cmcsl_lib.analysis.scorecard import scorecard
from cmcsl_lib.book.pages import source_notebooks
from cmcsl_lib.corpora import datasets
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.published import paper_claims
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.studies.results import load_study

BUDGETS = (1, 2, 3, 4, 5, 16, 17, 18, 19, 20)


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
                rows += [
                    (
                        name,
                        modality,
                        method,
                        classifier,
                        budget,
                        repetition,
                        fold,
                        value + shared + random.normal(0, 1e-4),
                    )
                    for method, value in methods.items()
                ]
        rows += [(name, "both", method, classifier, 0, repetition, fold, 0.7 + shared) for method in ("EF", "LF")]
    columns = ["dataset", "modality", "method", "classifier", "budget", "repetition", "fold", "balanced_accuracy"]
    scores = pd.DataFrame(rows, columns=columns)
    return scores.assign(corpus="openclipart", protocol="strict", preprocessing="L2STD", pseudo_label_accuracy=np.nan)[
        list(COLUMNS)
    ]


def judged_by(scores, statistics="corrected"):
    """Every claim by its name: verdict, evidence, reason."""
    source = Source(scores, statistics)
    return {name: judge(name, source) for name in RULES}


def verdicts(scores):
    return {name: verdict for name, (verdict, _, _) in judged_by(scores).items()}


def test_every_claim_has_its_words_its_rule_and_its_page():
    claims = paper_claims()
    assert claims["name"].tolist() == list(RULES)
    assert claims["name"].is_unique and claims.claim.is_unique
    assert set(claims.page) <= {path.stem for path in source_notebooks()}
    assert (claims.map(len) > 2).all(axis=None)
    assert claims.rule.str.contains("[Hh]olds if.*fails").all()


def test_without_scores_no_claim_can_be_judged():
    for verdict, evidence, reason in judged_by(pd.DataFrame(columns=[*COLUMNS])).values():
        assert (verdict, evidence) == ("not testable", {}) and ("no scores" in reason or "none" in reason)


GAINS = (
    "cmcsl-binary",
    "cmcsl-multiclass",
    "rq2",
    "binary-tends",
    "budgets-binary-visual",
    "budgets-binary-text",
    "budgets-multiclass-text",
    "both-gain",
)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (lambda modality, budget, name: 0.05, "holds"),
        (lambda modality, budget, name: -0.05, "fails"),
    ],
)
def test_a_world_where_the_exchange_always_helps_or_harms(gain, expected):
    judged = verdicts(world(gain))
    assert {name: judged[name] for name in GAINS} == dict.fromkeys(GAINS, expected)


def test_a_world_where_only_images_gain():
    judged = judged_by(world(lambda modality, budget, name: 0.05 if modality == "visual" else -0.05))
    expected = {
        "cmcsl-binary": "mixed",
        "rq2": "mixed",
        "binary-tends": "mixed",
        "visual-gains-more": "holds",
        "budgets-binary-visual": "holds",
        "budgets-binary-text": "fails",
        "fusion-harms": "holds",
        "text-stronger": "holds",
        "both-gain": "fails",
    }
    assert {name: judged[name][0] for name in expected} == expected
    evidence = judged["rq2"][1]
    assert evidence["gain_visual"] == pytest.approx(0.05, abs=1e-4)
    assert (evidence["above_visual"], evidence["above_text"], evidence["rows_text"]) == (20, 0, 20)
    assert judged["text-stronger"][1] == pytest.approx(
        {"datasets": 20, "text_stronger": 20, "mean_text": 0.9, "mean_visual": 0.8}, abs=0.01
    )
    assert judged["both-gain"][1] == {"datasets": 20, "both_gain": 0}


@pytest.mark.parametrize(("below", "expected"), [(20, "holds"), (11, "weaker"), (10, "fails"), (0, "fails")])
def test_a_joined_space_is_compared_with_the_better_modality(below, expected):
    scores = world(lambda modality, budget, name: 0)
    names = scores.dataset.unique()
    joined = scores.method == "EF"
    # FULL knows .8 of the images and .9 of the texts.
    step = np.where(scores.dataset.isin(names[:below]), -0.01, 0.01) * scores.dataset.map(list(names).index).add(1)
    scores.loc[joined, "balanced_accuracy"] += 0.2 + step[joined]
    verdict, evidence, _ = judged_by(scores)["joined-space"]
    assert (verdict, evidence["joined_below"], evidence["datasets"]) == (expected, below, 20)
    assert judged_by(scores, "published")["joined-space"][0] == expected
    assert evidence["mean_better_modality"] == pytest.approx(0.9, abs=0.01)


def test_a_gain_at_few_seeds_only():
    few = verdicts(world(lambda modality, budget, name: 0.05 if budget <= 5 else 0.01))
    many = verdicts(world(lambda modality, budget, name: 0.01 if budget <= 5 else 0.05))
    one = verdicts(world(lambda modality, budget, name: 0.05 if (budget <= 5) == (modality == "text") else 0.01))
    assert [judged["few-seeds"] for judged in (few, many, one)] == ["holds", "fails", "mixed"]


def test_classifiers_that_do_not_gain():
    scores = world(lambda modality, budget, name: -0.05, classifiers=("LR", "CART"))
    assert verdicts(scores)["lr-no-gain"] == "holds"
    scores = world(lambda modality, budget, name: 0.05, classifiers=("LR", "CART"))
    assert verdicts(scores)["cart-no-gain"] == "fails"
    scores = world(lambda modality, budget, name: 0.05 if modality == "text" else -0.05, classifiers=("LR", "CART"))
    assert verdicts(scores)["lr-no-gain"] == "mixed"
    scores = world(lambda modality, budget, name: 0.05 * (modality == "text"), classifiers=("LR", "CART"))
    assert verdicts(scores)["lr-no-gain"] == "weaker"


def test_a_classifier_that_was_trained_on_other_labels_says_nothing_on_the_exchange():
    scores = world(lambda modality, budget, name: -0.05, classifiers=("LR", "CART"))
    full = scores[(scores.method == "FULL") & (scores.classifier == "LR")].assign(preprocessing="RAW")
    unprocessed = pd.concat([scores, full])
    verdict, evidence, reason = judge("lr-no-gain", Source(unprocessed))
    assert (verdict, evidence) == ("not testable", {})
    assert reason.startswith("In at least 100.0% of folds FULL scores with LR as it does without preprocessing")
    # One modality alone is no proof: trees on texts of unit length hardly notice L2STD.
    changed = full.assign(balanced_accuracy=full.balanced_accuracy - 0.05 * (full.modality == "visual"))
    assert judge("lr-no-gain", Source(pd.concat([scores, changed])))[0] == "holds"


def test_a_significant_gain_that_does_not_matter_in_practice_is_weaker_than_claimed():
    small = judged_by(world(lambda modality, budget, name: 0.05 if modality == "visual" else 0.003))
    assert small["rq2"][0] == "weaker" and small["rq2"][1]["p_value_text"] < 0.001
    # Statistics that pool the modalities see their mean.
    pooled = world(lambda modality, budget, name: 0.05 if modality == "visual" else 0.003)
    assert judged_by(pooled, "published")["rq2"][0] == "holds"


def test_mixed_within_one_modality():
    names = list(datasets("openclipart"))
    binary, multiclass = names[:10], names[10:]
    assert all(len(name) == 2 for name in binary)
    by_budget = verdicts(world(lambda modality, budget, name: 0.05 if budget <= 5 else -0.05))
    assert {by_budget[name] for name in GAINS if name.startswith("budgets-binary")} == {"mixed"}
    by_dataset = verdicts(world(lambda modality, budget, name: 0.05 if name in multiclass[1:] else -0.05))
    assert by_dataset["visual-multiclass"] == by_dataset["fusion-harms"] == "mixed"


def test_ranks_that_are_best_in_one_row_and_worse_in_another():
    def by_modality(better):
        return world(lambda modality, budget, name: 0.05 if (modality == "visual") == better else -0.05)

    arms = {"RAW": False, "L2": False, "STD": True, "MM": False, "L2STD": True}
    scores = pd.concat([by_modality(better).assign(preprocessing=name) for name, better in arms.items()])
    scores.loc[scores.preprocessing == "L2STD", "balanced_accuracy"] += np.where(
        scores[scores.preprocessing == "L2STD"].modality == "visual", 0.01, -0.01
    )
    source = Source(scores)
    verdict, evidence, _ = judge("l2std-binary", source)
    assert verdict == judge("std-harms", source)[0] == "mixed"
    assert evidence["significantly_best"] == evidence["significantly_worse"] == 1
    full = world(lambda modality, budget, name: 0, classifiers=("GNB", "LR", "CART")).query("method == 'FULL'")
    lead = pd.Series({"GNB": 0.2, "LR": 0.1, "CART": 0})
    full["balanced_accuracy"] -= full.classifier.map(lead) * np.where(full.modality == "text", 1, -1)
    full["preprocessing"] = "RAW"
    for name in ("cart-worst", "gnb-multiclass"):
        assert judge(name, Source(full))[0] == "mixed"


def test_too_few_datasets_or_budgets_can_tell_nothing():
    names = ["AF", "PT", "AFP", "PTT"]
    judged = judged_by(world(lambda modality, budget, name: 0.05, names=names, budgets=(1, 3)))
    assert judged["rq2"] == ("not testable", {}, "Too few datasets (4) for a test of 2 methods.")
    for name in ("cmcsl-binary", "visual-gains-more", "budgets-multiclass-text", "few-seeds"):
        assert judged[name][0] == "not testable"


def test_preprocessings_that_take_labels_from_one_modality():
    scores = world(lambda modality, budget, name: 0.05)
    text = scores.modality == "text"
    same = scores[text & (scores.method == "UNI")].assign(method="CMCSL")
    raw = pd.concat([scores[~(text & (scores.method == "CMCSL"))], same]).assign(preprocessing="RAW")
    judged = judged_by(raw)
    assert judged["raw-text"] == ("holds", {"fits": 2000, "share_equal": 1, "share_close": 1}, "")
    assert judged["l2-visual"][0] == "not testable"
    close = raw.assign(balanced_accuracy=raw.balanced_accuracy + 1e-3 * (raw.method == "CMCSL"))
    assert verdicts(close)["raw-text"] == "weaker"


def test_the_stronger_modality_with_labels_of_the_weaker_one():
    scores = world(lambda modality, budget, name: 0.05)
    full = scores.method == "FULL"
    # Under RAW labels come from the text, which here is the weaker modality, under L2 from the images.
    raw = scores.assign(
        preprocessing="RAW", balanced_accuracy=scores.balanced_accuracy - 0.2 * (full & (scores.modality == "text"))
    )
    verdict, evidence, _ = judged_by(pd.concat([raw, scores.assign(preprocessing="L2")]))["weaker-helps"]
    expected = {"datasets": 40, "higher": 40, "significantly_higher": 40, "significantly_lower": 0}
    assert (verdict, evidence) == ("holds", expected)
    some = scores.assign(
        balanced_accuracy=scores.balanced_accuracy - 0.1 * ((scores.method == "CMCSL") & (scores.dataset == "AF")),
        preprocessing="L2",
    )
    verdict, evidence, _ = judged_by(pd.concat([raw, some]))["weaker-helps"]
    assert (verdict, evidence["significantly_lower"]) == ("mixed", 1)
    l2 = scores.assign(
        preprocessing="L2", balanced_accuracy=scores.balanced_accuracy - 0.2 * (full & (scores.modality == "text"))
    )
    verdict, _, reason = judged_by(pd.concat([scores.assign(preprocessing="RAW"), l2]))["weaker-helps"]
    assert verdict == "not testable" and "In no dataset" in reason


def test_what_only_one_preprocessing_does_needs_the_others_too():
    scores = world(lambda modality, budget, name: 0.05)
    assert verdicts(scores)["only-l2std"] == "not testable"
    others = [
        world(lambda modality, budget, name: -0.05).assign(preprocessing=name) for name in ("RAW", "L2", "STD", "MM")
    ]
    assert verdicts(pd.concat([scores, *others]))["only-l2std"] == "holds"
    gaining = scores.assign(preprocessing="RAW")
    assert verdicts(pd.concat([scores, gaining, *others[1:]]))["only-l2std"] == "weaker"
    losing = others[0].assign(preprocessing="L2STD")
    assert verdicts(pd.concat([losing, gaining, *others[1:]]))["only-l2std"] == "fails"


def test_the_scorecard_has_one_row_per_claim_and_source():
    made_up = pd.concat(
        [
            world(lambda modality, budget, name: 0.05).assign(source="one"),
            world(lambda modality, budget, name: -0.05).assign(source="two", protocol="published"),
        ]
    )
    judged = scorecard(made_up)
    assert judged["name"].drop_duplicates().tolist() == list(RULES)
    assert judged[["source", "statistics"]].head(3).to_numpy().tolist() == [
        ["one", "corrected"],
        ["two", "published"],
        ["two", "corrected"],
    ]
    assert len(judged) == 3 * len(RULES)
    assert set(judged.verdict) <= set(VERDICTS)
    assert ((judged.verdict == "not testable") == (judged.reason != "")).all()
    assert (judged.evidence.map(len).gt(0) == (judged.reason == "")).all()
    numbers = [number for evidence in judged.evidence for number in evidence.values()]
    assert {type(number) for number in numbers} == {int, float} and np.isfinite(numbers).all()


def test_what_the_paper_says_holds_with_its_own_scores_and_statistics():
    scores = load_sources([1, 2, 3], datasets="AF AFP", classifiers=("GNB", "LR", "CART"), budgets=range(1, 21))
    judged = scorecard(scores[scores.source == "published scores"]).set_index(["statistics", "name"])
    for name in (
        "gnb-multiclass",
        "cart-worst",
        "l2std-binary",
        "l2std-multiclass",
        "cmcsl-binary",
        "cmcsl-multiclass",
        "budgets-binary-visual",
        "budgets-binary-text",
        "budgets-multiclass-visual",
    ):
        assert judged.verdict["published", name] == "holds"
    assert judged.evidence["corrected", "budgets-binary-visual"] == {
        "budgets": 20,
        "above": 20,
        "significantly_above": 5,
        "significantly_below": 0,
    }
    for name in ("lr-no-gain", "cart-no-gain"):
        assert set(judged.verdict.xs(name, level="name")) == {"not testable"}
    assert judged.evidence["corrected", "budgets-binary-text"]["significantly_above"] == 3


def test_verdicts_on_openclipart():
    scores = load_sources([1, 2, 3], classifiers=("GNB", "LR", "CART"), budgets=range(1, 21))
    taught = load_study("finetuning", "openclipart", PROTOCOLS["strict"], compute=False)
    own = scores[scores.source == "openclipart, strict"]
    judged = scorecard(pd.concat([own, taught.assign(source="openclipart, strict")], ignore_index=True))
    assert judged.verdict.value_counts().to_dict() == {"holds": 12, "weaker": 9, "fails": 6, "mixed": 1}
    failed = judged[judged.verdict == "fails"]["name"].tolist()
    assert failed == [
        "gnb-multiclass",
        "gnb-binary",
        "l2std-binary",
        "l2std-multiclass",
        "std-harms",
        "every-label",
    ]
