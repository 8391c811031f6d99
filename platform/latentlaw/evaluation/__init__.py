"""How good a latent space is: separation, classification, novelty, pose."""
