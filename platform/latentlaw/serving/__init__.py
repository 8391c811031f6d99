"""Models that MLflow serves."""
