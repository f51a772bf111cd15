"""Estimates of every frame of a data set, as columns of a copy of it."""
