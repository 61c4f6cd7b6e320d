"""Small inputs of every kind, made from seeds."""

import csv
import gzip
import hashlib
import io
import json
import tarfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

from cmcsl_lib.corpora.features import Features, write_features

#: Names and shapes of made-up published arrays.
ARRAYS = {f"made_up_{number}.npy": (40, 50, 60) for number in range(4)}


def picture(seed: int, kind: str = "JPEG", size: tuple[int, int] = (60, 90)) -> bytes:
    """An image file; its colour depends on the seed's parity."""
    pixels = np.random.default_rng(seed).integers(0, 120, (*size[::-1], 3), dtype=np.uint8)
    pixels[..., seed % 2] += 100
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def films(count: int) -> dict[str, bytes]:
    """Files of MM-IMDb: descriptions and posters of films that are Horror or Romance."""
    files = {}
    for number in range(count):
        description = {
            "title": f"Film {number}",
            "genres": [("Horror", "Romance")[number % 2]],
            "plot": [f"The plot of film {number}, {('a ghost', 'a wedding')[number % 2]}."],
        }
        files |= {f"{number:07}.json": json.dumps(description).encode(), f"{number:07}.jpeg": picture(number)}
    return files


def tar(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """An archive as that of MM-IMDb; equal files give equal bytes."""
    archived = io.BytesIO()
    # gzip would write the time into its head.
    packed = gzip.GzipFile(fileobj=archived, mode="wb", mtime=0) if mode == "w:gz" else nullcontext(archived)
    with packed as file, tarfile.open(fileobj=file, mode="w" if mode == "w:gz" else mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"mmimdb/dataset/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return archived.getvalue()


def arrays() -> dict[str, bytes]:
    """Published arrays, as .npy files."""
    archives = {}
    for number, (name, shape) in enumerate(ARRAYS.items()):
        content = io.BytesIO()
        np.save(content, np.random.default_rng(number).random(shape))
        archives[name] = content.getvalue()
    return archives


def registry(files: dict[str, bytes]) -> str:
    """SHA-256 and shape of `arrays`, as JSON for child.py."""
    return json.dumps({name: (hashlib.sha256(content).hexdigest(), ARRAYS[name]) for name, content in files.items()})


def features(
    home: Path, dataset: str = "AF", classes: tuple[str, ...] = ("animal", "food"), rows: int = 120, seed: int = 0
) -> Path:
    """Write features of openclipart's dataset as the user's own."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % len(classes)
    matrices = [random.normal(size=(rows, width)) + 0.3 * y[:, None] for width in (512, 384)]
    path = home / "features" / "openclipart" / f"{dataset}.parquet"
    write_features(Features("openclipart", dataset, classes, np.arange(rows).astype(str), y, *matrices), path)
    return path


def folder(path: Path, count: int = 24) -> Path:
    """Write images and the list of them that `cmcsl extract folder` takes; the list's path."""
    path.mkdir(parents=True)
    with (path / "items.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "image", "text", "label"))
        for number in range(count):
            (path / f"{number}.jpg").write_bytes(picture(number))
            rows.writerow((number, f"{number}.jpg", f"Words about {number}", ("even", "odd")[number % 2]))
    return path / "items.csv"
