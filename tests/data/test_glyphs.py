"""Rendered letters and digits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.simulation.glyphs import Placement, render_glyph, text_fonts, write_glyphs
from latentlaw.errors import ConfigError
from latentlaw.geometry.rotations import angle_to_matrix
from latentlaw.geometry.volumes import rotate_images


def test_fonts_are_of_text_and_hold_every_symbol() -> None:
    fonts = text_fonts()
    assert {"DejaVuSans", "DejaVuSerif-Italic", "STIXGeneral", "cmr10"} <= fonts.keys()
    assert not {"cmsy10", "cmex10", "LastResortHE-Regular", "STIXNonUni"} & fonts.keys()


@pytest.mark.parametrize("angle", [np.pi / 2, 0.7, -2.0])
def test_a_turned_glyph_is_the_upright_one_turned_as_images_are(angle: float) -> None:
    font = text_fonts()["DejaVuSans"]
    upright = torch.from_numpy(render_glyph("e", font, 64))[None, None]
    turned = rotate_images(upright, angle_to_matrix(torch.tensor([angle])))[0, 0].numpy()
    found = render_glyph("e", font, 64, Placement(angle))
    assert np.corrcoef(found.ravel(), turned.ravel())[0, 1] > 0.98
    other = render_glyph("e", font, 64, Placement(-angle))
    assert np.corrcoef(other.ravel(), turned.ravel())[0, 1] < 0.9


def test_scale_and_shift_are_in_voxels() -> None:
    font = text_fonts()["DejaVuSans"]
    glyph = render_glyph("l", font, 64)
    assert render_glyph("l", font, 64, Placement(scale=1.2)).sum() == pytest.approx(
        1.44 * glyph.sum(), rel=0.01
    )
    shifted = render_glyph("l", font, 64, Placement(shift=(3, -2)))
    np.testing.assert_allclose(shifted, np.roll(glyph, (-2, 3), axis=(0, 1)), atol=1 / 255)


def test_a_stack_holds_each_symbol_in_each_font_and_comes_out_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_glyphs(
            tmp_path / name,
            each=2,
            box=16,
            symbols="ax",
            generator=torch.Generator().manual_seed(3),
        )
    first, second = (open_stack(tmp_path / name) for name in ("one", "two"))
    assert first.digest == second.digest
    counts = first.table.groupby(["label", "group"]).size()
    assert len(counts) == 2 * len(text_fonts("ax"))
    assert (counts == 2).all()
    pose = first.table[["qw", "qx", "qy", "qz"]].to_numpy(float)
    np.testing.assert_allclose(np.linalg.norm(pose, axis=1), 1)
    assert first.read().max(axis=(1, 2, 3)).min() > 100
    with pytest.raises(ConfigError, match="each: found 0"):
        write_glyphs(tmp_path / "none", each=0, generator=torch.Generator())
