"""Batch prediction over stacks and tomograms, and picking."""
