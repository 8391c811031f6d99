"""What `evaluate` and `compare` are made of: parameters, pictures, a network to compare with."""
