import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmcsl_lib import summaries
from cmcsl_lib.corpora.catalogue import OPENCLIPART
from cmcsl_lib.errors import Absent, CmcslError
from cmcsl_lib.page import page_table
from cmcsl_lib.published import available
from cmcsl_lib.scores import COLUMNS
from cmcsl_lib.sources import source_scores
from cmcsl_lib.summaries import (
    answer_labels,
    answer_rq1,
    answer_rq2,
    answer_rq3,
    answer_table,
    beside_rq1,
    beside_rq2,
    beside_rq3,
    dataset_gains,
    distinct,
    example_datasets,
    exchange,
    few_and_many,
    gains,
    gains_by_budget,
    label_traces,
    listed,
    load_sources,
    over_sources,
    paper_rq1,
    paper_rq3,
    preprocessing_ranks,
    too_few,
)

originals = pytest.mark.skipif(
    not available(), reason="the authors' score arrays are absent: set CMCSL_PUBLISHED_SCORES or fetch them"
)
NAMES = list(OPENCLIPART)
UP, DOWN, MIXED, NONE = 0.05, -0.05, [0.02, -0.02], 0.0


def made_up(effects, names=NAMES, budgets=(1, 2), by="classifier", corpus="openclipart"):
    """Scores in which CMCSL - UNI has the given effects, {classifier or preprocessing: (visual, text)}.

    A list of effects is repeated over datasets; effects grow from dataset to dataset, so that none are tied.
    """
    rows = []
    for key, pair in effects.items():
        for modality, effect in zip(("visual", "text"), pair, strict=True):
            grown = np.resize(effect, len(names)) * (1 + np.arange(len(names)) / 100)
            for place, (name, gain) in enumerate(zip(names, grown, strict=True)):
                uni = 0.6 + place / 1000
                rows += [(name, modality, method, key, value) for method, value in
                         (("PRE", 0.5), ("UNI", uni), ("CMCSL", uni + gain))]
    made = pd.DataFrame(rows, columns=["dataset", "modality", "method", by, "balanced_accuracy"])
    fits = pd.MultiIndex.from_product([budgets, range(5), range(2)], names=["budget", "repetition", "fold"])
    made = made.merge(fits.to_frame(index=False), how="cross")
    defaults = {"corpus": corpus, "protocol": "strict", "preprocessing": "L2STD", "classifier": "GNB",
                "pseudo_label_accuracy": np.nan}
    return made.assign(**{name: value for name, value in defaults.items() if name not in made})[list(COLUMNS)]


def full(classifier, preprocessing, modality, value):
    """FULL in every dataset and fold."""
    keys = pd.MultiIndex.from_product([NAMES, range(5), range(2)], names=["dataset", "repetition", "fold"])
    return keys.to_frame(index=False).assign(
        corpus="openclipart", protocol="strict", modality=modality, method="FULL", preprocessing=preprocessing,
        classifier=classifier, budget=0, balanced_accuracy=value, pseudo_label_accuracy=np.nan)[list(COLUMNS)]


def test_exchange_tells_verdicts():
    made = exchange(made_up({"GNB": (UP, DOWN), "LR": (MIXED, NONE)})).set_index(["classifier", "modality"])
    assert made.verdict.to_dict() == {("GNB", "visual"): "better", ("GNB", "text"): "worse",
                                      ("LR", "visual"): "no difference", ("LR", "text"): "no difference"}
    assert made.above.to_list() == [20, 10, 0, 0] and (made.datasets == 20).all()
    row = made.loc["GNB", "visual"]
    assert row.gain == pytest.approx(0.05 * (1 + np.arange(20).mean() / 100))
    assert row.CMCSL - row.UNI == pytest.approx(row.gain) and row.PRE == pytest.approx(0.5)
    # 20 differences of one sign: two-sided p is 2 / 2^20, and the three pairs have it alike.
    assert row.p_value == pytest.approx(3 * 2**-19)
    assert made.share_equal.to_list() == [0, 0, 0, 1] and made.p_value["LR", "text"] == 1


