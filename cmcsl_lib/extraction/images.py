"""Images of a corpus as they enter a network: decoded and resized once, kept on disk, read batch by batch."""

import hashlib
import json
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from ..corpora import Corpus
from ..corpora.pictures import decoded
from ..files.errors import CmcslError, check_choice
from ..files.paths import home, readable_path
from .extra import torch, torchvision, v2, versions

ORIENTATIONS = ("upright", "swapped")
#: Processes that read ahead of the network, and batches that each holds ready.
WORKERS, AHEAD = min(2, os.cpu_count() or 1), 2
CHECKSUM_BYTES = 4


def corpus_sha256(corpus: Corpus) -> str:
    """SHA-256 of everything that features depend on: ids, texts, labels and images, in their order."""
    digest, items = hashlib.sha256(), corpus.items
    # Row by row, since images that lie on disk would not fit into memory together.
    for row in tqdm(range(len(items)), desc=f"Checksum of {corpus.name}", unit="item", leave=False, disable=None):
        image = items.image.iloc[row]
        told = [str(items.id.iloc[row]), str(items.text.iloc[row]), list(map(str, items.labels.iloc[row])), len(image)]
        digest.update(json.dumps(told).encode())
        digest.update(image)
    return digest.hexdigest()


@dataclass(frozen=True)
class Geometry:
    """How an image becomes a square one.

    Parameters
    ----------
    pixels : int
        Side of the square.
    cropped : bool
        Cut out of the middle, as torchvision's own transforms for the ImageNet weights do it; else stretched.
    orientation : {"upright", "swapped"}
        "swapped" feeds images with height and width swapped, as the published code did.
    """

    pixels: int
    cropped: bool
    orientation: str = "upright"

    def __post_init__(self):
        check_choice(self.orientation, ORIENTATIONS, "orientation")

    def __str__(self):
        return f"{self.pixels} {'cropped' if self.cropped else 'stretched'} {self.orientation}"

    def applied(self, image: Image.Image) -> np.ndarray:
        """An upright RGB image as an array of shape (pixels, pixels, 3), dtype uint8."""
        if self.orientation == "swapped":
            image = image.transpose(Image.Transpose.TRANSPOSE)
        return np.asarray(self._transform()(image))

    def _transform(self) -> "v2.Transform":
        # Of PIL images, which are smoothed as they are made smaller (antialias).
        if not self.cropped:
            return v2.Resize((self.pixels, self.pixels))
        its = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
        return v2.Compose(
            [
                v2.Resize(its.resize_size, interpolation=its.interpolation, antialias=its.antialias),
                v2.CenterCrop(self.pixels),
            ]
        )


class Images:
    """Images of a corpus, in a file of rows under ``images`` in CMCSL_HOME.

    Each row ends with a checksum, so that one that is missing, damaged, half-written or of another file is decoded
    again. The file's name tells the corpus's content and the transform; files of other contents are deleted, so that
    there is one for each corpus and geometry. Several processes may use it at a time: they can only write the same
    rows.

    Parameters
    ----------
    corpus : Corpus
    geometry : Geometry
    sha256 : str
        Of the corpus, `corpus_sha256`.
    """

    def __init__(self, corpus: Corpus, geometry: Geometry, sha256: str):
        self._corpus, self._geometry = corpus, geometry
        self._shape = (geometry.pixels, geometry.pixels, 3)
        made_by = versions()
        told = json.dumps([sha256, str(geometry), made_by["pillow"], made_by["torchvision"]])
        stem = f"{corpus.name} {geometry}"
        self.path = home() / "images" / f"{stem} {hashlib.sha256(told.encode()).hexdigest()[:16]}.rows"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for other in self.path.parent.glob("*.rows"):
            if other.name.rpartition(" ")[0] == stem and other != self.path:
                _delete(other)

    def __len__(self):
        return len(self._corpus.items)

    def __getitem__(self, row: int) -> "np.ndarray | CmcslError":
        """One image, uint8, of shape (pixels, pixels, 3).

        An error is returned rather than raised: out of a worker it would come as another one, with a traceback.
        """
        try:
            return self.image(row)
        except CmcslError as error:
            return error

    def image(self, row: int) -> np.ndarray:
        """One image.

        Raises
        ------
        CmcslError
            If it can't be decoded, or the disk of CMCSL_HOME is full.
        """
        kept = self._kept(row)
        if kept is None:
            kept = self._made(row)
            self._keep(row, kept)
        return kept

    def batches(self, rows: Sequence[np.ndarray]) -> Iterator["torch.Tensor"]:
        """Images of each of several lists of rows, uint8, of shape (n, 3, pixels, pixels).

        Worker processes read, and decode what is not there yet, while the network computes. They are forked, since
        elsewhere the corpus would have to be copied to them; where the system can't, there are none.
        """
        workers = WORKERS if sys.platform == "linux" else 0
        loader = torch.utils.data.DataLoader(
            self,
            batch_sampler=[its.tolist() for its in rows],
            num_workers=workers,
            collate_fn=_collated,
            multiprocessing_context="fork" if workers else None,
            prefetch_factor=AHEAD if workers else None,
            # Workers are given seeds, which must not come from the caller's generator.
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, CmcslError):
                raise batch
            yield torch.from_numpy(batch).permute(0, 3, 1, 2)

    def _offset(self, row: int) -> int:
        return row * (int(np.prod(self._shape)) + CHECKSUM_BYTES)

    def _kept(self, row: int) -> np.ndarray | None:
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self._offset(row))
                content = file.read(self._offset(1))
        except FileNotFoundError:
            return None
        image, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
        if len(content) != self._offset(1) or self._checksum(row, image) != checksum:
            return None
        return np.frombuffer(image, dtype=np.uint8).reshape(self._shape)

    def _keep(self, row: int, image: np.ndarray) -> None:
        content = image.tobytes()
        try:
            # Not "ab", which would write at the end, nor "wb", which would empty the file.
            with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644), "wb") as file:  # noqa: PTH123
                file.seek(self._offset(row))
                file.write(content + self._checksum(row, content))
        except OSError as error:
            raise CmcslError(
                f"Images can't be kept in {readable_path(self.path.parent)} ({error.strerror}): free some "
                "space, or set CMCSL_HOME."
            ) from None

    def _checksum(self, row: int, image: bytes) -> bytes:
        return zlib.crc32(image, zlib.crc32(self.path.name.encode(), row)).to_bytes(CHECKSUM_BYTES, "little")

    def _made(self, row: int) -> np.ndarray:
        items = self._corpus.items
        try:
            image = decoded(items.image.iloc[row])
        except CmcslError as error:
            raise CmcslError(
                f"The image of {items.id.iloc[row]} in the corpus {self._corpus.name} can't be used "
                f"({error}): take the item out of the corpus."
            ) from None
        return self._geometry.applied(image)


def _collated(images: list) -> "np.ndarray | CmcslError":
    # Arrays come through a pipe; tensors would need shared memory, of which containers have little.
    return next((image for image in images if isinstance(image, CmcslError)), None) or np.stack(images)


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        # Windows keeps a file that another process has open; the next extraction deletes it.
        return


def normalized(images: "torch.Tensor") -> "torch.Tensor":
    """Images in single precision, by the mean and deviation that go with the ImageNet weights."""
    its = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    mean, deviation = (torch.tensor(value, device=images.device).view(1, 3, 1, 1) for value in (its.mean, its.std))
    return (images / 255 - mean) / deviation
