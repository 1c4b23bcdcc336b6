//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// record is the record of a build by the go command, with which the build can be repeated for another main.go without
// checking hundreds of packages: the compile and link commands, the packages, and the state on which they depend. It is
// stored in the cell's directory, which is removed with the kernel.
type record struct {
	Args     []string          // of the go command
	Settings string            // hash of the environment and the module's files
	Roots    []string          // directories of modules that may change
	Sources  string            // hash of their files
	Compile  string            // shell command
	Link     string            // shell command
	Archives map[string]string // compiled packages by import path
	Rest     []string          // the other lines of the linker's configuration
}

// builder builds the cell in the directory dir.
type builder struct {
	command string
	args    []string // of the go command; the first is "build"
	dir     string
	output  string // as in args
}

func (b builder) folder() string { return filepath.Join(b.dir, ".quick") }

// build builds by the record or, if that is not possible, by the go command, and reports whether the build succeeded. It
// removes the program that was there: one that quick has built has the build ID of the recorded program, so that the go
// command would take it for that.
func (b builder) build() bool {
	os.Remove(b.output)
	can, done := b.quick()
	if !can {
		done = b.record()
	}
	return done
}

// quick repeats the recorded build, if possible. It reports no errors: if the build fails, the go command runs and
// reports them.
func (b builder) quick() (can, done bool) {
	r, err := b.load()
	if err != nil || !slices.Equal(r.Args, b.args) || r.Settings != b.settings() || !r.has(b.imports()) {
		return false, false
	}
	if now, _ := sources(r.Roots); r.Sources != now {
		return false, false
	}
	made := filepath.Join(b.folder(), "b001", "exe", "a.out")
	for _, step := range []struct{ command, gogc string }{{r.Compile, "400"}, {r.Link, "off"}} {
		cmd := exec.Command("sh", "-c", step.command)
		cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "WORK="+b.folder(), "GOGC="+step.gogc)
		if cmd.Run() != nil {
			return true, false
		}
	}
	return true, os.Rename(made, b.output) == nil
}

// record builds with the go command and records the build. It reports whether the build succeeded.
func (b builder) record() bool {
	begin := time.Now()
	var roots []string
	var rootsErr error
	var others sync.WaitGroup
	others.Go(func() { roots, rootsErr = b.roots() })
	var log bytes.Buffer
	cmd := exec.Command(b.command, append([]string{"build", "-x", "-work"}, b.args[1:]...)...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "GOGC=400") // less garbage collection in compiler and linker
	cmd.Stderr = &log
	err := cmd.Run()
	others.Wait()
	r := &record{Args: b.args, Settings: b.settings(), Archives: map[string]string{}}
	work := ""
	for line := range strings.Lines(log.String()) {
		line = strings.TrimSuffix(line, "\n")
		if place, ok := strings.CutPrefix(line, "WORK="); ok {
			work = place
			defer os.RemoveAll(work)
		}
		if strings.Contains(line, "/compile -o $WORK/b001/_pkg_.a ") && strings.HasSuffix(line, " ./main.go") {
			r.Compile = line
		}
		if strings.Contains(line, "/link -o $WORK/b001/exe/a.out ") {
			r.Link = line
		}
	}
	if err != nil {
		return false
	}
	config, err := os.ReadFile(filepath.Join(work, "b001", "importcfg.link"))
	if err != nil || rootsErr != nil || r.Compile == "" || r.Link == "" {
		return true // built, but not recorded
	}
	for line := range strings.Lines(string(config)) {
		line = strings.TrimSuffix(line, "\n")
		path, file, ok := strings.Cut(strings.TrimPrefix(line, "packagefile "), "=")
		switch {
		case !ok || !strings.HasPrefix(line, "packagefile "):
			r.Rest = append(r.Rest, line)
		case filepath.Base(filepath.Dir(file)) == "b001": // the cell itself
		case strings.HasPrefix(file, work):
			return true // built just now; the next time it is in the go command's cache
		default:
			r.Archives[path] = file
		}
	}
	r.Roots = roots
	if old, err := b.load(); err == nil && slices.Equal(old.Args, r.Args) && old.Settings == r.Settings {
		if now, _ := sources(old.Roots); old.Sources == now {
			r.add(old)
		}
	}
	var newest time.Time
	if r.Sources, newest = sources(r.Roots); r.Sources != "" && newest.Before(begin) { // else the record may not match the build
		b.save(r)
	}
	return true
}

