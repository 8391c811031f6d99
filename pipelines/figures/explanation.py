"""An explained decision as text and as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from latentlaw.data.inspection.previews import central_slice
from latentlaw.discovery.equations.explain import FARTHEST, Explanation, Flip
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = 1.9
_LONGEST = 60  # characters of a term in the picture
_SEEN = 0.01  # of the whole change: what less a latent moves is not worth a line
_TITLES = ("image", "decoded", "smallest flip", "difference")


@dataclass(frozen=True)
class Explained:
    """A particle's explanation, with its normalised image and what its latents decode to.

    Attributes
    ----------
    label
        The class that it was labelled, if it was.
    image, decoded, flipped
        `(c, [z,] y, x)`, normalised: as measured, decoded, and decoded after the smallest change
        of the latents that flips the class; None where there is no such change.
    """

    particle_id: str
    label: str | None
    explanation: Explanation
    image: NDArray[np.float32]
    decoded: NDArray[np.float32]
    flipped: NDArray[np.float32] | None

    def to_dict(self) -> dict[str, Any]:
        """Return a record of `explanation.json`."""
        record = {"particle_id": self.particle_id, "label": self.label}
        return {**record, **self.explanation.to_dict()}


def explanation_text(explained: Explained, meanings: Mapping[str, str]) -> str:
    """Write an explanation as a table.

    Parameters
    ----------
    meanings
        What latents mean, by their names, of those that have one.
    """
    e = explained.explanation
    label = "not labelled" if explained.label is None else f"labelled {explained.label}"
    lines = [
        f"{explained.particle_id}: {e.winner} ({label}), ahead of {e.runner_up} by {e.margin:.3g} "
        "in log-odds"
    ]
    # With two classes the loser's expression is the winner's, negated.
    for name in (e.winner, e.runner_up) if len(e.values) > 2 else (e.winner,):
        lines.append(f"  {name} = {e.values[name]:.3g}: {e.expressions[name]}")
        width = max(len(term.text) for term in e.terms[name])
        lines += [
            f"    {term.text:<{width}}  {term.value:>10.3g}  {term.share:>5.0%}"
            for term in e.terms[name]
        ]
    lines.append(f"  {_flip_text(e.flip)}")
    if e.flip is not None:
        lines += [
            f"    {name:<4} {before:>8.3f} -> {after:>8.3f}  {step:>+6.2f} sd  "
            f"{meanings.get(name, '')}".rstrip()
            for name, before, after, step in _moved(e, e.flip)
        ]
    return "\n".join(lines)


def explanation_figure(explained: list[Explained]) -> "Figure":
    """Draw one row per particle: image, decoded, after the flip, the difference, and the terms."""
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(_INCHES * 7, _INCHES * 1.25 * len(explained)), layout="constrained", dpi=110
    )
    grid = figure.subplots(
        len(explained), 5, squeeze=False, gridspec_kw={"width_ratios": (1, 1, 1, 1, 2)}
    )
    for each, places in zip(explained, grid, strict=True):
        _pictures(places[:4], each)
        _bars(places[4], each.explanation)
    return figure


def _flip_text(flip: Flip | None) -> str:
    if flip is None:
        return f"no change of up to {FARTHEST:g} standard deviations flips it"
    return f"smallest change that flips it: {flip.distance:.3g} sd, to {flip.class_name}"


def _moved(e: Explanation, flip: Flip) -> list[tuple[str, float, float, float]]:
    """Return the latents that change, most first: name, before, after, standard deviations."""
    rows = zip(
        e.latent_names,
        e.latents.tolist(),
        flip.latents.tolist(),
        flip.steps.tolist(),
        strict=True,
    )
    seen = [row for row in rows if abs(row[3]) > _SEEN * flip.distance]
    return sorted(seen, key=lambda row: -abs(row[3]))


def _pictures(places: NDArray[Any], each: Explained) -> None:
    e = each.explanation
    names = [each.particle_id, e.winner, "none" if e.flip is None else e.flip.class_name, ""]
    for place, title, name in zip(places, _TITLES, names, strict=True):
        place.set_title(f"{title}\n{name}", fontsize=8, parse_math=False)
        place.set_axis_off()
    shown = [each.image, each.decoded, *([] if each.flipped is None else [each.flipped])]
    slices = [central_slice(image) for image in shown]
    limits = float(np.min(slices)), float(np.max(slices))
    for place, image in zip(places, slices, strict=False):
        place.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1])
    if each.flipped is not None:
        change = slices[2] - slices[1]
        most = max(float(np.abs(change).max()), 1e-12)
        places[3].imshow(change, cmap="RdBu_r", vmin=-most, vmax=most)


def _bars(place: "Axes", e: Explanation) -> None:
    """Draw the terms of the winner's expression, the largest on top."""
    terms = e.terms[e.winner][::-1]
    names = [t.text if len(t.text) <= _LONGEST else f"{t.text[: _LONGEST - 1]}…" for t in terms]
    values = [t.value for t in terms]
    colours = ["#56B4E9" if value >= 0 else "#E69F00" for value in values]
    place.barh(range(len(terms)), values, color=colours)
    for line, name in enumerate(names):
        where = place.get_yaxis_transform()
        place.text(0.01, line, name, fontsize=7, va="center", transform=where, parse_math=False)
    place.set_yticks([])
    place.axvline(0, color="black", linewidth=0.8)
    title = f"terms of {e.winner}, {e.values[e.winner]:.3g}"
    place.set_title(title, fontsize=8, parse_math=False)
    place.tick_params(axis="x", labelsize=7)
