"""What a run of scenarios covers: facts of each result, dimensions with their totals."""
