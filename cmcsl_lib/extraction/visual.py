"""ResNet-18 of one corpus: a start, and a fine-tuning on each dataset's 20% (Section III)."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..corpora import RANDOM_STATE, Corpus, Subset, finetuning_split
from ..files.checksums import file_sha256
from ..files.errors import CmcslError, check_choice
from ..files.paths import home, readable_path, remove_stale
from ..files.progress import progress, tell
from . import training as trainings
from .checkpoints import fingerprint, remove_others, save, saved
from .devices import Place
from .extra import nn, torch, versions
from .images import Geometry, Images, corpus_sha256, normalized
from .training import Trainer, Training, train
from .weights import check_imagenet, imagenet_weights, network, read_weights, without_head

SEED = RANDOM_STATE
STARTS = ("auto", "imagenet", "pooled")
#: Images that go through the network together when features are made. A CPU's cache does not hold the maps of more.
BATCHES = {"cpu": 16, "cuda": 128, "mps": 64}


@dataclass(frozen=True)
class VisualSettings:
    """What the visual features depend on, apart from the corpus and the machine.

    Parameters
    ----------
    start : {"imagenet", "pooled"}
        Weights that ResNet-18 starts from: of a file, or of one training on the fine-tuning items of the whole corpus.
    weights : Path, optional
        The file, with "imagenet"; None means torchvision's in torch.hub's folder.
    seed : int
        Of every random choice.
    split_seed : int
        Of the choice of the fine-tuning items.
    orientation : {"upright", "swapped"}
        As `Geometry`.
    finetuned : bool
        Whether the start is fine-tuned on each dataset; else it gives the features as it is.
    """

    start: str
    weights: Path | None = None
    seed: int = SEED
    split_seed: int = SEED
    orientation: str = "upright"
    finetuned: bool = True

    @property
    def training(self) -> Training:
        """Of the fine-tuning."""
        training = trainings.PUBLISHED if self.start == "imagenet" else trainings.AFTER_POOLED
        return training if self.finetuned else dataclasses.replace(training, epochs=0)

    @property
    def geometry(self) -> Geometry:
        """ImageNet weights go with the geometry of their own transforms: shorter side to 256, then the middle."""
        return Geometry(self.training.pixels, self.start == "imagenet", self.orientation)

    @property
    def file(self) -> Path:
        """File of the weights to start from."""
        return self.weights or imagenet_weights()


def visual_settings(start: str = "auto", weights: Path | None = None, **others: Any) -> VisualSettings:
    """Settings with the start decided: "auto" takes ImageNet's weights if they have been downloaded.

    Raises
    ------
    CmcslError
        If the start is unknown, or its weights are missing or not those that torchvision names.
    """
    check_choice(start, STARTS, "start")
    if weights and start == "pooled":
        raise CmcslError("The start pooled trains its own weights: leave out --weights, or take the start imagenet.")
    if start == "auto":
        start = "imagenet" if weights or imagenet_weights().is_file() else "pooled"
    settings = VisualSettings(start, weights, **others)
    if start == "imagenet" and not settings.file.is_file():
        raise CmcslError(
            f"There are no weights at {settings.file}: name a file with --weights, run "
            "`cmcsl fetch imagenet-weights`, or take the start pooled."
        )
    if start == "imagenet" and not weights:
        check_imagenet(settings.file)
    return settings


class VisualEncoder:
    """ResNet-18 of one corpus.

    Parameters
    ----------
    corpus : Corpus
    settings : VisualSettings
    place : Place
    sha256 : str, optional
        Of the corpus, if it is known already.

    Attributes
    ----------
    weights_sha256 : str
        Of the file of weights that it starts from; empty with the start "pooled".
    """

    def __init__(self, corpus: Corpus, settings: VisualSettings, place: Place, sha256: str | None = None):
        self.corpus, self.settings, self.place = corpus, settings, place
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
            return read_weights(self.settings.file), []
        rows = np.flatnonzero(finetuning_split(self.corpus, self.settings.split_seed))
        labels = self.corpus.items.labels.iloc[rows]
        rows, labels = rows[labels.map(len) > 0], labels[labels.map(len) > 0]
        if not len(rows):
            tell(
                f"Start: too few items of {self.corpus.name} have labels to train on, so that the weights stay "
                "random. Better start from ImageNet's: `cmcsl fetch imagenet-weights`."
            )
            return network(1, None, self.settings.seed).state_dict(), []
        name = fingerprint(rows=rows, training=str(trainings.POOLED), **self._conditions())
        path = home() / "weights" / f"{self.corpus.name} pooled {name}.pt"
        values = saved(path)
        if values is not None:
            tell(f"Start: the pooled weights in {readable_path(path)}.")
            return values["weights"], values["losses"]
        if path.is_file():
            tell(f"Start: the pooled weights in {readable_path(path)} are damaged, they are trained anew.")
        weights, losses = self._pooled(rows, labels, self._checkpoint("pooled start", name))
        save({"weights": weights, "losses": losses}, path)
        remove_others(self._checkpoint("pooled start", ""))
        tell(f"Start: pooled weights are in {readable_path(path)}.")
        return weights, losses

    def _pooled(
        self, rows: np.ndarray, labels: pd.Series, checkpoint: Path
    ) -> "tuple[dict[str, torch.Tensor], list[float]]":
        names = sorted({name for item in labels for name in item})
        targets = torch.tensor([[float(name in item) for name in names] for item in labels])
        positives = targets.sum(0).clamp(min=1)
        # Square root and cap: a label with five items must not outweigh all the others.
        weight = ((len(targets) - positives) / positives).clamp(max=20).sqrt()
        loss = nn.BCEWithLogitsLoss(pos_weight=weight.to(self.place.device))
        resnet = network(len(names), None, self.settings.seed)
        title = f"Training on all labels of {self.corpus.name}"
        trainer = Trainer(resnet, trainings.POOLED, len(rows), self.settings.seed, self.place)
        losses = train(trainer, self.images, rows, targets, loss, checkpoint, title)
        return {name: value.cpu().contiguous() for name, value in resnet.state_dict().items()}, losses

    def features(self, subset: Subset) -> tuple[np.ndarray, dict[str, Any]]:
        """Fine-tune on a dataset's 20% and compute the 512 features of its 80%.

        The checkpoint of the fine-tuning stays until `forget`.

        Returns
        -------
        features : ndarray of shape (n, 512), dtype float32
            The values that enter the last layer.
        description : dict
            Start, settings and mean loss of every epoch.
        """
        weights, pooled_loss = self.start
        resnet = network(len(subset.classes), weights, self.settings.seed)
        # One class alone teaches nothing, and its weight would be 0.
        trainable = self.settings.training.epochs and len(np.unique(subset.finetuning_y)) > 1
        losses = self.finetune(resnet, subset) if trainable else []
        pooled = self.settings.start == "pooled"
        description = {
            "encoder": "ResNet-18",
            "start": "untrained" if pooled and not pooled_loss else self.settings.start,
            "training": dataclasses.asdict(self.settings.training),
            "finetuning_loss": losses,
            "pooled_loss": pooled_loss,
        }
        if pooled_loss:
            description["pooled_training"] = dataclasses.asdict(trainings.POOLED)
        return self.encoded(resnet, subset.rows), description

    def encoded(self, resnet: "nn.Module", rows: np.ndarray) -> np.ndarray:
        """Features of rows of images, of shape (n, 512), dtype float32; the ResNet-18 loses its last layers."""
        # The mean over places is taken here instead of in the network, to have it in single precision.
        resnet = self.place.moved(without_head(resnet))
        size = BATCHES[self.place.device.type]
        parts = np.split(rows, range(size, len(rows), size))
        features = []
        with progress("Features", len(parts), "batches") as advance, torch.inference_mode(), self.place.autocast():
            for batch in self.images.batches(parts):
                maps = resnet(normalized(self.place.moved(batch))).unflatten(1, (512, -1))
                features.append(maps.float().mean(-1).cpu())
                advance()
        return torch.cat(features).numpy()

    def finetune(self, resnet: "nn.Module", subset: Subset) -> list[float]:
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
            **self._conditions(),
        )
        checkpoint = self._checkpoint(subset.dataset, name)
        title = f"Fine-tuning on {subset.dataset}"
        trainer = Trainer(resnet, self.settings.training, len(y), self.settings.seed, self.place)
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
            "geometry": str(self.settings.geometry),
            "seed": self.settings.seed,
            "device": self.place.device.type,
            "precision": self.place.precision,
            "threads": threads,
        } | versions()

    def _checkpoint(self, task: str, name: str) -> Path:
        return home() / "checkpoints" / self.corpus.name / f"{task} {name}.pt"
