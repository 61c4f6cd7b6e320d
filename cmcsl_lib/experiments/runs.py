"""Run experiments over many datasets: in parallel, resumable, and only what no earlier run has kept.

The unit of work is one fold of one dataset. Each finished one is kept in CMCSL_HOME at once, so that a run that was
killed at any point goes on where it stopped; what it gives depends neither on that nor on the number of workers.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..corpora.features import Features, extracted_datasets, features_path, load_features
from ..files.checksums import file_sha256
from ..files.errors import Absent, CmcslError, check_choice, check_positive
from ..files.paths import home, locked
from ..files.processes import interrupts_held
from ..files.progress import progress
from ..files.workers import backend
from .grid import CLASSIFIERS, GRID_VERSION, check_run, experiment, run_fold
from .protocol import FOLDS, REPETITIONS, Fold, Protocol
from .scores import BUDGETS, read_scores, scores_paths, write_scores

#: Seconds that further processes must save: to start and to import the library, two take 3 on an idle machine of two
#: cores, and up to 10 on a busy one.
START = 10
#: What a run does after a worker was killed.
RESUMED = "finished folds are kept, and the same command goes on from there"


@dataclass(frozen=True)
class Job:
    """What one dataset's scores of one experiment are computed from, and where they are kept.

    Parameters
    ----------
    corpus, dataset : str
        Names.
    protocol : Protocol
        Decides how it is done.
    number : int or str
        The experiment, or the name of a study (`studies.results.StudyJob`).
    classifiers : tuple of {"GNB", "LR", "CART"}
        Those to train.
    budgets : tuple of int
        Seeds per class.
    """

    corpus: str
    dataset: str
    protocol: Protocol
    number: int | str
    classifiers: tuple[str, ...]
    budgets: tuple[int, ...]

    @cached_property
    def key(self) -> dict:
        """What equal scores have in common; the features are left open where they are not on this machine."""
        path = features_path(self.corpus, self.dataset, self.protocol.features)
        features = {"features": file_sha256(path)} if path.is_file() else {}
        return features | {"protocol": self.protocol.described()} | self.grid

    @property
    def grid(self) -> dict:
        """What tells the work from others on the same features and protocol."""
        return {"experiment": self.number, "grid_version": GRID_VERSION}

    @property
    def paths(self) -> tuple[Path, Path]:
        """Where scores may lie: in the user's folder, and among the shipped ones."""
        return scores_paths(self.corpus, self.protocol.name, self.number, self.dataset)

    @property
    def parts(self) -> Path:
        """Folder of the folds that are finished while others are not; equal work has the same one."""
        work = json.dumps([self.key, self.classifiers, self.budgets], sort_keys=True)
        return self.paths[0].with_suffix(".parts") / hashlib.sha256(work.encode()).hexdigest()[:16]

    @property
    def subcommand(self) -> str:
        """The part of the command that names the experiment."""
        return f"run {self.number}"

    @property
    def options(self) -> list[object]:
        """Options of the command beside those that name corpus, dataset and protocol."""
        default = experiment(self.number)
        options: list[object] = []
        options += ["--classifier", *self.classifiers] if self.classifiers != default.classifiers else []
        options += ["--budgets", *self.budgets] if default.takes_budgets and self.budgets != BUDGETS else []
        return options

    @property
    def command(self) -> str:
        """The command that computes the scores."""
        name, *changes = self.protocol.name.split(", ")
        words = ["cmcsl", self.subcommand, "--corpus", self.corpus, "--datasets", self.dataset, "--protocol", name]
        words += ["--change", *(f'"{change}"' for change in changes)] if changes else []
        return " ".join(map(str, [*words, *self.options]))

    @property
    def title(self) -> str:
        """What it is, for the report on its progress."""
        return f"Experiment {self.number}, {self.protocol.name}"

    @property
    def budgets_scored(self) -> set[int]:
        """Budgets in its scores; 0 stands for all labels."""
        return {0, *self.budgets} if experiment(self.number).takes_budgets else {0}

    def __post_init__(self) -> None:
        check_positive(self.budgets, "Budgets")

    def check(self, features: Features) -> list[Fold]:
        """The folds, once it is clear that the work can be done; raises `CmcslError` if it can't."""
        return check_run(features, self.protocol, int(self.number), self.budgets)

    def run(self, features: Features, fold: Fold) -> pd.DataFrame:
        """Scores of one fold."""
        return run_fold(features, self.protocol, int(self.number), self.classifiers, self.budgets, fold)


