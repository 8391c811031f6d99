"""What latents and changes of images mean, by plain features of images."""
