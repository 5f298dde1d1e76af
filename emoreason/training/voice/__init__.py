"""The voice encoder and its head: sounds to encoded states, training, figures."""
