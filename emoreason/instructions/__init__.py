"""From data sets to conversations: records, recipes, tasks, reasoning chains, mixtures."""
