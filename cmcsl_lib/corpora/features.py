"""Features of one dataset: two matrices and the class of each row, kept in one Parquet file.

No network and no torch are needed to read them; `extraction` makes them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..files.checksums import opened_checked
from ..files.errors import Absent, CmcslError
from ..files.paths import explain_write_errors, features_folder, home, readable_path, shipped
from ..files.tables import reading, write_table, written_metadata
from .corpus import RANDOM_STATE, Corpus, Subset, subset
from .dataset_classes import DATASETS, datasets, description, kind
from .items_file import items_path, items_seal

MODALITIES = ("visual", "text")
#: Of larger values a sum of squares may be infinite, so that lengths and distances would tell nothing.
LARGEST = 1e150
#: Rows that are looked at, written and read together.
STEP = 8192
#: Bytes of one matrix up to which it is read into memory, where nothing but estimators calculates with it.
IN_MEMORY = 2**29
#: Beside the features of datasets that share their texts: the text features of each item, once.
TEXTS = "texts.parquet"
#: Columns that say what a row is; the last one is there where some rows are fine-tuning items.
DESCRIBED = ("id", "label", "finetuning")


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
        As many columns as the encoders give: 512 of ResNet-18 and 384 of MiniLM in the paper (Section III). Where rows
        are many, and nothing but estimators calculates with them, they may be float32.
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

    @property
    def ready_made(self) -> bool:
        """Whether they were made elsewhere; then all items have features."""
        return self.metadata.get("settings", {}).get("start") == "ready-made"

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
    row = unusable_row(X)
    if row is not None:
        raise CmcslError(
            f"{where}: the {modality} matrix must be finite, but row {row} holds NaN, infinity or a number beyond "
            f"{LARGEST:g}."
        )


def unusable_row(X: np.ndarray) -> int | None:
    """The first row of a matrix that holds NaN, or a number beyond `LARGEST` or below its negative, or None."""
    for start in range(0, len(X), STEP):
        # In single precision, the bound itself would be infinite.
        usable = (np.abs(X[start : start + STEP].astype(np.float64, copy=False)) <= LARGEST).all(axis=1)
        if not usable.all():
            return start + int(usable.argmin())
    return None


def write_features(features: Features, path: Path, *, exact: bool = False, texts: str = "") -> None:
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
    texts : str
        SHA-256 of the file of `write_texts` in the same folder where the text features stand; they are left out here.

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
    where = f"Features of {features.corpus}/{features.dataset} in single precision"
    for modality in MODALITIES[: 1 if texts else 2]:
        X = getattr(features, modality)
        if items is not None and modality == "text":
            X = np.vstack([X, items.text])
        columns[modality] = _column(X, modality, where, exact)
        if len(X) < len(ids):
            columns[modality] = pa.concat_arrays(
                [columns[modality], pa.nulls(len(ids) - len(X), columns[modality].type)]
            )
    if items is not None:
        columns["finetuning"] = pa.array(np.arange(len(ids)) >= len(features.ids))
    origin: dict[str, object] = {"corpus": features.corpus, "dataset": features.dataset}
    origin |= {"classes": list(features.classes)}
    if features.items_sha256:
        origin["items"] = features.items_sha256
    if texts:
        origin["texts"] = texts
    _write(pa.table(columns), path, origin | {"extraction": features.metadata}, exact)


def write_texts(ids: np.ndarray, text: np.ndarray, path: Path) -> None:
    """Write the text features of items that several datasets share, rounded as those of `write_features`.

    Parameters
    ----------
    ids : ndarray of shape (n,), dtype str
        Identifiers of the items.
    text : ndarray of shape (n, d), dtype float64
    path : Path
        Named `TEXTS`, in the folder of the datasets' features.
    """
    column = _column(text, "text", "Text features in single precision", exact=False)
    _write(pa.table({"id": pa.array(ids.astype(str)), "text": column}), path, {}, exact=False)


def _column(X: np.ndarray, modality: str, where: str, exact: bool) -> pa.FixedSizeListArray:
    values = _stored(X, exact)
    _check_matrix(values, modality, where)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _write(table: pa.Table, path: Path, metadata: dict[str, object], exact: bool) -> None:
    write_table(
        table,
        path,
        metadata,
        **{"row_group_size": STEP, "compression_level": 1} if exact else {"compression_level": 19},
        use_dictionary=[name for name in table.column_names if name == "label"],
        use_byte_stream_split=[f"{name}.list.element" for name in table.column_names if name in MODALITIES],
    )


def _stored(X: np.ndarray, exact: bool) -> np.ndarray:
    """A matrix as its file keeps it: as it is, or with the last 12 of the 23 bits of single precision zero."""
    with np.errstate(over="ignore", under="ignore"):
        single = X.astype(np.float32, copy=False)
    if exact:
        return single if single is X or (single == X).all() else X.astype(np.float64, copy=False)
    return ((single.view(np.uint32) + np.uint32(1 << 11)) & np.uint32(0xFFFFF000)).view(np.float32)


def read_features(path: Path, command: str = "cmcsl extract CORPUS DATASET", *, as_written: bool = False) -> Features:
    """Read and check the features that `write_features` wrote.

    Parameters
    ----------
    path : Path
    command : str
        What makes them, for errors.
    as_written : bool
        Whether matrices that were written in single precision stay so, instead of becoming double, and those of more
        than `IN_MEMORY` bytes lie in a temporary file that NumPy maps.

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
    with (
        reading(path, "features file", f"make it again with `{command}`"),
        opened_checked(path) as (file, sha256),
        pq.ParquetFile(file) as content,
    ):
        metadata = written_metadata(content.schema_arrow)
        classes = tuple(metadata["classes"])
        described = content.read(columns=[name for name in DESCRIBED if name in content.schema_arrow.names])
        ids = np.array(described.column("id").to_pylist(), dtype=str)
        places = {name: place for place, name in enumerate(classes)} | {None: -1}
        y = np.array([places[label] for label in described.column("label").to_pylist()], dtype=np.int64)
        if "texts" in metadata:
            text = _shared_texts(path.with_name(TEXTS), metadata["texts"], ids, as_written)
        else:
            text = _matrix(content, "text", as_written)
        n, finetuning = len(ids), None
        if "finetuning" in described.column_names:
            # They stand last.
            n -= int(np.count_nonzero(described.column("finetuning")))
            finetuning = FinetuningItems(ids[n:], y[n:], text[n:])
        return Features(
            corpus=metadata["corpus"],
            dataset=metadata["dataset"],
            classes=classes,
            ids=ids[:n],
            y=y[:n],
            visual=_matrix(content, "visual", as_written, n),
            text=text[:n],
            metadata=metadata["extraction"],
            sha256=sha256,
            items_sha256=metadata.get("items", ""),
            finetuning=finetuning,
        )


