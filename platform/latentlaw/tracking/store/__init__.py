"""The MLflow store as its clients meet it: away, slow, new, or too narrow for a value."""
