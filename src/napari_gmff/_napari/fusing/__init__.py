"""The dock *Fuse*: form, preview, run."""
