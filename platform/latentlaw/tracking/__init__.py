"""MLflow: runs, what they record, and the registry."""
