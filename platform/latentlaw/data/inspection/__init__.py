"""Stores looked at: slices, previews, and whether each chunk is whole."""
