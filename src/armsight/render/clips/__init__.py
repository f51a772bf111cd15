"""Clips: a fixed camera sees an arm move, or in several poses; all is known about it."""
