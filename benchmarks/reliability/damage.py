"""Damaged files of every kind that the project reads: the right result or a `CmcslError`, and nothing else, in time."""

import hashlib
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import hypothesis
import made_up
import nbformat
import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server import BadServer

from cmcsl_lib import corpora
from cmcsl_lib.book import execution, freshness, schedule
from cmcsl_lib.book.pages import Page, check_parameters
from cmcsl_lib.corpora import download, mm_imdb, user_corpora
from cmcsl_lib.corpora import folder as folder_reader
from cmcsl_lib.corpora.arrays import read_arrays
from cmcsl_lib.corpora.dataset_classes import description_path
from cmcsl_lib.corpora.features import Features, load_features
from cmcsl_lib.corpora.items_file import items_path
from cmcsl_lib.corpora.pictures import decoded
from cmcsl_lib.experiments import published, runs
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.scores import read_scores, scores_paths, write_scores
from cmcsl_lib.extraction import checkpoints, images, weights
from cmcsl_lib.extraction.extra import torch
from cmcsl_lib.files import checksums, paths
from cmcsl_lib.files.errors import CmcslError

STRICT = PROTOCOLS["strict"]
#: Seconds of the processor that one reading may take.
PATIENCE = 30
#: Seconds that it may take in all, beside other work on the machine.
WAITING = 300


class Kind(NamedTuple):
    """A file that is damaged, and how it is read.

    Attributes
    ----------
    path : Path
    read : callable
        Gives what was read, in a form that can be compared.
    checked : bool
        Whether anything but the right result is wrong. What a user gives has no checksum: there any result will do.
    other : bytes
        Another file of the kind, to take its place.
    """

    path: Path
    read: Callable[[], object]
    checked: bool = True
    other: bytes = b""


class Wrong(AssertionError):
    """A result that is not the right one."""


FRACTION = st.floats(0, 1, exclude_max=True)
DAMAGES = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), FRACTION, st.integers(0, 7)),
        st.tuples(st.just("cut"), FRACTION, st.just(0)),
        st.tuples(st.just("overwrite"), FRACTION, st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("insert"), FRACTION, st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("remove"), FRACTION, st.integers(1, 5000)),
        st.tuples(st.just("zeros"), FRACTION, st.integers(1, 5000)),
        st.tuples(st.just("repeat"), FRACTION, st.integers(1, 5000)),
        st.tuples(st.sampled_from(["empty", "swap"]), st.just(0.0), st.just(0)),
    ),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, damages: list[tuple], other: bytes) -> bytes:
    """The content after one damage after the other."""
    for name, fraction, value in damages:
        at = int(fraction * len(content))
        if name == "flip" and content:
            content = content[:at] + bytes([content[at] ^ 1 << value]) + content[at + 1 :]
        elif name == "cut":
            content = content[:at]
        elif name == "overwrite":
            content = content[:at] + value + content[at + len(value) :]
        elif name == "insert":
            content = content[:at] + value + content[at:]
        elif name == "remove":
            content = content[:at] + content[at + value :]
        elif name == "zeros":
            content = content[:at] + bytes(min(value, len(content) - at)) + content[at + value :]
        elif name == "repeat":
            content = content[:at] + content[at : at + value] + content[at:]
        elif name == "empty":
            content = b""
        elif name == "swap":
            content = other
    return content


def outcome(kind: Kind, content: bytes, right: object) -> str:
    """What comes of reading a content: ``told`` by a `CmcslError`, ``right``, or where nothing is checked ``read``.

    Raises
    ------
    Wrong
        If the result is another one than the right one, or too late.
    """
    kind.path.write_bytes(content)
    try:
        with in_time():
            got = kind.read()
    except CmcslError as error:
        if "\n" in str(error):
            raise Wrong(f"more than one line: {error}") from None
        return "told"
    if kind.checked and got != right:
        raise Wrong("another result than the right one")
    return "right" if got == right else "read"


