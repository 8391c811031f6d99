"""Affinity: prior knowledge of which shapes are alike."""
