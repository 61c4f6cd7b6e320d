"""Sentences on what the tests of several pages mean."""

from .protocol import FOLDS, REPETITIONS
from .statistics import ALPHA


def about_tests() -> str:
    """What the verdicts in the tables of the experiments mean."""
    return ("The sign > names what a value is significantly better than: within a dataset by the combined "
            f"{REPETITIONS}x{FOLDS} CV F test, in the rows of averaged ranks over datasets by the two-sided "
            "Wilcoxon signed-rank test with Holm's correction, each modality by itself (significance level "
            f"{ALPHA}; the higher the rank, the better).")


def about_significance(compared: str) -> str:
    """What "significant" means on the pages of the research questions.

    Parameters
    ----------
    compared : str
        What the pairs of the correction are pairs of, for example "PRE, UNI and CMCSL".
    """
    return ("Significant means: by a two-sided Wilcoxon signed-rank test over datasets, each modality by itself, with "
            f"Holm's correction over the pairs of {compared} (level {ALPHA}). Datasets of one corpus share items, so "
            "they are not independent and these tests are too confident; [Sensitivity](11_sensitivity.ipynb) allows "
            "for that.")
