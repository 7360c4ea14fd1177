"""The dock *Inspector*: pixels, focus curves, comparison, confidence."""