def _shared_texts(path: Path, sha256: str, ids: np.ndarray, as_written: bool) -> np.ndarray:
    """Text features of items from a file of `write_texts`, which must be the one with this SHA-256."""
    with opened_checked(path) as (file, found), pq.ParquetFile(file) as content:
        if found != sha256:
            raise CmcslError(f"The features belong to another {path.name} than the one beside them.")
        rows = {item: row for row, item in enumerate(content.read(columns=["id"]).column("id").to_pylist())}
        return _matrix(content, "text", as_written)[[rows[item] for item in ids.tolist()]]


def _matrix(content: pq.ParquetFile, modality: str, as_written: bool, rows: int | None = None) -> np.ndarray:
    """The first rows of one matrix, or all, read a part of the file at a time; one that is large stays on disk."""
    kind = content.schema_arrow.field(modality).type
    dtype = np.dtype(kind.value_type.to_pandas_dtype() if as_written else np.float64)
    shape = content.metadata.num_rows if rows is None else rows, kind.list_size
    if as_written and dtype.itemsize * shape[0] * shape[1] > IN_MEMORY:
        # Beside the features, where there is room for as much; the file goes when nobody uses the matrix any more.
        with explain_write_errors(home()), TemporaryFile(dir=home()) as file:
            for part in _parts(content, modality, shape[0]):
                file.write(np.ascontiguousarray(part, dtype).data)
            file.flush()
            return np.asarray(np.memmap(file, dtype, "r", shape=shape))
    X, start = np.empty(shape, dtype), 0
    for part in _parts(content, modality, shape[0]):
        X[start : start + len(part)] = part
        start += len(part)
    return X


def _parts(content: pq.ParquetFile, modality: str, rows: int) -> Iterator[np.ndarray]:
    """The first rows of one matrix, a part of the file at a time."""
    for number in range(content.num_row_groups):
        column = content.read_row_group(number, columns=[modality]).column(modality).combine_chunks()
        column = column.slice(0, rows)
        if column.null_count:
            raise CmcslError(f"The {modality} matrix must be finite, but it has {column.null_count} empty rows.")
        rows -= len(column)
        yield column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)


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
        arrays = f"arrays --as {features.corpus}" if features.ready_made else features.corpus
        raise CmcslError(
            f"The features of {features.corpus}/{features.dataset} belong to other items than the corpus has now: "
            f"make them again with `cmcsl extract {arrays}`."
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


def load_features(
    corpus: str, dataset: str, name: str = "default", *, unlabeled: bool = False, as_written: bool = False
) -> Features:
    """Features of a dataset.

    Parameters
    ----------
    corpus, dataset : str
        Names, for example `openclipart` and `AF`.
    name : str
        Which extraction, as `features_folder`.
    unlabeled : bool
        Whether rows whose class is not known come too; experiments have no use for them.
    as_written : bool
        As for `read_features`.

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
    features = read_features(path, command, as_written=as_written)
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
