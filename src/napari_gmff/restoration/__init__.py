"""Generative restoration: optional, flagged, and never a measurement.

Nothing else in the package needs this part, and it needs the extra ``restoration`` to run.
"""
