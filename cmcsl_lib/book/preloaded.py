"""What executes notebooks, and what most of them import: imported once by the process that `kernels` copies.

A module that can't be imported is left to the notebook, whose cell then says why.
"""

from contextlib import suppress
from importlib import import_module

PACKAGES = ("papermill", "ipykernel.kernelapp", "seaborn", "sklearn.naive_bayes", "scipy.stats")
OWN = ("book.kernels", "book.display", "estimators", "plots", "studies.comparison")

for name in (*PACKAGES, *(f"cmcsl_lib.{module}" for module in OWN)):
    with suppress(Exception):
        import_module(name)
