"""Made-up scores of which it is known who is better."""

import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.figures import studies as study_figures
from cmcsl_lib.statistics import holm, wilcoxon_p_values
from cmcsl_lib.studies import comparison
from cmcsl_lib.studies.robustness import DISTURBANCES, WRONG
from cmcsl_lib.studies.seeds import CHOICES, RANDOM

LEVELS = {"PRE": -0.1, "UNI": 0.0, "CMCSL": 0.0, "co-training": 0.05}


def made_up(datasets=12, modalities=("visual", "text", "both"), budgets=(1, 5), levels=LEVELS, noise=0.0, **columns):
    """Scores of 0.6 plus the level of the method; UNI lies above and below that in turn, by about the same amount.

    No two differences are of one size: SciPy tests ties by trying all signs, which takes long.
    """
    random = np.random.default_rng(0)
    rows = [{"dataset": f"D{dataset}", "method": method, "modality": modality, "budget": budget, "fold": fold,
             "balanced_accuracy": 0.6 + level * (1 + 1e-5 * dataset) + noise * random.normal()
             + (0.004 * (-1) ** dataset * (1 + 1e-3 * dataset) if method == "UNI" else 0), **columns}
            for dataset in range(datasets) for method, level in levels.items() for modality in modalities
            for budget in budgets for fold in range(2)]
    return pd.DataFrame(rows)


def test_verdicts_beside_the_reference():
    scores = made_up()
    made = comparison.compared(scores)
    assert made.groupby(["modality", "budget"], sort=False).size().to_dict() == {
        (modality, budget): 4 for modality in ("visual", "text", "both") for budget in (1, 5)}
    assert set(made.verdict[made.method == "PRE"]) == {"worse"}
    assert set(made.verdict[made.method == "co-training"]) == {"better"}
    assert set(made.verdict[made.method == "UNI"]) == {"no difference"}
    assert set(made.verdict[made.method == "CMCSL"]) == {""}
    assert (made.gain[made.method == "CMCSL"] == 0).all()
    assert (made.higher[made.method == "co-training"] == 12).all() and (made.datasets == 12).all()


def test_p_values_are_corrected_over_the_comparisons_made():
    scores = made_up(levels={"CMCSL": 0, "a": 0.006, "b": 0.003, "c": 0}, modalities=("text",), budgets=(1,),
                     noise=0.01)
    made = comparison.compared(scores).set_index("method")
    means = scores.pivot_table(index="dataset", columns="method", values="balanced_accuracy")
    alone = [wilcoxon_p_values(means[["CMCSL", name]].to_numpy())[0, 1] for name in "abc"]
    assert made.p_value[list("abc")].tolist() == pytest.approx(holm(np.array(alone)))
    assert made.average_rank.sum() == pytest.approx(10)


def test_too_few_datasets_are_told():
    scores = made_up(datasets=4)
    made = comparison.compared(scores)
    assert set(made.verdict) == {"too few datasets", ""}
    assert "Over 4 datasets no test can be significant. Higher on average:" in comparison.told(made)
    assert comparison.losses(made) == ("Over 4 datasets no test can be significant, so nothing is said of losses.")


def test_losses_are_said_plainly():
    made = comparison.compared(made_up(modalities=("text",)))
    told = comparison.losses(made)
    assert told == ("CMCSL loses significantly to 1 of 3 methods somewhere:\n\n"
                    "- **co-training**: text, 1 seed per class; text, 5 seeds per class (up to +0.050).")
    won = comparison.losses(comparison.compared(made_up(levels={"CMCSL": 0.1, "UNI": 0.0})))
    assert won == "No method is significantly better than CMCSL in any of 6 comparisons of modality and budget."


def test_a_method_that_loses_elsewhere_is_told_so():
    scores = pd.concat([made_up(budgets=(1,), levels={"CMCSL": 0, "a": 0.1}),
                        made_up(budgets=(5,), levels={"CMCSL": 0.1, "a": 0})])
    assert "; significantly worse elsewhere, 3 times)." in comparison.losses(comparison.compared(scores))


def test_sentences_name_better_and_worse_methods():
    told = comparison.told(comparison.compared(made_up(modalities=("both",), budgets=(5,))))
    assert told == ("- **both together, 5 seeds per class**: CMCSL reaches 0.600. Significantly better: co-training "
                    "(+0.050). Significantly worse: PRE (-0.100). No significant difference: 1 of 3.")


def test_the_table_for_reading_marks_verdicts():
    made = comparison.beside(comparison.compared(made_up()))
    assert made.index.tolist() == list(LEVELS)
    assert made.columns.tolist() == [(m, b) for m in ("visual", "text", "both") for b in (1, 5)]
    assert made.loc["co-training"].str.endswith("▲").all() and made.loc["PRE"].str.endswith("▼").all()
    assert not made.loc["CMCSL"].str.contains("[▲▼]").any()