def examine(name: str, kind: Kind, examples: int, seed: int | None = None) -> dict[str, object]:
    """Damage a file again and again, in other ways with another seed.

    Returns
    -------
    dict
        kind, inputs (different from the right one), and how many of them were told, right or read.
    """
    content, right, counts = kind.path.read_bytes(), kind.read(), Counter()

    @drawn_with(seed)
    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(DAMAGES)
    def check(damages: list[tuple]) -> None:
        broken = damaged(content, damages, kind.other)
        if broken != content:
            counts[outcome(kind, broken, right)] += 1

    try:
        check()
    finally:
        kind.path.write_bytes(content)
    return {"kind": name, "inputs": counts.total()} | {each: counts[each] for each in ("told", "right", "read")}


def drawn_with(seed: int | None) -> Callable[[Callable], Callable]:
    """Inputs that hypothesis draws with a seed; without one, the same at every run of one version."""
    return (lambda test: test) if seed is None else hypothesis.seed(seed)


@contextmanager
def in_time() -> Iterator[None]:
    """Raise `Wrong` where something takes longer than `PATIENCE`, or does nothing until `WAITING` is over."""

    def late(*_) -> None:
        raise Wrong(f"no end after {PATIENCE} seconds of the processor, or {WAITING} in all")

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, PATIENCE), (signal.ITIMER_REAL, signal.SIGALRM, WAITING))
    before = {number: signal.signal(number, late) for _, number, _ in timers}
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, number, _ in timers:
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


@contextmanager
def kinds(scratch: Path) -> Iterator[dict[str, Kind]]:
    """One file of each kind in a scratch folder, which CMCSL_HOME and the repository's data are in as well."""
    home, tree = scratch / "home", scratch / "tree"
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, CMCSL_HOME=str(home), NO_PROXY="127.0.0.1"))
        stack.enter_context(mock.patch.object(download, "SCHEME", "http"))
        stack.enter_context(mock.patch.object(download, "ATTEMPTS", 1))
        yield (
            _own_files(home)
            | _extracted(home)
            | _user_files(scratch, home)
            | _own(scratch / "own")
            | _book(scratch, stack)
            | _downloads(scratch, home, stack)
            | _shipped(tree, stack)
        )


def _own_files(home: Path) -> dict[str, Kind]:
    """What the library wrote itself."""
    other = made_up.features(home, "PT", ("people", "transport"), seed=1).read_bytes()
    path = made_up.features(home, rows=40)
    options = {"datasets": "AF", "budgets": (1,)}
    table = runs.load_scores("openclipart", STRICT, **options)
    scores, _ = scores_paths("openclipart", "strict", 3, "AF")
    runs.load_scores("openclipart", PROTOCOLS["paper"], **options)
    of_paper, _ = scores_paths("openclipart", "paper", 3, "AF")
    job = runs.Job("openclipart", "AF", STRICT, 3, ("GNB",), (2,))
    folds = [(repetition, fold) for repetition in range(5) for fold in range(2)]
    for number, pair in enumerate(folds):
        part = table[table[["repetition", "fold"]].eq(pair).all(axis=1)]
        write_scores(part, runs.part_path(job, number), job.key)
    return {
        "features": Kind(path, lambda: _features(load_features("openclipart", "AF")), other=other),
        "scores": Kind(
            scores,
            lambda: _table(runs.load_scores("openclipart", STRICT, compute=False, **options)),
            other=of_paper.read_bytes(),
        ),
        "finished fold": Kind(runs.part_path(job, 3), lambda: _folds(job), other=runs.part_path(job, 4).read_bytes()),
        "corpus store": _store(home),
    }


def _store(home: Path) -> Kind:
    (home / "films.tar").write_bytes(made_up.tar(made_up.films(6), "w"))
    mm_imdb.fetch(home / "films.tar")
    user_corpora.write("other", iter(corpora.load("mm-imdb").items.to_dict("records")), [])
    return Kind(items_path(mm_imdb.NAME), _corpus, other=items_path("other").read_bytes())


