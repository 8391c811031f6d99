import torch
from latentlaw.geometry.rotations import random_rotations
from latentlaw.geometry.volumes import gaussian_blur, rotate_images
from latentlaw.models.normalisation import Normalisation


def cells(n: int = 4) -> torch.Tensor:
    """Blurred blots on a background of 40 grey levels."""
    generator = torch.Generator().manual_seed(0)
    blots = torch.zeros(n, 1, 40, 40)
    blots[:, :, 12:26, 15:25] = torch.rand(n, 1, 14, 10, generator=generator)
    return 40 + 500 * gaussian_blur(blots, torch.tensor(2.0))


def test_aligned_images_forget_place_and_direction_and_keep_their_light():
    images = cells()
    normalisation = Normalisation.fit("global", [images], alignment="rotate-flip")
    aligned = normalisation(images)
    scaled = normalisation.scaled(images)
    torch.testing.assert_close(aligned.sum((1, 2, 3)), scaled.sum((1, 2, 3)), rtol=1e-2, atol=0)
    turns = random_rotations(len(images), 2, torch.Generator().manual_seed(1))
    moved = rotate_images(scaled, turns, about=torch.full((len(images), 2), -3.0))
    torch.testing.assert_close(normalisation.aligned(moved), aligned, atol=0.05, rtol=0)
    assert (moved - scaled).abs().max() > 0.5


def test_alignment_is_part_of_what_a_model_carries():
    normalisation = Normalisation.fit("particle", [cells()], alignment="rotate")
    assert Normalisation.model_validate_json(normalisation.model_dump_json()) == normalisation
