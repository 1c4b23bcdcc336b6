package front

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// packages knows the packages that cells can import. Any goroutine may call its methods.
type packages struct {
	ctx  context.Context
	root string // of the repository
	logf func(string, ...any)

	once   sync.Once
	byName map[string]string

	mu       sync.Mutex
	exported map[string]map[string]bool // by path
}

// paths maps names to paths of the packages that a cell may use without an import: those of the standard library and of the
// repository.
func (p *packages) paths() map[string]string {
	p.once.Do(func() {
		p.byName = map[string]string{}
		out, err := p.list("-e", "-find", "-f", "{{.Name}} {{.ImportPath}}", "./...", "std")
		if err != nil {
			p.logf("go list std: %v", err)
		}
		for line := range strings.Lines(out) {
			name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
			if before := p.byName[name]; !hidden(path) && name != "main" && (before == "" || len(path) < len(before)) {
				p.byName[name] = path
			}
		}
	})
	return p.byName
}

// hidden reports whether a cell cannot import a package.
func hidden(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return part == "internal" || part == "vendor" })
}

// exports returns the exported names of a package, by its source, or nil if the package is not found.
func (p *packages) exports(path string) map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if names, ok := p.exported[path]; ok {
		return names
	}
	dir, err := p.list("-find", "-f", "{{.Dir}}", path)
	if err != nil {
		return nil
	}
	names := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(dir), "*.go"))
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range file.Decls {
			for _, name := range topLevelNames(d) {
				if ast.IsExported(name) {
					names[name] = true
				}
			}
		}
	}
	p.exported[path] = names
	return names
}

// forget drops the exported names, which another Go may change.
func (p *packages) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.exported)
}

// list runs "go list".
func (p *packages) list(args ...string) (string, error) {
	cmd := exec.CommandContext(p.ctx, goCommand(), append([]string{"list"}, args...)...)
	cmd.Dir = p.root
	out, err := cmd.Output()
	return string(out), err
}

func topLevelNames(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					names = append(names, id.Name)
				}
			}
		}
	}
	return names
}