def _extracted(home: Path) -> dict[str, Kind]:
    """What extraction keeps; what is damaged there is made anew."""
    corpus = corpora.Corpus("films", corpora.load("mm-imdb").items)
    caches = [images.Images(corpus, images.Geometry(16), sha256) for sha256 in ("this", "another")]

    def squares(cache: images.Images) -> str:
        return _digest(*(cache.image(row).tobytes() for row in range(len(cache))))

    for cache in caches:
        squares(cache)
    trainings = [home / "checkpoints" / f"{name}.pt" for name in ("these", "others")]
    embeddings = [home / "texts" / f"{name}.pt" for name in ("these", "others")]
    for seed, (training, path) in enumerate(zip(trainings, embeddings, strict=True)):
        random = np.random.default_rng(seed)
        checkpoints.save({"weights": torch.from_numpy(random.random((20, 30))), "losses": [0.5]}, training)
        checkpoints.save({"embeddings": torch.from_numpy(random.random((6, 384), dtype=np.float32))}, path)

    def state(path: Path) -> str:
        values = checkpoints.saved(path)
        if values is None:
            raise CmcslError("It is made anew.")
        tensors = [value.numpy().tobytes() for value in values.values() if isinstance(value, torch.Tensor)]
        return _digest(list(values), values.get("losses"), *tensors)

    weights_file = home / "weights.pth"
    torch.save({"layer": torch.zeros(20, 30)}, weights_file)
    return {
        "image cache": Kind(caches[0].path, lambda: squares(caches[0]), other=caches[1].path.read_bytes()),
        "checkpoint": Kind(trainings[0], lambda: state(trainings[0]), other=trainings[1].read_bytes()),
        "text embeddings": Kind(
            embeddings[0],
            lambda: state(embeddings[0]),
            other=embeddings[1].read_bytes(),
        ),
        "weights to start from": Kind(
            weights_file,
            lambda: _digest(*(value.numpy().tobytes() for value in weights.read_weights(weights_file).values())),
            checked=False,
        ),
    }


def _own(folder: Path) -> dict[str, Kind]:
    """Lists and features of users, and what is kept of their corpora."""
    list_of_items = made_up.folder(folder, 8)
    table = pd.read_csv(list_of_items)
    table.to_parquet(folder / "items.parquet")
    arrays = {
        "visual": np.random.default_rng(0).random((8, 3)),
        "text": np.random.default_rng(1).random((8, 2)),
        "label": np.array(["a", "b"] * 4),
    }
    np.savez(folder / "features.npz", **arrays)
    pd.DataFrame({name: list(values) for name, values in arrays.items()}).to_parquet(folder / "features.parquet")
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)

    def items(path: Path) -> object:
        folder_reader.read_folder("given", path)
        return _digest(corpora.datasets("given"), corpora.load("given").items.drop(columns="image").to_json())

    def features(path: Path | None = None, **names: str) -> object:
        return [_features(load_features("ready", each.stem)) for each in read_arrays("ready", path, **names)]

    single = {name: str(folder / f"{name}.npy") for name in arrays}
    folder_reader.read_folder("described", list_of_items)
    folder_reader.read_folder("two", list_of_items, classes={"X": ("even", "odd")})
    return {
        "list of items, CSV": Kind(list_of_items, lambda: items(list_of_items), checked=False),
        "list of items, Parquet": Kind(
            folder / "items.parquet", lambda: items(folder / "items.parquet"), checked=False
        ),
        "features, npz": Kind(folder / "features.npz", lambda: features(folder / "features.npz"), checked=False),
        "features, Parquet": Kind(
            folder / "features.parquet", lambda: features(folder / "features.parquet"), checked=False
        ),
        "features, npy": Kind(folder / "visual.npy", lambda: features(**single), checked=False),
        "description of a corpus": Kind(
            description_path("described"),
            lambda: _digest(corpora.datasets("described")),
            other=description_path("two").read_bytes(),
        ),
    }


