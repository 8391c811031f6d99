"""What `tune` tries: its search spaces, and the trial that is run for each draw."""
