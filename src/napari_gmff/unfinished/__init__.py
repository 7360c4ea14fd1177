"""Unfinished work: what a stopped run keeps beside its output, so that another can go on."""
