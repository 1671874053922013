"""For tests of your own: the pytest plugin."""
