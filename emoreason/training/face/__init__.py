"""The face encoder and its heads: pictures to clips, training, figures."""
