"""Small corpora as users bring them: random pictures with a list of items, and features that are made up."""

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image

from cmcsl_lib.corpora import datasets, folder, load, subset
from cmcsl_lib.corpora.arrays import read_arrays
from cmcsl_lib.corpora.features import Features, items_sha256, write_features
from cmcsl_lib.files.paths import features_folder

#: Names of classes that spreadsheets, browsers, Markdown and Matplotlib would take for something else.
HOSTILE = (
    "=1+1|cmd",
    r"$\undefined$ {{x}}",
    "<!--<script><img src=x onerror=alert(1)> [x](javascript:alert(1)) **b** _",
)


def picture(seed: int, size=(12, 9)) -> bytes:
    """A random picture as the bytes of a PNG file."""
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def write_list(path: Path, rows, header=("image", "text", "label")) -> Path:
    """A CSV file, and a picture for every image that it names within its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_pictures(folder: Path, names) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).write_bytes(picture(seed))


def make_folder(root: Path, name: str, labels, **options):
    """A corpus of one picture per label, read by `folder.read_folder`."""
    names = [f"{name}-{number}.png" for number in range(len(labels))]
    write_pictures(root, names)
    rows = [(image, f"words {number}", label) for number, (image, label) in enumerate(zip(names, labels, strict=True))]
    return folder.read_folder(name, write_list(root / f"{name}.csv", rows), **options)


def made_up(y, width, seed=0):
    """Features around one centre per class; unlabelled rows lie around the first."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(max(y) + 1, width))
    return generator.normal(scale=0.7, size=(len(y), width)) + centres[np.maximum(y, 0)]


def make_features(name: str) -> None:
    """Made-up features for every dataset of a corpus, as extraction would leave them."""
    for dataset in datasets(name):
        dataset_items = subset(load(name), dataset)
        ids = load(name).items.id.to_numpy(dtype=str)[dataset_items.rows]
        write_features(
            Features(
                name,
                dataset,
                dataset_items.classes,
                ids,
                dataset_items.y,
                made_up(dataset_items.y, 6),
                made_up(dataset_items.y, 4, 1),
                {"settings": {"start": "pooled"}},
                items_sha256=items_sha256(name),
            ),
            features_folder(name) / f"{dataset}.parquet",
        )


def binary_corpus(root: Path) -> str:
    """Two binary datasets with pictures, and items without a label."""
    make_folder(root, "two", [*"abcd" * 7, *[""] * 6], classes={"AB": ("a", "b"), "CD": ("c", "d")})
    make_features("two")
    return "two"


def multiclass_corpus(root: Path) -> str:
    """One dataset of three classes with pictures; the classes have hostile names."""
    make_folder(root, "many", HOSTILE * 7)
    make_features("many")
    return "many"


def ready_made_corpus(root: Path) -> str:
    """Two arrays and labels without pictures."""
    y = np.array([0, 1] * 9 + [-1] * 4)
    root.mkdir(parents=True, exist_ok=True)
    np.savez(root / "ready.npz", visual=made_up(y, 5), text=made_up(y, 3, 1), label=y)
    read_arrays("ready", root / "ready.npz")
    return "ready"


CORPORA = {
    "binary datasets only": binary_corpus,
    "one multiclass dataset": multiclass_corpus,
    "ready-made features": ready_made_corpus,
}
