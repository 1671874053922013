"""What must hold, written from the documents alone: the oracle of the PIN's life, and the invariants by name."""
