"""Features of one dataset: two matrices and the class of each row, kept in one Parquet file.

No network and no torch are needed to read them; `extraction` makes them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..files.checksums import read_checked
from ..files.errors import Absent, CmcslError
from ..files.paths import features_folder, readable_path, shipped
from ..files.tables import read_table, reading, write_table
from .corpus import RANDOM_STATE, Corpus, Subset, subset
from .dataset_classes import DATASETS, datasets, description, kind
from .items_file import items_path, items_seal

MODALITIES = ("visual", "text")


@dataclass(frozen=True)
class FinetuningItems:
    """Items whose labels the visual network was fine-tuned with; they are no rows of their dataset's features.

    Parameters
    ----------
    ids : ndarray of shape (m,), dtype str
        Identifiers in the corpus.
    y : ndarray of shape (m,), dtype int64
        Class of each, in [0, len(classes)).
    text : ndarray of shape (m, d), dtype float64
        Features of the texts alone: those of the images would be of images that the network knows.
    """

    ids: np.ndarray
    y: np.ndarray
    text: np.ndarray


@dataclass(frozen=True)
class Features:
    """Features of one dataset.

    Parameters
    ----------
    corpus, dataset : str
        Where the rows come from.
    classes : tuple of str
        Class names; `y` indexes them.
    ids : ndarray of shape (n,), dtype str
        Identifier of each row's item in the corpus.
    y : ndarray of shape (n,), dtype int64
        Class of each row, in [0, len(classes)), or -1 where it is not known.
    visual, text : ndarray of shape (n, d), dtype float64
        As many columns as the encoders give: 512 of ResNet-18 and 384 of MiniLM in the paper (Section III).
    metadata : dict
        How the features were made: encoders, versions, start of the visual network, batch size.
    sha256 : str
        SHA-256 of the file that they were read from, empty if they were not read from one.
    items_sha256 : str
        SHA-256 of the corpus's items when the features were made, `items_sha256`; empty for items that are shipped.
    finetuning : FinetuningItems, optional
        None where the visual network was not fine-tuned, or it is not known on what.
    """

    corpus: str
    dataset: str
    classes: tuple[str, ...]
    ids: np.ndarray
    y: np.ndarray
    visual: np.ndarray
    text: np.ndarray
    metadata: dict = field(default_factory=dict)
    sha256: str = ""
    items_sha256: str = ""
    finetuning: FinetuningItems | None = None

    def __post_init__(self):
        where = f"Features of {self.corpus}/{self.dataset}"
        lengths = {name: len(getattr(self, name)) for name in ("ids", "y", *MODALITIES)}
        if len(set(lengths.values())) != 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise CmcslError(f"{where}: all columns must have equally many rows, got {listed}.")
        for modality in MODALITIES:
            _check_matrix(getattr(self, modality), modality, where)
        if len(self.y) and not (-1 <= self.y.min() and self.y.max() < len(self.classes)):
            raise CmcslError(f"{where}: y must lie in 0..{len(self.classes) - 1}, one index per class, or be -1.")

    @property
    def modalities(self) -> tuple[np.ndarray, np.ndarray]:
        """The visual and the text matrix, in the order of `MODALITIES`."""
        return self.visual, self.text

    def labeled(self) -> "Features":
        """The same without the rows whose class is not known."""
        known = self.y >= 0
        if known.all():
            return self
        return replace(self, **{name: getattr(self, name)[known] for name in ("ids", "y", *MODALITIES)})


def _check_matrix(X: np.ndarray, modality: str, where: str) -> None:
    if X.ndim != 2 or not X.shape[1]:
        raise CmcslError(
            f"{where}: the {modality} matrix must have a row per item and at least one column, got shape {X.shape}."
        )
    if not np.isfinite(X).all():
        row = int(np.flatnonzero(~np.isfinite(X).all(axis=1))[0])
        raise CmcslError(f"{where}: the {modality} matrix must be finite, but row {row} holds NaN or infinity.")


def write_features(features: Features, path: Path, *, exact: bool = False) -> None:
    """Write features to a Parquet file, ours as single-precision values rounded to 12 significant bits.

    Rounding changes a value by at most 2**-12 of itself (below 2**-126 by at most 2**-138), and makes the file nearly
    half as large. That is right for the encoders' features, which vary by much more than that around 0; features made
    elsewhere may lie around 100,000 and differ in the last digits. Half precision would not do: three of MiniLM's
    features are below 1e-7, where it keeps next to nothing, and standardisation makes them as large as the others.

    Parameters
    ----------
    features : Features
    path : Path
    exact : bool
        Whether every value comes back as it is: in single precision if that changes none of a matrix, else in double.

    Raises
    ------
    CmcslError
        If a value is to be rounded and beyond the range of single precision.
    """
    items = features.finetuning
    ids, y = (
        getattr(features, name) if items is None else np.concatenate([getattr(features, name), getattr(items, name)])
        for name in ("ids", "y")
    )
    columns = {
        "id": pa.array(ids.astype(str)),
        "label": pa.array(
            [features.classes[index] if index >= 0 else None for index in y], pa.string()
        ).dictionary_encode(),
    }
    for modality in MODALITIES:
        X = getattr(features, modality)
        if items is not None and modality == "text":
            X = np.vstack([X, items.text])
        values = _stored(X, exact)
        _check_matrix(values, modality, f"Features of {features.corpus}/{features.dataset} in single precision")
        cells = pa.array(values.ravel())
        columns[modality] = pa.FixedSizeListArray.from_arrays(cells, values.shape[1])
        if len(values) < len(ids):
            columns[modality] = pa.concat_arrays(
                [columns[modality], pa.nulls(len(ids) - len(values), columns[modality].type)]
            )
    if items is not None:
        columns["finetuning"] = pa.array(np.arange(len(ids)) >= len(features.ids))
    origin: dict[str, object] = {"corpus": features.corpus, "dataset": features.dataset}
    origin |= {"classes": list(features.classes)}
    if features.items_sha256:
        origin["items"] = features.items_sha256
    write_table(
        pa.table(columns),
        path,
        origin | {"extraction": features.metadata},
        compression_level=19,
        use_dictionary=["label"],
        use_byte_stream_split=[f"{modality}.list.element" for modality in MODALITIES],
    )


def _stored(X: np.ndarray, exact: bool) -> np.ndarray:
    """A matrix as its file keeps it: as it is, or with the last 12 of the 23 bits of single precision zero."""
    with np.errstate(over="ignore", under="ignore"):
        single = X.astype(np.float32)
    if exact:
        return single if (single == X).all() else X.astype(np.float64)
    return ((single.view(np.uint32) + np.uint32(1 << 11)) & np.uint32(0xFFFFF000)).view(np.float32)


def read_features(path: Path, command: str = "cmcsl extract CORPUS DATASET") -> Features:
    """Read and check the features that `write_features` wrote.

    Parameters
    ----------
    path : Path
    command : str
        What makes them, for errors.

    Returns
    -------
    Features

    Raises
    ------
    CmcslError
        If the file is missing or damaged, holds NaN, or its columns have unequal lengths.
    """
    if not path.is_file():
        raise Absent(f"There is no features file {readable_path(path)}: make it with `{command}`.")
    with reading(path, "features file", f"make it again with `{command}`"):
        content = read_checked(path)
        table, metadata = read_table(content)
        classes = tuple(metadata["classes"])
        known = "finetuning" in table.column_names
        rows = table.filter(pc.invert(table.column("finetuning"))) if known else table
        others = table.filter(table.column("finetuning")) if known else None
        return Features(
            corpus=metadata["corpus"],
            dataset=metadata["dataset"],
            classes=classes,
            **_named(rows, classes),
            **{modality: _matrix(rows, modality) for modality in MODALITIES},
            metadata=metadata["extraction"],
            sha256=hashlib.sha256(content).hexdigest(),
            items_sha256=metadata.get("items", ""),
            finetuning=None
            if others is None
            else FinetuningItems(**_named(others, classes), text=_matrix(others, "text")),
        )


def _named(table: pa.Table, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Identifier and class of each row."""
    places = {name: place for place, name in enumerate(classes)} | {None: -1}
    labels = table.column("label").to_pylist()
    return {
        "ids": np.array(table.column("id").to_pylist(), dtype=str),
        "y": np.array([places[label] for label in labels], dtype=np.int64),
    }


