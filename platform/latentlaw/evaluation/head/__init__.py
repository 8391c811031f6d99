"""From a latent to an answer: class, probability, and novelty that is conformal."""
