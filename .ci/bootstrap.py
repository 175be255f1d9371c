"""Make the virtual environment ready; ``make demo`` and ``make test`` call this before anything else.

Usage: python bootstrap.py EXTRAS [--venv FOLDER]

It finds a Python that is new enough, checks for the system libraries that Qt and OpenGL need, and installs the package
with EXTRAS (for example ``all,test``) at the versions of constraints.txt. What is already in place is left alone.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
PYTHON_NAMES = ("python3.13", "python3.12", "python3.11", "python3.14", "python3", "python", "py")

# Library to load -> its package on Debian, Fedora and Arch.
LIBRARIES = {
    "libGL.so.1": ("libgl1", "mesa-libGL", "libglvnd mesa"),
    "libEGL.so.1": ("libegl1", "mesa-libEGL", "libglvnd mesa"),
    "libX11-xcb.so.1": ("libx11-xcb1", "libX11-xcb", "libx11"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus-libs", "dbus"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig", "fontconfig"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2", "glib2"),
    "libgssapi_krb5.so.2": ("libgssapi-krb5-2", "krb5-libs", "krb5"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    "libxcb-glx.so.0": ("libxcb-glx0", "libxcb", "libxcb"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    "libxcb-randr.so.0": ("libxcb-randr0", "libxcb", "libxcb"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb", "libxcb"),
    "libxcb-sync.so.1": ("libxcb-sync1", "libxcb", "libxcb"),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0", "libxcb", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb", "libxcb"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
}
COMPILED_EXTRAS = {"fmm", "test"}
COMPILERS = ("c++", "g++", "clang++")
VIRTUAL_DISPLAY = ("xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb")
# Program that installs packages -> (column of the packages above, command).
INSTALLERS = {
    "apt-get": (0, "apt-get install -y --no-install-recommends"),
    "dnf": (1, "dnf install -y"),
    "pacman": (2, "pacman -S --needed"),
}


def main() -> None:
    options = _parse_arguments()
    environment = Environment(options.venv.absolute(), set(options.extras.split(",")))
    python = _find_python()
    _check_links()
    if platform.system() == "Linux":
        missing = _missing_for_display()
        if not environment.is_ready():
            missing.update(_missing_for_installation(python, environment.extras))
        if missing:
            _provide_system_packages(missing)
    if not environment.is_ready():
        environment.install(python)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the virtual environment ready.")
    parser.add_argument("extras", help="extras to install, separated by commas")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="folder of the virtual environment")
    return parser.parse_args()


def _find_python() -> str:
    """Return a Python that is new enough: the running one if it is, else the first one on the path."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return sys.executable
    for name in PYTHON_NAMES:
        found = shutil.which(name)
        if found and _succeeds([found, "-c", f"import sys; sys.exit(sys.version_info[:2] < {OLDEST_PYTHON})"]):
            return found
    wanted = ".".join(map(str, OLDEST_PYTHON))
    _stop(f"Python {wanted} or newer is needed; this is {platform.python_version()}, and no newer one is on the path.")


def _check_links() -> None:
    for name in ("napari.yaml", "resources"):
        link = ROOT / "napari_superpixels" / name
        if not link.exists() or (link.is_file() and link.read_text(encoding="utf-8").strip() == f"../{name}"):
            _stop(
                f"napari_superpixels/{name} should be a symbolic link to ../{name}, but this checkout has none. "
                "Allow symbolic links (on Windows: switch on Developer Mode), then run:\n"
                "    git config core.symlinks true\n"
                f"    git checkout -- napari_superpixels/{name}"
            )


def _missing_for_display() -> dict[str, tuple[str, str, str]]:
    """Return what a window lacks: each missing part and its package names."""
    missing = {library: packages for library, packages in LIBRARIES.items() if not _loads(library)}
    if not _has_display() and not shutil.which("Xvfb"):
        missing["Xvfb (a display for machines without a screen)"] = VIRTUAL_DISPLAY
    return missing


