"""The kernels run as plain Python too: every line is reached, and every index is checked by numpy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_core_as_plain_python():
    here = Path(__file__).parent
    names = ("eikonal", "superpixels", "features", "metrics", "region_graph", "merge_tree", "region_features", "walks")
    files = [*(here / f"test_{name}.py" for name in names), here.parent / "engine" / "test_region_index.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", *map(str, files)],
        cwd=here.parent.parent,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
