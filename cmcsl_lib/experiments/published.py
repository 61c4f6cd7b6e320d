"""The paper's own numbers: its printed tables, and the authors' score arrays as the same tidy table as every other."""

import io
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..corpora.dataset_classes import MM_IMDB
from ..files.checksums import file_sha256, read_checked
from ..files.errors import Absent, CmcslError, check_choice
from ..files.paths import explain_write_errors, folder_from_environment, home, readable_path, remove_stale, shipped
from ..files.tables import reading
from ..method.preprocessing import PREPROCESSINGS
from .scores import BUDGETS, COLUMNS

COMMIT = "43e7023116f9e3242a50ee40cd67b8f54da005e0"
BASE_URL = f"https://raw.githubusercontent.com/w4k2/cmcsl/{COMMIT}/scores/"


class Published(NamedTuple):
    """What one file of the authors must hold.

    Parameters
    ----------
    sha256 : str
        Its checksum.
    shape : tuple of int
        Of its array.
    """

    sha256: str
    shape: tuple[int, ...]


#: Axes. Experiment 1: dataset, modality, fold, classifier. Experiment 2: preprocessing (RAW, L2, STD, L2STD; "more":
#: MM), dataset, method, budget, fold. Experiment 3: dataset, method, budget, fold, and in "mc" classifier (LR, CART);
#: fusion: dataset, 1, budget, fold, classifier. Folds are repetition by repetition, m1 is visual, m2 text. The other
#: arrays of the authors' folder are earlier runs, not in the paper.
REGISTRY = {
    "experiment_1_52.npy": Published(
        "456c9b13335e264f0d028c48371f7d7de2a6c1c646f90d75cc5c0dbdcf096c7f", (20, 2, 10, 3)
    ),
    "experiment_2_m1_52.npy": Published(
        "8ba21e06b90dab70eaee5c73780381959ce244cb865f7a415986599ab2458994", (4, 20, 4, 20, 10)
    ),
    "experiment_2_m2_52.npy": Published(
        "6f795ea77dbad329dc2b09ef0801bb916a5726ee226a9434b891b20ed862c84c", (4, 20, 4, 20, 10)
    ),
    "experiment_2_m1_52_more.npy": Published(
        "720955712c9c4e9a3603c2603a569132b1d01b820e1999e173f6ad5b7e69382f", (1, 20, 4, 20, 10)
    ),
    "experiment_2_m2_52_more.npy": Published(
        "12112ceafbe3b74b71d97500186510ed850a592b213712f7c37e5790356ce8f4", (1, 20, 4, 20, 10)
    ),
    "experiment_3_52_early_fusion_all_clfs.npy": Published(
        "d129f73ce50b6ebfcf5aeac4eecb58795b32f01b86772878b6e23973029c31dc", (20, 1, 1, 10, 3)
    ),
    "experiment_3_52_late_fusion_all_clfs.npy": Published(
        "c8593016809891b47710053ad79a740f23b5e20277be0562b26aa1e47becc6f3", (20, 1, 20, 10, 3)
    ),
    "experiment_3_m1_52.npy": Published(
        "b5ccf0e5a22beab4e7b444ff92c745b1a1853479e1c92c25fb52ab2d0ddbba22", (20, 4, 20, 10)
    ),
    "experiment_3_m2_52.npy": Published(
        "ca48d1c5d4fcd72ebc0a5ceae2191f2f95acfe0028c658b908e880af9981f007", (20, 4, 20, 10)
    ),
    "experiment_3_m1_52_mc.npy": Published(
        "3576b08c07ef3dd2af001e90a28722f1b7272288bc7b704ac6a573c76ddd11ac", (20, 4, 20, 10, 2)
    ),
    "experiment_3_m2_52_mc.npy": Published(
        "5ffa71f1aee4ba08a1f7d9e1e71f7221b9f018ea1be017f0cabde10794a41cb9", (20, 4, 20, 10, 2)
    ),
}

MODALITY_FILES = {"visual": "m1", "text": "m2"}
CLASSIFIERS = ("GNB", "LR", "CART")
METHODS = ("FULL", "PRE", "UNI", "CMCSL")
#: What stands for repetition and fold in rows that are the mean of so many trained classifiers, one for each half.
MEAN, HALVES = -1, 10
#: Which of the shipped means belong to an experiment; they overlap.
SHIPPED = {
    "1": "method == 'FULL' and preprocessing == 'RAW'",
    "2": "classifier == 'GNB' and modality != 'both'",
    "3": "preprocessing == 'L2STD'",
}
#: What stands in the column of the rows in the last lines of a table, where ranks are averaged.
AVERAGE_RANK = "average_rank"