def _book(scratch: Path, stack: ExitStack) -> dict[str, Kind]:
    """Settings of the book, its sources, and its executed pages."""
    folder = scratch / "book"
    folder.mkdir()
    settings = [Path(shutil.copy(path, folder)) for path in schedule.SETTINGS]
    stack.enter_context(mock.patch.object(schedule, "SETTINGS", settings))
    notebook = Path(shutil.copy(min((paths.REPOSITORY / "notebooks").glob("0*.ipynb")), folder))
    page = Page(notebook, folder / "executed.ipynb", {"corpus": "openclipart"})
    executed = nbformat.read(notebook, as_version=4)
    executed.metadata["papermill"] = {"start_time": "2026-11-25T00:00:00"}
    # The other kinds change what pages are made from; here it is the page that changes.
    origin = {"data": "what lies there", "parameters": page.parameters}
    stack.enter_context(mock.patch.object(freshness, "page_origin", return_value=origin))
    execution.write_page(executed, page, origin)

    def fresh() -> str:
        if reasons := freshness.stale(page):
            raise CmcslError(f"It is executed again: {', '.join(reasons)}.")
        return "fresh"

    return {
        "settings of the book": Kind(settings[0], schedule.check_settings, checked=False),
        "table of contents": Kind(settings[1], schedule.check_settings, checked=False),
        "notebook": Kind(notebook, lambda: check_parameters(notebook), checked=False),
        "executed notebook": Kind(page.output, fresh),
    }


