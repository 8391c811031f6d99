"""What pages read: runs, models and stacks, cached."""
