"""Checks the episodes of a recorded data set against their own pictures."""
