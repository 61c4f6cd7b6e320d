"""Images of a corpus as they enter a network: decoded and resized once, kept on disk, read batch by batch."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ..corpora import Corpus
from ..corpora.pictures import DECODING, decoded
from ..files.checksums import BLANK, Damaged, check_seal, sealed
from ..files.errors import CmcslError, check_choice
from ..files.paths import explain_write_errors, home
from ..files.processes import end_with
from ..files.progress import progress
from .checkpoints import fingerprint, remove_others
from .extra import torch, v2, versions

if TYPE_CHECKING:
    from PIL import Image

ORIENTATIONS = ("upright", "swapped")
#: Processes that read ahead of the network, and batches that each holds ready.
WORKERS, AHEAD = min(2, os.cpu_count() or 1), 2


def corpus_sha256(corpus: Corpus) -> str:
    """SHA-256 of everything that features depend on: ids, texts, labels and images, in their order."""
    digest, items = hashlib.sha256(), corpus.items
    # Row by row, since images that lie on disk would not fit into memory together.
    with progress(f"Checksum of {corpus.name}", len(items), "items") as advance:
        for row in range(len(items)):
            image = items.image.iloc[row]
            described = [str(items.id.iloc[row]), str(items.text.iloc[row]), list(map(str, items.labels.iloc[row]))]
            digest.update(json.dumps([*described, len(image)]).encode())
            digest.update(image)
            advance()
    return digest.hexdigest()


@dataclass(frozen=True)
class Geometry:
    """How an image becomes a square one.

    Parameters
    ----------
    pixels : int
        Side of the square.
    shorter : int, optional
        Shorter side to which the image is resized before the square is cut out of its middle; None stretches it.
    interpolation : {"bilinear", "bicubic"}
    orientation : {"upright", "swapped"}
        "swapped" feeds images with height and width swapped, as the published code did.
    """

    pixels: int
    shorter: int | None = None
    interpolation: str = "bilinear"
    orientation: str = "upright"

    def __post_init__(self) -> None:
        check_choice(self.orientation, ORIENTATIONS, "orientation")

    def __str__(self) -> str:
        square = f"cropped from {self.shorter}" if self.shorter else "stretched"
        return f"{self.pixels} {square} {self.interpolation} {self.orientation}"

    def applied(self, image: "Image.Image") -> np.ndarray:
        """An upright RGB image as an array of shape (pixels, pixels, 3), dtype uint8."""
        if self.orientation == "swapped":
            from PIL import Image

            image = image.transpose(Image.Transpose.TRANSPOSE)
        # Transforms of PIL images, which are smoothed as they are made smaller (antialias).
        size = self.shorter or (self.pixels, self.pixels)
        resized = v2.Resize(size, interpolation=v2.InterpolationMode(self.interpolation))(image)
        return np.asarray(v2.CenterCrop(self.pixels)(resized))


def decoded_image(corpus: str, identifier: str, content: bytes, geometry: Geometry) -> np.ndarray:
    """An item's image as it enters the network, of shape (pixels, pixels, 3), dtype uint8.

    Raises
    ------
    CmcslError
        If it can't be decoded; the message names the item.
    """
    try:
        image = decoded(content)
    except CmcslError as error:
        raise CmcslError(
            f"The image of {identifier} in the corpus {corpus} can't be used ({error}): take the item out of the "
            "corpus."
        ) from None
    return geometry.applied(image)


class Images:
    """Images of a corpus, in a file of rows under ``images`` in CMCSL_HOME.

    Each row is sealed, so that one that is missing, damaged, half-written or at another place is decoded again. The
    file's name tells the corpus's content and the transform; files of other contents are deleted, so that there is one
    for each corpus and geometry. Several processes may use it at a time: they can only write the same rows.

    Parameters
    ----------
    corpus : Corpus
    geometry : Geometry
    sha256 : str
        Of the corpus, `corpus_sha256`.
    """

    def __init__(self, corpus: Corpus, geometry: Geometry, sha256: str):
        self._corpus, self._geometry = corpus, geometry
        packages = {name: version for name, version in versions().items() if name in ("pillow", "torchvision")}
        name = fingerprint(corpus=sha256, geometry=str(geometry), decoding=DECODING, **packages)
        self.path = home() / "images" / f"{corpus.name} {geometry} {name}.rows"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        remove_others(self.path)

    def __len__(self) -> int:
        return len(self._corpus.items)

    def __getitem__(self, row: int) -> np.ndarray | CmcslError:
        """As `image`, but an error is returned: raised in a worker it would come as another one, with a traceback."""
        try:
            return self.image(row)
        except CmcslError as error:
            return error

    def image(self, row: int) -> np.ndarray:
        """One image, uint8, of shape (pixels, pixels, 3); `CmcslError` if it can't be decoded or kept."""
        shape = (self._geometry.pixels, self._geometry.pixels, 3)
        size = int(np.prod(shape))
        ending = f"{self.path.name} {row:10}".encode() + BLANK
        length = size + len(ending)
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(row * length)
                content = file.read(length)
            check_seal(content)
            if content[size : -len(BLANK)] == ending[: -len(BLANK)]:
                return np.frombuffer(content, dtype=np.uint8, count=size).reshape(shape)
        except (Damaged, FileNotFoundError):
            pass
        items = self._corpus.items
        image = decoded_image(self._corpus.name, items.id.iloc[row], items.image.iloc[row], self._geometry)
        # Not mode "ab", which would write at the end, nor "wb", which would empty the file.
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
        with explain_write_errors(self.path), open(os.open(self.path, flags, 0o666), "wb") as file:  # noqa: PTH123
            file.seek(row * length)
            file.write(sealed(image.tobytes() + ending))
        return image

    def batches(self, rows: Sequence[np.ndarray]) -> Iterator["torch.Tensor"]:
        """Images of each of several lists of rows, uint8, of shape (n, 3, pixels, pixels).

        Worker processes read, and decode what is not in the file yet, while the network computes. They are forked,
        since elsewhere the corpus would have to be copied to them; where the system can't, there are none.
        """
        workers, parent = WORKERS if sys.platform == "linux" else 0, os.getpid()
        loader: torch.utils.data.DataLoader = torch.utils.data.DataLoader(
            cast("torch.utils.data.Dataset", self),
            batch_sampler=[batch.tolist() for batch in rows],
            num_workers=workers,
            collate_fn=_collated,
            multiprocessing_context="fork" if workers else None,
            prefetch_factor=AHEAD if workers else None,
            # torch's own watch lets workers stay for good, each waiting for the other to empty its pipe.
            worker_init_fn=lambda worker: end_with(parent),
            # Workers get seeds, which must not come from the caller's generator.
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, CmcslError):
                raise batch
            yield torch.from_numpy(batch).permute(0, 3, 1, 2)


def _collated(images: list[np.ndarray | CmcslError]) -> np.ndarray | CmcslError:
    # Arrays come through a pipe; tensors would need shared memory, of which containers have little.
    errors = [image for image in images if isinstance(image, CmcslError)]
    return errors[0] if errors else np.stack(cast("list[np.ndarray]", images))
