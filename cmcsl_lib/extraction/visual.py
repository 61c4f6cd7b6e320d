"""The image encoder of one corpus: a start, and a fine-tuning on each dataset's 20% (Section III)."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..corpora import RANDOM_STATE, Corpus, Subset, finetuning_split
from ..files.checksums import file_sha256
from ..files.errors import CmcslError, check_choice, check_within
from ..files.paths import home, readable_path, remove_stale
from ..files.progress import progress, tell
from ..method.preprocessing import preprocessor
from . import clusters
from . import training as trainings
from .checkpoints import fingerprint, remove_others, save, saved
from .devices import Place
from .encoders import ImageEncoder, image_encoder
from .extra import nn, torch, versions
from .images import Geometry, Images, corpus_sha256
from .inference import Body, batches, encoded_shard, packed
from .shards import all_parts, from_cluster
from .texts import MINILM, encode_texts, text_encoder
from .training import Trainer, Training, train
from .weights import check_imagenet, fused, network, read_weights

SEED = RANDOM_STATE
#: Most features of a new layer: a wider one takes memory and tells no more.
WIDEST = 10_000
STARTS = ("auto", "imagenet", "pooled", "deepcluster", "xdc")
#: Those whose weights a training without labels makes.
CLUSTERED = ("deepcluster", "xdc")
#: Items whose frozen features one file keeps; whole batches on every device.
BLOCK = 512


@dataclass(frozen=True)
class VisualSettings:
    """What the visual features depend on, apart from the corpus and the machine.

    Parameters
    ----------
    start : {"imagenet", "pooled", "deepcluster", "xdc", "none"}
        Weights that the network starts from: of a file; of one training on the whole corpus's fine-tuning items; or of
        one on clusters of all items' pictures or texts, without labels. "none" goes with an encoder without weights.
    weights : Path, optional
        The file, with "imagenet"; None means the encoder's own.
    name : str
        Of the encoder, in `IMAGE_ENCODERS`.
    seed : int
        Of every random choice.
    split_seed : int
        Of the choice of the fine-tuning items.
    orientation : {"upright", "swapped"}
        As `Geometry`.
    finetuned : bool
        Whether the start is fine-tuned on each dataset; else it gives the features as it is.
    width : int, optional
        Number of features, if they are to come from a new linear layer before the last, which fine-tuning trains too.
    text_encoder : str
        Whose embeddings are grouped with the start "xdc".
    """

    start: str
    weights: Path | None = None
    name: str = "resnet18"
    seed: int = SEED
    split_seed: int = SEED
    orientation: str = "upright"
    finetuned: bool = True
    width: int | None = None
    text_encoder: str = MINILM

    @property
    def encoder(self) -> ImageEncoder:
        """The encoder of the name."""
        return image_encoder(self.name)

    @property
    def training(self) -> Training:
        """Of the fine-tuning."""
        training = trainings.AFTER_POOLED
        if self.start == "imagenet":
            published = trainings.PUBLISHED
            epochs = min(published.epochs, self.encoder.epochs)
            training = dataclasses.replace(published, epochs=epochs, rate=self.encoder.rate)
        return training if self.finetuned else dataclasses.replace(training, epochs=0)

    @property
    def rounds(self) -> int:
        """How often items are grouped to train on their clusters; 0 if they are not."""
        return {"deepcluster": clusters.ROUNDS, "xdc": 1}.get(self.start, 0)

    @property
    def round(self) -> Training:
        """Of the training on clusters of one round, all rounds together as long as the pooled one."""
        return dataclasses.replace(trainings.POOLED, epochs=max(1, trainings.POOLED.epochs // self.rounds))

    @property
    def clustering(self) -> str:
        """All that a training on clusters depends on, apart from the corpus and the machine; else nothing."""
        if not self.rounds:
            return ""
        grouped = f"texts by {text_encoder(self.text_encoder)['sha256']}" if self.start == "xdc" else "pictures"
        return f"{self.start}, {grouped}, {clusters.CLUSTERS} clusters at most, {self.rounds} times {self.round}"

    @property
    def geometry(self) -> Geometry:
        """ImageNet weights go with the geometry of the pictures that they were trained on."""
        pixels, preparation = self.training.pixels, self.encoder.preparation
        if self.start != "imagenet":
            return Geometry(pixels, orientation=self.orientation)
        return Geometry(pixels, preparation.shorter, preparation.interpolation, self.orientation)

    @property
    def file(self) -> Path:
        """File of the weights to start from."""
        return self.weights or self.encoder.weights()


def visual_settings(
    start: str = "auto", weights: Path | None = None, name: str = "resnet18", width: int | None = None, **others: Any
) -> VisualSettings:
    """Settings with the start decided: "auto" takes ImageNet's weights if they are on this machine.

    Raises
    ------
    CmcslError
        If the encoder or the start is unknown, or its weights are missing or not those that their name says, a seed is
        out of range, or a new layer is wanted that is too wide or would not be trained.
    """
    check_choice(start, STARTS, "start")
    encoder = image_encoder(name)
    for option in ("seed", "split_seed"):
        check_within(others.get(option, SEED), 0, 2**32 - 1, f"--{option.replace('_', '-')}")
    _check_start(encoder, name, start, weights, width)
    if not encoder.starts:
        return VisualSettings("none", None, name, **others | {"finetuned": False})
    if width is not None:
        check_within(width, 1, WIDEST, "--width")
        if not others.get("finetuned", True):
            raise CmcslError("--width adds a layer that fine-tuning trains: leave it out, or take --finetune yes.")
    if start == "auto":
        start = "imagenet" if weights or "pooled" not in encoder.starts or encoder.weights().is_file() else "pooled"
    settings = VisualSettings(start, weights, name, width=width, **others)
    if start == "imagenet" and not settings.file.is_file():
        raise CmcslError(
            f"There are no weights at {settings.file}: name a file with --weights, run "
            "`cmcsl fetch imagenet-weights`, or take the start pooled."
        )
    if start == "imagenet" and not weights:
        check_imagenet(settings.file)
    return settings


def _check_start(encoder: ImageEncoder, name: str, start: str, weights: Path | None, width: int | None) -> None:
    """Raise a `CmcslError` unless an encoder can start so."""
    if not encoder.starts and (start != "auto" or weights or width):
        raise CmcslError(f"The image encoder {name} has no weights: leave out --start, --weights and --width.")
    if weights and start not in ("auto", "imagenet"):
        raise CmcslError(f"The start {start} trains its own weights: leave out --weights, or take the start imagenet.")
    if start not in ("auto", *encoder.starts):
        raise CmcslError(
            f"{encoder.title} starts from ImageNet's weights alone: leave out --start, or take another --image-encoder."
        )


class VisualEncoder:
    """The image encoder of one corpus.

    Parameters
    ----------
    corpus : Corpus
    settings : VisualSettings
    place : Place
    sha256 : str, optional
        Of the corpus, if it is known already.
    scheduler : str, optional
        Address of a dask.distributed scheduler, whose workers compute frozen features and embeddings of texts.

    Attributes
    ----------
    weights_sha256 : str
        Of the file of weights that it starts from; empty if it trains its own.
    """

    def __init__(
        self,
        corpus: Corpus,
        settings: VisualSettings,
        place: Place,
        sha256: str | None = None,
        scheduler: str | None = None,
    ):
        self.corpus, self.settings, self.place, self.scheduler = corpus, settings, place, scheduler
        self.sha256 = sha256 or corpus_sha256(corpus)
        self.images = Images(corpus, settings.geometry, self.sha256)
        self.weights_sha256 = file_sha256(settings.file) if settings.start == "imagenet" else ""
        for folder in (home() / "weights", self._checkpoint("", "").parent):
            remove_stale(folder, ".*.part")

    @property
    def weights(self) -> "dict[str, torch.Tensor]":
        """Weights that each fine-tuning starts from."""
        return self.start[0]

    @cached_property
    def start(self) -> "tuple[dict[str, torch.Tensor], list[float]]":
        """Weights to start from, and the losses of the training that made them; trained when first needed."""
        if self.settings.start == "imagenet":
            return self.settings.encoder.renamed(read_weights(self.settings.file)), []
        if self.settings.start == "none":
            return network(self.settings.encoder, 1, None, self.settings.seed).state_dict(), []
        if self.settings.start in CLUSTERED:
            return self._clustered(self.settings.rounds)
        rows = np.flatnonzero(finetuning_split(self.corpus, self.settings.split_seed))
        labels = self.corpus.items.labels.iloc[rows]
        rows, labels = rows[labels.map(len) > 0], labels[labels.map(len) > 0]
        if not len(rows):
            tell(
                f"Start: too few items of {self.corpus.name} have labels to train on, so that the weights stay "
                "random. Better start from ImageNet's: `--image-encoder efficientnet-lite0`."
            )
            return network(self.settings.encoder, 1, None, self.settings.seed).state_dict(), []
        name = fingerprint(rows=rows, training=str(trainings.POOLED), **self._conditions())
        return self._trained_once("pooled", name, lambda checkpoint: self._pooled(rows, labels, checkpoint))

    def _trained_once(
        self, task: str, name: str, make: "Callable[[Path], tuple[dict[str, torch.Tensor], list[float]]]"
    ) -> "tuple[dict[str, torch.Tensor], list[float]]":
        """Weights to start from and the losses of their training, which is done unless its result is kept.

        Parameters
        ----------
        task, name : str
            What it is called, and the fingerprint of all that it depends on.
        make : callable
            Does it, given the file of its checkpoint.
        """
        path = home() / "weights" / f"{self.corpus.name} {task} {name}.pt"
        values = saved(path)
        if values is not None:
            tell(f"Start: the {task} weights in {readable_path(path)}.")
            return values["weights"], values["losses"]
        if path.is_file():
            tell(f"Start: the {task} weights in {readable_path(path)} are damaged, they are trained anew.")
        weights, losses = make(self._checkpoint(f"{task} start", name))
        save({"weights": weights, "losses": losses}, path)
        remove_others(self._checkpoint(f"{task} start", ""))
        tell(f"Start: {task} weights are in {readable_path(path)}.")
        return weights, losses

    def _clustered(self, number: int) -> "tuple[dict[str, torch.Tensor], list[float]]":
        """Weights after some rounds of training on clusters of all items, and the losses of all rounds."""

        def make(checkpoint: Path) -> "tuple[dict[str, torch.Tensor], list[float]]":
            before, losses = self._clustered(number - 1) if number > 1 else (None, [])
            weights, new = self._trained_on_clusters(before, number, checkpoint)
            return weights, losses + new

        name = fingerprint(clustering=self.settings.clustering, **self._conditions())
        return self._trained_once(f"{self.settings.start} {number}", name, make)

    def _trained_on_clusters(
        self, weights: "dict[str, torch.Tensor] | None", number: int, checkpoint: Path
    ) -> "tuple[dict[str, torch.Tensor], list[float]]":
        """Train on the clusters of all items, of their texts or of what the weights make of their pictures."""
        encoder, seed, rows = self.settings.encoder, self.settings.seed, np.arange(len(self.corpus.items))
        if self.settings.start == "xdc":
            device, encoder_of_texts = str(self.place.device), self.settings.text_encoder
            features = encode_texts(self.corpus, device, encoder_of_texts, self.scheduler)
        else:
            features = preprocessor("PCAL2").fit_transform(self.encoded(network(encoder, 1, weights, seed), rows))
        groups = torch.from_numpy(clusters.assigned(features, seed))
        sizes = torch.bincount(groups)
        # So that each group counts alike, as if it was drawn as often as the others.
        loss = nn.CrossEntropyLoss(weight=(len(groups) / len(sizes) / sizes).to(self.place.device))
        untrained = network(encoder, len(sizes), weights, seed)
        trainer = self._trainer(untrained, self.settings.round, len(rows))
        title = f"Training on clusters, round {number} of {self.settings.rounds}"
        losses = train(trainer, self.images, rows, groups, loss, checkpoint, title)
        return {name: value.cpu().contiguous() for name, value in untrained.state_dict().items()}, losses

    def _pooled(
        self, rows: np.ndarray, labels: pd.Series, checkpoint: Path
    ) -> "tuple[dict[str, torch.Tensor], list[float]]":
        names = sorted({name for item in labels for name in item})
        targets = torch.tensor([[float(name in item) for name in names] for item in labels])
        positives = targets.sum(0).clamp(min=1)
        # Square root and cap: a label with five items must not outweigh all the others.
        weight = ((len(targets) - positives) / positives).clamp(max=20).sqrt()
        loss = nn.BCEWithLogitsLoss(pos_weight=weight.to(self.place.device))
        untrained = network(self.settings.encoder, len(names), None, self.settings.seed)
        title = f"Training on all labels of {self.corpus.name}"
        trainer = self._trainer(untrained, trainings.POOLED, len(rows))
        losses = train(trainer, self.images, rows, targets, loss, checkpoint, title)
        return {name: value.cpu().contiguous() for name, value in untrained.state_dict().items()}, losses

    @property
    def training_place(self) -> Place:
        """Where trainings run: in single precision where mixed precision would only cost."""
        slower = self.place.device.type == "cpu" and not self.settings.encoder.mixed_on_cpu
        return dataclasses.replace(self.place, dtype=torch.float32) if slower else self.place

    def _trainer(self, untrained: "nn.Module", training: Training, count: int) -> Trainer:
        preparation = self.settings.encoder.preparation
        return Trainer(untrained, training, count, self.settings.seed, self.training_place, preparation)

    def features(self, subset: Subset) -> tuple[np.ndarray, dict[str, Any]]:
        """Fine-tune on a dataset's 20% and compute the features of its 80%.

        The checkpoint of the fine-tuning stays until `forget`. Without fine-tuning they are those that all datasets
        share, `frozen`.

        Returns
        -------
        features : ndarray of shape (n, width), dtype float32
            The values that enter the last layer.
        description : dict
            Start, settings and mean loss of every epoch.
        """
        weights, start_loss = self.start
        losses: list[float] = []
        # One class alone teaches nothing, and its weight would be 0.
        if self.settings.training.epochs and len(np.unique(subset.finetuning_y)) > 1:
            start = (weights, self.settings.seed, self.settings.width)
            tuned = network(self.settings.encoder, len(subset.classes), *start)
            if self.settings.encoder.fused:
                tuned = fused(tuned)
            losses = self.finetune(tuned, subset)
            features = self.encoded(tuned, subset.rows)
        else:
            features = self.frozen[subset.rows]
        pooled = self.settings.start == "pooled"
        description = {
            "encoder": self.settings.encoder.title,
            "start": "untrained" if pooled and not start_loss else self.settings.start,
            "training": dataclasses.asdict(self.settings.training),
            "finetuning_loss": losses,
            "pooled_loss": start_loss if pooled else [],
        }
        if pooled and start_loss:
            description["pooled_training"] = dataclasses.asdict(trainings.POOLED)
        if self.settings.start in CLUSTERED:
            description |= {"clustering": self.settings.clustering, "clustered_loss": start_loss}
        return features, description

    @cached_property
    def frozen(self) -> np.ndarray:
        """Features of all items of the corpus by the start, of shape (n_items, encoder.width), dtype float32.

        Each item passes through the network once, whichever datasets it is in: all do, whichever datasets are asked
        for, so that an item always has the same neighbours in its batch. They are kept in ``frozen`` in CMCSL_HOME,
        block by block, so that a killed extraction goes on.
        """
        encoder, items = self.settings.encoder, len(self.corpus.items)
        weights = {name: value.numpy() for name, value in self.weights.items()}
        name = fingerprint(weights=weights, **self._conditions())
        folder = home() / "frozen"
        blocks = [np.arange(first, min(first + BLOCK, items)) for first in range(0, items, BLOCK)]
        paths = [
            folder / f"{self.corpus.name} {self.settings.name} {number:06} {name}.pt" for number in range(len(blocks))
        ]

        def compute(missing: list[int]) -> "Iterator[tuple[int, torch.Tensor]]":
            if self.scheduler is None:
                start = network(encoder, 1, self.weights, self.settings.seed)
                return zip(missing, self._encoded(start, [blocks[number] for number in missing]), strict=True)
            return self._of_cluster({number: blocks[number] for number in missing})

        features = all_parts(paths, compute)
        tell(f"Frozen features of {items} items: {readable_path(folder)}")
        return features.numpy()

    def _of_cluster(self, blocks: dict[int, np.ndarray]) -> "Iterator[tuple[int, torch.Tensor]]":
        """Frozen features of blocks of rows, as the workers of a cluster finish them."""
        settings, items = self.settings, self.corpus.items
        common = (settings.name, packed(self.weights), settings.seed, settings.geometry, self.place, self.corpus.name)
        tasks = (
            (number, (*common, pd.Series(items.image.iloc[rows].tolist(), index=items.id.iloc[rows])))
            for number, rows in blocks.items()
        )
        with progress("Features", len(blocks), "blocks") as advance:
            for finished in from_cluster(str(self.scheduler), encoded_shard, tasks, settings.encoder.packages):
                yield finished
                advance()

    def encoded(self, tuned: "nn.Module", rows: np.ndarray) -> np.ndarray:
        """Features of rows of images, of shape (n, width), dtype float32; the network loses its last layers."""
        (features,) = self._encoded(tuned, [rows])
        return features.numpy()

    def _encoded(self, tuned: "nn.Module", blocks: Sequence[np.ndarray]) -> "Iterator[torch.Tensor]":
        """Features of each of several lists of rows."""
        body = Body(tuned, self.settings.encoder, self.place)
        parts = [batches(rows, self.place) for rows in blocks]
        images = self.images.batches(list(itertools.chain.from_iterable(parts)))
        with progress("Features", sum(map(len, parts)), "batches") as advance:

            def features(batch: "torch.Tensor") -> "torch.Tensor":
                encoded = body(batch)
                advance()
                return encoded

            for part in parts:
                yield torch.cat([features(batch) for batch in itertools.islice(images, len(part))])

    def finetune(self, tuned: "nn.Module", subset: Subset) -> list[float]:
        """Train a network on a dataset's 20%, in place; the mean loss of each epoch."""
        y = torch.from_numpy(subset.finetuning_y)
        shares = torch.bincount(y, minlength=len(subset.classes)) / len(y)
        # Section III, "weights corresponding to the ratio of class cardinality".
        loss = nn.CrossEntropyLoss(weight=(1 - shares).to(self.place.device))
        name = fingerprint(
            rows=subset.finetuning_rows,
            y=subset.finetuning_y,
            classes=subset.classes,
            training=str(self.settings.training),
            start=self.settings.start,
            split_seed=self.settings.split_seed,
            pooled=str(trainings.POOLED),
            weights=self.weights_sha256,
            width=self.settings.width,
            fused=self.settings.encoder.fused,
            precision_of_training=self.training_place.precision,
            **self._conditions(),
        )
        checkpoint = self._checkpoint(subset.dataset, name)
        title = f"Fine-tuning on {subset.dataset}"
        trainer = self._trainer(tuned, self.settings.training, len(y))
        return train(trainer, self.images, subset.finetuning_rows, y, loss, checkpoint, title)

    def forget(self, subset: Subset) -> None:
        """Delete the checkpoints of a dataset's fine-tuning, those of other settings too."""
        remove_others(self._checkpoint(subset.dataset, ""))

    def _conditions(self) -> dict[str, Any]:
        """What every training depends on."""
        # Sums are ordered by the number of threads.
        threads = torch.get_num_threads() if self.place.device.type == "cpu" else 0
        return {
            "corpus": self.sha256,
            "encoder": self.settings.name,
            "geometry": str(self.settings.geometry),
            "seed": self.settings.seed,
            "device": self.place.device.type,
            "precision": self.place.precision,
            "threads": threads,
        } | versions(*self.settings.encoder.packages)

    def _checkpoint(self, task: str, name: str) -> Path:
        return home() / "checkpoints" / self.corpus.name / f"{task} {name}.pt"
