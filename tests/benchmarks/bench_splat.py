"""Peak memory of rendering Gaussians, against the tensor of every distance."""

import sys

import torch
from latentlaw.models.splats import Splats, render
from torch import Tensor

from tests.benchmarks.memory import peak_memory
from tests.benchmarks.ratio import Ratio

BOX, SPLATS = 32, 128
BATCH = {"ours": 64, "naive": 4, "idle": 4}  # ours of 4 would be lost in the noise
REPEATS = 5  # so that a peak lasts long enough to be seen


def measure() -> list[Ratio]:
    """Particles a GB above an idle process, forward and backward."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_splat"]
    idle, ours, naive = (peak_memory([*command, job]) for job in ("idle", "ours", "naive"))
    return [
        Ratio(
            f"splats rendered, forward and backward, {BOX}^3, {SPLATS} splats",
            "n x voxels x splats tensor",
            BATCH["ours"] / (ours - idle) * 1e9,
            BATCH["naive"] / (naive - idle) * 1e9,
            "particles/GB",
            5,
        )
    ]


def naive(splats: Splats, size: int) -> Tensor:
    """Sum Gaussians `(n, 1, z, y, x)` by the distance of every voxel from every centre."""
    axis = (torch.arange(size) - size // 2) / (size / 2)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")[::-1], -1).view(-1, 1, 3)
    squares = (grid - splats.centres[:, None]).square().sum(-1)  # (n, voxels, splats)
    bumps = torch.exp(-0.5 * squares / splats.sigmas[:, None].square())
    return torch.einsum("ncs,nvs->ncv", splats.weights, bumps).view(-1, 1, size, size, size)


def main(job: str) -> None:
    """Render a batch and its gradient."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    n = BATCH[job]
    centres = (torch.rand(n, SPLATS, 3, generator=generator) - 0.5).requires_grad_()
    splats = Splats(centres, torch.full((n, SPLATS), 0.1), torch.ones(n, 1, SPLATS))
    if job == "idle":
        small = Splats(centres[:1, :1], splats.sigmas[:1, :1], splats.weights[:1, :, :1])
        render(small, (2, 2, 2)).sum().backward()
        return
    for _ in range(REPEATS):
        images = render(splats, (BOX,) * 3) if job == "ours" else naive(splats, BOX)
        images.square().sum().backward()


if __name__ == "__main__":
    main(sys.argv[1])
