"""A model for programs without this package."""
