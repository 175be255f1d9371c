"""Superpixel algorithms on arrays: features, seeds, slowness, the eikonal solver, metrics."""
