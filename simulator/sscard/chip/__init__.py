"""What every chip has: its memory, and the answers without data."""
