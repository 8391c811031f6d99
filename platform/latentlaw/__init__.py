"""Latentlaw: scientific images to latent spaces, and latent spaces to laws."""

__version__ = "0.1.0"
