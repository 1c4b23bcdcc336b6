package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"birnn/birnnlib/backend/plugin"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/kernelspec"
)

func (a *app) install(ctx context.Context, args []string) int {
	f := a.flags("install", "", "Installs what is missing: a private Python environment with JupyterLab, the Go\nkernels, XLA's plugin, and a warm build cache.")
	f.installFlags()
	f.userFlags()
	f.options.Plain = f.Bool("plain", false, "install GoNB alone as the kernels, without this project's front")
	if _, code, done := f.parse(args, false); done {
		return code
	}
	f.options.TryAgain = true
	installed, problems, err := a.ensure(ctx, f.options)
	if err != nil {
		return a.failed(ctx, err)
	}
	var names []string
	for _, spec := range installed.Specs {
		names = append(names, spec.Name)
	}
	fmt.Fprintf(a.out, "installed in %s: %s\n", f.options.Home.Dir, strings.Join(names, ", "))
	if installed.SIMD.Reason != "" {
		fmt.Fprintf(a.out, "%s is pure Go %v\n", kernelspec.Go, installed.SIMD)
	}
	if len(problems) > 0 {
		fmt.Fprintf(a.err, "%d step(s) failed, see above; the kernels listed here work\n", len(problems))
		return fails
	}
	return ok
}

func (a *app) uninstall(ctx context.Context, args []string) int {
	f := a.flags("uninstall", "", "Removes everything that was installed, and nothing else. The caches of Go, pip\nand Jupyter stay.")
	dry := f.Bool("n", false, "list what would be removed, without removing it")
	if _, code, done := f.parse(args, false); done {
		return code
	}
	removed := 0
	gone := func(path string) {
		removed++
		verb := "removed"
		if *dry {
			verb = "would remove"
		}
		fmt.Fprintln(a.out, verb, path)
	}
	err := a.remove(ctx, f.options.Home, *dry, gone)
	if err != nil {
		return a.failed(ctx, err)
	}
	if removed == 0 {
		fmt.Fprintf(a.out, "nothing is installed in %s\n", f.options.Home.Dir)
	}
	return ok
}

func (a *app) remove(ctx context.Context, h home.Home, dry bool, gone func(string)) error {
	var pluginDirs []string
	if dir, err := plugin.DefaultDir(); err == nil {
		// The library may have installed the plugin there itself.
		pluginDirs = append(pluginDirs, dir)
	}
	m, err := h.ReadManifest()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if m != nil {
		pluginDirs = append(pluginDirs, m.PluginDirs...)
		if !dry {
			var unlock func()
			m, unlock, err = h.Open(ctx, func() { fmt.Fprintf(a.err, "waiting for an install into %s\n", h.Dir) })
			if err != nil {
				return err
			}
			defer unlock()
		}
	}
	slices.Sort(pluginDirs)
	for _, dir := range slices.Compact(pluginDirs) {
		list := plugin.Uninstall
		if dry {
			list = plugin.Installed
		}
		paths, err := list(dir)
		for _, path := range paths {
			gone(path)
		}
		if err != nil {
			return err
		}
	}
	if m == nil {
		return nil
	}
	stayed, err := m.Remove(dry, gone)
	for _, path := range stayed {
		fmt.Fprintf(a.err, "kept %s: it was not installed by this command\n", path)
	}
	return err
}
