"""Layers of stacks and results: how they are made, found again and understood."""