@given(st.lists(st.integers(-20, 20), min_size=8, max_size=9))
@settings(max_examples=10, deadline=None)
def test_exchange_is_symmetric(effects):
    scores = made_up({"GNB": (np.array(effects) / 100, UP)}, NAMES[:len(effects)], budgets=(1,))
    turned = scores.assign(method=scores.method.replace({"UNI": "CMCSL", "CMCSL": "UNI"}))
    one, other = exchange(scores), exchange(turned)
    assert other.p_value.to_list() == pytest.approx(one.p_value.to_list())
    swapped = {"better": "worse", "worse": "better"}
    assert other.verdict.to_list() == [swapped.get(verdict, verdict) for verdict in one.verdict]
    assert other.gain.to_list() == pytest.approx((-one.gain).to_list())


def test_exchange_needs_every_fit():
    scores = made_up({"GNB": (UP, UP)})
    lacking = (scores.method == "UNI") & (scores.dataset == "PT") & (scores.fold == 1) & (scores.modality == "text")
    with pytest.raises(CmcslError, match="text, GNB must hold PRE, UNI and CMCSL"):
        exchange(scores[~lacking])


@pytest.mark.parametrize("rows, methods, expected", [
    (5, 2, True), (6, 2, False), (6, 3, True), (7, 3, False), (8, 5, True), (9, 5, False),
])
def test_too_few_datasets(rows, methods, expected):
    assert too_few(rows, methods) is expected


def test_dataset_gains():
    made = dataset_gains(made_up({"GNB": (UP, DOWN)}, NAMES[:2]))
    assert made.columns.to_list() == ["classifier", "modality", "dataset", "gain"]
    assert made.gain.to_list() == pytest.approx([0.05, 0.0505, -0.05, -0.0505])


def test_gains_count_datasets_and_average_differences():
    made = gains(made_up({"GNB": (UP, MIXED)}, ["AF", "PT", "AFP"]))
    assert made[["modality", "better", "datasets"]].to_numpy().tolist() == [["text", 2, 3]] * 2 + [["visual", 3, 3]] * 2
    assert made.gain[3] == pytest.approx(0.05 * 1.01)


def test_examples_are_of_both_kinds():
    assert example_datasets(made_up({"GNB": (UP, UP)}, ["AF", "PT", "CO", "AFP"])) == ["AF", "PT", "AFP"]


@pytest.mark.parametrize("effects, lead", [
    ((UP, UP), "Yes, in both modalities. Over 20 datasets, averaged over 1 to 2 seeds per class, CMCSL is "
               "significantly better than UNI in both modalities (visual: mean gain +0.055, above UNI in 20 of 20 "
               "datasets, p < 0.001; text:"),
    ((UP, DOWN), "Only in the visual modality. "),
    ((MIXED, UP), "Only in the text modality. "),
    ((DOWN, MIXED), "No, in neither modality. "),
])
def test_answer_rq2(effects, lead):
    assert answer_rq2(made_up({"GNB": effects})).startswith(lead)


def test_answer_rq2_tells_each_modality():
    answer = answer_rq2(made_up({"GNB": (DOWN, MIXED)}))
    assert "is significantly worse than UNI in the visual modality (mean gain -0.055, above UNI in 0 of 20" in answer
    assert "and not significantly different from UNI in the text modality (mean gain -0.000, above UNI in 10" in answer


def test_answer_rq2_at_few_and_many_seeds():
    few, many = made_up({"GNB": (UP, UP)}, budgets=(1,)), made_up({"GNB": (DOWN, NONE)}, budgets=(20,))
    assert answer_rq2(pd.concat([few, many])).endswith(
        "varies with the budget: at 1 seed per class it is +0.055 (visual) and +0.055 (text), at 20 seeds per class it "
        "is -0.055 (visual) and +0.000 (text).")
    alone = answer_rq2(few)
    assert "Over 20 datasets, at 1 seed per class, CMCSL" in alone and "varies" not in alone


