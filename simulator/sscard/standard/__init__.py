"""LD/T 32 and 33 as data and arithmetic: no state, no I/O."""
