"""The napari side: docks, layers, mouse and keys, sample data."""
