"""Weights that networks start from, and files of weights in general: never a pickle that could run code."""

import itertools
import urllib.error
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.checksums import file_sha256
from ..files.errors import CmcslError
from .extra import check_extra, nn, torch, torchvision

if TYPE_CHECKING:
    from .encoders import ImageEncoder


def _imagenet() -> "torchvision.models.ResNet18_Weights":
    return torchvision.models.ResNet18_Weights.IMAGENET1K_V1


def imagenet_weights() -> Path:
    """Path at which torchvision keeps the ImageNet weights (IMAGENET1K_V1) once they have been downloaded."""
    check_extra()
    return Path(torch.hub.get_dir()) / "checkpoints" / _imagenet().url.rpartition("/")[2]


def fetch_imagenet_weights() -> Path:
    """Download the ImageNet weights into torch.hub's folder unless they are in it, and check their SHA-256.

    Returns
    -------
    Path
        `imagenet_weights`.

    Raises
    ------
    CmcslError
        If they can't be downloaded, or are not the file that torchvision names.
    """
    path = imagenet_weights()
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # torch.hub writes beside the file and renames it only if the hash is right.
            torch.hub.download_url_to_file(_imagenet().url, str(path), hash_prefix=_hash_prefix(path))
        except (urllib.error.URLError, RuntimeError, OSError) as error:
            raise CmcslError(
                f"{_imagenet().url} can't be fetched ({error}): try again, or name a local copy with "
                "`cmcsl extract --weights FILE`."
            ) from None
    check_imagenet(path)
    return path


def check_imagenet(path: Path) -> None:
    """Raise a `CmcslError` unless the file's SHA-256 begins as its name, torchvision's or the package's, says."""
    if not file_sha256(path).startswith(_hash_prefix(path)):
        raise CmcslError(
            f"{path} is not the file of ImageNet weights that its name says: delete it and run "
            "`cmcsl fetch imagenet-weights`, or install its package again, or name other weights with --weights."
        )


def _hash_prefix(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def read_weights(path: Path) -> "dict[str, torch.Tensor]":
    """Read a file of weights that torch wrote; `CmcslError` if it is missing, damaged, or holds anything else."""
    try:
        # Files that torch wrote before version 1.6 have no checksums; those of others it passes over.
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if name := archive.testzip():
                    raise zipfile.BadZipFile(f"wrong checksum of {name}")
        weights = torch.load(path, weights_only=True, map_location="cpu")
    # torch raises whatever the damage leads it to.
    except Exception as error:
        raise CmcslError(
            f"The weights {path} can't be read ({type(error).__name__}): name a file of a network's weights as torch "
            "writes it."
        ) from None
    if not (isinstance(weights, dict) and all(isinstance(value, torch.Tensor) for value in weights.values())):
        raise CmcslError(
            f"The file {path} holds no weights by name: name a file of a network's weights as torch writes it."
        )
    return weights


def network(
    encoder: "ImageEncoder",
    outputs: int,
    weights: "dict[str, torch.Tensor] | None",
    seed: int,
    width: int | None = None,
) -> "nn.Module":
    """Make a network with a new last layer; weights of another last layer are left out.

    Parameters
    ----------
    encoder : ImageEncoder
    outputs : int
        Of the last layer.
    weights : dict of str to Tensor, optional
        To start from; without them all weights are random.
    seed : int
        Of the random weights.
    width : int, optional
        Outputs of one more linear layer, before the last.

    Returns
    -------
    nn.Module

    Raises
    ------
    CmcslError
        If the weights are those of another network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = encoder.build(outputs)
        if width:
            setattr(module, encoder.head, nn.Sequential(nn.Linear(encoder.width, width), nn.Linear(width, outputs)))
    if weights is not None:
        head = f"{encoder.head}."
        body = {name: value for name, value in weights.items() if not name.startswith(head)}
        try:
            keys = module.load_state_dict(body, strict=False)
        except RuntimeError:
            keys = None
        new = {name for name in module.state_dict() if name.startswith(head)}
        if keys is None or keys.unexpected_keys or set(keys.missing_keys) != new:
            raise CmcslError(
                f"The weights to start from are not those of {encoder.title}: leave out --weights, or name a file of "
                "its weights."
            )
    return module


def without_head(network: "nn.Module", encoder: "ImageEncoder") -> "nn.Module":
    """Make a network one that gives its last maps, of shape (n, encoder.width, ...), as fast as it can."""
    for name in (encoder.pool, encoder.head):
        setattr(network, name, nn.Identity())
    return fused(network)


def fused(network: "nn.Module") -> "nn.Module":
    """Make a network's normalizations, constant at what they have learned, part of the convolutions before them."""
    network.eval()
    for module in list(network.modules()):
        for (name, convolution), (following, normalization) in itertools.pairwise(list(module.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d):
                setattr(module, name, nn.utils.fuse_conv_bn_eval(convolution, normalization))
                # timm's normalizations hold the activation that follows.
                setattr(module, following, getattr(normalization, "act", nn.Identity()))
    # The new biases, which torch makes constants.
    return network.requires_grad_()
