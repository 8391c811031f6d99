"""Charts of an evaluation, for people who cannot tell red from green as well."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from latentlaw.tracking.names import LOSS_TERMS
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito 2008; more classes than colours repeat them with another marker.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = "osD^vPX*"
_MOST_WRITTEN = 16  # classes whose counts can still be read in the cells


def embedding_figure(table: pd.DataFrame, known: list[str]) -> "Figure":
    """Scatter the test and unseen particles of an embedding table over the training ones."""
    figure, (axes,) = _figure(1, 7.5, 5.5)
    train = table[table["split"].isin(("train", "val"))]
    axes.scatter(train["px"], train["py"], s=8, c="0.85", label="training", zorder=1)
    shown = table[~table["split"].isin(("train", "val")) & table["label"].notna()]
    for i, (name, rows) in enumerate(shown.groupby("label")):
        unseen = name not in known
        axes.scatter(
            rows["px"],
            rows["py"],
            s=42 if unseen else 26,
            facecolors="none" if unseen else COLOURS[i % len(COLOURS)],
            edgecolors=COLOURS[i % len(COLOURS)] if unseen else "white",
            linewidths=1.5 if unseen else 0.4,
            marker=MARKERS[(i // len(COLOURS)) % len(MARKERS)],
            label=f"{name} (unseen)" if unseen else str(name),
            zorder=2,
        )
    axes.set(xlabel="PC 1 of unit latents", ylabel="PC 2 of unit latents")
    axes.set_aspect("equal", adjustable="datalim")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def similarity_figure(affinity: dict[str, Any]) -> "Figure":
    """Show the prior as given, as used, as learned, and learned minus used, side by side."""
    used = affinity["used"]
    panels = {f"prior as {key}": affinity[key] for key in ("given", "used") if affinity[key]}
    panels["latent cosine, as learned"] = affinity["learned"]
    if used:
        panels["learned - used"] = np.array(affinity["learned"]) - np.array(used)
    figure, axes = _figure(len(panels), 3.4 * len(panels) + 0.8, 3.6)
    for place, (title, values) in zip(axes, panels.items(), strict=True):
        image = place.imshow(np.array(values, float), cmap="RdBu_r", vmin=-1, vmax=1)
        place.set_title(title, fontsize=10)
        _class_ticks(place, affinity["class_names"])
    figure.colorbar(image, ax=list(axes), label="similarity", shrink=0.8)
    return figure


def confusion_figure(confusion: dict[str, Any]) -> "Figure":
    """Show the share of each true class (rows) that is called each class; counts in the cells."""
    counts = np.array(confusion["counts"], float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    edge = float(np.clip(0.5 * len(counts), 4, 14))
    figure, (axes,) = _figure(1, edge + 1.5, edge)
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    _class_ticks(axes, confusion["class_names"])
    axes.set(xlabel="predicted", ylabel="true")
    if len(counts) <= _MOST_WRITTEN:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "black" if share[row, column] > 0.5 else "white"
                axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour)
    return figure


def f1_figure(confusions: dict[str, dict[str, Any]]) -> "Figure":
    """Show F1 per class of each classifier, one under the other."""
    names = next(iter(confusions.values()))["class_names"]
    figure, (axes,) = _figure(1, float(np.clip(0.6 * len(names) + 2, 5, 16)), 3.4)
    places = np.arange(len(names))
    for i, (kind, confusion) in enumerate(confusions.items()):
        shifted = places + 0.14 * (i - (len(confusions) - 1) / 2)
        heights = [confusion["f1"][name] for name in names]
        axes.scatter(shifted, heights, c=COLOURS[i], marker=MARKERS[i], s=40, label=kind)
    _class_ticks_below(axes, names)
    axes.set(xlabel="class", ylabel="F1 on test particles", ylim=(-0.03, 1.05))
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=len(confusions), frameon=False)
    return figure


def balance_figure(labels: NDArray[np.str_], split: NDArray[np.str_]) -> "Figure":
    """Show how many particles of each class are in each split; unlabelled ones are a class."""
    table = pd.crosstab(pd.Series(labels).replace("", "(none)"), pd.Series(split))
    figure, (axes,) = _figure(1, float(np.clip(0.5 * len(table) + 2, 5, 16)), 3.4)
    bottom = np.zeros(len(table))
    for colour, name in zip(COLOURS, ("train", "val", "test", "held_out"), strict=False):
        if name in table:
            heights = table[name].to_numpy()
            axes.bar(range(len(table)), heights, bottom=bottom, color=colour, label=name)
            bottom += heights
    axes.set(xlabel="class", ylabel="particles")
    _class_ticks_below(axes, list(table.index))
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def loss_figure(history: pd.DataFrame) -> "Figure":
    """Show each term of the loss over the epochs, training and validation."""
    terms = [term for term in LOSS_TERMS if (history["term"] == term).any()]
    figure, axes = _figure(len(terms), 3.4 * len(terms), 3.2)
    for place, term in zip(axes, terms, strict=True):
        for colour, split in zip(COLOURS, ("train", "val"), strict=False):
            rows = history[(history["term"] == term) & (history["split"] == split)]
            style = "-" if split == "train" else "--"
            place.plot(rows["epoch"], rows["value"], style, color=colour, label=split)
        place.set_title(term, fontsize=10)
        place.set_xlabel("epoch")
        place.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    return figure


def _figure(columns: int, width: float, height: float) -> "tuple[Figure, tuple[Axes, ...]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    return figure, tuple(figure.subplots(1, columns, squeeze=False)[0])


def _class_ticks(axes: "Axes", names: list[str]) -> None:
    _class_ticks_below(axes, names)
    axes.set_yticks(range(len(names)), names, fontsize=_tick_size(names))


def _class_ticks_below(axes: "Axes", names: list[str]) -> None:
    turn = 90 if max(map(len, names)) > 2 else 0
    axes.set_xticks(range(len(names)), names, rotation=turn, fontsize=_tick_size(names))


def _tick_size(names: list[str]) -> float:
    return float(np.clip(160 / max(len(names), 1), 3, 10))
