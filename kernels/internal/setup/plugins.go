package setup

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"birnn/birnnlib/backend/plugin"
	"birnn/kernels/internal/process"
)

// The names of the steps without which a kernel is omitted.
const (
	cpuPluginStep  = "plugin"
	cudaPluginStep = "cuda"
)

// InstallCUDA is the hidden command by which this program installs the CUDA plugin in a child process: go-xla's
// installer can only be cancelled by killing its process.
const InstallCUDA = "install-cuda-plugin"

func findPlugin(name string) (path string) {
	for _, f := range plugin.Find() {
		if f.Name == name {
			return f.Path
		}
	}
	return ""
}

// cpuPlugin returns the step that installs the PJRT CPU plugin where go-xla looks.
func (p *plan) cpuPlugin() *step {
	opts := plugin.Options{Source: p.options.PluginSource, Python: p.options.Python, Force: p.options.ReplacePlugin}
	force := opts.Force
	return &step{
		name:     cpuPluginStep,
		title:    "PJRT CPU plugin, for XLA",
		remedy:   "run the same command again, or try the other source with -plugin-source (pypi or go-xla)",
		optional: true,
		silent:   true,
		stamp:    stamp("PJRT CPU"),
		present: func() bool {
			path := findPlugin("cpu")
			return path != "" && !force && !otherSource(path, opts.Source) && !errors.Is(plugin.Verify(path), plugin.ErrChanged)
		},
		run: func(ctx context.Context, log io.Writer) error {
			dir, err := plugin.DefaultDir()
			if err != nil {
				return err
			}
			if err := p.notePlugins(dir); err != nil {
				return err
			}
			if path := findPlugin("cpu"); path != "" && !opts.Force {
				if err := plugin.Verify(path); err != nil {
					return err
				}
				opts.Force = otherSource(path, opts.Source)
			}
			opts.Progress = p.out
			path, err := plugin.Install(ctx, opts)
			force = false
			io.WriteString(log, path+"\n")
			return err
		},
	}
}

// notePlugins notes in the manifest where plugins will be.
func (p *plan) notePlugins(dir string) error {
	return errors.Join(p.manifest.NoteDirs(dir), p.manifest.Note(&p.manifest.PluginDirs, dir))
}

// otherSource reports whether an installed plugin came from a source other than the one asked for.
func otherSource(path string, asked plugin.Source) bool {
	r, err := plugin.ReadRecord(path)
	return err == nil && asked != plugin.Auto && r.Installed && r.Source != asked
}

// cudaPlugin returns the step that installs the PJRT CUDA plugin with go-xla's installer.
func (p *plan) cudaPlugin() *step {
	return &step{
		name:     cudaPluginStep,
		title:    "PJRT CUDA plugin with NVIDIA's libraries (several GB)",
		remedy:   "run the same command again, or omit CUDA with -cuda=false",
		optional: true,
		stamp:    stamp("PJRT CUDA"),
		present:  func() bool { return findPlugin("cuda") != "" },
		run: func(ctx context.Context, log io.Writer) error {
			dir, err := plugin.DefaultDir()
			if err != nil {
				return err
			}
			if err := p.notePlugins(dir); err != nil {
				return err
			}
			temp := filepath.Join(p.options.Home.Temp(), "cuda")
			if err := os.MkdirAll(temp, 0o755); err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			_, err = process.Run(ctx, process.Options{Env: []string{"TMPDIR=" + temp}, Log: log}, self, InstallCUDA, dir)
			if err != nil {
				err = errors.Join(err, plugin.DiscardCUDA(dir))
			}
			return err
		},
	}
}
