"""Common parts of all chips: command engine, memory, answers without data."""
