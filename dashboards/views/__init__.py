"""One page a file; each reads runs through `latentlaw.tracking` only."""
