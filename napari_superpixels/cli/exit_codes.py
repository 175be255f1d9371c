"""Exit statuses that commands share."""

#: Ended by Ctrl+C: 128 and the number of the signal, as shells have it.
INTERRUPTED = 130
