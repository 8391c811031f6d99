"""Letters and digits rendered in many fonts, tested on images that others made."""

import numpy as np
import torch
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.simulation.glyphs import SYMBOLS, render_glyph, text_fonts, write_glyphs
from latentlaw.data.storage.output import new_output
from latentlaw.priors.files import write_affinity
from latentlaw.priors.images import image_affinity

from pipelines.cli.command import ProgressBar
from pipelines.presets.alphanumeric import UNSEEN, collect_symbols
from pipelines.presets.preset import Order, Preset

_BOX = 64
_EACH = {"small": 40, "full": 160}  # images of a symbol in a font
_BLUR = 2.5  # voxels: about the width of a stroke


def make(order: Order) -> Preset:
    """Render the symbols of the reference's images in matplotlib's fonts; test on those images.

    5 and x are never trained on. A font lies on one side of the split only, and no image of the
    reference is trained on. The prior is the correlation of upright glyphs in their boxes, that
    of the best turn, the mean over fonts.
    """
    test = collect_symbols(order, "foreign", SYMBOLS)
    symbols = tuple(open_stack(test).class_names)
    stack = order.out / "rendered.particles.zarr"
    write_glyphs(
        stack,
        each=_EACH[order.size],
        box=_BOX,
        symbols=symbols,
        generator=torch.Generator().manual_seed(order.seed),
        overwrite=order.overwrite,
        progress=ProgressBar(),
    )
    fonts = text_fonts("".join(symbols)).values()
    upright = [[render_glyph(symbol, font, _BOX) for symbol in symbols] for font in fonts]
    affinity = order.out / "rendered_affinity.csv"
    with new_output(affinity, overwrite=order.overwrite) as partial:
        write_affinity(partial, image_affinity(symbols, np.array(upright), blur=_BLUR))
    training = {
        "channels": 8,
        # Halved to a single voxel: how glyphs lie in the whole box is not a linear matter.
        "depth": 6,
        "norm": "batch",
        "batch_size": 128,
        "learning_rate": 3e-3,
        "beta": 3e-4,
        "gamma": 4.0,
        "epochs": 30,
        "hold_out": UNSEEN,
    }
    models = ("affinity-vae", "cnn")
    return Preset(str(stack), str(affinity), training, test_data=str(test), models=models)
