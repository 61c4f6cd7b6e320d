"""The studies and simulations by name; their numbers are computed, kept in CMCSL_HOME, and loaded."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from joblib import Parallel, delayed

from ..corpora.features import Features, extracted_datasets
from ..experiments.protocol import Fold, Protocol, check_budgets
from ..experiments.runs import Job, scores_of
from ..files.errors import Absent, check_choice, check_positive
from ..files.paths import home, shipped, target
from ..files.tables import read_keyed, write_table
from ..files.workers import backend
from .base import PREPROCESSING, Halves, Study
from .decisions import DECISIONS
from .drift import DRIFT
from .exchange import EXCHANGE
from .finetuning import FINETUNING
from .peers import PEERS
from .related import RELATED
from .robustness import ROBUSTNESS
from .seeds import SEEDS
from .simulation import MAP
from .stream import STREAM

STUDIES = {
    "peers": PEERS,
    "robustness": ROBUSTNESS,
    "seeds": SEEDS,
    "exchange": EXCHANGE,
    "decisions": DECISIONS,
    "finetuning": FINETUNING,
    "related": RELATED,
    "stream": STREAM,
}
SIMULATIONS = {"simulation": MAP, "drift": DRIFT}
CLASSIFIER = "GNB"


class StudyJob(Job):
    """What one dataset's scores of a study are computed from; `number` is the study's name."""

    @property
    def study(self) -> Study:
        """The study itself."""
        return STUDIES[str(self.number)]

    @property
    def grid(self) -> dict[str, object]:
        """What distinguishes the study from others on the same features and protocol."""
        return {"study": self.number, "version": self.study.version}

    @property
    def subcommand(self) -> str:
        """The part of the command that names the study."""
        return f"study {self.number}"

    @property
    def options(self) -> list[object]:
        """Options of the command beside those that name corpus, dataset and protocol."""
        return ["--budgets", *self.budgets]

    @property
    def title(self) -> str:
        """Name of the study and its protocol, for the report on its progress."""
        return f"Study {self.number}, {self.protocol.name}"

    @property
    def budgets_scored(self) -> set[int]:
        """Budgets in its scores."""
        return set(self.budgets)

    def check(self, features: Features) -> list[Fold]:
        """The folds, once it is clear that every budget can be drawn and the features hold what the study needs."""
        if self.study.check is not None:
            self.study.check(features)
        folds = self.protocol.divide(features)
        check_budgets(features, self.budgets, folds)
        return folds

    def run(self, features: Features, fold: Fold) -> pd.DataFrame:
        """Scores of one fold."""
        rows = self.study.score(Halves(features, self.protocol, *fold), self.budgets)
        return pd.DataFrame(list(rows)).assign(
            corpus=self.corpus,
            protocol=self.protocol.name,
            dataset=self.dataset,
            preprocessing=PREPROCESSING,
            classifier=CLASSIFIER,
            repetition=fold.repetition,
            fold=fold.fold,
        )


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
    """Scores of a study; those that are neither shipped nor kept are computed, then kept in CMCSL_HOME.

    Parameters
    ----------
    name : {"peers", "robustness", "seeds", "exchange", "decisions", "finetuning", "related", "stream"}
        The study.
    corpus : str
        Name of the corpus.
    protocol : Protocol
        Decides folds, seeds, preprocessing and class weights.
    datasets : list of str or str, optional
        Default: those of the corpus that have features.
    budgets : tuple of int, optional
        Seeds per class; default: the study's own.
    compute : bool
        False raises where scores are missing.
    workers : int
        Processes on this machine; the scores do not depend on them.
    scheduler : str, optional
        Address of a dask.distributed scheduler, whose workers are used instead.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS` and those of the study.

    Raises
    ------
    CmcslError
        If a name is unknown, a budget can't be drawn, or features, what a study needs of them, or scores are missing.
    """
    study = STUDIES[check_choice(name, STUDIES, "study")]
    budgets = study.budgets if budgets is None else tuple(budgets)
    jobs: list[Job] = [
        StudyJob(corpus, dataset, protocol, name, (CLASSIFIER,), budgets)
        for dataset in extracted_datasets(corpus, datasets, protocol.features)
    ]
    return scores_of(jobs, compute, workers, scheduler)


def study_budgets(name: str, budgets: Sequence[int]) -> tuple[int, ...]:
    """Budgets at which a page shows a study.

    Parameters
    ----------
    name : str
        Of the study.
    budgets : sequence of int
        Seeds per class that the page is about.

    Returns
    -------
    tuple of int
        Those of them that are the study's own, at which scores are the likeliest to be here; else all of them.
    """
    own = STUDIES[check_choice(name, STUDIES, "study")].budgets
    return tuple(budget for budget in budgets if budget in own) or tuple(budgets)


def make_simulation(name: str, path: Path | None = None, workers: int = 1) -> Path:
    """Run a simulation and keep its numbers.

    Parameters
    ----------
    name : {"simulation", "drift"}
        The map of gains, or the streams that drift.
    path : Path, optional
        File to write; default: in CMCSL_HOME.
    workers : int
        Processes; the numbers do not depend on them.

    Returns
    -------
    Path
        The file.
    """
    simulation = SIMULATIONS[name]
    check_positive([workers], "--workers")
    path = target(path or _paths(simulation.name)[0])
    with backend(workers):
        # The costliest come first, so that no process is left with one at the end.
        tables = Parallel()(delayed(simulation.simulate)(setting) for setting in reversed(simulation.settings))
    table = pa.Table.from_pandas(pd.concat(tables[::-1], ignore_index=True), preserve_index=False)
    write_table(table, path, simulation.key)
    return path


def load_simulation(name: str) -> pd.DataFrame:
    """Numbers of a simulation: the user's, else the shipped ones.

    Parameters
    ----------
    name : {"simulation", "drift"}
        The map of gains, as `simulation.simulate` gives it for each setting, or the streams that drift, as
        `drift.simulate` does.

    Returns
    -------
    DataFrame
        One row per setting and what varies in it; ``data/simulation/README.md`` describes the columns.

    Raises
    ------
    Absent
        If there are none with today's settings.
    CmcslError
        If the name is unknown, or a file is damaged.
    """
    simulation, command = SIMULATIONS[check_choice(name, SIMULATIONS, "simulation")], f"cmcsl study {name}"
    for path in _paths(simulation.name):
        table = read_keyed(path, simulation.key, "file", f"make it again with `{command}`")
        if table is not None:
            return table
    raise Absent(f"The numbers of {simulation.name} with these settings are not here: make them with `{command}`.")


def _paths(name: str) -> list[Path]:
    """Where the file of a simulation may lie: in the user's folder, and as shipped."""
    return [(folder / name).with_suffix(".parquet") for folder in (home(), shipped())]
