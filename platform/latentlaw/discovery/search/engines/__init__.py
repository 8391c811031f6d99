"""Engines of symbolic regression, behind one protocol."""
