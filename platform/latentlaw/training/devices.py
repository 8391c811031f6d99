"""Where a network runs and in which precision: asked for, or chosen and said."""

from typing import Literal

import torch

from latentlaw.errors import ConfigError

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["fp32", "bf16", "fp16"]
PrecisionName = Literal["auto", "fp32", "bf16", "fp16"]

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(name: DeviceName) -> torch.device:
    """Return the device asked for; `auto` takes a GPU where there is one.

    Raises
    ------
    ConfigError
        If CUDA is asked for and not there.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"built for CUDA {built}, finds no GPU or driver" if built else "is built without it"
        raise ConfigError(
            f"device: cuda was asked for, but torch {torch.__version__} {why}; "
            "mend that, or use device=cpu"
        )
    return torch.device("cuda")


def pick_precision(name: PrecisionName, device: torch.device) -> Precision:
    """Return the precision asked for; `auto` takes bf16 on a GPU that has it, else fp32.

    Raises
    ------
    ConfigError
        If bf16 is asked for on a GPU without it.
    """
    if device.type == "cpu":
        return "fp32" if name == "auto" else name
    has = torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "auto":
        return "bf16" if has else "fp32"
    if name == "bf16" and not has:
        gpu = torch.cuda.get_device_name(device)
        raise ConfigError(f"precision: {gpu} has no bf16; use precision=fp16 or fp32")
    return name


def check_compiler(device: torch.device) -> None:
    """Make a small kernel, which takes seconds, rather than fail when training begins.

    Raises
    ------
    ConfigError
        If `torch.compile` finds nothing here to compile with.
    """
    probe = torch.compile(lambda x: x.sin() + 1)
    try:
        probe(torch.zeros(8, device=device))
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        needed = "g++ and Python's headers" if device.type == "cpu" else "triton and gcc"
        raise ConfigError(
            f"compile: torch.compile makes no kernels for {device.type} here ({why}); install "
            f"{needed}, or use compile=false"
        ) from error


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Return a context in which convolutions and products run in `precision`."""
    return torch.autocast(device.type, _TYPES[precision], enabled=precision != "fp32")
