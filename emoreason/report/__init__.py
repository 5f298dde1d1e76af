"""From an Observation to a checked report: schema, composer, claims, writers."""
