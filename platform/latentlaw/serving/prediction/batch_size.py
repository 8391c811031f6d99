"""How many particles a model works on at once: what is quick, and fits into free memory."""

from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from latentlaw.evaluation.embed import quick_batch
from latentlaw.models.vae import AutoEncoder

_SHARE = 4  # a batch takes at most this part of the free memory: others run here too


def fitting_batch(model: AutoEncoder, free_bytes: int, workers: int, device: torch.device) -> int:
    """Return how many particles to work on at once, at least 1.

    As many as are quickest (`quick_batch`), but no more than let all workers together take a
    quarter of the free memory, each particle counted with all that embedding and showing it
    allocate, as if nothing were freed.

    Parameters
    ----------
    model
        Embeds and shows the particles.
    free_bytes
        Of memory, on the worker that has least.
    workers
        How many share the memory.
    device
        Where they work.
    """
    fits = free_bytes // (_SHARE * workers) // bytes_per_particle(model)
    return max(1, min(quick_batch(model, device), fits))


def bytes_per_particle(model: AutoEncoder) -> int:
    """Return the bytes of all tensors that are made to embed and to show one particle."""
    images = torch.zeros(1, *model.config.image_shape)
    allocations = _Allocations()
    with torch.inference_mode(), allocations:
        encoding = model.infer(model.config.normalisation(images))
        model.decode(encoding.mu, encoding.pose)
    return allocations.total + images.nbytes


def free_bytes(device: torch.device) -> int:
    """Return the free memory of a device, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


class _Allocations(TorchDispatchMode):
    """Adds up the bytes of what operations return."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch annotates it not
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.total += sum(t.nbytes for t in tree_leaves(made) if isinstance(t, Tensor))
        return made
