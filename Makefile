# make demo [ARGS="--screenshot demo.png"]   set everything up and open napari on a segmented sample
# make test [ARGS="-k seeds"]                set everything up and run every check
# make benchmark BSDS=DIR [ARGS="--images 10"]   draw the figures of docs/benchmarks.md and print its tables, those of quality of
#                                                40 photographs; CONTRIBUTING.md says how to install the other methods

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.14 python,$(shell command -v $(name) 2>/dev/null)))
ifeq ($(PYTHON),)
$(error Python 3.11 or newer is needed, and none is on the path)
endif
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test benchmark

demo:
	@$(PYTHON) .ci/bootstrap.py all --venv "$(VENV)"
	"$(BIN)/napari-superpixels" demo $(ARGS)

test:
	@$(PYTHON) .ci/bootstrap.py all,test --venv "$(VENV)"
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"
	"$(BIN)/lint-imports" --no-logo
	"$(BIN)/npe2" validate --imports napari-superpixels
	"$(BIN)/python" -m pytest $(ARGS)

benchmark:
	"$(BIN)/napari-superpixels" benchmark --bsds "$(BSDS)" --images 40 --plot docs/images/benchmark-quality.svg $(ARGS)
	"$(BIN)/napari-superpixels" benchmark --speed --plot docs/images/benchmark-speed.svg
