"""The plugin as napari finds it, and the files that ship with it."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

from napari_superpixels import __version__
from napari_superpixels.assets import resource_path

ROOT = Path(__file__).parent.parent
MANIFEST = PluginManifest.from_file(ROOT / "napari.yaml")
COMMANDS = {command.id: command for command in MANIFEST.contributions.commands}


def test_npe2_finds_the_installed_manifest() -> None:
    found = PluginManifest.from_distribution("napari-superpixels")
    assert found.display_name == "Superpixels"
    assert found.package_version == __version__


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.id)
def test_command_can_be_imported(command) -> None:
    module, name = command.python_name.split(":")
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize(("menu", "names"), [("segment", ["Segment", "Fine-tune"]), ("annotate", ["Correct"])])
def test_menu_opens_the_widgets(menu: str, names: list[str]) -> None:
    entries = [entry.command for entry in MANIFEST.contributions.menus[f"napari/layers/{menu}"]]
    by_name = {widget.display_name: widget.command for widget in MANIFEST.contributions.widgets}
    assert entries == [by_name[name] for name in names]
    assert entries == [f"napari-superpixels.{name.lower().replace('-', '_')}_widget" for name in names]


@pytest.mark.parametrize("sample", MANIFEST.contributions.sample_data, ids=lambda sample: sample.key)
def test_sample_is_an_image_layer(sample) -> None:
    module, name = COMMANDS[sample.command].python_name.split(":")
    [(image, options, kind)] = getattr(import_module(module), name)()
    assert kind == "image"
    assert image.dtype == np.uint8
    assert image.ndim == 2 + options["rgb"]
    assert np.ptp(image) > 200


def test_every_sample_file_names_its_licence() -> None:
    readme = resource_path("samples", "README.md").read_text(encoding="utf-8")
    for path in resource_path("samples").glob("*.png"):
        [row] = [line for line in readme.splitlines() if f"`{path.name}`" in line]
        assert row.endswith("| CC0 |")


def test_missing_resource_is_reported() -> None:
    with pytest.raises(FileNotFoundError, match=r"'samples/nowhere.png' is missing"):
        resource_path("samples", "nowhere.png")


def test_built_distributions_hold_manifest_and_resources(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "napari_superpixels", source / "napari_superpixels", symlinks=True)
    shutil.copytree(ROOT / "resources", source / "resources")
    for name in ("pyproject.toml", "README.md", "LICENSE", "napari.yaml"):
        shutil.copy(ROOT / name, source)
    (source / "resources" / "screenshot.png").write_bytes(b"for the README")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        in_wheel = set(wheel.namelist())
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        in_sdist = {name.partition("/")[2] for name in sdist.getnames()}
    resources = {path.relative_to(source).as_posix() for path in (source / "resources").rglob("*") if path.is_file()}
    wanted = {"napari_superpixels/napari.yaml"} | {f"napari_superpixels/{name}" for name in resources}
    assert wanted <= in_sdist
    assert wanted - in_wheel == {"napari_superpixels/resources/screenshot.png"}
    assert {name.partition("/")[0] for name in in_wheel} == {
        "napari_superpixels",
        f"napari_superpixels-{__version__}.dist-info",
    }
