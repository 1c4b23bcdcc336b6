package python_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"birnn/internal/python"
)

func TestFind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell")
	}
	dir := t.TempDir()
	script := func(name, body string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	script("python3", "echo Python 3.8; exit 1")
	script("python3.14", "echo Python 3.14")
	if got, err := python.Find(t.Context(), python.Output, "", "3.10", "venv"); err != nil || filepath.Base(got) != "python3.14" {
		t.Errorf("found %q, %v; want the one that is new enough", got, err)
	}
	t.Setenv("PATH", t.TempDir())
	for asked, want := range map[string]string{
		filepath.Join(dir, "python3"): "no Python 3.10 or newer with the module venv (" + filepath.Join(dir, "python3") + ": Python 3.8)",
		"no-such-python":              "no-such-python not found",
		"":                            "python3, python3.14,",
	} {
		if _, err := python.Find(t.Context(), python.Output, asked, "3.10", "venv"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("asked for %q: error %v, want %q in it", asked, err, want)
		}
	}
}

// TestMakeEnvironment checks the commands with a complete Python and with Debian's, whose ensurepip is in another
// package.
func TestMakeEnvironment(t *testing.T) {
	inside := python.Interpreter("env")
	for _, test := range []struct {
		name  string
		fails map[string]string // command: output
		want  []string
		err   string
	}{
		{"complete", nil, []string{"py -m venv env", inside + " -m pip install --no-input --disable-pip-version-check -r list"}, ""},
		{"without ensurepip", map[string]string{"py -m venv env": "No module named ensurepip"},
			[]string{"py -m venv env", "py -m venv --without-pip env", "py -m pip --version",
				"py -m pip --python " + inside + " install --no-input --disable-pip-version-check -r list"}, ""},
		{"without pip", map[string]string{"py -m venv env": "No module named ensurepip", "py -m pip --version": ""},
			[]string{"py -m venv env", "py -m venv --without-pip env", "py -m pip --version"}, "apt install python3-venv"},
		{"full disk", map[string]string{"py -m venv env": "no space left"}, []string{"py -m venv env"}, "exit status 1"},
	} {
		var got []string
		run := func(_ context.Context, name string, args ...string) (string, error) {
			line := strings.Join(append([]string{name}, args...), " ")
			got = append(got, line)
			if out, fails := test.fails[line]; fails {
				return out, errors.New("exit status 1")
			}
			return "", nil
		}
		err := python.MakeEnvironment(t.Context(), run, "py", "env", "-r", "list")
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: ran\n%s\nwant\n%s", test.name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.err)
		}
	}
}
