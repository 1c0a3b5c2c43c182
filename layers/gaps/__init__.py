"""Read: who is not covered, by whom they could be, and where the next unit helps most."""