def test_few_datasets_give_no_verdict():
    scores = made_up({"GNB": (UP, UP), "LR": (DOWN, DOWN)}, ["AF", "AFP"])
    gnb = scores[scores.classifier == "GNB"]
    assert answer_rq2(gnb).startswith("No verdict. Over 2 datasets") and "for want of datasets" in answer_rq2(gnb)
    assert answer_rq3(scores).startswith("No verdict. ")
    assert "significant" not in answer_rq2(gnb) + answer_rq3(scores) and "p =" not in answer_rq3(scores)
    assert beside_rq2(gnb) == beside_rq3(scores) == "Too few datasets for a verdict."
    prepared = made_up({name: (UP, UP) for name in ("RAW", "L2", "STD", "MM", "L2STD")}, ["AF"], by="preprocessing")
    assert "Over 1 dataset," in answer_rq1(prepared) and "too few datasets for a verdict" in answer_rq1(prepared)
    assert "significant" not in answer_rq1(prepared)
    assert beside_rq1(prepared) == "Too few datasets for a verdict."


def test_few_and_many(monkeypatch):
    pytest.importorskip("baycomp")
    few, many = made_up({"GNB": (UP, UP)}, budgets=(3,)), made_up({"GNB": (UP, DOWN)}, budgets=(7,))
    made = few_and_many(pd.concat([few, many])).set_index("modality")
    assert made[["fewest_seeds", "most_seeds"]].to_numpy().tolist() == [[3, 7]] * 2
    assert made.loc["text", ["gain_at_fewest", "gain_at_most"]].to_list() == pytest.approx([0.05475, -0.05475])
    assert made.CMCSL_better["visual"] > 0.99 and made.equivalent["text"] > 0.99
    assert "better by more than 0.01" in summaries.about_posteriors()
    monkeypatch.setitem(sys.modules, "baycomp", None)
    without = few_and_many(few)
    assert without[["CMCSL_better", "equivalent", "UNI_better"]].isna().all(axis=None)
    assert without.gain_at_most.notna().all() and "need baycomp" in summaries.about_posteriors()


@pytest.mark.parametrize("effects, lead", [
    ({"GNB": (UP, UP), "LR": (MIXED, DOWN)}, "It decides the verdict in both modalities. "),
    ({"GNB": (UP, UP), "LR": (UP, DOWN)}, "It decides the verdict in the text modality. "),
    ({"GNB": (DOWN, UP), "LR": (DOWN, UP)}, "It does not change the verdict. "),
    ({"CART": (UP, UP)}, "Can't be told from the scores of CART alone. "),
])
def test_answer_rq3(effects, lead):
    answer = answer_rq3(made_up(effects))
    assert answer.startswith(lead)
    for name in effects:
        assert f"with {name} " in answer


def test_beside_the_paper_rq3():
    as_told = made_up({"GNB": (UP, UP), "LR": (MIXED, DOWN), "CART": (DOWN, NONE)})
    assert beside_rq3(as_told) == "The same in all 12 comparisons."
    assert beside_rq2(as_told) == "The same in all 4 comparisons."
    other = made_up({"GNB": (UP, MIXED), "LR": (UP, DOWN)})
    assert beside_rq3(other) == (
        "Differs in 4 of 8 comparisons: LR, binary, visual (better); LR, multiclass, visual (better); "
        "GNB, binary, text (no difference); GNB, multiclass, text (no difference).")
    assert "GNB, and not with LR and CART" in paper_rq3()


def by_preprocessing(best, improved=()):
    """CMCSL is best under `best`; it is better than UNI where told, else worse."""
    parts = []
    for place, name in enumerate(("RAW", "L2", "STD", "MM", "L2STD")):
        effect = UP if name in improved else DOWN
        part = made_up({name: (effect, effect)}, by="preprocessing")
        parts.append(part.assign(balanced_accuracy=part.balanced_accuracy + (0.3 if name == best else place / 100)))
    return pd.concat(parts)


