//go:build unix

package front

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"birnn/internal/testall"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/jupyter"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/wire"
)

// notebookFlag names another notebook to compare:
//
//	BIRNN_TEST=all go test ./kernels/internal/front -run TestLongSideBySide/given -v -notebook "$PWD/a.ipynb"
var notebookFlag = flag.String("notebook", "", "the only notebook that TestLongSideBySide runs")

// leftOut are the notebooks of GoNB that are not compared, with the reason.
var leftOut = map[string]string{
	"comms.ipynb":       "it waits for messages of a page in a browser",
	"dom.ipynb":         "it reads a page in a browser",
	"input_boxes.ipynb": "it asks the reader for input",
	"wasm.ipynb":        "it uses %wasm, which does not work with the Go that we build with",
	"widgets.ipynb":     "it waits for a page in a browser",
}

// sideParts is the number of parts of GoNB's notebooks, named by letters, so that a check can run one: two notebooks.
const sideParts = 7

// TestSideBySide compares a notebook of GoNB that is quick.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	sideBySide(t, newSides(t), filepath.Join(gonbFolder(t), "examples", "tests", "vartuple.ipynb"))
}

// TestLongSideBySide runs GoNB's test notebooks on the front and on bare GoNB, and compares the outputs cell by cell.
func TestLongSideBySide(t *testing.T) {
	testall.Long(t)
	s := newSides(t)
	if *notebookFlag != "" {
		t.Run("given", func(t *testing.T) { sideBySide(t, s, *notebookFlag) })
		return
	}
	all, _ := filepath.Glob(filepath.Join(gonbFolder(t), "examples", "tests", "*.ipynb"))
	for name := range leftOut {
		i := slices.IndexFunc(all, func(path string) bool { return filepath.Base(path) == name })
		if i < 0 {
			t.Fatalf("GoNB has no notebook %s", name)
		}
		all = slices.Delete(all, i, i+1)
	}
	if len(all) <= sideParts || len(all) > 2*sideParts {
		t.Fatalf("%d notebooks in %d parts", len(all), sideParts)
	}
	for part := range sideParts {
		t.Run(string(rune('a'+part)), func(t *testing.T) {
			for i := part; i < len(all); i += sideParts {
				name, _ := filepath.Rel(filepath.Dir(filepath.Dir(all[i])), all[i])
				t.Run(name, func(t *testing.T) { sideBySide(t, s, all[i]) })
			}
		})
	}
}

// TestLongLessonsSideBySide is TestLongSideBySide for the lessons. Each takes as long as the lesson, twice.
func TestLongLessonsSideBySide(t *testing.T) {
	testall.Long(t)
	s := newSides(t)
	for _, language := range jupyter.Languages { // their code is the same: every other lesson in each language
		ours, _ := filepath.Glob(filepath.Join(jupyter.LessonsDir(root(t)), language, "*.ipynb"))
		for i, path := range ours {
			if jupyter.Languages[i%len(jupyter.Languages)] == language {
				t.Run(language+"/"+filepath.Base(path), func(t *testing.T) { sideBySide(t, s, path) })
			}
		}
	}
}

// gonbFolder returns the folder of GoNB's module, which has its notebooks.
func gonbFolder(t *testing.T) string {
	t.Helper()
	const path = "github.com/janpfeifer/gonb"
	cmd := exec.Command("go", "mod", "download", "-json", path)
	cmd.Dir = root(t)
	var module struct{ Dir string }
	out, err := cmd.Output()
	if errors.Join(err, json.Unmarshal(out, &module)) != nil || module.Dir == "" {
		testall.Missing(t, "the module %s: go mod download", path)
	}
	return module.Dir
}

// sides is what runs a notebook on both kernels.
type sides struct {
	argv [2][]string // of bare GoNB and of the front
	env  [2][]string
}

// newSides builds the front and prepares the environments: that of the installed kernel for the front, and the same
// with Go's default flags for GoNB.
func newSides(t *testing.T) *sides {
	t.Helper()
	h, err := home.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := kernelspec.Read(filepath.Join(h.Jupyter(), "kernels"), kernelspec.XLA)
	if errors.Is(err, os.ErrNotExist) {
		spec, err = kernelspec.Read(filepath.Join(h.Jupyter(), "kernels"), kernelspec.Go)
	}
	if err != nil {
		testall.Missing(t, "a kernel (%v): go run ./kernels install", err)
	}
	gonb := filepath.Join(t.TempDir(), "gonb") // its notebooks build with it
	if err := os.CopyFS(gonb, os.DirFS(gonbFolder(t))); err != nil {
		t.Fatal(err)
	}
	modules := goEnv(t, "GOMODCACHE")
	env := append(spec.Environ(), "GOSUMDB=off", "GONB_GIT_ROOT="+gonb, "GOPROXY=file://"+modules+"/cache/download,"+usersProxy,
		"GOPATH="+strings.TrimSuffix(modules, filepath.Join("/", "pkg", "mod"))) // goimports forgets GOMODCACHE: TestModuleCache
	return &sides{
		argv: [2][]string{{filepath.Join(h.Bin(), "gonb"), "--kernel", "{connection_file}", "-go_work=" + root(t)}, buildKernel(t)},
		env:  [2][]string{append(slices.Clone(env), "GOFLAGS="), env},
	}
}

