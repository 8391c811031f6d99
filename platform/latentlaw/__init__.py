"""Latentlaw: scientific images to latent spaces, and latent spaces to laws."""

# Not asked of the installed package's metadata: entry points also run where it is not installed,
# as in an environment of conda.yaml.
__version__ = "0.1.0"
LICENCE = "BSD-3-Clause"