def test_answer_rq1():
    answer = answer_rq1(by_preprocessing("MM", improved=("MM", "L2")))
    assert answer.startswith(
        "Over 20 datasets, averaged over 1 to 2 seeds per class, CMCSL has its best average rank in the visual "
        "modality under MM (rank 5.00, significantly better than RAW, L2, STD and L2STD) and in the text modality "
        "under MM (rank 5.00")
    assert "significantly better than UNI in both modalities under L2 and MM." in answer
    assert "0.0% of text fits under RAW and 0.0% of visual fits under L2;" in answer
    assert "under none of the preprocessings" in answer_rq1(by_preprocessing("RAW"))


def test_answer_rq1_with_a_tie_and_labels_of_one_modality():
    tied = made_up({"RAW": (UP, NONE), "L2": (UP, NONE), "STD": (UP, DOWN)}, by="preprocessing")
    answer = answer_rq1(tied)
    assert "in the visual modality under RAW, L2 and STD (rank 2.00)" in answer
    assert "in the text modality under RAW and L2 (rank 2.50)" in answer
    assert "100.0% of text fits under RAW and 0.0% of visual fits under L2" in answer
    ranked = preprocessing_ranks(tied)
    assert ranked.better_than.to_list() == ["", "", "", "STD", "STD", ""]


def test_beside_the_paper_rq1():
    assert beside_rq1(by_preprocessing("L2STD", improved=["L2STD"])) == "The same."
    told = beside_rq1(by_preprocessing("RAW"))
    assert told.startswith("Differs: the best rank in the visual modality is under RAW; the best rank in the text ")
    assert told.endswith("improved by none of them.")
    assert paper_rq1().startswith("L2STD has the best average rank")


def test_labels_of_all_classifiers():
    scores = made_up({"GNB": (UP, UP), "LR": (UP, UP), "CART": (UP, UP)})
    accurate = scores.assign(pseudo_label_accuracy=scores.method.map({"UNI": 0.7, "CMCSL": 0.8}))
    raw = [full(name, "RAW", modality, 0.8) for name in ("GNB", "LR", "CART") for modality in ("visual", "text")]
    same, other = ([full(name, "L2STD", modality, value) for name in ("GNB", "LR", "CART")
                    for modality in ("visual", "text")] for value in (0.8, 0.9))
    fine = pd.concat([accurate, *raw, *other])
    assert answer_labels(fine) == "Pseudo-labels are equally accurate with CART, GNB and LR in 100.0% of fits."
    assert label_traces(fine)[["share_as_unprocessed", "share_right_UNI", "share_right_CMCSL"]].to_numpy().tolist() == [
        pytest.approx([0, 0.7, 0.8])] * 6
    half = fine.assign(pseudo_label_accuracy=fine.pseudo_label_accuracy.where(
        (fine.classifier != "LR") | (fine.fold == 0), 0.1))
    assert answer_labels(half).endswith("in 50.0% of fits.")
    assert answer_labels(pd.concat([scores, *raw, *other])).startswith("The accuracy of pseudo-labels is not known")
    # FULL of LR alone scores as without preprocessing.
    mixed = pd.concat([scores, *raw, *same[2:4], *other[:2], *other[4:]])
    answer = answer_labels(mixed)
    assert answer.startswith("No. ") and "Scores of LR bear the marks" in answer and "Experiment 2" not in answer
    assert "with GNB in 0.0% and 0.0%; with LR in 100.0% and 0.0%;" in answer
    unprepared = made_up({"RAW": (UP, NONE)}, by="preprocessing")
    assert answer_labels(pd.concat([mixed, unprepared])).endswith(
        "not significantly different from UNI in the text modality (mean gain +0.000, above UNI in 0 of 20 datasets, "
        "p = 1.000).")


