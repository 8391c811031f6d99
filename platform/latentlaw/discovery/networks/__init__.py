"""Models of latents that are not equations: dense, sparse, boosted, on plain features."""
