"""Pure functions from tables to figures."""
