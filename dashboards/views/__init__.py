"""One page per file; each reads runs through `latentlaw.tracking` only."""
