"""Stable Diffusion steered by a ControlNet: IFControlNet, and DiffBIR v2 of the same layout."""
