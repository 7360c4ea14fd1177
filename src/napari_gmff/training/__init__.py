"""Training: synthetic stacks with known truth, and the loop that learns from them."""
