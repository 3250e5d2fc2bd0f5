# 用法 / usage: make start, make start LANGUAGE=en, make start PYTHON=python3.11

PYTHON ?= python3
VENV_PYTHON = .venv/bin/python
# LANGUAGE counts only when given to make: many systems set a variable of this name for other purposes.
START = $(PYTHON) -m course_lib.start $(if $(findstring command,$(origin LANGUAGE)),--language $(LANGUAGE))

.PHONY: help start install test lessons bench

help:  ## 显示本说明 / show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

start:  ## 安装并打开第一课 / install, and open the first lesson
	@$(START)

install:  ## 只安装 / only install
	@$(START) --install-only

# Two files at a time, each with one thread: of two threads in one file the second gains little (41 minutes became 25).
test: tools  ## 运行全部测试 / run every test
	$(VENV_PYTHON) -m ruff check
	OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lessons: tools  ## 由 notebooks/src 生成两种语言的课 / build both editions of the lessons from notebooks/src
	$(VENV_PYTHON) -m notebooks.tools build

bench: install  ## 测量画图和训练的时间 / measure how long pictures and training steps take
	$(VENV_PYTHON) tests/bench/bench_draw.py
	$(VENV_PYTHON) tests/bench/bench_sampling.py
	$(VENV_PYTHON) tests/bench/bench_explorer.py
	$(VENV_PYTHON) tests/bench/bench_train.py
	$(VENV_PYTHON) tests/bench/bench_dataset.py

.PHONY: tools
tools: install
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt -c .venv/constraints.txt
