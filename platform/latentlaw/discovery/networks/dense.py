"""Networks on latents: a small dense net, and logistic regression as the simplest family."""

from __future__ import annotations

import copy
import itertools
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from latentlaw.discovery.scores import balanced_log_loss
from latentlaw.discovery.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch.optim import Optimizer

    from latentlaw.discovery.latents import LatentData, LatentScaling

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class NetworkSpec:
    """Widths of the hidden layers and how a network on latents is trained."""

    hidden: tuple[int, ...] = (32, 32)
    epochs: int = 300
    patience: int = 40
    batch_size: int = 256
    learning_rate: float = 5e-3
    weight_decay: float = 1e-3


class LatentNetwork(nn.Module):
    """Linear layers with SiLU between them, on raw latents `(n, d)`, to logits `(n, K)`.

    Standardisation of the latents is folded into the first layer by `folded`, so weights count
    once and the network needs no extra constants.
    """

    def __init__(self, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for fan_in, fan_out in itertools.pairwise(widths):
            layer = empty_linear(fan_in, fan_out)
            bound = math.sqrt(3.0 / fan_in)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.zeros_(layer.bias)
            self.layers.append(layer)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, from latents to classes."""
        return (self.linears[0].in_features, *(layer.out_features for layer in self.linears))

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, z: Tensor) -> Tensor:
        """Return logits `(n, K)` of latents `(n, d)`."""
        for layer in self.linears[:-1]:
            z = nn.functional.silu(layer(z))
        logits: Tensor = self.linears[-1](z)
        return logits

    def torch_logits(self, z: Tensor) -> Tensor:
        """Return differentiable logits `(n, K)` of latents `z` `(n, d)`."""
        logits: Tensor = self(z.to(next(self.parameters()).dtype))
        return logits

    def logits(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits `(n, K)` of latents `(n, d)`."""
        with torch.no_grad():
            wide = torch.as_tensor(np.asarray(latents, dtype=np.float64))
            result: NDArray[np.float64] = self.torch_logits(wide).double().numpy()
        return result

    @property
    def complexity(self) -> int:
        """Weights and biases that are not zero."""
        return sum(int(torch.count_nonzero(p)) for p in self.parameters())


@one_thread()
def fit_dense(data: LatentData, scaling: LatentScaling, *, seed: int = 0) -> LatentNetwork:
    """Train a dense network with cross-entropy and early stopping on the validation split."""
    spec = NetworkSpec()
    generator = torch.Generator().manual_seed(seed)
    net = LatentNetwork((len(scaling.kept), *spec.hidden, data.classes), generator)
    train_network(net, data, scaling, spec=spec, generator=generator)
    return folded(net, scaling, data.dims)


def train_network(
    net: LatentNetwork,
    data: LatentData,
    scaling: LatentScaling,
    *,
    spec: NetworkSpec,
    generator: torch.Generator,
    masks: Sequence[Tensor] | None = None,
    on_step: Callable[[int, Optimizer], None] | None = None,
) -> float:
    """Train `net` on standardised latents in place, keep its best epoch, return its val loss.

    Classes weigh alike (`LatentData.class_weights`). Weights where a mask `(out, in)` is 0 stay
    zero. `on_step` is called after each step with the number of steps made; it may change the
    masks.
    """
    balance = torch.as_tensor(data.class_weights, dtype=torch.float32)
    inputs, labels = _tensors(data.train.latents, data.train.labels, scaling)
    val_inputs, val_labels = _tensors(data.val.latents, data.val.labels, scaling)
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
    )
    best, best_state, waited = math.inf, copy.deepcopy(net.state_dict()), 0
    steps = 0
    for _ in range(spec.epochs):
        order = torch.randperm(len(labels), generator=generator)
        for rows in torch.split(order, spec.batch_size):
            optimiser.zero_grad()
            cross_entropy(net(inputs[rows]), labels[rows], weight=balance).backward()
            optimiser.step()
            apply_masks(net, masks)
            steps += 1
            if on_step:
                on_step(steps, optimiser)
        with torch.no_grad():
            loss = float(cross_entropy(net(val_inputs), val_labels, weight=balance))
        if loss < best - 1e-5:
            best, best_state, waited = loss, copy.deepcopy(net.state_dict()), 0
        elif (waited := waited + 1) >= spec.patience:
            break
    net.load_state_dict(best_state)
    return best


