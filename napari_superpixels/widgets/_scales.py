"""How the position of a slider stands for a value."""

import math
from dataclasses import dataclass

_LOG_POSITIONS = 500


@dataclass(frozen=True, slots=True)
class LinearScale:
    """Equal steps."""

    low: float
    high: float
    step: float

    @property
    def n_positions(self) -> int:
        """Number of steps from the lowest to the highest value."""
        return round((self.high - self.low) / self.step)

    def value(self, position: int) -> float:
        """Return the value at a position."""
        return self.low + position * self.step

    def position(self, value: float) -> int:
        """Return the position nearest to a value."""
        return min(max(round((value - self.low) / self.step), 0), self.n_positions)


@dataclass(frozen=True, slots=True)
class LogScale:
    """Equal ratios; the lowest position stands for 0 where the range begins there.

    Values have three digits, as the eye reads them.
    """

    low: float
    high: float
    step: float

    @property
    def n_positions(self) -> int:
        """Number of the highest position."""
        return _LOG_POSITIONS

    @property
    def _first(self) -> float:
        """The lowest value above 0."""
        return self.low if self.low > 0 else self.step

    @property
    def _offset(self) -> int:
        return 0 if self.low > 0 else 1

    def value(self, position: int) -> float:
        """Return the value at a position."""
        if position < self._offset:
            return self.low
        if position >= _LOG_POSITIONS:
            return self.high
        share = (position - self._offset) / (_LOG_POSITIONS - self._offset)
        value = float(f"{self._first * (self.high / self._first) ** share:.3g}")
        return min(max(value, self.low), self.high)

    def position(self, value: float) -> int:
        """Return the position nearest to a value."""
        if value < self._first:
            return 0
        share = math.log(value / self._first) / math.log(self.high / self._first)
        return min(self._offset + round(share * (_LOG_POSITIONS - self._offset)), _LOG_POSITIONS)
