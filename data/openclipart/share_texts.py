"""Keep the text features of the shipped datasets once, instead of once for each dataset that an item belongs to.

python data/openclipart/share_texts.py data/openclipart/features

Takes the files that `cmcsl extract openclipart --to FOLDER` has written there and prints their SHA-256 for the README.
"""

import sys
from pathlib import Path

import numpy as np

from cmcsl_lib.corpora.dataset_classes import DATASETS
from cmcsl_lib.corpora.features import TEXTS, read_features, write_features, write_texts
from cmcsl_lib.files.checksums import file_sha256

folder = Path(sys.argv[1])
paths = [folder / f"{name}.parquet" for name in DATASETS["openclipart"]]
features = [read_features(path) for path in paths]
parts = [part for each in features for part in (each, each.finetuning) if part is not None]
ids, first, places = np.unique(np.concatenate([part.ids for part in parts]), return_index=True, return_inverse=True)
texts = np.vstack([part.text for part in parts])
if not np.array_equal(texts[first][places], texts):
    raise SystemExit(f"An item of {folder} has different texts in different datasets: extract them all at once.")
write_texts(ids, texts[first], folder / TEXTS)
sha256 = file_sha256(folder / TEXTS)
for each, path in zip(features, paths, strict=True):
    write_features(each, path, texts=sha256)
for path in (folder / TEXTS, *paths):
    print(f"| {path.name} | `{file_sha256(path)}` |")
