"""What must hold, written from the documents alone: the invariants by name."""
