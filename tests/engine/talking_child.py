"""A child process without a network: it takes steps, or prints what is no event, as the environment says."""

import os
import sys
import time

from napari_superpixels.engine.fine_tune_files import FineTuneReport
from napari_superpixels.engine.training_child import Talk

_MANNER = os.environ.get("MANNER", "steps")
_NOTHING_YET = FineTuneReport(
    start="natural", steps=1, reason="stopped", seconds=1.0, train=(), before={}, after={}, images=()
)

if _MANNER == "garbage":
    for line in (b"a library prints {\n", b"\xff\xfe\n", b"[1]\n", b'{"event": 3}\n', b'{"event": "loading"}\n', b"{"):
        os.write(1, line)
    sys.exit(0)
talk = Talk(sys.stdin, sys.stdout)
if _MANNER == "deaf":
    talk.tell("loading")
    time.sleep(600)
for step in range(1, 30_000):
    if talk.should_stop():
        break
    talk.tell("step", step=step, of=30_000, loss=1.0, learning_rate=1e-3, seconds_left=None)
    time.sleep(0.02)
talk.tell("done", report=_NOTHING_YET.model_dump(), peak_bytes=0)
