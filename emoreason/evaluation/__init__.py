"""Evaluation: suites, what judges say about their samples, scores with intervals, pages, comparisons, audits."""
