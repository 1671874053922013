"""What a run of scenarios covers: facts of each result, dimensions with their totals, text, JSON and heat map."""