def _matrix(table: pa.Table, modality: str) -> np.ndarray:
    column = table.column(modality).combine_chunks()
    if column.null_count:
        raise CmcslError(f"The {modality} matrix must be finite, but it has {column.null_count} empty rows.")
    width = column.type.list_size
    return column.flatten().to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, width)


def items_sha256(corpus: str) -> str:
    """SHA-256 that a corpus's items on this machine carry; empty where there are none, or they are shipped."""
    if corpus not in DATASETS:
        seal = description(corpus)["items"]
    else:
        seal = items_seal(corpus) if items_path(corpus).is_file() else ""
    return seal.rpartition(":")[2]


def check_items(features: Features) -> None:
    """Raise `CmcslError` unless features belong to the items that their corpus has now.

    Features of a user's corpus must name their items. Those of a corpus in `DATASETS` need not: what is shipped does
    not, and they may have been made on a machine that has the corpus for one that has not.
    """
    current = items_sha256(features.corpus)
    named = features.items_sha256 or features.corpus not in DATASETS
    if named and current and features.items_sha256 != current:
        ready_made = features.metadata.get("settings", {}).get("start") == "ready-made"
        command = f"cmcsl extract arrays --as {features.corpus}" if ready_made else f"cmcsl extract {features.corpus}"
        raise CmcslError(
            f"The features of {features.corpus}/{features.dataset} belong to other items than the corpus has now: "
            f"make them again with `{command}`."
        )


