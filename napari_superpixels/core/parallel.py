"""Work on bands of an array in threads; for compiled code, which does not hold the interpreter's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_MIN_PIXELS = 65_536


def in_bands(work: Callable[[int, int], None], n_rows: int, row_pixels: int) -> None:
    """Call ``work(first, last)`` for bands of rows that together are 0 to `n_rows`, one for each processor.

    Parameters
    ----------
    work : callable
        Works on rows first to last - 1; must release the interpreter's lock to gain anything.
    n_rows : int
        Number of rows.
    row_pixels : int
        Pixels in a row; bands of less than 65536 pixels are not worth a thread.
    """
    n_bands = max(1, min(os.cpu_count() or 1, n_rows, n_rows * row_pixels // _MIN_PIXELS))
    bounds = [n_rows * i // n_bands for i in range(n_bands + 1)]
    if n_bands == 1:
        work(0, n_rows)
        return
    with ThreadPoolExecutor(n_bands) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))
