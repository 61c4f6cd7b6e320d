"""Pictures to features, batch by batch: a network without its last layers."""

import io
from collections.abc import Iterator

import numpy as np
import pandas as pd

from .devices import Place
from .encoders import ImageEncoder, image_encoder
from .extra import nn, torch
from .images import Geometry, decoded_image
from .weights import network, without_head

#: Images that go through the network together when features are made. A CPU's cache does not hold the maps of more.
BATCHES = {"cpu": 16, "cuda": 128, "mps": 64}


def batches(rows: np.ndarray, place: Place) -> list[np.ndarray]:
    """Rows that go through the network together."""
    size = BATCHES[place.device.type]
    return np.split(rows, range(size, len(rows), size))


class Body:
    """A network that gives the values that enter its last layer; it loses its last layers.

    Parameters
    ----------
    module : nn.Module
        From `weights.network`.
    encoder : ImageEncoder
    place : Place
    """

    def __init__(self, module: "nn.Module", encoder: ImageEncoder, place: Place):
        self._encoder, self._place = encoder, place
        head = getattr(module, encoder.head)
        self._last = head[0].to(place.device) if isinstance(head, nn.Sequential) else nn.Identity()
        self._maps = place.moved(without_head(module, encoder))

    def __call__(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Features of images of shape (n, 3, pixels, pixels), dtype uint8: of shape (n, width), dtype float32."""
        with torch.inference_mode(), self._place.autocast():
            maps = self._maps(self._encoder.preparation.normalized(self._place.moved(batch)))
        # The mean over places is taken here instead of in the network, to have it in single precision.
        with torch.inference_mode():
            return self._last(maps.flatten(1).unflatten(1, (self._encoder.width, -1)).float().mean(-1)).cpu()


def packed(weights: "dict[str, torch.Tensor]") -> np.ndarray:
    """Weights as bytes, which a cluster sends to each of its workers once."""
    content = io.BytesIO()
    torch.save(weights, content)
    return np.frombuffer(content.getvalue(), dtype=np.uint8)


def encoded_shard(
    name: str, weights: np.ndarray, seed: int, geometry: Geometry, place: Place, corpus: str, images: pd.Series
) -> "torch.Tensor":
    """Features of some items without fine-tuning, by a worker that has nothing but what it is sent.

    Parameters
    ----------
    name : str
        Of the encoder.
    weights : ndarray of uint8
        From `packed`.
    seed : int
        Of the last layer, which gives nothing to the features.
    geometry : Geometry
    place : Place
    corpus : str
        Name of the corpus, for messages.
    images : Series of bytes
        Files of pictures, by the items' identifiers.

    Returns
    -------
    Tensor of shape (n, width), dtype float32
    """
    encoder = image_encoder(name)
    start = torch.load(io.BytesIO(weights.tobytes()), weights_only=True, map_location="cpu")
    body = Body(network(encoder, 1, start, seed), encoder, place)

    def pictures(rows: np.ndarray) -> Iterator[np.ndarray]:
        return (decoded_image(corpus, str(name), content, geometry) for name, content in images.iloc[rows].items())

    return torch.cat(
        [
            body(torch.from_numpy(np.stack(list(pictures(rows)))).permute(0, 3, 1, 2))
            for rows in batches(np.arange(len(images)), place)
        ]
    )
