"""The dock *Restore (generative)*: consent, weights, mask, run, comparison."""
