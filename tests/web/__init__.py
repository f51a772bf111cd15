"""Tests of armsight.web."""
