"""Files to layers and back: readers, writers, samples, open and save commands."""
