"""How good latents and answers are, a kind of score a module."""