def _user_files(scratch: Path, home: Path) -> dict[str, Kind]:
    """Archives and films of MM-IMDb, and pictures."""
    archives = scratch / "archives"
    archives.mkdir()
    for name, mode in (
        ("films.tar.gz", "w:gz"),
        ("films.tar.bz2", "w:bz2"),
        ("films.tar.xz", "w:xz"),
        ("films.tar", "w"),
    ):
        (archives / name).write_bytes(made_up.tar(made_up.films(3), mode))
    films = scratch / "films" / "dataset"
    films.mkdir(parents=True)
    for name, content in made_up.films(2).items():
        (films / name).write_bytes(content)
    pictures = {kind: archives / f"picture.{kind.lower()}" for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")}
    for kind, path in pictures.items():
        path.write_bytes(made_up.picture(1, kind, (16, 24)))

    def fetched(source: Path) -> object:
        # Into another home, where nothing is waiting for it.
        with mock.patch.dict(os.environ, CMCSL_HOME=str(home / "fetched")):
            mm_imdb.fetch(source)
            return _corpus()

    return {
        **{
            path.name.removeprefix("films."): Kind(path, lambda path=path: fetched(path), path.suffix != ".tar")
            for path in sorted(archives.glob("films*"))
        },
        "description of a film": Kind(films / "0000000.json", lambda: fetched(films.parent), checked=False),
        "poster": Kind(films / "0000001.jpeg", lambda: fetched(films.parent), checked=False),
        **{
            f"{kind} picture": Kind(path, lambda path=path: decoded(path.read_bytes()).tobytes(), checked=False)
            for kind, path in pictures.items()
        },
    }


def _downloads(scratch: Path, home: Path, stack: ExitStack) -> dict[str, Kind]:
    """Downloads, begun and finished, with what is recorded about them; the published arrays."""
    content = np.random.default_rng(0).bytes(200_000)
    server = stack.enter_context(BadServer({"file": content}))
    stack.callback(server.shutdown)
    path = scratch / "downloads" / "file"
    part, tag = path.with_name("file.part"), path.with_name("file.part.etag")

    def fetched() -> bytes:
        with download.fetched(f"{server.url}file", path) as downloaded:
            return downloaded.read_bytes()

    def resumed() -> bytes:
        for finished in (path, path.with_name("file.sha256")):
            finished.unlink(missing_ok=True)
        part.exists() or part.write_bytes(content[:70_000])
        tag.exists() or tag.write_text(f'"{hash(content)}"')
        return fetched()

    fetched()
    array = scratch / "arrays" / "experiment_1_52.npy"
    array.parent.mkdir()
    np.save(array, np.random.default_rng(0).random((20, 2, 10, 3)))
    known = published.Published(hashlib.sha256(array.read_bytes()).hexdigest(), (20, 2, 10, 3))
    stack.enter_context(mock.patch.dict(published.REGISTRY, {array.name: known}))
    stack.enter_context(mock.patch.dict(os.environ, CMCSL_PUBLISHED_SCORES=str(array.parent)))
    begun = scratch / "begun.etag"
    begun.write_text(f'"{hash(content)}"')

    def with_tag() -> bytes:
        path.parent.mkdir(exist_ok=True)
        part.write_bytes(content[:70_000])
        tag.write_bytes(begun.read_bytes())
        return resumed()

    return {
        "download": Kind(path, fetched),
        "record of a download": Kind(path.with_name("file.sha256"), fetched),
        "tag of a begun download": Kind(begun, with_tag),
        "published array": Kind(array, lambda: _table(published.load_published(1))),
    }


def _shipped(tree: Path, stack: ExitStack) -> dict[str, Kind]:
    """What the repository ships, in a copy with few files."""
    real = paths.shipped()
    names = [
        "openclipart/openclipart.parquet",
        "openclipart/features/HP.parquet",
        "openclipart/scores/strict/experiment_1/HP.parquet",
        "paper/table_1_datasets.csv",
        "paper/table_8_budget_binary.csv",
        "paper/table_8_verdicts.csv",
        "SHA256SUMS",
        "openclipart/features/texts.parquet",
    ]
    for name in names:
        (tree / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(real / name, tree / "data" / name)
    other = {name: (real / name.replace("HP", "AF")).read_bytes() for name in names if "HP" in name}

    def read(get: Callable[[], object]) -> Callable[[], object]:
        def reader() -> object:
            with mock.patch.object(paths, "REPOSITORY", tree):
                checksums._listed.cache_clear()
                try:
                    return get()
                finally:
                    checksums._listed.cache_clear()

        return reader

    printed = read(lambda: [_table(published.printed_table(number)) for number in (1, 8)])
    features = read(lambda: _features(load_features("openclipart", "HP")))
    readers = {
        "shipped corpus": (names[0], read(lambda: _digest(*map(str, corpora.load("openclipart").items.text)))),
        "shipped features": (names[1], features),
        "shipped scores": (
            names[2],
            read(lambda: _table(runs.load_scores("openclipart", STRICT, 1, datasets="HP", compute=False))),
        ),
        "printed table": (names[3], printed),
        "printed verdicts": (names[5], printed),
        "list of checksums": (names[6], lambda: (printed(), features())),
        "shipped texts": (names[7], features),
    }
    return {
        kind: Kind(tree / "data" / name, reader, other=other.get(name, b"other"))
        for kind, (name, reader) in readers.items()
    }


def _digest(*parts: object) -> str:
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part if isinstance(part, bytes) else str(part).encode())
    return sha256.hexdigest()


def _features(features: Features) -> str:
    description = json.dumps(
        [
            features.corpus,
            features.dataset,
            features.classes,
            features.ids.tolist(),
            features.y.tolist(),
            features.metadata,
        ]
    )
    return _digest(description, *(matrix.tobytes() for matrix in features.modalities))


def _table(table: pd.DataFrame) -> str:
    return table.to_csv(index=False)


def _corpus() -> str:
    items = corpora.load("mm-imdb").items
    return _digest(items.drop(columns="image").to_json(), *items.image)


def _folds(job: runs.Job) -> str:
    missing = runs.missing_folds(job)
    if missing:
        raise CmcslError(f"Computed again: {missing}")
    return _digest(*(_table(read_scores(runs.part_path(job, number))) for number in range(10)))