def apply_masks(net: LatentNetwork, masks: Sequence[Tensor] | None) -> None:
    """Set weights to zero where their mask, `(out, in)` of each layer, is 0; None: leave all."""
    if masks is None:
        return
    with torch.no_grad():
        for layer, mask in zip(net.linears, masks, strict=True):
            layer.weight.mul_(mask)


def empty_linear(fan_in: int, fan_out: int) -> nn.Linear:
    """Return a linear layer without drawing its weights from the global generator."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out)
    return layer


def folded(net: LatentNetwork, scaling: LatentScaling, dims: int) -> LatentNetwork:
    """Return `net` as a float64 network on raw latents `(n, dims)`.

    `W (z - m) / s + b = (W / s) z + (b - (W / s) m)`; dropped latents get zero weights.
    """
    result = copy.deepcopy(net).double()
    first = result.linears[0]
    scale = torch.as_tensor(scaling.scale[scaling.kept])
    mean = torch.as_tensor(scaling.shift[scaling.kept])
    wide = torch.zeros(first.out_features, dims, dtype=torch.float64)
    narrow = first.weight.detach() / scale
    wide[:, torch.as_tensor(scaling.kept)] = narrow
    layer = empty_linear(dims, wide.shape[0])
    live = (narrow != 0).any(1) | (first.bias.detach() != 0)
    layer.weight = nn.Parameter(wide)
    layer.bias = nn.Parameter((first.bias.detach() - narrow @ mean) * live)
    result.layers[0] = layer
    return result


@one_thread()
def fit_logistic(data: LatentData, scaling: LatentScaling, *, seed: int = 0) -> LatentNetwork:
    """Fit multinomial logistic regression, its L2 strength chosen by validation log-loss.

    Returned as a network without hidden layers on raw latents.

    Raises
    ------
    ArithmeticError
        If no strength gives a finite validation loss.
    """
    inputs, val = scaling.apply(data.train.latents), scaling.apply(data.val.latents)
    best: LogisticRegression | None = None
    lowest = math.inf
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=2000, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(inputs, data.train.labels, data.class_weights[data.train.labels])
        loss = balanced_log_loss(_decision(model, val), data.val.labels, data.class_weights)
        if loss < lowest:
            best, lowest = model, loss
    if best is None:
        raise ArithmeticError("logistic regression gave no finite validation loss")
    net = LatentNetwork((len(scaling.kept), data.classes), torch.Generator().manual_seed(seed))
    weights, bias = _two_sided(best.coef_, best.intercept_)
    with torch.no_grad():
        net.linears[0].weight.copy_(torch.as_tensor(weights))
        net.linears[0].bias.copy_(torch.as_tensor(bias))
    return folded(net, scaling, data.dims)


def _decision(model: LogisticRegression, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    weights, bias = _two_sided(model.coef_, model.intercept_)
    scores: NDArray[np.float64] = inputs @ weights.T + bias
    return scores


def _two_sided(
    weights: NDArray[np.float64], bias: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights for each class; of two, the first class's logit is the zero reference."""
    if len(weights) > 1:
        return weights, bias
    return np.concatenate([0 * weights, weights]), np.concatenate([0 * bias, bias])


def _tensors(
    latents: NDArray[np.floating], labels: NDArray[np.int64], scaling: LatentScaling
) -> tuple[Tensor, Tensor]:
    return (
        torch.as_tensor(scaling.apply(latents), dtype=torch.float32),
        torch.as_tensor(labels, dtype=torch.int64),
    )
