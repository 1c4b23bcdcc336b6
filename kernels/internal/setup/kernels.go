package setup

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/jupyter"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
)

// kernels returns the step that writes the kernelspecs. It follows the plan's steps, which determine the kernels.
func (p *plan) kernels(specs []kernelspec.Spec) *step {
	private := filepath.Join(p.options.Home.Jupyter(), "kernels")
	parts := []any{}
	names := []string{}
	for _, s := range specs {
		parts = append(parts, s.Stamp())
		names = append(names, s.Name)
	}
	user := ""
	var userErr error
	if p.options.User {
		user, userErr = kernelspec.UserDir()
	} else if len(p.manifest.Outside) > 0 {
		user = filepath.Dir(p.manifest.Outside[0]) // installed there before: keep them up to date
	}
	dirs := []string{private}
	if user != "" {
		dirs = append(dirs, user)
	}
	return &step{
		name:   "kernels",
		title:  "kernels " + strings.Join(names, ", "),
		remedy: "follow the message, then run the same command again",
		stamp:  stamp(append(parts, strings.Join(dirs, "\n"))...),
		present: func() bool {
			for _, dir := range dirs {
				for _, name := range names {
					if !exists(filepath.Join(dir, name, "kernel.json")) {
						return false
					}
				}
			}
			return userErr == nil
		},
		run: func(_ context.Context, log io.Writer) error {
			if userErr != nil {
				return userErr
			}
			if user != "" {
				if err := p.manifest.MakeDirs(user); err != nil {
					return err
				}
			}
			for _, dir := range dirs {
				for _, name := range []string{kernelspec.XLA, kernelspec.CUDA, kernelspec.Go} {
					if err := p.writeKernel(dir, name, specs, dir == private); err != nil {
						return err
					}
				}
				fmt.Fprintln(log, dir)
			}
			return nil
		},
	}
}

// writeKernel writes a kernelspec into a "kernels" directory, or removes it from there if it is not in specs.
func (p *plan) writeKernel(dir, name string, specs []kernelspec.Spec, private bool) error {
	path := filepath.Join(dir, name)
	ours := private || slices.Contains(p.manifest.Outside, path)
	i := slices.IndexFunc(specs, func(s kernelspec.Spec) bool { return s.Name == name })
	if i < 0 {
		if ours {
			return os.RemoveAll(path)
		}
		return nil
	}
	if !private {
		if !ours {
			if err := kernelspec.CheckFree(dir, name); err != nil {
				return err
			}
		}
		if err := p.manifest.Note(&p.manifest.Outside, path); err != nil {
			return err
		}
	}
	return specs[i].Write(dir)
}

// lessonPackages are compiled in addition to what the lessons import, so that a reader's first experiments are fast
// too.
var lessonPackages = []string{
	"github.com/gomlx/compute",
	"github.com/gomlx/compute/gobackend",
	"github.com/gomlx/gomlx/core/graph",
	"github.com/gomlx/gomlx/core/tensors",
	"github.com/gomlx/gomlx/ml/model",
	"github.com/gomlx/gomlx/ml/train",
	"github.com/janpfeifer/gonb/gonbui",
}

// warm returns the steps that compile what cells import, with each kernel's settings.
func (p *plan) warm(specs []kernelspec.Spec) []*step {
	root := p.checkout.Root
	notebooks, _ := jupyter.Lessons(root)
	imports, err := jupyter.Imports(notebooks)
	if err != nil {
		imports = nil // a damaged notebook is reported when it is opened
	}
	imports = append(append(imports, lessonPackages...), libraryPackages(root)...)
	slices.Sort(imports)
	imports = slices.Compact(imports)
	mod, _ := os.ReadFile(filepath.Join(root, "go.mod"))
	var steps []*step
	for _, spec := range specs {
		wanted := imports
		if spec.Name != kernelspec.Go {
			wanted = append(slices.Clone(imports), "github.com/gomlx/go-xla/compute/xla")
		}
		steps = append(steps, &step{
			name:     "warm-" + spec.Name,
			title:    "build cache for " + spec.Name,
			remedy:   "if you changed the library, check that \"go vet ./birnnlib/...\" passes; the kernel works, but compiles during the first cells",
			optional: true,
			stamp:    stamp(spec.Stamp(), mod, strings.Join(wanted, "\n")),
			present:  func() bool { return exists(p.checkout.Go.GOCACHE) },
			run: func(ctx context.Context, log io.Writer) error {
				return p.compile(ctx, spec, wanted, log)
			},
		})
	}
	return steps
}

// libraryPackages returns the import paths below birnnlib and notebooks that have Go files.
// The list may have packages that cannot be imported; [plan.compile] drops them.
func libraryPackages(root string) []string {
	var packages []string
	for _, top := range []string{"birnnlib", "notebooks"} {
		filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if d.IsDir() {
				if name := d.Name(); name == "testdata" || name == "internal" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
					return fs.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				if rel, err := filepath.Rel(root, filepath.Dir(path)); err == nil {
					packages = append(packages, home.Module+"/"+filepath.ToSlash(rel))
				}
			}
			return nil
		})
	}
	return packages
}

// compile does what GoNB does for a cell that imports all of packages. The build may use the network: it fills the
// module cache and the build cache. The "go get" that GoNB runs for each cell may not, as in a kernel; it would ask for
// the newest version of everything.
func (p *plan) compile(ctx context.Context, spec kernelspec.Spec, packages []string, log io.Writer) error {
	dir := filepath.Join(p.options.Home.Temp(), "warm-"+spec.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	offline := append(spec.Environ(), "GOBIN", "GOPROXY=off")
	online := append(slices.Clone(offline), "GOPROXY="+p.checkout.Go.GOPROXY)
	run := func(dir string, env []string, args ...string) (string, error) {
		return process.Run(ctx, process.Options{Dir: dir, Env: env, Log: log}, spec.GoCommand(), args...)
	}
	root := p.checkout.Root
	out, err := run(root, append(slices.Clone(online), "GOWORK=off"), append([]string{"list", "-e", "-find",
		"-f", `{{if and (not .Error) (ne .Name "main")}}{{.ImportPath}}{{end}}`}, packages...)...)
	if err != nil {
		return err
	}
	var program strings.Builder
	program.WriteString("package main\n\nimport (\n")
	for _, path := range nonEmptyLines(out) {
		if !strings.HasPrefix(path, "go:") { // "go: downloading …"
			fmt.Fprintf(&program, "\t_ %q\n", path)
		}
	}
	program.WriteString(")\n\nfunc main() {}\n")
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program.String()), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "gonb_warm"},
		{"work", "init"},
		{"work", "use", root, "."},
		{"mod", "edit", "-replace", home.Module + "=" + root},
		{"build", "-o", "warm"},
	} {
		if _, err := run(dir, online, args...); err != nil {
			return err
		}
	}
	if _, err := run(dir, offline, "get"); err != nil {
		return err
	}
	// The front's cells use a patched gonbui, those of bare GoNB, above, the original.
	replace, err := gonb.Patched(ctx, spec.GoCommand(), root)
	if err != nil {
		return err
	}
	work, err := os.ReadFile(filepath.Join(dir, "go.work"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "go.work"), append(work, replace+"\n"...), 0o644)
	}
	if err == nil {
		_, err = run(dir, offline, "build", "-o", "warm")
	}
	return err
}