def _missing_for_installation(python: str, extras: set[str]) -> dict[str, tuple[str, str, str]]:
    """Return what the installation lacks; scikit-fmm, part of some extras, has no wheels and is compiled on Linux."""
    version = _output([python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"])
    headers = _output([python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"])
    missing: dict[str, tuple[str, str, str]] = {}
    if not _succeeds([python, "-c", "import ensurepip, venv"]):
        missing["venv (a part of Python)"] = (f"{version}-venv", "python3", "python")
    if not extras & COMPILED_EXTRAS:
        return missing
    if not Path(headers, "Python.h").exists():
        missing["Python.h (to compile scikit-fmm)"] = (f"{version}-dev", f"{version}-devel", "python")
    if not any(map(shutil.which, COMPILERS)):
        missing["a C++ compiler (to compile scikit-fmm)"] = ("g++", "gcc-c++", "gcc")
    return missing


def _provide_system_packages(missing: dict[str, tuple[str, str, str]]) -> None:
    """Install what is missing when we may; stop with the command that does it when we may not."""
    program = next((name for name in INSTALLERS if shutil.which(name)), None)
    if program is None:
        _stop("These parts of the system are missing; install them, then try again:\n    " + "\n    ".join(missing))
    column, command = INSTALLERS[program]
    packages = sorted({package for names in missing.values() for package in names[column].split()})
    if program == "apt-get" and os.geteuid() == 0:
        _say("Installing system packages: " + " ".join(packages))
        variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update"], variables)
        _run([*command.split(), *packages], variables)
        return
    _stop(
        "These parts of the system are missing:\n    "
        + "\n    ".join(missing)
        + f"\nInstall them, then try again:\n    sudo {command} {' '.join(packages)}"
    )


class Environment:
    """A virtual environment that holds the package, installed in place with some extras."""

    def __init__(self, folder: Path, extras: set[str]) -> None:
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.stamp = folder / "installed.json"
        self.extras = extras
        state = hashlib.sha256()
        for name in ("pyproject.toml", "constraints.txt"):
            state.update((ROOT / name).read_bytes())
        self.state = state.hexdigest()

    def is_ready(self) -> bool:
        """Whether an earlier run has installed all that is asked for, from the same declarations."""
        return self._works() and self.extras <= self._installed_extras()

    def install(self, python: str) -> None:
        """Create the environment when it is missing or broken, then install into it."""
        extras = self.extras | self._installed_extras()
        if not self._works():
            _say(f"Creating the virtual environment {self.folder}")
            _run([python, "-m", "venv", "--clear", str(self.folder)])
        elif self.stamp.exists():
            self.stamp.unlink()
        _say("Installing napari-superpixels and what it needs; the first time takes some minutes.")
        pip = [str(self.python), "-m", "pip", "install"]
        _run([*pip, "--upgrade", "pip"])
        _run([*pip, "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{','.join(sorted(extras))}]"])
        stamp = {"state": self.state, "extras": sorted(extras), "folder": str(self.folder)}
        self.stamp.write_text(json.dumps(stamp), encoding="utf-8")

    def _works(self) -> bool:
        moved = self._read_stamp().get("folder", str(self.folder)) != str(self.folder)
        return not moved and _succeeds([str(self.python), "-m", "pip", "--version"])

    def _installed_extras(self) -> set[str]:
        stamp = self._read_stamp()
        return set(stamp["extras"]) if stamp.get("state") == self.state else set()

    def _read_stamp(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stamp.read_text(encoding="utf-8")) if self.stamp.exists() else {}
        return found


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def _output(command: list[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def _run(command: list[str], variables: dict[str, str] | None = None) -> None:
    if subprocess.run(command, env=variables).returncode:
        _stop("This command failed; its message is above:\n    " + " ".join(command))


def _say(text: str) -> None:
    print(f"==> {text}", flush=True)


def _stop(text: str) -> NoReturn:
    sys.exit(f"napari-superpixels cannot be set up.\n{text}")


if __name__ == "__main__":
    main()
