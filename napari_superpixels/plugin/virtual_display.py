"""A display for machines that have none."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from napari_superpixels.errors import SuperpixelsError

_SCREEN = "1600x1200x24"
_ADVICE = (
    "There is no screen here, and Xvfb, which would stand in for one, is not installed. Install it: "
    "'apt-get install xvfb' (Debian, Ubuntu), 'dnf install xorg-x11-server-Xvfb' (Fedora) or "
    "'pacman -S xorg-server-xvfb' (Arch). Then try again."
)


class DisplayError(SuperpixelsError):
    """There is no display to open a window on."""


def has_display() -> bool:
    """Say whether windows can be opened."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


@contextmanager
def virtual_display() -> Iterator[None]:
    """Run an invisible X server and let windows open on it.

    Raises
    ------
    DisplayError
        If it is not installed or does not start.
    """
    server = shutil.which("Xvfb")
    if server is None:
        raise DisplayError(_ADVICE)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", _SCREEN, "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        if not number:
            raise DisplayError("The virtual display did not start. Run 'Xvfb :99' by hand to see why.")
        os.environ |= {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
        yield
    finally:
        for name in ("DISPLAY", "QT_QPA_PLATFORM"):
            os.environ.pop(name, None)
        process.terminate()
        process.wait()
