"""Pictures that entries log."""
