"""The list of images that a fine-tuning can learn from."""

import pytest

from napari_superpixels.engine.fine_tune_rows import unique_name


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [("a/b:c", (), "a_b_c"), ("a", ("A",), "a-2"), ("", (), "image"), ("a", ("a", "a-2"), "a-3"), ("..", (), "image")],
)
def test_names_can_be_those_of_files(name: str, taken: tuple[str, ...], expected: str) -> None:
    assert unique_name(name, taken) == expected
