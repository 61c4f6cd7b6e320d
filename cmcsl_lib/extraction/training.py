"""Training of a network, kept every few minutes so that it goes on from there if it is killed."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files.paths import readable_path
from ..files.progress import progress, tell
from .checkpoints import save, saved
from .devices import Place
from .encoders import Preparation
from .extra import nn, torch, v2
from .images import Images

#: Seconds of training that a checkpoint of 134 MB is worth; after an epoch that ends sooner none is written.
CHECKPOINT_EVERY = 300


@dataclass(frozen=True)
class Training:
    """Settings of one training.

    Parameters
    ----------
    epochs, batch : int
        No epoch at all leaves the weights as they are.
    optimizer : {"SGD", "AdamW"}
        SGD has momentum 0.9 and a constant rate; AdamW a one-cycle schedule that ends near zero.
    rate : float
        Learning rate, the highest one of the cycle.
    pixels : int
        Side of the square images that enter the network.
    augmented : bool
        Whether images are flipped, turned, scaled and shifted at random.
    """

    epochs: int
    batch: int
    optimizer: str
    rate: float
    pixels: int
    augmented: bool

    def __str__(self) -> str:
        return (
            f"{self.epochs} epochs of batches of {self.batch}, {self.optimizer} at {self.rate}, "
            f"{self.pixels} pixels{', augmented' if self.augmented else ''}"
        )

    def steps(self, count: int) -> int:
        """Batches of an epoch with `count` items."""
        # With AdamW, at 64 pixels, a batch of one or two items would spoil batch normalisation: the incomplete one is
        # left out.
        return math.ceil(count / self.batch) if self.optimizer == "SGD" else max(1, count // self.batch)


#: The published settings, which need ImageNet weights.
PUBLISHED = Training(epochs=30, batch=8, optimizer="SGD", rate=0.001, pixels=224, augmented=False)
#: Settings without ImageNet weights, taken over from the study that chose the corpus; not tuned here.
POOLED = Training(epochs=25, batch=32, optimizer="AdamW", rate=0.001, pixels=64, augmented=True)
AFTER_POOLED = Training(epochs=5, batch=32, optimizer="AdamW", rate=0.0003, pixels=64, augmented=True)


class Trainer:
    """One training: a network, its optimizer and schedule, and the mean loss of each epoch that is done.

    Every random choice of an epoch comes from a generator that is made of the seed and the epoch's number. So the state
    after an epoch is all that the next one needs.

    Parameters
    ----------
    network : nn.Module
        Trained in place.
    training : Training
    count : int
        Items of an epoch.
    seed : int
    place : Place
    preparation : Preparation
        How images enter the network.

    Attributes
    ----------
    losses : list of float
    """

    def __init__(
        self,
        network: "nn.Module",
        training: Training,
        count: int,
        seed: int,
        place: Place,
        preparation: Preparation,
    ):
        self.preparation = preparation
        self.network = place.moved(network).train()
        self.training, self.count, self.seed, self.place = training, count, seed, place
        self.losses: list[float] = []
        self._optimizer: torch.optim.Optimizer
        self._schedule: torch.optim.lr_scheduler.LRScheduler
        if training.optimizer == "SGD":
            self._optimizer = torch.optim.SGD(network.parameters(), lr=training.rate, momentum=0.9)
            self._schedule = torch.optim.lr_scheduler.ConstantLR(self._optimizer, factor=1)
        else:
            self._optimizer = torch.optim.AdamW(network.parameters(), lr=training.rate, weight_decay=1e-4)
            self._schedule = torch.optim.lr_scheduler.OneCycleLR(
                self._optimizer, training.rate, total_steps=training.epochs * training.steps(count) + 1, pct_start=0.2
            )
        # Gradients in half precision would vanish; in the other types this does nothing.
        self._scaler = torch.amp.GradScaler(place.device.type, enabled=place.dtype is torch.float16)
        self._parts = {
            "network": self.network,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
            "scaler": self._scaler,
        }

    def state(self) -> dict:
        """All that the next epoch depends on, apart from the settings; after the last epoch the network alone."""
        parts = self._parts if len(self.losses) < self.training.epochs else {"network": self.network}
        return {name: part.state_dict() for name, part in parts.items()} | {"losses": self.losses}

    def restore(self, state: dict) -> None:
        """Take over what `state` gave."""
        self.losses = list(state["losses"])
        for name in state.keys() & self._parts.keys():
            self._parts[name].load_state_dict(state[name])

    def orders(self) -> list[list[np.ndarray]]:
        """Batches of each epoch that is still to come, as places among the items."""
        return [self._order(epoch) for epoch in range(len(self.losses), self.training.epochs)]

    def _order(self, epoch: int) -> list[np.ndarray]:
        generator = torch.Generator().manual_seed(_drawn(self.seed, epoch, 0))
        batches = torch.randperm(self.count, generator=generator).split(self.training.batch)
        return [places.numpy() for places in batches[: self.training.steps(self.count)]]

    def epoch(self, batches: Iterator[tuple["torch.Tensor", "torch.Tensor"]], loss: "nn.Module") -> None:
        """Train on the batches of one epoch: images as uint8, and their targets."""
        affine = v2.RandomAffine(
            12, translate=(0.08, 0.08), scale=(0.85, 1.15), fill=255, interpolation=v2.InterpolationMode.BILINEAR
        )
        augment, losses = v2.Compose([v2.RandomHorizontalFlip(), affine]), []
        deterministic = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
        with torch.random.fork_rng(devices=[]), deterministic:
            torch.manual_seed(_drawn(self.seed, len(self.losses), 1))
            for images, targets in batches:
                if self.training.augmented:
                    images = torch.stack([augment(image) for image in images])
                losses.append(self._step(images, targets, loss))
        # Fetched together: one by one they would make a GPU wait.
        self.losses.append(round(float(torch.stack(losses).double().mean()), 6))

    def _step(self, images: "torch.Tensor", targets: "torch.Tensor", loss: "nn.Module") -> "torch.Tensor":
        images, targets = self.preparation.normalized(self.place.moved(images)), targets.to(self.place.device)
        with self.place.autocast():
            value = loss(self.network(images), targets)
        self._optimizer.zero_grad()
        self._scaler.scale(value).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        return value.detach()


def _drawn(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def train(
    trainer: Trainer,
    images: Images,
    rows: np.ndarray,
    targets: "torch.Tensor",
    loss: "nn.Module",
    checkpoint: Path,
    title: str,
) -> list[float]:
    """Train on some rows of the images.

    Parameters
    ----------
    trainer : Trainer
    images : Images
    rows : ndarray of shape (n,), dtype int64
    targets : Tensor of shape (n, ...)
        One for each row.
    loss : nn.Module
    checkpoint : Path
        File from which the training goes on if it exists. It is written after an epoch if `CHECKPOINT_EVERY` seconds
        have passed since it was last. Its name must tell everything that the training depends on (`fingerprint`);
        the caller deletes it once the result is kept.
    title : str
        Of the progress bar.

    Returns
    -------
    list of float
        Mean loss of each epoch.
    """
    epochs, steps = trainer.training.epochs, trainer.training.steps(len(rows))
    if (state := saved(checkpoint)) is not None:
        trainer.restore(state)
        tell(f"{title}: goes on after epoch {len(trainer.losses)} of {epochs}.")
    elif checkpoint.is_file():
        tell(f"{title}: the checkpoint {readable_path(checkpoint)} is damaged, the training starts anew.")
    orders, done, written = trainer.orders(), len(trainer.losses) * steps, time.monotonic()
    batches = images.batches([rows[places] for order in orders for places in order])
    with progress(title, epochs * steps, "batches", done) as advance:

        def pairs(order: list[np.ndarray]) -> Iterator[tuple["torch.Tensor", "torch.Tensor"]]:
            for places in order:
                yield next(batches), targets[places]
                advance()

        for order in orders:
            trainer.epoch(pairs(order), loss)
            if time.monotonic() - written >= CHECKPOINT_EVERY:
                save(trainer.state(), checkpoint)
                written = time.monotonic()
    return trainer.losses
