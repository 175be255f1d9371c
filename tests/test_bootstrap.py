"""The script behind ``make demo`` and ``make test``: what it installs again, and what it says when it cannot."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script as a module that looks at a project of its own."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / ".ci" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\n")
    return module


@pytest.fixture
def commands(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that the script ran; none of them runs, and making an environment leaves an empty one."""
    ran: list[list[str]] = []

    def run(command: list[str], variables: dict[str, str] | None = None) -> None:
        ran.append(command)
        if command[1:3] == ["-m", "venv"]:
            Path(command[-1]).mkdir(exist_ok=True)

    monkeypatch.setattr(bootstrap, "_run", run)
    monkeypatch.setattr(bootstrap, "_succeeds", lambda command: Path(command[0]).parent.parent.is_dir())
    return ran


def install(bootstrap: ModuleType, extras: set[str]) -> bool:
    environment = bootstrap.Environment(bootstrap.ROOT / "venv", extras)
    if environment.is_ready():
        return False
    environment.install(sys.executable)
    return True


def test_second_run_installs_nothing(bootstrap: ModuleType, commands: list[list[str]]) -> None:
    assert install(bootstrap, {"all", "test"})
    n_commands = len(commands)
    assert not install(bootstrap, {"all", "test"})
    assert not install(bootstrap, {"all"})
    assert len(commands) == n_commands


def test_new_extra_keeps_the_old_ones(bootstrap: ModuleType, commands: list[list[str]]) -> None:
    install(bootstrap, {"all"})
    assert install(bootstrap, {"test"})
    assert commands[-1][-1].endswith("[all,test]")
    assert sum("venv" in command for command in commands) == 1


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_declaration_installs_again(bootstrap: ModuleType, commands: list[list[str]], name: str) -> None:
    install(bootstrap, {"all"})
    (bootstrap.ROOT / name).write_text("# changed\n")
    assert install(bootstrap, {"all"})


def test_moved_environment_is_made_anew(bootstrap: ModuleType, commands: list[list[str]]) -> None:
    install(bootstrap, {"all"})
    (bootstrap.ROOT / "venv").rename(bootstrap.ROOT / "moved")
    environment = bootstrap.Environment(bootstrap.ROOT / "moved", {"all"})
    assert not environment.is_ready()
    environment.install(sys.executable)
    assert "--clear" in commands[-3]


def test_failed_installation_is_repeated(
    bootstrap: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(bootstrap, {"all"})
    (bootstrap.ROOT / "constraints.txt").write_text("# changed\n")
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "_run", lambda command: bootstrap._stop("no network"))
        with pytest.raises(SystemExit, match="no network"):
            install(bootstrap, {"all"})
    assert install(bootstrap, {"all"})


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("apt-get", "sudo apt-get install -y --no-install-recommends libgl1"),
        ("dnf", "sudo dnf install -y mesa-libGL"),
        ("pacman", "sudo pacman -S --needed libglvnd mesa"),
    ],
)
def test_missing_library_is_named_with_the_command(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, program: str, command: str
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name == program else None)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(SystemExit) as stop:
        bootstrap._provide_system_packages({"libGL.so.1": bootstrap.LIBRARIES["libGL.so.1"]})
    assert "    libGL.so.1\n" in str(stop.value)
    assert str(stop.value).endswith(command)


def test_root_on_debian_installs_the_packages(
    bootstrap: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0, raising=False)
    bootstrap._provide_system_packages({"Xvfb": bootstrap.VIRTUAL_DISPLAY})
    assert commands[0] == ["apt-get", "update"]
    assert commands[1][-1] == "xvfb"


def test_link_that_git_could_not_make_is_explained(bootstrap: ModuleType) -> None:
    package = bootstrap.ROOT / "napari_superpixels"
    package.mkdir()
    (package / "napari.yaml").write_text("../napari.yaml")
    with pytest.raises(SystemExit, match=r"git config core\.symlinks true"):
        bootstrap._check_links()


def test_python_that_is_too_old_is_explained(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 0, "final", 0))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed"):
        bootstrap._find_python()
