"""Images and texts to features (Section III): the one package that uses torch.

Nothing here opens a network connection, apart from `fetch_imagenet_weights`. What takes long is kept in CMCSL_HOME:
``images`` holds images as they enter the network, ``texts`` embeddings, ``frozen`` features without fine-tuning,
``weights`` the weights of pooled trainings, ``checkpoints`` unfinished trainings.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..corpora import Corpus, datasets, load, subset
from ..corpora.features import (
    Features,
    FinetuningItems,
    check_items,
    items_sha256,
    read_features,
    write_features,
)
from ..corpora.items_file import items_path
from ..files.errors import CmcslError, check_choice
from ..files.paths import home, locked, readable_path, target
from ..files.progress import tell
from ..files.workers import check_scheduler
from . import extra
from . import training as trainings
from .devices import Place, place
from .encoders import IMAGE_ENCODERS, ImageEncoder, Preparation
from .images import ORIENTATIONS, Geometry, Images, corpus_sha256
from .texts import BATCH, MINILM, encode_texts, text_weights
from .texts import text_encoder as text_description
from .training import Trainer
from .transformations import TRANSFORMATIONS
from .transformations import pictures as pictures_from_texts
from .visual import SEED, STARTS, VisualEncoder, VisualSettings, visual_settings
from .weights import fetch_imagenet_weights, imagenet_weights

__all__ = [
    "IMAGE_ENCODERS",
    "SEED",
    "Geometry",
    "ImageEncoder",
    "Images",
    "Place",
    "Preparation",
    "Trainer",
    "VisualEncoder",
    "VisualSettings",
    "corpus_sha256",
    "encode_texts",
    "extract",
    "fetch_imagenet_weights",
    "imagenet_weights",
    "place",
    "text_weights",
    "visual_settings",
]


def extract(
    corpus: str,
    names: Iterable[str] | None = None,
    *,
    image_encoder: str = "auto",
    text_encoder: str = MINILM,
    start: str = "auto",
    folder: Path | None = None,
    seed: int = SEED,
    split_seed: int = SEED,
    device: str = "auto",
    precision: str = "auto",
    weights: Path | None = None,
    orientation: str = "upright",
    finetuned: bool = True,
    width: int | None = None,
    pictures: str = "own",
    scheduler: str | None = None,
) -> list[Path]:
    """Make the features of datasets and write one file for each.

    A file that was made with the same settings from the same corpus is left as it is.

    Parameters
    ----------
    corpus : str
    names : iterable of str, optional
        Datasets; None means all of the corpus.
    image_encoder : str
        A name in `IMAGE_ENCODERS`; "auto" takes `default_image_encoder`.
    text_encoder : str
        "minilm", which is all-MiniLM-L6-v2; "tf-idf", which weighs terms; or the path of a folder with a model of
        sentence-transformers.
    start : {"auto", "imagenet", "pooled", "deepcluster", "xdc"}
        Weights that the image encoder starts from: ImageNet's, or, of ResNet-18, those of one training on the whole
        corpus's fine-tuning items, or on clusters of all its pictures ("deepcluster") or texts ("xdc"), which needs no
        labels. "auto" takes ImageNet's if they are on this machine.
    folder : Path, optional
        Where files go; default ``features/CORPUS`` in CMCSL_HOME.
    seed : int
        Of every random choice: the same seed gives the same features on the same machine, with equally many threads.
    split_seed : int
        Of the choice of the 20% that the visual network is trained on; 1410 is the published one.
    device : {"auto", "cpu", "cuda", "mps"}
    precision : {"auto", "single", "mixed"}
        Of the visual network, as `place`; texts are encoded in single precision.
    weights : Path, optional
        File of the image encoder's weights to start from, instead of ImageNet's in torch.hub's folder or a package.
    orientation : {"upright", "swapped"}
        "swapped" feeds images with height and width swapped, as the published code did.
    finetuned : bool
        Whether the visual network is trained on each dataset; else the start gives the features as it is.
    width : int, optional
        Number of visual features, if they are to come from a new linear layer before the last, trained with the
        network.
    pictures : {"own", "sentence-space", "encoding", "sonification"}
        What the visual network sees: the corpus's own pictures, or those that `transformations` makes from its texts.
    scheduler : str, optional
        Address of a dask.distributed scheduler, whose workers encode pictures and texts, with the same result bit for
        bit where their processors are alike; without fine-tuning alone.

    Returns
    -------
    list of Path
        Files with the features, in the catalogue's order.

    Raises
    ------
    CmcslError
        If a name is unknown, weights can't be had, the extra is not installed, the cluster can't be used, or another
        process replaces the items of the corpus meanwhile.
    """
    check_choice(start, STARTS, "start")
    check_choice(orientation, ORIENTATIONS, "orientation")
    check_choice(pictures, ("own", *TRANSFORMATIONS), "kind of pictures")
    _check_scheduler(scheduler, finetuned)
    if not (wanted := datasets(corpus, names)):
        raise CmcslError(f"No dataset was named: choose from {', '.join(datasets(corpus))}.")
    where = place(device, precision)
    visual = visual_settings(
        start,
        weights,
        default_image_encoder(corpus, start, weights) if image_encoder == "auto" else image_encoder,
        width,
        seed=seed,
        split_seed=split_seed,
        orientation=orientation,
        finetuned=finetuned,
        text_encoder=text_encoder,
    )
    language = text_description(text_encoder)
    # Before the corpus is read: if it is replaced meanwhile, features are refused, not taken for those of other items.
    items = items_sha256(corpus)
    loaded = load(corpus)
    if not loaded.has_images:
        raise CmcslError(
            f"The corpus {corpus} has no images and texts, only features that were made elsewhere: "
            "nothing can be extracted."
        )
    seen = loaded
    if pictures != "own":
        images = pd.Series(list(pictures_from_texts(loaded, pictures, text_encoder)), index=loaded.items.index)
        # Under another name, so that what is kept of the corpus's own pictures stays.
        seen = Corpus(f"{corpus} {pictures}", loaded.items.assign(image=images))
    # A training that pools the datasets must not see any of their 80%; else each is split by itself, as published.
    split = "corpus" if visual.start == "pooled" else "dataset"
    encoder = VisualEncoder(seen, visual, where, scheduler=scheduler)
    settings = _settings(encoder, split, language)
    if pictures != "own":
        settings["pictures"] = f"made from texts, {pictures}"
    paths = {name: (folder or home() / "features" / corpus) / f"{name}.parquet" for name in wanted}
    # All are divided before anything takes long: a class may be too small.
    subsets = [
        subset(loaded, name, split_seed, split)
        for name, path in paths.items()
        if not _is_current(path, settings, wanted[name], items)
    ]
    if visual.finetuned and (bare := [each.dataset for each in subsets if len(np.unique(each.finetuning_y)) < 2]):
        too_few = f"Too few labelled items to fine-tune {visual.encoder.title} for {', '.join(bare)}"
        if width:
            raise CmcslError(f"{too_few}: leave out --width, since its new layer would not be trained.")
        tell(f"{too_few}: its weights stay those that it starts from, {visual.start}.")
    if not subsets:
        return list(paths.values())
    texts = encode_texts(loaded, str(where.device), text_encoder, scheduler)
    ids = loaded.items.id.to_numpy(dtype=str)
    for number, each in enumerate(subsets, start=1):
        tell(f"{each.dataset}: dataset {number} of {len(subsets)}")
        images, description = encoder.features(each)
        metadata = {"settings": settings, "visual": description, "text": language}
        matrices = {"visual": images.astype(np.float64), "text": texts[each.rows].astype(np.float64)}
        finetuning = None
        if description["finetuning_loss"]:
            rows = each.finetuning_rows
            finetuning = FinetuningItems(ids[rows], each.finetuning_y, texts[rows].astype(np.float64))
        features = Features(
            each.corpus,
            each.dataset,
            each.classes,
            ids[each.rows],
            each.y,
            metadata=metadata,
            **matrices,
            items_sha256=items,
            finetuning=finetuning,
        )
        path = paths[each.dataset]
        _write(features, path)
        encoder.forget(each)
        tell(f"{each.dataset}: features are in {readable_path(path)}")
    return list(paths.values())


def _check_scheduler(scheduler: str | None, finetuned: bool) -> None:
    """Raise a `CmcslError` if there is to be a cluster and it does not answer, or could not share the work."""
    if scheduler is None:
        return
    if finetuned:
        raise CmcslError("--scheduler shares out features that no fine-tuning comes before: add --finetune no.")
    check_scheduler(scheduler)


def default_image_encoder(corpus: str, start: str = "auto", weights: Path | None = None) -> str:
    """The image encoder of a corpus unless another is named.

    EfficientNet-Lite0 knows ImageNet, and its weights come with the extra. ResNet-18, the paper's encoder, is that of
    the paper's corpus, and of a start or of weights that are named.
    """
    named = start != "auto" or weights is not None
    return "resnet18" if corpus == "mm-imdb" or named else "efficientnet-lite0"


def _settings(encoder: VisualEncoder, split: str, language: dict[str, str | int]) -> dict[str, Any]:
    """All that features depend on, as metadata keep it."""
    visual, where = encoder.settings, encoder.place
    pooled = visual.start == "pooled"
    return (
        {"corpus": encoder.sha256, "seed": visual.seed, "split": split, "split seed": visual.split_seed}
        | extra.versions(*visual.encoder.packages)
        | {
            "image encoder": visual.name,
            "text encoder": language["encoder"],
            "device": where.device.type,
            "precision": where.precision,
            "start": visual.start,
            "start weights": encoder.weights_sha256 or visual.start,
            "pooled training": str(trainings.POOLED) if pooled else "none",
            "fine-tuning": str(visual.training) if visual.finetuned else "none",
            "new layer": visual.width or "none",
            "normalizations": "as they were" if visual.encoder.fused or not visual.finetuned else "trained",
            "precision of training": encoder.training_place.precision,
            "images": str(visual.geometry),
            "visual batch": visual.training.batch,
            "text batch": BATCH,
            "text weights": language["sha256"],
        }
        | ({"clustering": visual.clustering} if visual.clustering else {})
    )


def _write(features: Features, path: Path) -> None:
    """Write features unless the corpus has been replaced: they would take the place of those of its new items."""
    with locked(items_path(features.corpus).parent) if features.items_sha256 else nullcontext():
        check_items(features)
        write_features(features, path)


def _is_current(path: Path, settings: dict[str, Any], classes: tuple[str, ...], items: str) -> bool:
    """Whether a file holds features of the same classes and settings; says why not, raises if it can't be written."""
    target(path)
    if not path.is_file():
        return False
    try:
        features = read_features(path)
    except CmcslError as error:
        tell(f"{path.stem}: made again, since its file is damaged: {error}")
        return False
    written = features.metadata.get("settings", {}) | {"classes": features.classes}
    settings = settings | {"classes": classes}
    if written == settings:
        try:
            check_items(features)
        except CmcslError:
            # The settings hold the checksum of the content, which is the same, though its file has other bytes.
            _write(replace(features, items_sha256=items), path)
        tell(f"{path.stem}: made before with the same settings, {readable_path(path)}")
        return True
    different = sorted(name for name in written.keys() | settings.keys() if written.get(name) != settings.get(name))
    tell(f"{path.stem}: made again, since it was made with other settings: {', '.join(different)}.")
    return False