def published_folder() -> Path:
    """Where the authors' arrays are looked for: CMCSL_PUBLISHED_SCORES, else published-scores in CMCSL_HOME.

    Returns
    -------
    Path
        The file or folder need not exist.
    """
    return folder_from_environment("CMCSL_PUBLISHED_SCORES", home() / "published-scores")


def published_files() -> list[Path]:
    """Where each of the authors' arrays should lie.

    Returns
    -------
    list of Path
        The files need not exist.
    """
    return [published_folder() / name for name in REGISTRY]


def available() -> bool:
    """Whether all of the authors' arrays are there.

    Returns
    -------
    bool
        True if so.
    """
    return all(path.is_file() for path in published_files())


def absent(what: str) -> Absent:
    """What to raise where the shipped statistics of the authors' scores do not suffice.

    Parameters
    ----------
    what : str
        That needs the arrays, as it begins the sentence.

    Returns
    -------
    Absent
    """
    return Absent(
        f"{what} need the authors' arrays, which are not in {readable_path(published_folder())}: run `cmcsl fetch "
        "published-scores`, or set CMCSL_PUBLISHED_SCORES to a folder that holds them."
    )


def fetch() -> Path:
    """Download the authors' arrays into CMCSL_HOME; files that are there and right are kept.

    Returns
    -------
    Path
        The folder. Where CMCSL_PUBLISHED_SCORES is set, `load_published` reads the folder that it names instead.

    Raises
    ------
    CmcslError
        If a file can't be downloaded after three retries, or is not the published one.
    """
    import pooch
    import requests
    from tqdm.auto import tqdm

    from ..corpora.download import only_https

    folder = home() / "published-scores"
    remove_stale(folder, "tmp*")
    files = pooch.create(
        path=folder,
        base_url=BASE_URL,
        retry_if_failed=3,
        registry={name: f"sha256:{known.sha256}" for name, known in REGISTRY.items()},
    )
    with explain_write_errors(folder):
        for name in REGISTRY:
            # pooch sets the total, which makes the bar true; one of its own would be drawn once more below an error.
            with tqdm(total=1, desc=name, unit="B", unit_scale=True, leave=False, disable=None) as bar:
                download = pooch.HTTPDownloader(progressbar=bar, hooks={"response": only_https})
                try:
                    files.fetch(name, downloader=download)
                except (requests.RequestException, ValueError) as error:
                    raise CmcslError(
                        f"{BASE_URL}{name} can't be fetched ({type(error).__name__}): try again, or set "
                        "CMCSL_PUBLISHED_SCORES to a folder that holds the authors' arrays."
                    ) from error
    return folder


def load_published(experiment: int) -> pd.DataFrame:
    """Scores of one experiment of the paper, as published; where the authors' arrays are absent, the shipped means.

    Parameters
    ----------
    experiment : {1, 2, 3}
        1: FULL by three classifiers without preprocessing. 2: five preprocessings, GNB. 3: all methods, three
        classifiers; those of LR and CART are said to be made with L2STD, and named so here, but look as if they
        were made without preprocessing (`effects.label_traces`).

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`, with corpus "mm-imdb" and protocol "published". The arrays repeat FULL and LF for
        every budget; here each stands once, with budget 0. Unless all arrays are there (`available`), a row is the
        mean over the ten halves, and its repetition and fold are `MEAN`.

    Raises
    ------
    CmcslError
        If there is no such experiment, or a file is not the published one.
    """
    name = check_choice(str(experiment), READERS, "experiment")
    if available():
        scores = pd.concat(READERS[name](), ignore_index=True)
        scores["repetition"], scores["fold"] = scores["fold"] // 2, scores["fold"] % 2
    else:
        scores = _shipped_means().query(SHIPPED[name]).assign(repetition=MEAN, fold=MEAN).reset_index(drop=True)
    scores = scores.assign(corpus="mm-imdb", protocol="published", pseudo_label_accuracy=np.nan)
    return scores[list(COLUMNS)]


def _shipped_means() -> pd.DataFrame:
    """The means of `published_means.csv` in long form, in the order of the authors' arrays."""
    wide = _csv("published_means", na_values=[""])
    arms = wide.set_index(["dataset", "modality", "method", "preprocessing", "classifier"])
    means = arms.rename_axis(columns="budget").rename(columns=int).stack().rename("balanced_accuracy")
    return means.dropna().reset_index()


