"""Tomogram stores: sharded pyramids that are whole or do not open."""
