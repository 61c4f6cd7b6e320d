"""The studies of datasets by name, and their scores."""

import pandas as pd

from ..corpora.dataset_classes import datasets as catalogue
from ..experiments.protocol import Protocol
from ..experiments.runs import scores_of
from ..files.errors import check_choice
from .grid import CLASSIFIER, StudyJob
from .peers import PEERS
from .robustness import ROBUSTNESS
from .seeds import SEEDS

STUDIES = {"peers": PEERS, "robustness": ROBUSTNESS, "seeds": SEEDS}


def load_study(
    name: str,
    corpus: str,
    protocol: Protocol,
    *,
    datasets: list[str] | str | None = None,
    budgets: tuple[int, ...] | None = None,
    compute: bool = True,
    workers: int = 1,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Scores of a study; what is neither shipped nor kept is computed, then kept in CMCSL_HOME.

    Parameters
    ----------
    name : {"peers", "robustness", "seeds"}
    corpus : str
    protocol : Protocol
    datasets : list of str or str, optional
        Default: all of the corpus.
    budgets : tuple of int, optional
        Default: the study's own.
    compute, workers, scheduler
        As in `runs.load_scores`.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS` and those of the study.

    Raises
    ------
    CmcslError
        If a name is unknown, a budget can't be drawn, or features or scores are missing.
    """
    study = STUDIES[check_choice(name, STUDIES, "study")]
    budgets = study.budgets if budgets is None else tuple(budgets)
    jobs = [
        StudyJob(corpus, dataset, protocol, name, (CLASSIFIER,), budgets, study)
        for dataset in catalogue(corpus, datasets)
    ]
    return scores_of(jobs, compute, workers, scheduler)
