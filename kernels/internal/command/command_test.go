package command

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib/backend/plugin"
	"birnn/kernels/internal/home"
)

// call runs a command and returns its exit code and output.
func call(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = (&app{out: &o, err: &e}).main(t.Context(), args)
	return code, o.String(), e.String()
}

// atHome makes a temporary folder the user's home.
func atHome(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the kernels need a Unix")
	}
	user := t.TempDir()
	for key, value := range map[string]string{"HOME": user, "XDG_DATA_HOME": "", "JUPYTER_DATA_DIR": "", home.Env: ""} {
		t.Setenv(key, value)
	}
	t.Setenv(plugin.SearchPathEnv, "")
	os.Unsetenv(plugin.SearchPathEnv)
	return user
}

func TestUsage(t *testing.T) {
	atHome(t)
	for _, test := range []struct {
		args []string
		code int
		out  string // in standard output
		err  string // in standard error
	}{
		{nil, wrong, "", "Usage: go run ./kernels"},
		{[]string{"-h"}, ok, "Usage: go run ./kernels", ""},
		{[]string{"help"}, ok, "uninstall", ""},
		{[]string{"fly"}, wrong, "", `unknown command "fly"`},
		{[]string{"lab", "-h"}, ok, "-no-browser", ""},
		{[]string{"run", "-h"}, ok, "-timeout", ""},
		{[]string{"print", "-h"}, ok, "-browser", ""},
		{[]string{"print", "-browser", "no-such-browser", "../../../notebooks/en"}, wrong, "", "-browser"},
		{[]string{"install", "--help"}, ok, "-plugin-source", ""},
		{[]string{"uninstall", "-h"}, ok, "-n", ""},
		{[]string{"doctor", "-h"}, ok, "-json", ""},
		{[]string{"lab", "-nope"}, wrong, "", "-nope"},
		{[]string{"lab", "extra"}, wrong, "", `unexpected argument "extra"`},
		{[]string{"lab", "-port", "70000"}, wrong, "", "-port is 70000"},
		{[]string{"lab", "-port", "x"}, wrong, "", "-port"},
		{[]string{"lab", "-lang", "fr"}, wrong, "", `"fr"`},
		{[]string{"install", "-plugin-source", "tar"}, wrong, "", `"tar"`},
		{[]string{"run", "-timeout", "-3s"}, wrong, "", "-timeout is -3s"},
		{[]string{"run", "-timeout", "3"}, wrong, "", "-timeout"},
		{[]string{"run", "absent.ipynb"}, wrong, "", "no notebook absent.ipynb"},
		{[]string{"run", "command.go"}, wrong, "", "command.go is not a notebook"},
		{[]string{"run", "."}, wrong, "", "no notebook (*.ipynb) in the folder"},
		{[]string{"uninstall"}, ok, "nothing is installed", ""},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, out, errOut := call(t, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, c := range []struct{ stream, got, want string }{{"standard output", out, test.out}, {"standard error", errOut, test.err}} {
				if !strings.Contains(c.got, c.want) || c.want == "" && c.got != "" {
					t.Errorf("%s is %q, want %q", c.stream, c.got, c.want)
				}
			}
		})
	}
}

func TestWindows(t *testing.T) {
	for _, name := range []string{"lab", "run", "install", "uninstall", "doctor"} {
		var o, e bytes.Buffer
		code := (&app{out: &o, err: &e, os: "windows"}).main(t.Context(), []string{name})
		if code != fails || !strings.Contains(e.String(), "WSL") || o.Len() > 0 {
			t.Errorf("%s: exit code %d, %q", name, code, e.String())
		}
	}
}

func TestFlagsAfterArguments(t *testing.T) {
	atHome(t)
	var e bytes.Buffer
	f := (&app{out: &e, err: &e}).flags("run", "", "")
	kernel := f.String("kernel", "", "")
	rest, code, done := f.parse([]string{"a.ipynb", "-kernel", "k", "b.ipynb", "-dir=d"}, true)
	if done || code != ok || !slices.Equal(rest, []string{"a.ipynb", "b.ipynb"}) || *kernel != "k" || filepath.Base(f.options.Home.Dir) != "d" {
		t.Errorf("rest %q, kernel %q, folder %s, code %d: %s", rest, *kernel, f.options.Home.Dir, code, e.String())
	}
}