def find_scores(job: Job) -> dict[str, pd.DataFrame]:
    """Kept or shipped scores by classifier: of those that hold all budgets.

    Parameters
    ----------
    job : Job
        Which scores they are.

    Returns
    -------
    dict of str to DataFrame
        Columns `scores.COLUMNS`.

    Raises
    ------
    CmcslError
        If a file is damaged, or stands where that of another dataset belongs.
    """
    by_classifier: dict[str, pd.DataFrame] = {}
    for path in job.paths:
        scores = read_scores(path, job.key)
        if scores is None:
            continue
        names = {"corpus": job.corpus, "protocol": job.protocol.name, "dataset": job.dataset}
        if any((scores[column] != name).any() for column, name in names.items()):
            raise CmcslError(
                f"The scores file {path} holds scores of something else than its name says: delete it and "
                "run `cmcsl run` again."
            )
        for classifier in set(job.classifiers) - set(by_classifier):
            rows = scores[(scores.classifier == classifier) & scores.budget.isin(job.budgets_scored)]
            if job.budgets_scored == set(rows.budget):
                by_classifier[classifier] = rows
    return by_classifier


def _keep_scores(scores: pd.DataFrame, job: Job) -> None:
    """Write scores to CMCSL_HOME, beside what the file of the same features and protocol holds already."""
    earlier = read_scores(job.paths[0], job.key)
    # What names a row; files are sorted by it, so that they do not depend on what was computed when.
    names = [column for column in scores if not column.endswith(("accuracy", "seconds"))]
    joined = scores if earlier is None else pd.concat([earlier, scores]).drop_duplicates(names, keep="last")
    write_scores(joined.sort_values(names, ignore_index=True), job.paths[0], job.key)


def run_task(job: Job, number: int, features: Features) -> tuple[Job, int, pd.DataFrame]:
    """Scores of one fold, told apart by its number, 0 to 9.

    One thread of linear algebra per task: several would add numbers up in another order, and scores must not depend
    on how many there are.

    Parameters
    ----------
    job : Job
        What to score.
    number : int
        Of the fold.
    features : Features
        Of the job's dataset.

    Returns
    -------
    job, number
        As given.
    scores : DataFrame
        Columns `scores.COLUMNS`.

    Raises
    ------
    CmcslError
        If the features are not those that the scores would be kept under.
    """
    if features.sha256 != job.key["features"]:
        raise CmcslError(
            f"The features of {job.corpus}/{job.dataset} were made anew during the run: give the same command again."
        )
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return job, number, job.run(features, job.protocol.divide(features)[number])


def part_path(job: Job, number: int) -> Path:
    """Where the scores of one fold are kept until all are there.

    Parameters
    ----------
    job : Job
        What is scored.
    number : int
        Of the fold.

    Returns
    -------
    Path
        The file or folder need not exist.
    """
    return job.parts / f"{number}.parquet"


def missing_folds(job: Job) -> list[int]:
    """Numbers of the folds that no earlier run has kept.

    Parameters
    ----------
    job : Job
        What is to be scored.

    Returns
    -------
    list of int
        In 0 to 9.

    Raises
    ------
    CmcslError
        If the features are absent or damaged, or a budget can't be drawn.
    """
    features = load_features(job.corpus, job.dataset, job.protocol.features)
    return [number for number, (*fold, _, _) in enumerate(job.check(features)) if not _is_finished(job, number, fold)]


def _is_finished(job: Job, number: int, fold: list[int]) -> bool:
    """Whether the scores of a fold are there; those that were damaged since are computed again."""
    try:
        scores = read_scores(part_path(job, number), job.key)
    except CmcslError:
        return False
    return scores is not None and scores[["repetition", "fold"]].eq(fold).all(axis=None)


def run_jobs(jobs: list[Job], workers: int = 1, scheduler: str | None = None) -> None:
    """Compute the scores of all jobs and keep them.

    Parameters
    ----------
    jobs : list of Job
        At least one.
    workers : int
        Processes on this machine, at most: they are started only where that pays.
    scheduler : str, optional
        Address of a dask.distributed scheduler, whose workers are used instead.
    """
    missing = {job: missing_folds(job) for job in jobs}
    tasks = (
        (job, number, features)
        for job, numbers in missing.items()
        if numbers
        for features in [load_features(job.corpus, job.dataset, job.protocol.features)]
        for number in numbers
    )
    left = {job: len(numbers) for job, numbers in missing.items()}
    for job in [job for job, number in left.items() if not number]:
        with locked(home() / "scores"):
            _collect(job)
    with backend(workers, scheduler, RESUMED), progress(jobs[0].title, sum(left.values()), "folds") as advance:
        for job, number, scores in _results(tasks, sum(left.values()), 0 if scheduler else workers):
            left[job] -= 1
            # Another process may be about to collect the same dataset, or other scores of it.
            with locked(home() / "scores"):
                write_scores(scores, part_path(job, number), job.key)
                if not left[job]:
                    _collect(job)
            advance(f"last {job.corpus}/{job.dataset}")


