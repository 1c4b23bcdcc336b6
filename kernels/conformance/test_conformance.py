"""Jupyter's own conformance suite, on the kernel that BIRNN_KERNEL names.

    BIRNN_KERNEL=birnn-xla python -m unittest -v test_conformance.py
"""

import os
import unittest

import jupyter_kernel_test as suite

KERNEL = os.environ.get("BIRNN_KERNEL", "birnn-xla")


class Conformance(suite.KernelTests):
    kernel_name = KERNEL
    language_name = "go"
    file_extension = ".go"
    code_hello_world = 'fmt.Println("hello, world")'
    code_stderr = 'fmt.Fprintln(os.Stderr, "test")'
    completion_samples = [
        {"text": "func pri() {}; contin", "matches": {"continue"}},
        {"text": 'x := "分开"; strings.Repea', "matches": {"Repeat"}},
    ]
    complete_code_samples = ["x := 1", "1 + 2", "func f() {\n}", "%env A b", "fmt.Println(1)", "%%\nfor {}", "// 注释"]
    incomplete_code_samples = ["func f() {", "x := []int{1,", "s := `一", "%%", "1 +", "/* more", "!ls \\"]
    invalid_code_samples = ["}", "x = = 1", "func 1() {}", 's := "分开']
    code_page_something = "strings.Repeat?"
    code_generate_error = 'panic("wrong")'
    code_execute_result = [
        {"code": "1 + 2", "result": "3"},
        {"code": 'strings.Repeat("分", 2)', "result": '"分分"'},
        {"code": "image.NewGray(image.Rect(0, 0, 2, 2))", "mime": "image/png"},
    ]
    code_display_data = [
        {"code": 'show.SVG("<svg xmlns=\\"http://www.w3.org/2000/svg\\"/>")', "mime": "image/svg+xml"},
        {"code": 'show.Markdown("**一**")', "mime": "text/markdown"},
        {"code": 'gonbui.DisplayHTML("<b>一</b>")', "mime": "text/html"},
    ]
    code_history_pattern = "1 ? 2"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "strings.Repeat"
    code_clear_output = "%clear"

    def test_language(self):
        self.flush_channels()
        self.kc.kernel_info()
        info = self.kc.get_shell_msg(timeout=60)["content"]
        self.assertEqual(info["status"], "ok")
        language = info["language_info"]
        self.assertEqual(
            (language["pygments_lexer"], language["codemirror_mode"], language["mimetype"]), ("go", "go", "text/x-go")
        )
        import pygments.lexers

        pygments.lexers.get_lexer_by_name(language["pygments_lexer"])


class Welcome(suite.IopubWelcomeTests):
    kernel_name = KERNEL
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main()
