"""Where the networks run: device, precision of the arithmetic, order of an image's values in memory."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..files.errors import CmcslError, check_choice
from .extra import check_extra, torch

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "single", "mixed")


@dataclass(frozen=True)
class Place:
    """A device and a precision.

    Parameters
    ----------
    device : torch.device
    dtype : torch.dtype
        float32 is single precision; with bfloat16 or float16 convolutions and products are computed in it, while
        weights, losses and features stay in single precision.
    """

    device: "torch.device"
    dtype: "torch.dtype"

    @property
    def precision(self) -> str:
        """As it stands in metadata: ``single``, or ``mixed`` with the type."""
        return "single" if self.dtype is torch.float32 else f"mixed ({str(self.dtype).removeprefix('torch.')})"

    @property
    def memory_format(self) -> "torch.memory_format":
        """Channels last, which the convolutions of CPUs and of CUDA take as it is; Apple's gain nothing."""
        return torch.contiguous_format if self.device.type == "mps" else torch.channels_last

    def autocast(self) -> AbstractContextManager:
        """A block whose convolutions and products have the precision of this place."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32)

    def moved(self, value: Any) -> Any:
        """Images, or a network, on the device and in its memory format."""
        return value.to(self.device, memory_format=self.memory_format)


def place(device: str = "auto", precision: str = "auto") -> Place:
    """Find the device and the precision that were asked for.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        "auto" takes the first available one of cuda, mps and cpu.
    precision : {"auto", "single", "mixed"}
        "auto" takes mixed precision where the device has instructions for it.

    Raises
    ------
    CmcslError
        If the machine lacks the device, or the device can't compute in mixed precision faster than in single.
    """
    check_choice(device, DEVICES, "device")
    check_choice(precision, PRECISIONS, "precision")
    check_extra()
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name in available if available[name])
    if not available[device]:
        raise CmcslError(f"torch finds no {device} device on this machine: choose auto or cpu.")
    half = None
    # Turing and Volta would only emulate bfloat16; and torch computes in it on every CPU, but without these
    # instructions slower than in single precision.
    if device == "cuda":
        half = torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16
    elif device == "cpu":
        tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        half = torch.bfloat16 if any(getattr(torch.cpu, test, bool)() for test in tests) else None
    if precision == "mixed" and half is None:
        raise CmcslError(f"The device {device} of this machine has no fast mixed precision: choose auto or single.")
    return Place(torch.device(device), torch.float32 if precision == "single" or half is None else half)
