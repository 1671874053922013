"""Reports of a run: in the terminal, as a trace, JUnit XML or one HTML page."""
