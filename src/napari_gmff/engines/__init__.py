"""Step 2 of the data flow: engines score every slice of a window for focus."""