def _results(
    tasks: Iterable[tuple[Job, int, Features]], count: int, workers: int
) -> Iterator[tuple[Job, int, pd.DataFrame]]:
    """What `run_task` gives, as it is finished: by this process until starting others would save time.

    Parameters
    ----------
    tasks : iterable of (Job, int, Features)
        Arguments of `run_task`.
    count : int
        How many they are.
    workers : int
        Processes of the backend; 0 for a cluster, which has been started already.
    """
    from joblib import Parallel, delayed

    tasks = iter(tasks)
    if workers:
        for task in tasks:
            begin = time.perf_counter()
            result = run_task(*task)
            count -= 1
            saved = count * (time.perf_counter() - begin) * (1 - 1 / max(1, min(workers, count)))
            yield result
            if saved > START:
                break
    with interrupts_held():
        # The call starts processes; what it returns waits for them.
        results = Parallel(return_as="generator_unordered")(delayed(run_task)(*task) for task in tasks)
    yield from results


def _collect(job: Job) -> None:
    """Join the folds of a dataset, keep the scores, and remove the folds' files.

    Where another process had the same work to do and was first, the scores are there, and some folds are not.
    """
    if set(job.classifiers) - set(find_scores(job)):
        parts = [read_scores(part_path(job, number), job.key) for number in range(REPETITIONS * FOLDS)]
        if any(part is None for part in parts):
            raise CmcslError(
                f"Finished folds of {job.corpus}/{job.dataset} were taken away from {job.parts} during "
                "the run: give the same command again, and it computes them again."
            )
        _keep_scores(pd.concat(parts), job)
    shutil.rmtree(job.parts, ignore_errors=True)
    # Folds of other work on the same dataset may lie beside them.
    with suppress(OSError):
        job.parts.parent.rmdir()


def load_scores(
    corpus: str,
    protocol: Protocol,
    number: int | str = 3,
    *,
    datasets: list[str] | str | None = None,
    classifiers: tuple[str, ...] | None = None,
    budgets: tuple[int, ...] = BUDGETS,
    compute: bool = True,
    workers: int = 1,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Scores of an experiment for many datasets; what is not kept is computed, then kept in CMCSL_HOME.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    protocol : Protocol
        Decides how they are computed.
    number : int or str
        The experiment, 1 to 3.
    datasets : list of str or str, optional
        Default: those of the corpus that have features.
    classifiers : tuple of {"GNB", "LR", "CART"}, optional
        Default: the experiment's own.
    budgets : tuple of int
        Seeds per class.
    compute : bool
        False raises where scores are missing.
    workers : int
        As in `run_jobs`; the scores do not depend on it.
    scheduler : str, optional
        As in `run_jobs`.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`, datasets in the catalogue's order, the rows of each sorted by what names them.

    Raises
    ------
    Absent
        If features are needed that are not on this machine.
    CmcslError
        If a name is unknown, or a budget can't be drawn.
    """
    classifiers = experiment(number).classifiers if classifiers is None else tuple(classifiers)
    for classifier in classifiers:
        check_choice(classifier, CLASSIFIERS, "classifier")
    return scores_of(
        [
            Job(corpus, dataset, protocol, int(number), classifiers, tuple(budgets))
            for dataset in extracted_datasets(corpus, datasets, protocol.features)
        ],
        compute,
        workers,
        scheduler,
    )


def scores_of(jobs: list[Job], compute: bool = True, workers: int = 1, scheduler: str | None = None) -> pd.DataFrame:
    """Scores of jobs with the same classifiers, computed where they are missing; errors are those of `load_scores`.

    Parameters
    ----------
    jobs : list of Job
        At least one.
    compute : bool
        False raises where scores are missing.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a dask.distributed scheduler, whose workers are used instead.

    Returns
    -------
    DataFrame
        As `load_scores` returns it.
    """
    check_positive([workers], "--workers")
    classifiers = jobs[0].classifiers
    scores = {job: find_scores(job) for job in jobs}
    todo = {
        job: replace(job, classifiers=tuple(each for each in classifiers if each not in by_classifier))
        for job, by_classifier in scores.items()
        if set(classifiers) - set(by_classifier)
    }
    if todo and not compute:
        job = next(iter(todo.values()))
        # If the features are not on this machine either, this tells how to make those first.
        load_features(job.corpus, job.dataset, job.protocol.features)
        raise Absent(
            f"There are no scores of {job.corpus}/{job.dataset} with {', '.join(job.classifiers)} for the "
            f"{job.protocol.name} protocol: run `{job.command}` first."
        )
    if todo:
        run_jobs(list(todo.values()), workers, scheduler)
        scores |= {job: find_scores(job) for job in todo}
    return pd.concat([scores[job][each] for job in jobs for each in classifiers], ignore_index=True)
