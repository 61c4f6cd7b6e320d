"""The store of scores: one Parquet file per corpus, protocol, experiment and dataset; written whole or not at all."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from ..files.paths import home, shipped
from ..files.tables import read_keyed, write_table

#: Columns of the tidy table, one row per fitted classifier. FULL, EF and LF have budget 0; EF and LF, one
#: classifier for both modalities, have modality "both"; pseudo_label_accuracy is the share of right labels
#: among the training rows that are not seeds, empty for methods without pseudo-labels.
COLUMNS = (
    "corpus",
    "protocol",
    "dataset",
    "modality",
    "method",
    "preprocessing",
    "classifier",
    "budget",
    "repetition",
    "fold",
    "balanced_accuracy",
    "pseudo_label_accuracy",
)
#: Seeds per class in the paper's experiments.
BUDGETS = tuple(range(1, 21))


def scores_paths(corpus: str, protocol: str, work: int | str, dataset: str) -> tuple[Path, Path]:
    """Where the scores of one dataset may lie: in the user's folder, and among the shipped ones.

    Parameters
    ----------
    corpus, protocol : str
        Names.
    work : int or str
        Number of the experiment, or name of the study.
    dataset : str
        Name.

    Returns
    -------
    own, shipped : Path
        The files need not exist.
    """
    kind = "experiment" if isinstance(work, int) else "study"
    below = Path(protocol) / f"{kind}_{work}" / f"{dataset}.parquet"
    return home() / "scores" / corpus / below, shipped() / corpus / "scores" / below


def write_scores(scores: pd.DataFrame, path: Path, key: dict) -> None:
    """Write scores with the key that says what they were computed from.

    Parameters
    ----------
    scores : DataFrame
        Columns `COLUMNS`, and after them any others of a study.
    path : Path
        Replaced if it exists.
    key : dict
        JSON values; `read_scores` gives the table only to who asks with an equal one.
    """
    ordered = scores[[*COLUMNS, *(column for column in scores if column not in COLUMNS)]]
    write_table(pa.Table.from_pandas(ordered, preserve_index=False), path, key)


def read_scores(path: Path, key: dict | None = None) -> pd.DataFrame | None:
    """Read scores, or None where there are none or they were computed from something else.

    Parameters
    ----------
    path : Path
        Written by `write_scores`.
    key : dict, optional
        Must agree, as far as it says, with the one that they were written with; None takes the scores whatever they
        come from.

    Returns
    -------
    DataFrame or None
        Columns `COLUMNS`, and after them any others of a study.

    Raises
    ------
    CmcslError
        If the file is damaged.
    """
    return read_keyed(path, key or {}, "scores file", "delete it and run `cmcsl run` again", COLUMNS)
