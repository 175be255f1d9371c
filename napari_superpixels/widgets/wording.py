"""What the status line says."""

from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.errors import SuperpixelsError

_EIKONAL_STAGES = {"slowness", "seeds", "arrival"}


def describe_result(result: SolveResult) -> str:
    """Return a line such as ``400 superpixels · network 61 ms (cached) · eikonal 34 ms · cpu``."""
    n = result.n_segments
    parts = [f"{n} superpixel{'' if n == 1 else 's'}"]
    if result.params.model is None:
        parts.append("raw image")
    else:
        parts.append(f"network {_duration(result.timings['network'])}{_cached(result, {'network'})}")
    parts.append(f"eikonal {_duration(result.timings['eikonal'])}{_cached(result, _EIKONAL_STAGES)}")
    parts.append(result.network.device or "cpu")
    return " · ".join(parts)


def describe_error(error: Exception) -> str:
    """Return a sentence for the user; an error made on purpose speaks for itself."""
    if isinstance(error, SuperpixelsError | ValueError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this image. Use a smaller region or a smaller resolution level."
    return f"Something went wrong inside the program ({type(error).__name__}: {error})."


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _cached(result: SolveResult, stages: set[str]) -> str:
    return "" if stages & set(result.ran) else " (cached)"
