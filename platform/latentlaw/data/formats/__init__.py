"""Files of others: MRC, images, OME-Zarr, atomic models."""
