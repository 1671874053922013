"""Campaigns: populations of cards through the service or the card alone, each card with its own seed."""
