"""A small model computes with one thread, a large one with all."""

import os
import subprocess
import sys

COUNT = """
import torch
from course_lib.model.loading import load
from course_lib.model.threads import set_threads
print(torch.get_num_threads(), end=" ")
load("tiny")
print(torch.get_num_threads(), end=" ")
large = torch.nn.Linear(20_000, 20_000, device="meta")
print(set_threads(large), torch.get_num_threads())
"""


def test_the_tiny_model_computes_with_one_thread_and_a_large_one_with_all():
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, timeout=300)
    assert ran.stdout.split() == ["2", "1", "2", "2"], ran.stderr[-500:]
