"""Clients of Jupyter other than JupyterLab, on the kernel that BIRNN_KERNEL names.

    BIRNN_KERNEL=birnn-xla python -m unittest -v test_clients.py
"""

import os
import subprocess
import sys
import tempfile
import unittest

import nbformat
import papermill
from jupyter_client.manager import start_new_kernel

KERNEL = os.environ.get("BIRNN_KERNEL", "birnn-xla")


class Clients(unittest.TestCase):
    def test_console(self):
        """A session of jupyter console: a declaration, a result, an error, Chinese text."""
        session = "func double(x int) int { return 2 * x }\ndouble(21)\ndouble(x)\nfmt.Println(\"分开\")\nexit\n"
        out = subprocess.run(
            [sys.executable, "-m", "jupyter_console", "--simple-prompt", "--kernel", KERNEL],
            input=session, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=300,
        ).stdout
        self.assertIn("Go with GoNB", out)  # the banner
        self.assertIn("Out[2]: 42", out)
        self.assertIn("undefined: x", out)
        self.assertIn("分开", out)

    def test_papermill(self):
        """papermill runs a notebook to its end, and stops it at an error."""
        with tempfile.TemporaryDirectory() as directory:
            good, bad, out = (os.path.join(directory, name) for name in ("good.ipynb", "bad.ipynb", "out.ipynb"))
            cells = ["func f() string { return \"一\" }", "f()", "fmt.Println(f())"]
            self.write(good, cells)
            papermill.execute_notebook(good, out, kernel_name=KERNEL, progress_bar=False)
            outputs = [output for cell in nbformat.read(out, 4).cells for output in cell.get("outputs", [])]
            self.assertEqual([o.output_type for o in outputs], ["execute_result", "stream"])
            self.assertEqual(outputs[0].data["text/plain"], '"一"')
            self.write(bad, ["panic(\"坏\")", "fmt.Println(1)"])
            with self.assertRaises(papermill.PapermillExecutionError) as raised:
                papermill.execute_notebook(bad, out, kernel_name=KERNEL, progress_bar=False)
            self.assertEqual((raised.exception.ename, raised.exception.evalue), ("panic", "坏"))

    def test_editor(self):
        """What VS Code does: silent requests, interrupts by message while a cell runs, a restart."""
        manager, client = start_new_kernel(kernel_name=KERNEL)
        try:
            seen = []
            reply = client.execute_interactive(
                "1 + 1", silent=True, store_history=False, output_hook=lambda message: seen.append(message["msg_type"]), timeout=60
            )
            self.assertEqual(set(seen), {"status"})
            self.assertEqual((reply["content"]["status"], reply["content"]["execution_count"]), ("ok", 0))
            client.execute("%%\nfmt.Println(\"started\")\nfor {}")
            while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
                pass
            manager.interrupt_kernel()
            reply = client.get_shell_msg(timeout=60)
            self.assertEqual((reply["content"]["ename"], reply["content"]["execution_count"]), ("Interrupted", 1))
            manager.restart_kernel()
            client.wait_for_ready(timeout=120)
            reply = client.execute_interactive("println(2)", output_hook=lambda message: None, timeout=60)
            self.assertEqual((reply["content"]["status"], reply["content"]["execution_count"]), ("ok", 1))
        finally:
            client.stop_channels()
            manager.shutdown_kernel()

    def write(self, path, sources):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
        notebook.metadata["kernelspec"] = {"name": KERNEL, "display_name": KERNEL, "language": "go"}
        nbformat.write(notebook, path)


if __name__ == "__main__":
    unittest.main()
