"""A lazy handle on one media file; everything is asked for in seconds."""