@cache
def published_comparisons() -> pd.DataFrame:
    """What the ten halves say where two of the authors' classifiers are compared, which means do not tell.

    Returns
    -------
    DataFrame
        One row per comparison: dataset, modality, method, preprocessing, classifier, budget ("all" for scores
        averaged over budgets) and than, which names the method, preprocessing or classifier that is compared; in rows
        with a budget the dataset is "binary" or "multiclass", for scores averaged over these datasets. Then difference
        (of the means), fits (how many are compared), equal (how many score the same), close (how many differ by
        `CLOSE` at most), f and p_value of the combined 5x2 CV F test, and f_published and p_value_published with both
        slips of the published code.
    """
    return _csv("published_comparisons")


def published_differences() -> pd.DataFrame:
    """The shipped example of what the F test takes: CMCSL - UNI in each half, averaged over budgets.

    Returns
    -------
    DataFrame
        Columns dataset, modality, repetition, fold, difference; ten rows, of one dataset and modality.
    """
    return _csv("published_differences")


def published_origin() -> dict[str, str]:
    """What the shipped statistics of the authors' scores were computed from, and by what.

    Returns
    -------
    dict of str to str
        The version of this library as "cmcsl", its commit as "commit", and the SHA-256 of each array by its file.
    """
    return _csv("published_origin").set_index("name").value.to_dict()


def _experiment_1() -> list[pd.DataFrame]:
    scores = _tidy(
        _array("experiment_1_52"), dataset=MM_IMDB, modality=MODALITY_FILES, fold=range(10), classifier=CLASSIFIERS
    )
    return [scores.assign(method="FULL", preprocessing="RAW", budget=0)]


def _experiment_2() -> list[pd.DataFrame]:
    parts = []
    for modality, file in MODALITY_FILES.items():
        four, minmax = _array(f"experiment_2_{file}_52"), _array(f"experiment_2_{file}_52_more")
        arrays = np.concatenate([four[:3], minmax, four[3:]])
        for preprocessing, array in zip(PREPROCESSINGS, arrays, strict=True):
            parts += [
                part.assign(modality=modality, preprocessing=preprocessing, classifier="GNB")
                for part in _methods(array)
            ]
    return parts


def _experiment_3() -> list[pd.DataFrame]:
    parts = []
    for modality, file in MODALITY_FILES.items():
        array = np.concatenate([_array(f"experiment_3_{file}_52")[..., None], _array(f"experiment_3_{file}_52_mc")], -1)
        parts += [part.assign(modality=modality) for part in _methods(array, classifier=CLASSIFIERS)]
    for method, fusion in (("EF", "early"), ("LF", "late")):
        array = _array(f"experiment_3_52_{fusion}_fusion_all_clfs")[:, 0, 0]
        part = _tidy(array, dataset=MM_IMDB, fold=range(10), classifier=CLASSIFIERS)
        parts.append(part.assign(method=method, modality="both", budget=0))
    return [part.assign(preprocessing="L2STD") for part in parts]


READERS = {"1": _experiment_1, "2": _experiment_2, "3": _experiment_3}


def _array(stem: str) -> np.ndarray:
    """One of the authors' arrays, float64, checked to be the published one."""
    name, folder = f"{stem}.npy", published_folder()
    path = folder / name
    digest = file_sha256(path)
    if digest != REGISTRY[name].sha256:
        raise CmcslError(
            f"{path} is not the published file: its SHA-256 is {digest}, it should be "
            f"{REGISTRY[name].sha256}; delete it and run `cmcsl fetch published-scores`."
        )
    array = np.load(path, allow_pickle=False)
    if array.shape != REGISTRY[name].shape:
        raise CmcslError(f"{path} has shape {array.shape}, it should have {REGISTRY[name].shape}.")
    return array


def _tidy(array: np.ndarray, **axes: Collection[Any]) -> pd.DataFrame:
    """One row per value of an array, one column per named axis."""
    index = pd.MultiIndex.from_product(list(axes.values()), names=list(axes))
    return index.to_frame(index=False).assign(balanced_accuracy=array.ravel())


