"""Scenarios on a card that is not sscard's: the testbed file, the card under test, and what a run may do to it."""
