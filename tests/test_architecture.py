"""The rules of the house: who may import what, how long a module may be, how long the import may take."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "napari_superpixels"
#: Imported where they are used, with an error that names the package: parts of an extra.
OPTIONAL = {"onnx", "skfmm"}
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("torch", "numba", "napari", "numpy", "scipy", "skimage", "qtpy", "pydantic")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_is_short(path: Path) -> None:
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= 450, f"{path.name} has {n_lines} lines; split it."


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_functions_are_short(path: Path) -> None:
    too_long = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            n_lines = (node.end_lineno or 0) - first.lineno + 1
            limit = 100 if any("jit" in ast.unparse(decorator) for decorator in node.decorator_list) else 50
            if n_lines > limit:
                too_long.append(f"{node.name}: {n_lines} lines, at most {limit}")
    assert not too_long


def test_no_module_is_a_drawer_for_everything() -> None:
    assert not [path for path in MODULES if path.stem in {"utils", "helpers", "misc", "common"}]


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("room", ["core", "nets", "data", "engine", "evaluation"])
def test_room_works_without_windows(room: str) -> None:
    names = [module_name(path) for path in MODULES if path.parent.name == room and path.stem != "__init__"]
    result = run_python(
        "import importlib, sys\n"
        "sys.modules.update(dict.fromkeys(['qtpy', 'superqt', 'napari', 'magicgui']))\n"
        f"for name in {names}: importlib.import_module(name)\n"
    )
    assert result.returncode == 0, result.stderr


def test_every_imported_package_is_declared() -> None:
    imported = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    distributions = packages_distributions()
    declared = {
        re.split(r"[^\w.-]", requirement)[0].lower()
        for requirement in requires("napari-superpixels") or ()
        if "extra ==" not in requirement
    }
    undeclared = {
        name
        for name in imported - sys.stdlib_module_names - {"napari_superpixels", *OPTIONAL}
        if not declared & {distribution.lower() for distribution in distributions.get(name, ())}
    }
    assert not undeclared


def test_importing_the_package_loads_nothing_heavy() -> None:
    result = run_python(f"import napari_superpixels, sys; print([m for m in {HEAVY} if m in sys.modules])")
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_importing_the_package_is_quick() -> None:
    code = "import time; t = time.perf_counter(); import napari_superpixels; print(time.perf_counter() - t)"
    seconds = min(float(run_python(code).stdout) for _ in range(3))
    assert seconds < 0.3


def test_public_names_load_on_first_use() -> None:
    import napari_superpixels

    for name in napari_superpixels.__all__:
        assert getattr(napari_superpixels, name) is not None
        assert name in dir(napari_superpixels)
    with pytest.raises(AttributeError, match="no attribute 'segmnet'"):
        _ = napari_superpixels.segmnet
