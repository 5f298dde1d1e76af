"""Metrics of the field, by its own definitions, with what they leave out reported beside them.

Every module has plain functions on arrays and one or two `*_scores` functions that return `Score`s. The same rules hold for all:
an answer that is missing or cannot be read counts as wrong and is reported, never dropped and never a default label; a value
that is not defined (no samples, no positives) is None, never 0 or 1; repeated ids and foreign samples are errors.
"""