// shown is what a reader sees of a cell.
type shown struct {
	status         string // ok, error or hang
	stdout, stderr string
	displays       []string
}

// mostForCell is the time that a cell has.
const mostForCell = 10 * time.Minute

// sideBySide runs a notebook on both kernels, each in a copy of its folder, and compares the outputs.
func sideBySide(t *testing.T, s *sides, notebook string) {
	cells := readCells(t, notebook)
	from, work := filepath.Dir(notebook), "."
	isLesson := strings.HasPrefix(notebook, jupyter.LessonsDir(root(t)))
	if isLesson { // lessons read files of the folder above
		from, work = filepath.Dir(from), filepath.Base(from)
	}
	var ran [2][]shown
	for side := range 2 {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "notebooks"), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		env := append(slices.Clone(s.env[side]), "TEST_DIR="+dir+"/", "GOCOVERDIR="+dir)
		if side == 0 && isLesson { // as with "kernels install -plain"
			env = append(env, "GOPROXY=off")
		}
		ran[side] = runNotebook(t, s.argv[side], dir, filepath.Join(dir, "notebooks", work), env, cells)
	}
	for i := range min(len(ran[0]), len(ran[1])) {
		bare, ours := ran[0][i], ran[1][i]
		if testing.Verbose() {
			t.Logf("cell %d\n%s\nbare GoNB: %+v\nthe front: %+v", i+1, cells[i].Source, bare, ours)
		}
		for _, a := range accepted {
			a.level(&bare, &ours)
		}
		if cells[i].unseeded() {
			bare, ours = bare.form(), ours.form()
		}
		if !bare.equals(ours) {
			t.Errorf("cell %d\n%s\nbare GoNB: %+v\nthe front: %+v", i+1, cells[i].Source, bare, ours)
		}
	}
}

// accepted are the differences on purpose: each as kernels/README.md begins to describe it, and how to take it from the
// outputs on bare GoNB and on the front.
var accepted = []struct {
	entry string
	level func(bare, ours *shown)
}{
	{"Errors come as Jupyter's error messages", func(bare, ours *shown) {
		if bare.status != "error" || ours.status != "error" {
			return
		}
		bare.dropDisplays("gonb-err-")
		bare.stderr = exitStatus.ReplaceAllString(bare.stderr, "")
		if stack := stackOfMain.FindStringIndex(bare.stderr); stack != nil {
			bare.stderr = bare.stderr[:stack[0]]
			ours.stderr = ours.stderr[:min(len(ours.stderr), stack[0])]
		}
	}},
	{"`%ls` and `%rm` write text", func(bare, ours *shown) {
		bare.dropDisplays("<h3>Memorized Definitions", "<h4>")
		bare.dropLines(`\. removed .*`, `\. key ".*" not found in any definition, not removed`)
		ours.dropLines(`removed .*`, `.* is not declared; %ls lists the declarations`, `import .*`, `(?:func|type|var|const) +.* \(cell \d+\)`)
	}},
	{"`%reset` also forgets", func(bare, ours *shown) {
		bare.dropLines(`\* State reset: .*`)
		ours.dropLines(`all declarations are dropped`)
	}},
	{"`go get` runs only when a package is missing", func(_, ours *shown) {
		ours.dropLines(`go: (?:added|downloading|finding|found|upgraded) .*`)
	}},
	{"A display returns when the kernel has it.", func(bare, ours *shown) { // GoNB may lose the last ones
		if n := len(bare.displays); n < len(ours.displays) && slices.Equal(bare.displays, ours.displays[:n]) {
			ours.displays = ours.displays[:n]
		}
	}},
}

var (
	exitStatus  = regexp.MustCompile(`(?:exit status \d+|signal: .*)\n$`) // GoNB's report of the end
	stackOfMain = regexp.MustCompile(`(?m)^(?:panic: .*|goroutine \d+ .*|main\..*)$`)
)

func (s shown) equals(o shown) bool {
	return s.status == o.status && s.stdout == o.stdout && s.stderr == o.stderr && slices.Equal(s.displays, o.displays)
}

// dropDisplays drops the displays with one of the texts.
func (s *shown) dropDisplays(texts ...string) {
	s.displays = slices.DeleteFunc(slices.Clone(s.displays), func(d string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(d, text) })
	})
}

// dropLines drops the lines that match one of the expressions.
func (s *shown) dropLines(expressions ...string) {
	lines := regexp.MustCompile("(?m)^(?:" + strings.Join(expressions, "|") + ")\n")
	s.stdout, s.stderr = lines.ReplaceAllString(s.stdout, ""), lines.ReplaceAllString(s.stderr, "")
}

