"""Stacks of planes in a viewer."""

import numpy as np


def solve_stack(viewer, solve, plane, n_planes) -> None:
    """Show the first of some equal planes, and segment it."""
    viewer.add_image(np.stack([plane[..., 0]] * n_planes), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
