"""Weights for an arm of the user's own, from its description alone."""
