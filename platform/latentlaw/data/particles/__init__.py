"""Particle stacks: made from tomograms or images, split, and read in batches."""