// TestProject makes project folders in an installation of the user and in one that is read-only.
func TestProject(t *testing.T) {
	user := atHome(t)
	mine, shared := home.Home{Dir: filepath.Join(user, "mine")}, home.Home{Dir: filepath.Join(user, "shared")}
	write(t, shared.Path("projects")) // a file is in the way, for root too
	own, err := home.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		home home.Home
		in   string
	}{{mine, mine.Path("projects")}, {shared, own.Dir + "-projects"}} {
		a, errA := project(test.home, "/a")
		b, errB := project(test.home, "/b")
		again, err := project(test.home, "/a")
		if errA != nil || errB != nil || err != nil || a == b || again != a || filepath.Dir(a) != test.in {
			t.Errorf("%q, %q and again %q: %v %v %v; want two folders in %s", a, b, again, errA, errB, err, test.in)
		}
		for _, dir := range []string{a, b} {
			if info, err := os.Stat(dir); err != nil || info.Mode() != os.ModeDir|0o700 {
				t.Errorf("%s: %v %v, want a folder for the user alone", dir, info, err)
			}
		}
	}
}

func write(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindAndCopies(t *testing.T) {
	root, other := t.TempDir(), t.TempDir()
	if _, err := find(root, nil); err == nil || !strings.Contains(err.Error(), "no lessons") {
		t.Errorf("without lessons: %v", err)
	}
	zh := write(t, root, "notebooks", "zh", "01-a.ipynb")
	en := write(t, root, "notebooks", "en", "01-a.ipynb")
	mine := write(t, other, "01-a.ipynb")

	all, err := find(root, nil)
	if err != nil || !slices.Equal(all, []string{zh, en}) {
		t.Errorf("all: %q, %v", all, err)
	}
	if inside, err := find(root, []string{other, en}); err != nil || !slices.Equal(inside, []string{mine, en}) {
		t.Errorf("a folder and a file: %q, %v", inside, err)
	}
	out := filepath.Join(t.TempDir(), "out")
	paths, err := copies(root, out, []string{zh, en, mine})
	want := []string{filepath.Join(out, "zh", "01-a.ipynb"), filepath.Join(out, "en", "01-a.ipynb"), filepath.Join(out, "01-a.ipynb")}
	if err != nil || !slices.Equal(paths, want) {
		t.Errorf("copies %q, %v\nwant %q", paths, err, want)
	}
	if _, err := copies(root, out, []string{mine, mine}); err == nil {
		t.Error("two copies with one name go unnoticed")
	}
	if _, err := copies(root, other, []string{mine}); err == nil {
		t.Error("overwriting the notebook itself goes unnoticed")
	}
	if paths, err := copies(root, "", []string{mine}); err != nil || paths[0] != "" {
		t.Errorf("without -o: %q, %v", paths, err)
	}
}

func listing(t *testing.T, root string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestUninstall removes an installation from a home folder that has other files.
func TestUninstall(t *testing.T) {
	user := atHome(t)
	write(t, user, "notes.txt")
	write(t, user, ".local", "share", "other", "file")
	before := listing(t, user)

	h, err := home.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	m, unlock, err := h.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	write(t, h.Bin(), "gonb")
	spec := filepath.Join(user, ".local", "share", "jupyter", "kernels", "birnn-go")
	if err := m.MakeDirs(filepath.Dir(spec)); err != nil {
		t.Fatal(err)
	}
	if err := m.Note(&m.Outside, spec); err != nil {
		t.Fatal(err)
	}
	write(t, spec, "kernel.json")
	unlock()

	during := listing(t, user)
	code, out, errOut := call(t, "uninstall", "-n")
	if code != ok || !strings.Contains(out, "would remove "+spec) || errOut != "" || !slices.Equal(during, listing(t, user)) {
		t.Errorf("dry run: exit code %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = call(t, "uninstall")
	if code != ok || !strings.Contains(out, "removed "+spec) || errOut != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	if got := listing(t, user); !slices.Equal(got, before) {
		t.Errorf("left %q\nwant %q", got, before)
	}
}

// TestDoctorFindsNothing runs doctor where nothing is installed.
func TestDoctorFindsNothing(t *testing.T) {
	user := atHome(t)
	code, out, errOut := call(t, "doctor", "-json")
	var report struct {
		OK     bool
		Checks []struct {
			Name, Problem, Fix string
			OK                 bool
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v: %s%s", err, out, errOut)
	}
	if code != fails || report.OK {
		t.Errorf("exit code %d, ok %v", code, report.OK)
	}
	found := false
	for _, c := range report.Checks {
		if c.OK != (c.Problem == "") || !c.OK && c.Fix == "" {
			t.Errorf("a problem without a command that repairs it, or the reverse: %+v", c)
		}
		found = found || c.Problem == "nothing is installed" && c.Fix == "go run ./kernels install"
	}
	if !found {
		t.Errorf("it does not say that nothing is installed: %s", out)
	}
	for _, path := range listing(t, user) {
		if strings.Contains(path, "birnn") {
			t.Errorf("looking made %s", path)
		}
	}
}
