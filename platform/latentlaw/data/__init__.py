"""Files in, particle stacks out: MRC, STAR, OME-Zarr, simulation."""
