"""Particles cut from tomograms: coordinates read, boxes placed, cut and looked at."""
