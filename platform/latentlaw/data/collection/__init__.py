"""Particles collected from images, subvolumes and archives of others."""