def test_absent_sources_leave_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(tmp_path))
    sources = load_sources([1, 3], datasets="AF AFP", budgets=(1, 2))
    assert [source.title for source in sources] == ["published scores, MM-IMDb", "openclipart, strict protocol",
                                                    "mm-imdb, strict protocol"]
    assert [source.scores.empty for source in sources] == [True, False, True]
    assert set(sources[1].scores.preprocessing) == {"RAW", "L2STD"} and set(sources[1].scores.budget) == {0, 1, 2}
    assert dict(zip(sources[1].scores.dataset, sources[1].scores.group, strict=True)) == {"AF": "binary",
                                                                                         "AFP": "multiclass"}
    made = answer_table(sources, lambda scores: f"{len(scores)} rows", "paper's", lambda scores: "beside")
    assert made.source.to_list() == ["the paper", *(source.title for source in sources)]
    assert made.answer[1].startswith("Not here. The authors' scores experiment_1_52.npy are not in")
    assert made.answer[2] == f"{len(sources[1].scores)} rows"
    assert made["beside the paper"].to_list() == ["", "", "beside", ""]
    assert made.answer[3].startswith("Not here. ")
    assert over_sources(sources, gains).source.unique().tolist() == ["openclipart, strict protocol"]
    assert over_sources([sources[0]], gains).empty
    assert gains_by_budget([sources[0]]).empty and page_table(gains_by_budget([sources[0]])) is None
    assert list(answer_table(sources, str)) == ["source", "answer"]


def test_nothing_is_computed_for_absent_sources(monkeypatch):
    asked = []

    def refuse(source, number, protocol, **options):
        asked.append((source, number, options["compute"], options["datasets"], options["classifiers"]))
        raise Absent("gone")

    monkeypatch.setattr(summaries, "source_scores", refuse)
    load_sources([3], datasets="AF", classifiers=("LR",))
    load_sources([2], "mm-imdb", datasets="HR", classifiers=("LR",))
    assert asked == [("published", 3, False, None, ("LR",)), ("openclipart", 3, True, "AF", ("LR",)),
                     ("mm-imdb", 3, False, None, ("LR",)), ("published", 2, False, None, None),
                     ("mm-imdb", 2, True, "HR", None)]


def test_shared_fits_stand_once():
    scores = made_up({"GNB": (UP, UP)}, ["AF"])
    assert len(distinct(pd.concat([scores, scores.assign(pseudo_label_accuracy=0.5)]))) == len(scores)


def test_gains_side_by_side():
    sources = [summaries.SourceScores("a", made_up({"GNB": (UP, DOWN)}, ["AF", "PT"]))]
    assert gains_by_budget(sources).iloc[0].to_list() == [1, "+0.050 (2 of 2)", "-0.050 (0 of 2)"]


@pytest.mark.parametrize("names, told", [
    ([], "none"), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), ([""], "none"),
])
def test_listed(names, told):
    assert listed(names) == told


@originals
def test_answers_of_the_published_scores():
    three = source_scores("published", 3, classifiers=("GNB", "LR", "CART"))
    gnb = three[three.classifier == "GNB"]
    assert answer_rq2(gnb).startswith("Yes, in both modalities. Over 20 datasets, averaged over 1 to 20 seeds")
    assert beside_rq2(gnb) == "Differs in 1 of 4 comparisons: GNB, multiclass, text (no difference)."
    by_group = exchange(summaries.with_groups(gnb), ["group"]).set_index(["modality", "group"])
    assert by_group.p_value["text", "multiclass"] == pytest.approx(0.084, abs=5e-4)
    two = source_scores("published", 2)
    assert "in the visual modality under L2STD" in answer_rq1(two)
    assert "in both modalities under L2STD." in answer_rq1(two)
    assert beside_rq1(two) == "Differs: the best rank in the text modality is under RAW."


@originals
def test_published_scores_of_other_classifiers_are_without_preprocessing():
    scores = distinct(pd.concat([source_scores("published", 1), source_scores("published", 2),
                                 source_scores("published", 3, classifiers=("GNB", "LR", "CART"))]))
    traces = label_traces(scores).set_index(["classifier", "modality"])
    assert (traces.share_as_unprocessed[["CART"]] == 1).all() and traces.share_as_unprocessed["LR", "text"] == 1
    assert traces.share_as_unprocessed["GNB", "visual"] == 0
    assert traces.share_equal["LR", "text"] == traces.share_equal["CART", "text"] == 0.9945
    assert "Scores of LR and CART bear the marks of no preprocessing" in answer_labels(scores)