// TestAccepted checks that the README lists each difference on purpose.
func TestAccepted(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "kernels", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "### Differences from bare GoNB")
	for _, a := range accepted {
		if !strings.Contains(table, "\n| "+a.entry) {
			t.Errorf("kernels/README.md has no difference %q", a.entry)
		}
	}
}

// notebookCell is a code cell of a notebook.
type notebookCell struct {
	Source string
	varies bool // from run to run, according to its tags
}

var (
	unseeded = regexp.MustCompile(`\btime\.(?:Now|Since)\b|\brand\.(?:Int|Float|Norm|Exp|Perm|Shuffle|N\()|\blog\.|\bmktemp\b|TMP_PKG|TmpPkg|%track|%test|%p\b`)
	changing = regexp.MustCompile(`iVBORw[\w+/=]+|0x[0-9a-f]+|/tmp/[\w./-]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?`)
	blank    = regexp.MustCompile(`\s+`) // numbers are aligned
)

// unseeded reports whether the outputs change from run to run.
func (c notebookCell) unseeded() bool { return c.varies || unseeded.MatchString(c.Source) }

// form returns the outputs with marks for the numbers, pointers, temporary names and PNG images.
func (s shown) form() shown {
	form := func(text string) string { return blank.ReplaceAllString(changing.ReplaceAllString(text, "#"), " ") }
	s.stdout, s.stderr = form(s.stdout), form(s.stderr)
	s.displays = slices.Clone(s.displays)
	for i, d := range s.displays {
		s.displays[i] = form(d)
	}
	return s
}

// readCells returns the code cells of a notebook.
func readCells(t *testing.T, path string) (cells []notebookCell) {
	t.Helper()
	var notebook struct {
		Cells []struct {
			Type     string          `json:"cell_type"`
			Source   json.RawMessage `json:"source"`
			Metadata struct {
				Tags []string `json:"tags"`
			} `json:"metadata"`
		} `json:"cells"`
	}
	data, err := os.ReadFile(path)
	if err := errors.Join(err, json.Unmarshal(data, &notebook)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, c := range notebook.Cells {
		var source string
		if json.Unmarshal(c.Source, &source) != nil {
			var lines []string
			if err := json.Unmarshal(c.Source, &lines); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			source = strings.Join(lines, "")
		}
		if c.Type == "code" {
			cells = append(cells, notebookCell{source, slices.Contains(c.Metadata.Tags, "varies")})
		}
	}
	return cells
}

// runNotebook runs the cells in a new kernel that works in a folder inside of dir, up to one that hangs.
func runNotebook(t *testing.T, argv []string, dir, work string, env []string, cells []notebookCell) (ran []shown) {
	t.Helper()
	k, err := wire.Start(context.Background(), argv, work, env...)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Stop()
	for i, c := range cells {
		var s shown
		done := make(chan error, 1)
		go func() {
			done <- s.run(k, c.Source)
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("cell %d on %s: %v\n%s", i+1, argv[0], err, k.Log())
			}
		case <-time.After(mostForCell):
			return append(ran, shown{status: "hang"})
		}
		ran = append(ran, s.with(strings.NewReplacer(dir, "DIR", k.Temp(), "TEMP")))
	}
	return ran
}

// run runs a cell.
func (s *shown) run(k *wire.Process, code string) error {
	reply, err := k.Execute(code, false, s.take)
	if err != nil {
		return err
	}
	var content struct {
		Status string `json:"status"`
	}
	err = reply.Read(&content)
	s.status = content.Status
	return err
}

// take takes a published message.
func (s *shown) take(m *wire.Message) {
	var content published
	m.Read(&content)
	switch m.Header.Type {
	case "stream":
		if content.Name == "stdout" {
			s.stdout += content.Text
		} else {
			s.stderr += content.Text
		}
	case "display_data", "execute_result":
		var forms []string
		for form, text := range content.forms() {
			forms = append(forms, form+": "+text)
		}
		slices.Sort(forms)
		s.displays = append(s.displays, strings.Join(forms, "\n"))
	}
}

// gonbFolderName matches the folder of GoNB's program, or its name.
var gonbFolderName = regexp.MustCompile(`(?:TEMP(?:/birnn-kernel-\d+/tmp)?/)?\bgonb_[0-9a-f]{8}\b`)

// with returns the outputs with other names of folders, which differ between the kernels.
func (s shown) with(names *strings.Replacer) shown {
	clean := func(text string) string {
		return gonbFolderName.ReplaceAllString(names.Replace(ansi.ReplaceAllString(text, "")), "PROGRAM")
	}
	s.stdout, s.stderr = clean(s.stdout), clean(s.stderr)
	for i, d := range s.displays {
		s.displays[i] = clean(d)
	}
	return s
}