def features_path(corpus: str, dataset: str, name: str = "default") -> Path:
    """File of a dataset's features: the user's own if there is one, else the one shipped."""
    path = features_folder(corpus, name) / f"{dataset}.parquet"
    ours = shipped() / corpus / "features" / f"{dataset}.parquet"
    return ours if name == "default" and ours.is_file() and not path.is_file() else path


def extracted_datasets(
    corpus: str, names: Iterable[str] | str | None = None, extraction: str = "default"
) -> dict[str, tuple[str, ...]]:
    """Datasets of a corpus that experiments and pages take: those that are named, else those that have features.

    Parameters
    ----------
    corpus : str
        One of `known_corpora`.
    names : iterable of str or str, optional
        As in `datasets`; None means those that have features on this machine, or all where none has: of some
        corpora the scores alone are there.
    extraction : str
        Which features, as in `features_folder`; where no dataset has those, the usual ones count.

    Returns
    -------
    dict of str to tuple of str
        Classes of each dataset.

    Raises
    ------
    CmcslError
        If the corpus or a dataset is unknown.
    """
    known = datasets(corpus, names)
    if names is not None:
        return known
    for which in dict.fromkeys((extraction, "default")):
        if present := {name: known[name] for name in known if features_path(corpus, name, which).is_file()}:
            return present
    return known


def load_features(corpus: str, dataset: str, name: str = "default", *, unlabeled: bool = False) -> Features:
    """Features of a dataset.

    Parameters
    ----------
    corpus, dataset : str
        Names, for example `openclipart` and `AF`.
    name : str
        Which extraction, as `features_folder`.
    unlabeled : bool
        Whether rows whose class is not known come too; experiments have no use for them.

    Returns
    -------
    Features
        Both modalities, row by row, with classes and ids.

    Raises
    ------
    CmcslError
        If the corpus or the dataset is unknown, or its features are missing, damaged, or those of another dataset,
        of other items or of other classes.
    """
    classes = datasets(corpus, [dataset])[dataset]
    path = features_path(corpus, dataset, name)
    command = f"cmcsl extract {corpus} {dataset}" + (f' --name "{name}"' if name != "default" else "")
    features = read_features(path, command)
    if (features.corpus, features.dataset) != (corpus, dataset):
        raise CmcslError(
            f"{path} holds the features of {features.corpus}/{features.dataset}, not those of "
            f"{corpus}/{dataset}: make them again with `{command}`."
        )
    check_items(features)
    if features.classes != classes:
        raise CmcslError(
            f"The features of {corpus}/{dataset} are those of the classes {', '.join(features.classes)}, but the "
            f"dataset now has {', '.join(classes)}: make them again with `{command}`."
        )
    return features if unlabeled else features.labeled()


def divided(corpus: Corpus, dataset: str) -> Subset:
    """A dataset, divided into fine-tuning items and the rest as it was for its features on this machine.

    Parameters
    ----------
    corpus : Corpus
    dataset : str

    Returns
    -------
    Subset

    Raises
    ------
    CmcslError
        As `load_features`, or if one of the classes has no item.
    """
    settings = load_features(corpus.name, dataset).metadata.get("settings", {})
    # The shipped features, and those made elsewhere, name no split: theirs is that of the whole corpus.
    return subset(corpus, dataset, settings.get("split seed", RANDOM_STATE), settings.get("split", "corpus"))


def examples(corpus: str, names: Iterable[str] | str | None = None, each: int = 1) -> list[str]:
    """The first datasets of either kind, binary ones, then multiclass ones.

    Parameters
    ----------
    corpus, names
        As in `extracted_datasets`.
    each : int
        How many of either kind; fewer if there are not so many.

    Returns
    -------
    list of str
    """
    kinds = {name: kind(classes) for name, classes in extracted_datasets(corpus, names).items()}
    binary, multiclass = ([name for name in kinds if kinds[name] == group] for group in ("binary", "multiclass"))
    return binary[:each] + multiclass[:each]
