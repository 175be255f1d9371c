"""Progress of a long command: a bar on a terminal, a line for each tenth elsewhere."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


def plain_console(*, stderr: bool = True) -> Console:
    """Return a console that prints text as it is: long lines whole, and no markup, which paths can look like."""
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


class CountBar:
    """A bar on standard error that counts; without a terminal there is none, and only lines are printed.

    Parameters
    ----------
    title : str
        What is being done.
    total : int
        What is counted to.
    columns : ProgressColumn
        What the bar shows beside title, count and time left.
    fields
        Values of these columns at the start.
    """

    def __init__(self, title: str, total: int, *columns: ProgressColumn, **fields: Any) -> None:
        self.console = plain_console()
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            *columns,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=total, **fields)

    def __enter__(self) -> Self:
        """Show the bar."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self.bar.stop()


class StepBar(CountBar):
    """Counts steps on standard error.

    Parameters
    ----------
    title : str
        What is being done.
    n_steps : int
        Number of steps.
    """

    def __init__(self, title: str, n_steps: int) -> None:
        super().__init__(title, n_steps)
        self._title = title
        self._n_steps = n_steps
        self._n_done = 0

    def step(self) -> None:
        """Count one step more."""
        before, self._n_done = self._n_done, self._n_done + 1
        self.bar.update(self.task, completed=self._n_done)
        is_tenth = 10 * self._n_done // self._n_steps > 10 * before // self._n_steps
        if self.bar.disable and is_tenth:
            self.console.print(f"{self._title}: {self._n_done} of {self._n_steps}")

    def say(self, line: str) -> None:
        """Print a line, above the bar where there is one."""
        self.console.print(line)

    def describe(self, text: str) -> None:
        """Show beside the title what is being done, where there is a bar."""
        self.bar.update(self.task, description=f"{self._title}: {text}")
