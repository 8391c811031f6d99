"""What laws and networks are compared with: boosted trees, plain image features."""
