"""A contender of the benchmark that is not written in Go; the benchmark starts it, with the protocol of protocol.go.

    python peers HOW DIRECTORY

HOW is one of MODULES below; the directory holds the problem (see problem.py).
"""

import importlib
import json
import os
import sys
import time

from problem import Problem

MODULES = {
    "jax": "with_jax",
    "jax-associative": "with_jax",
    "flax": "with_flax",
    "torch": "with_torch",
    "torch-nn": "with_torch",
    "torch-compile": "with_torch",
}


def main():
    # Whatever a framework may print goes to standard error: standard output is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**what):
        answers.write(json.dumps(what) + "\n")

    how, directory = sys.argv[1:]
    try:
        contender = importlib.import_module(MODULES[how]).make(how, Problem(directory))
    except ImportError as e:
        answer(error=f"{sys.executable} cannot import it: {e}; install requirements.txt there, or run with -install")
        return
    answer(ready=contender.name)
    for line in sys.stdin:
        request = json.loads(line)
        if "matmul" in request:
            answer(seconds=contender.matmul(request["matmul"]))
            continue
        started, losses = time.perf_counter(), 0.0
        if "compile" in request:
            plan = contender.compile()
            answer(seconds=time.perf_counter() - started, plan_bytes=plan)
            continue
        for _ in range(request["steps"]):
            losses = losses + contender.step()
        loss = float(losses) / request["steps"]  # waits until all is computed
        answer(seconds=time.perf_counter() - started, loss=loss)


if __name__ == "__main__":
    main()
