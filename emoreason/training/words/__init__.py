"""The head on utterances: which ones, how they are read, fit, tuning, figures."""
