"""Simulated tomograms: particles at random poses and places, recorded by a microscope."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from latentlaw.data.formats.mrc import write_mrc
from latentlaw.data.simulation.microscope import Acquisition, record
from latentlaw.data.simulation.packing import place_spheres
from latentlaw.data.simulation.rendering import Volume, render_particles, support_radius
from latentlaw.data.star.writing import write_star
from latentlaw.data.storage.output import new_output
from latentlaw.geometry.rotations import random_quaternions
from latentlaw.progress import Progress, silent


def simulate(
    templates: Mapping[str, Volume],
    out: str | Path,
    acquisition: Acquisition,
    *,
    tomograms: int,
    particles: int,
    generator: torch.Generator,
    overwrite: bool = False,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Write a folder of tomograms with known truth, and return the truth.

    Parameters
    ----------
    templates
        Density maps `(z, y, x)` by class name, protein bright, at the acquisition's voxel size.
    out
        Folder to make: `tomograms/tomo_000.mrc …`, `templates/CLASS.mrc`, and `particles.star`
        with class, place and pose of every particle.
    acquisition
        How each tomogram is recorded.
    tomograms
        How many to make.
    particles
        In each tomogram.
    generator
        Source of everything random.
    overwrite
        Replace what is at `out`.
    progress
        Called with tomograms done and in all.

    Raises
    ------
    DataError
        If the particles do not fit into the volume.
    ConfigError
        If `out` exists already and `overwrite` is false.
    """
    tables = []
    with new_output(out, overwrite=overwrite) as folder:
        (folder / "tomograms").mkdir(parents=True)
        (folder / "templates").mkdir()
        for label, template in templates.items():
            write_mrc(folder / "templates" / f"{label}.mrc", template, acquisition.voxel_size_a)
        for i in range(tomograms):
            progress(i, tomograms, "simulate")
            name = f"tomo_{i:03d}"
            made = simulate_tomogram(
                name, templates, acquisition, particles=particles, generator=generator
            )
            path = folder / "tomograms" / f"{name}.mrc"
            write_mrc(path, made.volume, acquisition.voxel_size_a)
            tables.append(made.particles)
        write_star(folder / "particles.star", tables, acquisition.voxel_size_a)
        progress(tomograms, tomograms, "simulate")
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class SimulatedTomogram:
    """A tomogram `(z, y, x)` and its truth as rows of a particle table."""

    volume: Volume
    particles: pd.DataFrame


def simulate_tomogram(
    name: str,
    templates: Mapping[str, Volume],
    acquisition: Acquisition,
    *,
    particles: int,
    generator: torch.Generator,
) -> SimulatedTomogram:
    """Simulate one tomogram with `particles` particles of classes in turn, none overlapping.

    Parameters
    ----------
    name
        Of the tomogram, for the table.
    templates
        Density maps `(z, y, x)` by class name, protein bright, at the acquisition's voxel size.
    acquisition
        How it is recorded.
    particles
        How many to place.
    generator
        Source of the poses, places and noise.

    Raises
    ------
    DataError
        If the particles do not fit into the volume.
    """
    table = draw_particles(name, templates, acquisition, particles=particles, generator=generator)
    density = render_particles(table, templates, acquisition.shape, acquisition.voxel_size_a)
    return SimulatedTomogram(record(density, acquisition, generator), table)


def draw_particles(
    name: str,
    templates: Mapping[str, Volume],
    acquisition: Acquisition,
    *,
    particles: int,
    generator: torch.Generator,
) -> pd.DataFrame:
    """Draw class, place and pose of each particle of a tomogram, as rows of a particle table.

    Poses are uniform on SO(3); places are whole voxels such that no two particles overlap.

    Parameters
    ----------
    name
        Of the tomogram, for the table.
    templates
        Density maps `(z, y, x)` by class name, whose extent is what must not overlap.
    acquisition
        Whose volume they lie in.
    particles
        How many to place.
    generator
        Source of the poses and places.

    Raises
    ------
    DataError
        If the particles do not fit into the volume.
    """
    names = sorted(templates)
    labels = [names[i % len(names)] for i in range(particles)]
    quaternions = random_quaternions(particles, generator).double().numpy()
    radii = {label: support_radius(templates[label]) for label in names}
    sizes = np.array([radii[label] for label in labels])
    centres = place_spheres(sizes, acquisition.shape, generator) * acquisition.voxel_size_a
    return pd.DataFrame(
        {
            "particle_id": [f"{name}-{i:05d}" for i in range(particles)],
            "label": labels,
            "tomogram": name,
            **dict(zip("zyx", centres.T, strict=True)),
            **dict(zip(("qw", "qx", "qy", "qz"), quaternions.T, strict=True)),
            "group": name,
        }
    )
