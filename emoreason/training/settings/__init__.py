"""Settings: what the YAML of a stage may say, checked when it is read. No training code."""
