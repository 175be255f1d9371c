"""Qt panels, each a view of one session."""
