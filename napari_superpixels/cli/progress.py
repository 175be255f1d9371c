"""Progress of a long command: a bar on a terminal, a line for each tenth elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class StepBar:
    """Counts steps on standard error.

    Parameters
    ----------
    title : str
        What is being done.
    n_steps : int
        Number of steps.
    """

    def __init__(self, title: str, n_steps: int) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self._title = title
        self._n_steps = n_steps
        self._n_done = 0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=n_steps)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def step(self) -> None:
        """Count one step more."""
        before, self._n_done = self._n_done, self._n_done + 1
        self._bar.update(self._task, completed=self._n_done)
        is_tenth = 10 * self._n_done // self._n_steps > 10 * before // self._n_steps
        if self._bar.disable and is_tenth:
            self.console.print(f"{self._title}: {self._n_done} of {self._n_steps}")

    def say(self, line: str) -> None:
        """Print a line, above the bar where there is one."""
        self.console.print(line)

    def describe(self, text: str) -> None:
        """Show beside the title what is being done, where there is a bar."""
        self._bar.update(self._task, description=f"{self._title}: {text}")
