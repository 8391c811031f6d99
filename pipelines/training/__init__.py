"""A training, from parameters to a bundle: what auto means, the prior, checkpoints, the fit."""
