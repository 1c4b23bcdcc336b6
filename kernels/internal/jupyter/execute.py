"""Runs one notebook, cell by cell.

Reads the job, a JSON object on one line, from standard input. When standard
input is closed, the caller has ended, and the run is cancelled. Writes events
to standard output, one JSON object per line.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

# Only tell() may write to standard output.
events = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def tell(event, **fields):
    events.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
    events.flush()


async def run(job):
    notebook = nbformat.read(job["notebook"], as_version=4)
    cells = [(i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip()]
    for _, cell in cells:
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        kernel_name=job["kernel"],
        timeout=job["timeout"] or None,
        startup_timeout=120,
        resources={"metadata": {"path": job["dir"]}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    manager = client.create_kernel_manager()
    try:
        command = manager.kernel_spec.argv
    except NoSuchKernel:
        return tell("fatal", message=f"Jupyter has no kernel called {job['kernel']!r}")
    if os.path.basename(command[0]) == "gonb":
        # Errors as text: their HTML is not shown here.
        client.extra_arguments = ["-raw_error=true"]

    task = asyncio.current_task()
    tell("start", cells=len(cells))
    with open(job["log"], "wb") as log:
        try:
            async with client.async_setup_kernel(stdout=log, stderr=log):
                # Replaces nbclient's handlers, which end the kernel but not the
                # wait for its reply.
                for name in (signal.SIGINT, signal.SIGTERM):
                    asyncio.get_running_loop().add_signal_handler(name, task.cancel)
                # A page that shows the copy needs it for syntax highlighting.
                info = await client.async_wait_for_reply(client.kc.kernel_info())
                if info:
                    notebook.metadata["language_info"] = info["content"]["language_info"]
                await execute(client, cells)
        except (DeadKernelError, RuntimeError) as e:
            tell("fatal", message=f"the kernel died: {e}")
        finally:
            if job["out"]:
                save(notebook, job["out"])


async def execute(client, cells):
    for number, (index, cell) in enumerate(cells, start=1):
        began = time.monotonic()
        tell("cell", number=number, source=cell.source)
        failure = None
        try:
            await client.async_execute_cell(cell, index, execution_count=number)
        except CellExecutionError as e:
            failure = {"name": e.ename, "value": e.evalue}
        except CellTimeoutError:
            failure = {"name": "timeout", "value": f"the cell ran longer than {client.timeout} s"}
        fields = {"number": number, "seconds": time.monotonic() - began}
        if failure:
            return tell("failed", outputs=cell.outputs, **failure, **fields)
        tell("ran", **fields)
    tell("done")


def save(notebook, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = path + ".part"
    try:
        nbformat.write(notebook, part)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def main():
    job = json.loads(sys.stdin.readline())

    def watch():
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    try:
        asyncio.run(run(job))
    except asyncio.CancelledError:
        sys.exit(1)
    except Exception as e:
        tell("fatal", message=f"{type(e).__name__}: {e}")


main()
