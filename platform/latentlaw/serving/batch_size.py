"""How many particles a model answers for at once: what fits into the memory that is free."""

from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from latentlaw.models.vae import AutoEncoder

#: More particles at once are no faster, on a CPU or a GPU.
LARGEST = 128
_SHARE = 4  # a batch takes at most this part of the free memory: others run here too


def fitting_batch(model: AutoEncoder, free_bytes: int, workers: int) -> int:
    """Return how many particles to embed at once, at least 1.

    So many that all workers together take a quarter of the free memory, each particle counted
    with all that embedding it allocates, as if nothing were freed on the way; at most `LARGEST`.

    Parameters
    ----------
    free_bytes
        Of memory, on the worker that has least.
    """
    share = free_bytes // (_SHARE * workers)
    return max(1, min(LARGEST, share // bytes_per_particle(model)))


def bytes_per_particle(model: AutoEncoder) -> int:
    """Return the bytes of all tensors that are made to embed one particle."""
    images = torch.zeros(1, *model.config.image_shape)
    allocations = _Allocations()
    with torch.inference_mode(), allocations:
        model.infer(model.config.normalisation(images))
    return allocations.total + images.nbytes


def free_bytes(device: torch.device) -> int:
    """Return the free memory of a device, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


class _Allocations(TorchDispatchMode):
    """Adds up the bytes of what operations return."""

    total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.total += sum(t.nbytes for t in tree_leaves(made) if isinstance(t, Tensor))
        return made
