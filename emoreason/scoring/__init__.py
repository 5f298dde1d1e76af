"""The grammar of statements about cues, the answer parser, metrics and the pure parts of rewards. Never sees the truth."""
