"""Rotations and volume maths: tensors in, tensors out."""
