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

// A record is what a build of the go command can be repeated by, for another
// main.go, without looking anew at hundreds of packages: the commands that
// compile and link, which packages there are, and what all that depends on. It
// lies in the cell's folder, which goes when the kernel does.
type record struct {
	Args     []string          // of the go command
	Settings string            // a hash of the environment and of the module's files
	Roots    []string          // the folders of modules that can change
	Sources  string            // a hash of what is in them
	Compile  string            // the command, for a shell
	Link     string            // the same
	Archives map[string]string // the packages' compiled files by import path
	Rest     []string          // the other lines of the linker's configuration
}

// builder builds the cell in the folder dir with the go command.
type builder struct {
	command string
	args    []string // the first one is "build"
	dir     string
	output  string // what args ask for
}

func (b builder) folder() string { return filepath.Join(b.dir, ".quick") }

// quick repeats the recorded build, if it can be. When that fails, the go
// command will say why.
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

// record builds with the go command and records how it did. When that fails, so
// does it.
func (b builder) record() bool {
	begin := time.Now()
	var roots []byte
	var rootsErr error
	var others sync.WaitGroup
	others.Go(func() {
		list := exec.Command(b.command, "list", "-m", "-f", "{{if or .Main .Replace}}{{.Dir}}{{end}}", "all")
		list.Dir = b.dir
		roots, rootsErr = list.Output()
	})
	var log bytes.Buffer
	cmd := exec.Command(b.command, append([]string{"build", "-x", "-work"}, b.args[1:]...)...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "GOGC=400") // compiler and linker collect less garbage
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
		return true // built, and that is all
	}
	for line := range strings.Lines(string(config)) {
		line = strings.TrimSuffix(line, "\n")
		path, file, ok := strings.Cut(strings.TrimPrefix(line, "packagefile "), "=")
		switch {
		case !ok || !strings.HasPrefix(line, "packagefile "):
			r.Rest = append(r.Rest, line)
		case filepath.Base(filepath.Dir(file)) == "b001": // the cell itself
		case strings.HasPrefix(file, work):
			return true // was built just now; the next time it is in the go command's cache
		default:
			r.Archives[path] = file
		}
	}
	for root := range strings.Lines(string(roots)) {
		if root = strings.TrimSpace(root); root != "" && root != b.dir {
			r.Roots = append(r.Roots, root)
		}
	}
	var newest time.Time
	if r.Sources, newest = sources(r.Roots); r.Sources != "" && newest.Before(begin) { // else it may not be what was built
		b.save(r)
	}
	return true
}

// save adds what the record before has besides, if it is still true. If it
// cannot, there is no record.
func (b builder) save(r *record) {
	if old, err := b.load(); err == nil && slices.Equal(old.Args, r.Args) && old.Settings == r.Settings && old.Sources == r.Sources {
		for path, file := range old.Archives {
			if r.Archives[path] == "" {
				r.Archives[path] = file
			}
		}
	}
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

// has tells whether all of the imports are there; none is nil.
func (r *record) has(imports []string) bool {
	return imports != nil && !slices.ContainsFunc(imports, func(path string) bool { return r.Archives[path] == "" && path != "unsafe" })
}

// imports returns what the cell's program imports; nil if it is not for the
// compiler alone: with C, with directives, or with more than one file.
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

// settings is a hash of the environment that a build depends on and of the
// files that say which modules there are.
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

// many is how many files a project may have: looking at more takes longer than
// the go command.
const many = 10_000

// sources is a hash of the names, sizes and times of all files in some folders
// but notebooks, which no package is made of, and the newest time; "" if they
// cannot be looked at.
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
