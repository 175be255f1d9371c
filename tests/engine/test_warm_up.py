"""What is loaded in the background, so that first results come soon."""

import subprocess
import sys

import numpy as np

from napari_superpixels.engine.annotation import warm_up_acts

from .solved_cases import Solver

# Another process, because this one has loaded what other tests needed.
SEGMENT_AFTER_WARM_UP = """
import sys
import numpy as np
from napari_superpixels import segment
from napari_superpixels.engine.warm_up import warm_up

def n_signatures():
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("napari_superpixels.core")]
    values = {id(value): value for module in modules for value in vars(module).values()}.values()
    return sum(len(value.nopython_signatures) for value in values if hasattr(value, "nopython_signatures"))

warm_up()
before = n_signatures()
image = np.random.default_rng(1).integers(0, 256, (350, 450, 3), np.uint8)
segment(image, n_segments=200)
segment(image[..., 0], n_segments=200)
print(before, n_signatures())
"""


def test_after_the_warm_up_color_and_grey_images_load_no_further_kernels():
    done = subprocess.run([sys.executable, "-c", SEGMENT_AFTER_WARM_UP], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before > 10
    assert after == before


def test_a_warm_up_of_acts_leaves_the_result_alone():
    result = Solver().result()
    before = result.superpixels.labels.copy()
    warm_up_acts(result)
    assert np.array_equal(result.superpixels.labels, before)