def _methods(array: np.ndarray, **further: Collection[Any]) -> list[pd.DataFrame]:
    """Scores of axes dataset, method, budget, fold, ...: FULL once, with budget 0, and the others by budget."""
    full = _tidy(array[:, 0, 0], dataset=MM_IMDB, fold=range(10), **further).assign(method="FULL", budget=0)
    rest = _tidy(array[:, 1:], dataset=MM_IMDB, method=METHODS[1:], budget=BUDGETS, fold=range(10), **further)
    return [full, rest]


def printed_table(number: int | str) -> pd.DataFrame:
    """A table as the paper prints it, in the columns that `tables.table` gives.

    Parameters
    ----------
    number : int or str
        1 to 9.

    Returns
    -------
    DataFrame
        Only the rows and columns that the paper prints. Averaged ranks stand in rows with dataset (or budget)
        "average_rank"; verdict columns hold what could be read, else are missing.
    """
    return PRINTED[check_choice(str(number), PRINTED, "table")]()


def paper_claims() -> pd.DataFrame:
    """What the paper claims, in our own words, and the rule by which `claims.RULES` judges it.

    Returns
    -------
    DataFrame of str
        One row per claim: name (short and unique), area, claim, where (section, table or figure of the paper), rule,
        page (the notebook that shows the numbers, without ending).
    """
    return _csv("claims")


def _csv(name: str, **options: Any) -> pd.DataFrame:
    path = shipped() / "paper" / f"{name}.csv"
    with reading(path, "file", "take it from the repository again"):
        content = read_checked(path)
    types = {"budget": str, "better_than": str}
    return pd.read_csv(io.BytesIO(content), dtype=types, keep_default_na=False, **options)


def beside_table_1(sizes: pd.DataFrame) -> pd.DataFrame:
    """Class sizes of a division of MM-IMDb beside those of Table I; where all are equal, it is the authors' archive.

    Parameters
    ----------
    sizes : DataFrame
        From `corpora.class_counts`.

    Returns
    -------
    DataFrame
        Columns dataset, class, samples, expected.
    """
    printed = printed_table(1)[["dataset", "class", "samples"]].rename(columns={"samples": "expected"})
    return sizes[["dataset", "class", "samples"]].merge(
        printed, on=["dataset", "class"], how="left", validate="one_to_one"
    )


def _rank_rows(name: str, groups: tuple[str, ...], labelled: bool = False) -> pd.DataFrame:
    """Averaged ranks, one method a line in the file, as one row per group."""
    lines = _csv(name)
    methods = lines.columns[1]
    rows = []
    for group in groups:
        ranked = lines[lines.group == group].set_index(methods)
        rows.append(
            ({"group": group} if labelled else {})
            | {"dataset": AVERAGE_RANK, "modality": "both"}
            | ranked.average_rank.to_dict()
            | ranked.better_than.add_suffix("_better_than").to_dict()
        )
    return pd.DataFrame(rows)


def _with_verdicts(name: str, table: str, ranks: str = "") -> pd.DataFrame:
    """The rows of a table with the verdicts that could be read, then, if it has any, those of averaged ranks."""
    values, verdicts = _csv(name), _csv(f"{table}_verdicts")
    keys = [column for column in verdicts.columns if column not in ("column", "better_than")]
    wide = verdicts.pivot(index=keys, columns="column", values="better_than").add_suffix("_better_than")
    rows = values.merge(wide.reset_index(), on=keys, how="left")
    return pd.concat([rows, _rank_rows(ranks, ("binary",))], ignore_index=True) if ranks else rows


def _table_7() -> pd.DataFrame:
    ranks = _with_verdicts("table_7_other_classifiers_ranks", "table_7")
    ranks.insert(2, "dataset", AVERAGE_RANK)
    ranks.insert(3, "modality", "both")
    return ranks


PRINTED = {
    "1": lambda: _csv("table_1_datasets"),
    "2": lambda: _rank_rows("table_2_classifiers_ranks", ("binary", "multiclass"), labelled=True),
    "3": lambda: _with_verdicts("table_3_preprocessing_binary", "table_3", "table_3_4_preprocessing_ranks"),
    "4": lambda: _rank_rows("table_3_4_preprocessing_ranks", ("multiclass",)),
    "5": lambda: _with_verdicts("table_5_methods_binary", "table_5", "table_5_6_methods_ranks"),
    "6": lambda: _rank_rows("table_5_6_methods_ranks", ("multiclass",)),
    "7": _table_7,
    "8": lambda: _with_verdicts("table_8_budget_binary", "table_8"),
    "9": lambda: _with_verdicts("table_9_budget_multiclass", "table_9"),
}
