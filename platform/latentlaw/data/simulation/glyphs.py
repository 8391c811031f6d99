"""Images of letters and digits in the fonts that matplotlib brings, turned and scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from latentlaw.data.particles.writer import new_stack
from latentlaw.errors import ConfigError
from latentlaw.progress import Progress, silent

if TYPE_CHECKING:
    from matplotlib.textpath import TextPath

Image = NDArray[np.float32]
SYMBOLS = "abcdefghijklmnopqrstuvwxyz1234567890"
# A page's layout: a glyph stands on a line below the middle of its box, parts of the box's edge.
_EM, _BASELINE = 0.54, 0.29
_SMALLEST, _LARGEST = 0.8, 1.25
# They have characters at these codes, but other signs than those.
_NO_TEXT = ("LastResort", "cmex", "cmsy")
_BATCH = 256


@dataclass(frozen=True)
class Placement:
    """How a glyph lies in its box.

    Attributes
    ----------
    angle
        Radians from x to y about voxel n//2, as `rotate_images` turns.
    scale
        Of the font's size, 1 an em of 0.54 of the box.
    shift
        x and y in voxels, before the turn.
    """

    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


def text_fonts(symbols: str = SYMBOLS) -> dict[str, Path]:
    """Return matplotlib's own TrueType fonts that hold all symbols, by name, sorted."""
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    found = {}
    for path in sorted(Path(get_data_path(), "fonts", "ttf").glob("*.ttf")):
        known = FT2Font(str(path)).get_charmap()
        if not path.name.startswith(_NO_TEXT) and all(ord(each) in known for each in symbols):
            found[path.stem] = path
    return found


def render_glyph(symbol: str, font: Path, box: int, placement: Placement = Placement()) -> Image:
    """Draw the outline of a glyph, filled: turned before it is drawn, so nothing is interpolated.

    Returns
    -------
    ndarray
        Ink `(box, box)`, y x, from 0 to 1.
    """
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.transforms import Affine2D

    outline = _outline(symbol, font)
    extents = outline.get_extents()
    x, y = placement.shift
    # In Agg's frame y points up, and voxel n//2's centre lies half a voxel past n//2.
    middle = box // 2 + 0.5
    transform = (
        Affine2D()
        .translate(-(extents.x0 + extents.x1) / 2, 0)
        .scale(_EM * box * placement.scale)
        .translate(x, -y - _BASELINE * box)
        .rotate(-placement.angle)
        .translate(middle, box - middle)
    )
    renderer = RendererAgg(box, box, dpi=72)
    pen = renderer.new_gc()
    pen.set_linewidth(0)
    pen.set_snap(False)  # upright bars would be moved to whole voxels
    renderer.draw_path(pen, outline, transform, (1.0, 1.0, 1.0, 1.0))
    ink = np.asarray(renderer.buffer_rgba(), dtype=np.float32)[..., 3]
    return ink / np.float32(255)


@cache
def _outline(symbol: str, font: Path) -> "TextPath":
    """Return the outline of a glyph whose em is 1, on the line y = 0."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    return TextPath((0, 0), symbol, size=1, prop=FontProperties(fname=str(font)))


def write_glyphs(
    out: str | Path,
    *,
    each: int,
    box: int = 64,
    symbols: Sequence[str] = tuple(SYMBOLS),
    generator: torch.Generator,
    overwrite: bool = False,
    progress: Progress = silent,
) -> None:
    """Write a particle stack of every symbol in every font, `each` times, in random order.

    Angles are uniform, scales log-uniform from 0.8 to 1.25, shifts normal with a standard
    deviation of a sixty-fourth of the box. `group` is the font, so that a split tests on fonts
    never seen; the quaternion is the turn about z.

    Raises
    ------
    ConfigError
        If `each` is not positive, or `out` exists already and `overwrite` is false.
    """
    if each < 1:
        raise ConfigError(f"each: found {each}, expected at least one image per symbol and font")
    fonts = text_fonts("".join(symbols))
    table, placements = _draw(symbols, list(fonts), each, box, generator)
    with new_stack(out, item_shape=(1, box, box), dtype=np.uint8, overwrite=overwrite) as writer:
        for start in range(0, len(table), _BATCH):
            part = slice(start, start + _BATCH)
            rows = table[part]
            images = [
                render_glyph(symbol, fonts[font], box, placement)
                for symbol, font, placement in zip(
                    rows["label"], rows["group"], placements[part], strict=True
                )
            ]
            writer.append(np.rint(np.stack(images)[:, None] * 255), rows)
            progress(start + len(rows), len(table), "render glyphs")


def _draw(
    symbols: Sequence[str], fonts: Sequence[str], each: int, box: int, generator: torch.Generator
) -> tuple[pd.DataFrame, list[Placement]]:
    """Draw in random order: rows of a particle table, and how each glyph lies."""
    kinds = [(symbol, font) for symbol in symbols for font in fonts] * each
    order = torch.randperm(len(kinds), generator=generator).tolist()
    turns, sizes = torch.rand(2, len(kinds), generator=generator, dtype=torch.float64)
    shifts = torch.randn(len(kinds), 2, generator=generator, dtype=torch.float64) * box / 64
    angles = (2 * torch.pi * turns).numpy()
    scales = _SMALLEST * (_LARGEST / _SMALLEST) ** sizes
    table = pd.DataFrame([kinds[i] for i in order], columns=["label", "group"])
    poses = {"qw": np.cos(angles / 2), "qx": 0.0, "qy": 0.0, "qz": np.sin(angles / 2)}
    placements = [
        Placement(angle, scale, (x, y))
        for angle, scale, (x, y) in zip(
            angles.tolist(), scales.tolist(), shifts.tolist(), strict=True
        )
    ]
    return table.assign(**dict.fromkeys("zyx", np.nan), **poses), placements
