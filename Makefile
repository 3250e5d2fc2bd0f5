# 用法 / usage: make start, make start LANGUAGE=en, make start PYTHON=python3.11

PYTHON ?= python3
VENV_PYTHON = .venv/bin/python
# LANGUAGE counts only when given to make: many systems set a variable of this name for other purposes.
START = $(PYTHON) -m course_lib.start $(if $(findstring command,$(origin LANGUAGE)),--language $(LANGUAGE))

.PHONY: help start install test test-all lessons bench

help:  ## 显示本说明 / show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

start:  ## 安装并打开第一课 / install, and open the first lesson
	@$(START)

install:  ## 只安装 / only install
	@$(START) --install-only

PYTEST = OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
BROWSER = $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# Two files at a time, each with one thread: of two threads in one file the second gains little (41 minutes became 25).
# Both editions of a lesson share all code, and each asks in its own language: every second lesson is executed in Chinese,
# the others in English, and of the other edition the kinds of outputs are compared (tests/lessons/test_editions.py).
ONCE = $(foreach number,01 03 05,--ignore-glob='notebooks/en/$(number)*') \
    $(foreach number,02 04 06,--ignore-glob='notebooks/$(number)*')
test: tools  ## 运行测试 / run the tests
	@echo "约 15 分钟（两个核）；浏览器 / about 15 minutes on two cores; browser: $(or $(BROWSER),没有，跳过网页的测试 / none, so pages are not tested)"
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m mypy
	$(PYTEST) $(ONCE)
	@echo "全部通过 / everything works"

test-all: tools  ## 两种语言的课都执行 / execute the lessons in both languages
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m mypy
	$(PYTEST)

lessons: tools  ## 由 notebooks/src 生成两种语言的课 / build both editions of the lessons from notebooks/src
	$(VENV_PYTHON) -m notebooks.tools build

bench: install  ## 测量画图和训练的时间 / measure how long pictures and training steps take
	$(VENV_PYTHON) tests/bench/bench_draw.py
	$(VENV_PYTHON) tests/bench/bench_sampling.py
	$(VENV_PYTHON) tests/bench/bench_explorer.py
	$(VENV_PYTHON) tests/bench/bench_train.py
	$(VENV_PYTHON) tests/bench/bench_dataset.py

# One set of versions for Python 3.10 to 3.13 on Linux, macOS and Windows. torch stays where it was tested.
LOCK = pip compile --quiet --universal --python-version 3.10 --no-annotate --custom-compile-command "make lock" \
    - requirements.txt tests/requirements.txt

lock:  ## 更新锁定的版本（要有 uv） / renew the pinned versions (needs uv)
	echo torch==2.13.0 | uv $(LOCK) --upgrade --output-file tests/constraints.txt
	echo torch==2.13.0 | uv $(LOCK) --constraints tests/constraints.txt --generate-hashes --output-file tests/lock.txt

.PHONY: tools lock
tools: install
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt -c .venv/constraints.txt
