"""Training: one loop, checkpoints and parts for all stages; stage 0 for faces and voices, then the language model."""
