"""Steps that several entries share, or that are long enough to be read alone."""
