"""The one module that imports torch; the rest of the package takes it from here.

torch, torchvision, timm and sentence-transformers are an extra: without it the package can be imported, and says what
to install when it is used.
"""

import importlib.metadata

from .. import __version__
from ..files.extras import require

try:
    import torch
    import torchvision
    from torch import nn
    from torchvision.transforms import v2
except ModuleNotFoundError:
    torch = torchvision = nn = v2 = None

__all__ = ["check_extra", "nn", "torch", "torchvision", "v2", "versions"]


def check_extra() -> None:
    """Raise a `CmcslError` that says what to install if the extra is not installed."""
    require("extract", "Extraction")


def versions(*others: str) -> dict[str, str]:
    """Versions of the packages that features depend on, and of others, without the names of builds."""
    names = ("pillow", "sentence-transformers", "torch", "torchvision", *others)
    return {"cmcsl": __version__} | {name: importlib.metadata.version(name).split("+")[0] for name in names}