def test_the_exchange_on_each_propagator():
    levels = {"UNI": 0, "CMCSL": 0.1, "UNI on k-NN": 0.1, "CMCSL on k-NN": 0.0}
    first, second = comparison.exchange_told(made_up(levels=levels)).splitlines()
    assert first.startswith("- **nearest seed, as in the paper**: visual +0.") and first.count("(better)") == 3
    assert second.startswith("- **k-NN**: visual -0.") and second.count("(worse)") == 3


def test_fusion_beside_the_better_modality():
    scores = pd.concat([made_up(modalities=("visual", "both"), levels={"CMCSL": 0}),
                        made_up(modalities=("text",), levels={"CMCSL": 0.2})])
    assert comparison.fusion_told(scores).endswith("in 0 of 12 datasets.")
    assert "classifier of the text modality (0.8" in comparison.fusion_told(scores)


def test_ties_are_told_where_there_are_any():
    told = comparison.ties_told({1: np.nan, 5: 0.25, 20: 0.5}, "AF")
    assert "In the first fold of AF" in told and "for 25% at 5 and 50% at 20 seeds per class of the rows" in told


def disturbed():
    """CMCSL falls by half of the share of wrong labels; UNI falls by all of it; concatenation is low and level."""
    parts = [made_up(modalities=("visual", "text", "both"), levels={
        "CMCSL": -share / 2, "UNI": -share, "concatenation": -0.3}, disturbance=disturbance, share=share)
        for disturbance in DISTURBANCES for share in (0.0, 0.2, 0.4)]
    return pd.concat(parts, ignore_index=True)


def test_curves_and_their_sentences():
    found = comparison.analyse_robustness(disturbed())
    its = found.curves[(found.curves.disturbance == WRONG) & (found.curves.method == "UNI")
                       & (found.curves.modality == "text") & (found.curves.budget == 1)]
    assert its.share.tolist() == [0, 0.2, 0.4]
    assert its.balanced_accuracy.tolist() == pytest.approx([0.6, 0.4, 0.2], abs=0.02)
    told = comparison.curves_told(found.scores).splitlines()
    assert len(told) == 2 * len(DISTURBANCES)
    assert told[0] == (
        "- **Missing in training, 1 seed per class**: from share 0 to 0.4 CMCSL 0.600 to 0.400, UNI 0.600 to 0.200 and "
        "concatenation 0.300 to 0.300. CMCSL is significantly better than UNI at shares 0.2 and 0.4, significantly "
        "worse at no share. CMCSL is significantly better than concatenation at shares 0, 0.2 and 0.4, "
        "significantly worse at no share.")


def test_choices_of_seeds_beside_random_ones():
    scores = pd.concat([made_up(levels={"PRE": 0, "UNI": level, "CMCSL": 2 * level}, choice=choice, classes_found=2)
                        for choice, level in zip(CHOICES, (0.1, 0, 0, -0.1, 0, 0, 0), strict=True)])
    scores.loc[(scores.choice == RANDOM) & (scores.budget == 1), "classes_found"] = 1
    found = comparison.analyse_seeds(scores)
    verdicts = found.choices.groupby("choice", sort=False).verdict.agg(set)
    assert verdicts.index.tolist() == list(CHOICES)
    assert verdicts["random per class"] == {"better"} and verdicts["cluster centres"] == {"worse"}
    assert set(found.beside_paper.verdict[found.beside_paper.choice == RANDOM]) == {"worse"}
    assert found.found.loc[RANDOM].to_dict() == {1: 0.5, 5: 1.0}
    first = comparison.rq2_by_choice(found.exchange).splitlines()[0]
    assert first == ("- **random per class**: significantly better than UNI in 6, significantly worse than UNI in 0 of "
                     "6 comparisons; mean gain +0.100, at the fewest seeds +0.100.")


def test_figures_show_the_tables():
    table = comparison.compared(made_up())
    figure = study_figures.gains_by_method(table)
    assert len(figure.data) == 3 * 3 * 2 and "CMCSL" not in set(figure.data.method)
    drawn = np.concatenate([marks.get_offsets().data for place in figure.axes for marks in place.collections
                            if len(marks.get_offsets()) and marks.get_label() != "_nolegend_"])
    assert {round(value, 9) for value in figure.data.gain} <= {round(value, 9) for value in drawn[:, 0]}
    lines = study_figures.disturbance_curves(comparison.curves(disturbed()))
    assert len(lines.axes) == 2 * len(DISTURBANCES) and set(lines.data.modality) == {"both"}
    noise = study_figures.noise_curves(comparison.curves(disturbed()).query("disturbance == @WRONG"))
    assert len(noise.axes) == 4 and set(noise.data.modality) == {"visual", "text"}
