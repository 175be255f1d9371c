"""Progress of long commands."""

import io

import pytest
from rich.console import Console

from napari_superpixels.cli.progress import StepBar


def test_plain_lines_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with StepBar("Measuring", 40) as bar:
        for i in range(40):
            bar.step()
            if i == 20:
                bar.say("a note [in brackets]")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Measuring: 4 of 40"
    assert lines[-1] == "Measuring: 40 of 40"
    assert len(lines) == 11
    assert "a note [in brackets]" in lines


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setenv("TERM", "xterm-256color")

    def terminal(**options: object) -> Console:
        return Console(file=screen, force_terminal=True, width=100)

    monkeypatch.setattr("napari_superpixels.cli.progress.Console", terminal)
    with StepBar("Measuring", 2) as bar:
        bar.step()
        bar.say("a note")
        bar.step()
    shown = screen.getvalue()
    assert "2/2" in shown
    assert "a note" in shown
    assert "2 of 2" not in shown
