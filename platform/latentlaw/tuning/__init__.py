"""Tuning: studies of Optuna whose trials are processes, here or on a Dask cluster."""
