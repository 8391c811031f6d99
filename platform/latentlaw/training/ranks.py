"""Several processes that train one model: which of them this is, and how they agree.

Each takes its part of every batch, and all take the same step: gradients and loss terms are
averaged by one message. Terms that compare particles see the latents of the whole batch
(`gather`). What is random is drawn for the whole batch by every process alike, so one process, or
another number of them, draws the same.

`DistributedDataParallel` is not used: it hooks the call of one module, where a step here encodes,
searches poses and decodes; it wants every parameter to have a gradient, which not every family
gives; and networks this small leave it nothing to hide behind the backward pass.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from latentlaw.errors import ConfigError, PreemptedError, WorkerError

T = TypeVar("T")
#: Longer than the first takes to validate. Gloo knows a dead process at once, NCCL does not.
_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class Ranks:
    """Process `rank` of `size` that train together; one alone agrees with itself at no cost."""

    rank: int = 0
    size: int = 1

    def part(self, n: int) -> slice:
        """Return which of the `n` images of a whole batch are this process's."""
        each = n // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def gather(self, own: Tensor) -> Tensor:
        """Return the rows of all processes, `(size n, …)` of `(n, …)`, in the order of `part`.

        Gradients go back to where the rows are from.
        """
        if self.size == 1:
            return own
        return _gather(own, self)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, all of them by one message.

        The tensors have any shapes, the same in each process.
        """
        if self.size == 1:
            return
        with torch.no_grad():
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            with _talking():
                dist.all_reduce(flat)
            means = (flat / self.size).split([tensor.numel() for tensor in tensors])
            for tensor, mean in zip(tensors, means, strict=True):
                tensor.copy_(mean.view(tensor.shape))

    def any(self, flag: bool) -> bool:
        """Return whether any process has the flag; none goes on before all have asked."""
        if self.size == 1:
            return flag
        count = torch.tensor(int(flag))
        with _talking():
            dist.all_reduce(count)
        return bool(count)

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what `make` returns in the first process, the only one to call it."""
        if self.size == 1:
            return make()
        made = [make() if self.rank == 0 else None]
        with _talking():
            dist.broadcast_object_list(made)
        return cast("T", made[0])

    def leave(self) -> None:
        """Leave the process group, as all do once the model is trained."""
        if self.size > 1:
            dist.destroy_process_group()


ALONE = Ranks()


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that `torchrun` or `srun` started, if this is one of several.

    Read are `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR` and `MASTER_PORT`, as `torchrun`
    sets them. Each process takes a GPU of its own. On being told to stop, none ends before all
    are done, since `torchrun` kills the others when one fails.

    Raises
    ------
    ConfigError
        If the variables make no sense, or there are more processes than GPUs.
    WorkerError
        Where another process ended.
    """
    size = _variable("WORLD_SIZE", "1")
    if size == 1:
        yield ALONE
        return
    ranks = Ranks(_variable("RANK"), size)
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(_own_gpu())
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=_PATIENCE)
    except ValueError as error:
        raise ConfigError(
            f"environment: found WORLD_SIZE={size} ({error}); start by torchrun"
        ) from error
    try:
        yield ranks
    except PreemptedError:
        ranks.any(False)
        raise


class _Gather(torch.autograd.Function):
    """Rows of all processes; each has a part in the gradient of every row."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        own = own.contiguous()
        rows = [torch.empty_like(own) for _ in range(ranks.size)]
        with _talking():
            dist.all_gather(rows, own)
        return torch.cat(rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        with _talking():
            dist.all_reduce(total)
        return total[ctx.ranks.part(len(total))], None


_gather: Callable[[Tensor, Ranks], Tensor] = _Gather.apply


@contextmanager
def _talking() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise WorkerError(
            "train: another of the processes that train together ended or does not answer "
            f"({str(error).splitlines()[0]}); its own message says why"
        ) from error


def _variable(name: str, default: str = "") -> int:
    text = os.environ.get(name, default)
    if not text.isdecimal():
        raise ConfigError(
            f"environment: found {name}={text!r}, expected a number; start several processes by "
            "torchrun, or unset WORLD_SIZE for one"
        )
    return int(text)


def _own_gpu() -> int:
    """Return this process's GPU: the only one that it sees, or one per process of this machine."""
    local, count = _variable("LOCAL_RANK", "0"), torch.cuda.device_count()
    if count == 1 and _variable("LOCAL_WORLD_SIZE", "1") == 1:
        return 0
    if local >= count:
        raise ConfigError(
            f"environment: found LOCAL_RANK={local} and {count} GPUs, expected a GPU for each "
            f"process; start one process per GPU, as torchrun --nproc-per-node={count}"
        )
    return local
