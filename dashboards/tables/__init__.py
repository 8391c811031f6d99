"""What pages compute, from tables to tables."""