// roots returns the directories of modules that may change: those of the workspace, and those that replace modules of the
// program's packages. It asks for no module of which the program needs nothing, since the module cache may lack that.
func (b builder) roots() (roots []string, err error) {
	for _, args := range [][]string{
		{"list", "-m", "-f", "{{.Dir}}"},
		{"list", "-deps", "-f", "{{with .Module}}{{if .Replace}}{{.Dir}}{{end}}{{end}}"},
	} {
		list := exec.Command(b.command, args...)
		list.Dir = b.dir
		out, err := list.Output()
		if err != nil {
			return nil, err
		}
		for root := range strings.Lines(string(out)) {
			if root = strings.TrimSpace(root); root != "" && root != b.dir && !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
		}
	}
	return roots, nil
}

// add adds the further packages of an earlier record, which is still valid.
func (r *record) add(old *record) {
	for path, file := range old.Archives {
		if r.Archives[path] == "" {
			r.Archives[path] = file
		}
	}
	for _, root := range old.Roots {
		if !slices.Contains(r.Roots, root) {
			r.Roots = append(r.Roots, root)
		}
	}
}

// save saves the record. If saving fails, no record remains.
func (b builder) save(r *record) {
	os.RemoveAll(b.folder())
	var packages strings.Builder
	for _, path := range slices.Sorted(maps.Keys(r.Archives)) {
		fmt.Fprintf(&packages, "packagefile %s=%s\n", path, r.Archives[path])
	}
	os.MkdirAll(filepath.Join(b.folder(), "b001", "exe"), 0o700)
	os.WriteFile(filepath.Join(b.folder(), "b001", "importcfg"), []byte(packages.String()), 0o600)
	os.WriteFile(filepath.Join(b.folder(), "b001", "importcfg.link"), []byte(packages.String()+strings.Join(r.Rest, "\n")+"\n"), 0o600)
	if data, err := json.Marshal(r); err == nil {
		os.WriteFile(filepath.Join(b.folder(), "record.json"), data, 0o600)
	}
}

func (b builder) load() (r *record, err error) {
	data, err := os.ReadFile(filepath.Join(b.folder(), "record.json"))
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(data, &r)
}

// has reports whether imports is not nil and the record has all of them.
func (r *record) has(imports []string) bool {
	return imports != nil && !slices.ContainsFunc(imports, func(path string) bool { return r.Archives[path] == "" && path != "unsafe" })
}

// imports returns the imports of the cell's program, or nil if it needs more than the compiler: because of cgo,
// directives or several files.
func (b builder) imports() []string {
	name := filepath.Join(b.dir, "main.go")
	files, _ := filepath.Glob(filepath.Join(b.dir, "*.go"))
	source, err := os.ReadFile(name)
	if err != nil || len(files) != 1 || bytes.Contains(source, []byte("//go:")) {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	imports := []string{}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || path == "C" {
			return nil
		}
		imports = append(imports, path)
	}
	return imports
}

// settings returns a hash of the environment variables and module files on which a build depends.
func (b builder) settings() string {
	hash := sha256.New()
	for _, entry := range slices.Sorted(slices.Values(os.Environ())) {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO") || slices.Contains([]string{"CC", "CXX", "PATH", "HOME"}, name) {
			fmt.Fprintf(hash, "%q\n", entry)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "go.work", "go.work.sum"} {
		data, err := os.ReadFile(filepath.Join(b.dir, name))
		fmt.Fprintf(hash, "%s %t %q\n", name, err == nil, data)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// many is the maximal number of files: checking more takes longer than the go command.
const many = 10_000

// sources returns a hash of the names, sizes and times of the files in roots, except notebooks, and the newest time.
// The hash is empty if the files cannot be read or are too many.
func sources(roots []string) (sum string, newest time.Time) {
	hash, seen := sha256.New(), 0
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			hidden := strings.HasPrefix(d.Name(), ".") && path != root
			switch {
			case err != nil:
				return err
			case d.IsDir() && (hidden || d.Name() == "node_modules"):
				return fs.SkipDir
			case d.IsDir() || hidden || filepath.Ext(path) == ".ipynb":
				return nil
			}
			if seen++; seen > many {
				return io.ErrShortBuffer
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			fmt.Fprintf(hash, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
			if info.ModTime().After(newest) {
				newest = info.ModTime()
			}
			return nil
		})
		if err != nil {
			return "", newest
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), newest
}
