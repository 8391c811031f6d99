"""What a model does under attack, and why it decided as it did."""
