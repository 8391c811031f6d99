"""Networks: encoders, decoders, the variational autoencoder, the black box."""
