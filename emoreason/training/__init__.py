"""Training: one loop, checkpoints and parts for all stages, which train the encoders and then the language model."""
