"""Letters and digits rendered in many fonts, tested on images that others made."""

import numpy as np
import torch
from latentlaw.data.glyphs import SYMBOLS, render_glyph, text_fonts, write_glyphs
from latentlaw.data.output import new_output
from latentlaw.priors.files import write_affinity
from latentlaw.priors.images import image_affinity

from pipelines._entry import ProgressBar
from pipelines._presets.alphanumeric import UNSEEN, collect_symbols
from pipelines._presets.preset import Order, Preset

_BOX = 64
_EACH = {"small": 14, "full": 60}  # images of a symbol in a font
_BLUR = 2.5  # voxels: about the width of a stroke


def make(order: Order) -> Preset:
    """Render all letters and digits in matplotlib's fonts; test on the reference's images.

    5 and x are never trained on. A font lies on one side of the split only, and no image of the
    reference is trained on. The prior is the correlation of upright glyphs in their boxes, that
    of the best turn, the mean over fonts.
    """
    test = collect_symbols(order, "foreign", SYMBOLS)
    stack = order.out / "rendered.particles.zarr"
    write_glyphs(
        stack,
        each=_EACH[order.size],
        box=_BOX,
        generator=torch.Generator().manual_seed(order.seed),
        overwrite=order.overwrite,
        progress=ProgressBar(),
    )
    upright = [
        [render_glyph(symbol, font, _BOX) for symbol in SYMBOLS] for font in text_fonts().values()
    ]
    affinity = order.out / "rendered_affinity.csv"
    with new_output(affinity, overwrite=order.overwrite) as partial:
        table = image_affinity(tuple(SYMBOLS), np.array(upright), blur=_BLUR)
        write_affinity(partial, table)
    training = {"channels": 8, "gamma": 2.0, "epochs": 12, "hold_out": UNSEEN}
    models = ("affinity-vae", "beta-vae", "cnn")
    return Preset(str(stack), str(affinity), training, test_data=str(test), models=models)
