"""The one evented state, the pipeline of cached stages and its scheduler."""
