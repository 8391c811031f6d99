"""Below the entry discover: its parameters, the data told apart, rungs, robustness."""
