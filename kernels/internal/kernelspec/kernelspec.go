// Package kernelspec describes the kernels to Jupyter.
package kernelspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"birnn/internal/simd"
	"birnn/kernels/internal/home"
)

// The names of the kernels.
const (
	XLA  = "birnn-xla"
	Go   = "birnn-go"
	CUDA = "birnn-cuda"
)

// IsOurs reports whether name is one of the kernels that this project installs.
func IsOurs(name string) bool { return slices.Contains([]string{XLA, Go, CUDA}, name) }

// PureGo is the environment variable that describes to the pure-Go kernel how it builds: see [simd.Toolchain.String].
const PureGo = "BIRNN_PURE_GO"

// Spec describes a kernel: its kernel.json and its logo.
type Spec struct {
	Name  string
	JSON  JSON
	Color string // of the logo, as #rrggbb
}

// JSON is the content of a kernel.json file.
type JSON struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
	Metadata      map[string]any    `json:"metadata,omitempty"`
}

// Config holds what the kernels depend on.
type Config struct {
	Checkout home.Checkout
	Home     string // folder of the installation
	Bin      string // folder of the kernel, gonb, goimports and gopls

	SIMD    simd.Toolchain // how the pure-Go kernel builds
	PureBin string         // Bin of the pure-Go kernel if SIMD.Mode is Pinned

	Plain      bool   // GoNB alone, without the front
	PluginDir  string // folder of the CPU plugin; "" omits birnn-xla
	CUDADir    string // folder of the CUDA plugin; "" omits birnn-cuda
	systemDirs []string
}

// Build returns the kernels that can work here. The pure-Go one always can.
func Build(c Config) ([]Spec, error) {
	if strings.Contains(c.Checkout.Root, ",") {
		return nil, fmt.Errorf("the repository is in %q, and GoNB does not support commas in paths: move it", c.Checkout.Root)
	}
	var specs []Spec
	if c.PluginDir != "" {
		specs = append(specs, c.spec(XLA, "Go · BiRNN (XLA)", "#e8710a", map[string]string{
			"GOMLX_BACKEND": "xla:cpu", "CGO_ENABLED": "1", "GOEXPERIMENT": "", "PJRT_PLUGIN_LIBRARY_PATH": c.PluginDir}))
	}
	if c.CUDADir != "" {
		specs = append(specs, c.spec(CUDA, "Go · BiRNN (CUDA)", "#5b8c2a", map[string]string{
			"GOMLX_BACKEND": "xla:cuda", "CGO_ENABLED": "1", "GOEXPERIMENT": "", "PJRT_PLUGIN_LIBRARY_PATH": c.CUDADir}))
	}
	pure := c
	if c.SIMD.Mode == simd.Pinned {
		pure.Checkout.Go, pure.Bin = c.Checkout.Go.By(c.SIMD), c.PureBin
	}
	return append(specs, pure.spec(Go, "Go · BiRNN (pure Go)", "#007d9c", map[string]string{
		"GOMLX_BACKEND": "go", "CGO_ENABLED": "0", "GOEXPERIMENT": c.SIMD.Experiment(), "GODEBUG": c.SIMD.Debug(), PureGo: c.SIMD.String()})), nil
}

func (c Config) spec(name, display, color string, env map[string]string) Spec {
	tools := c.Checkout.Go
	// An empty variable counts as unset for the go command and overrides the caller's.
	for key, value := range map[string]string{
		"PATH":        c.path(),
		"GOFLAGS":     goFlags(tools.GOOS, tools.GOARCH),
		"GOTOOLCHAIN": "local", // the one on the PATH above
		"GOROOT":      "",
		"GOMODCACHE":  tools.GOMODCACHE,
		"GOCACHE":     tools.GOCACHE,
		"GOWORK":      "",
		"GO111MODULE": "",
		"GOOS":        "",
		"GOARCH":      "",
		// Otherwise go-xla would download a plugin.
		"GOMLX_NO_AUTO_INSTALL": "1",
	} {
		env[key] = value
	}
	for key, value := range env {
		if key != "PATH" {
			env[key] = strings.ReplaceAll(value, "$", "$$") // Jupyter substitutes
		}
	}
	argv := []string{filepath.Join(c.Bin, "birnn-kernels"), "kernel", "-f", "{connection_file}", "-root", c.Checkout.Root, "-dir", c.Home, "-bin", c.Bin}
	if c.Plain {
		// Otherwise the "go get" that GoNB runs for each cell would look up the module "birnn" online, and fail
		// offline.
		env["GOPROXY"] = "off"
		argv = []string{filepath.Join(c.Bin, "gonb"), "--kernel", "{connection_file}", "-go_work=" + c.Checkout.Root}
	}
	return Spec{Name: name, Color: color, JSON: JSON{
		Argv:          argv,
		DisplayName:   display,
		Language:      "go",
		InterruptMode: "message",
		Env:           env,
		Metadata:      map[string]any{"birnn": c.Checkout.Root},
	}}
}

// goFlags makes cells link in a third of the time: without debug information, on Linux without the C linker, and on
// linux/amd64 without asking the C compiler for libgcc, which nothing needs there.
func goFlags(goos, goarch string) string {
	link := "-s -w"
	if goos == "linux" {
		link = "-linkmode=internal " + link
		if goarch == "amd64" {
			link = "-libgcc=none " + link
		}
	}
	return "-buildvcs=false '-ldflags=" + link + "'"
}

// path returns a PATH with everything that a kernel needs. The caller's PATH comes last, for commands that cells run.
func (c Config) path() string {
	dirs := []string{c.Bin, filepath.Join(c.Checkout.Go.GOROOT, "bin")}
	system := c.systemDirs
	if system == nil {
		system = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"}
	}
	if cc := c.Checkout.Go.CCDir; cc != "" && !slices.Contains(system, cc) {
		dirs = append(dirs, cc)
	}
	for i, dir := range dirs {
		dirs[i] = strings.ReplaceAll(dir, "$", "$$")
	}
	return strings.Join(append(append(dirs, system...), "${PATH}"), string(os.PathListSeparator))
}

// Environ returns the kernel's environment as "KEY=value", after Jupyter's substitutions.
func (s Spec) Environ() []string {
	caller := os.Getenv("PATH")
	var env []string
	for key, value := range s.JSON.Env {
		value = strings.ReplaceAll(value, "${PATH}", caller)
		env = append(env, key+"="+strings.ReplaceAll(value, "$$", "$"))
	}
	slices.Sort(env)
	return env
}

// GoCommand returns the path of the kernel's go command.
func (s Spec) GoCommand() string { return FindGo(s.Getenv("PATH")) }

// Getenv returns the value of a variable in [Spec.Environ], or "".
func (s Spec) Getenv(key string) string {
	for _, entry := range s.Environ() {
		if value, ok := strings.CutPrefix(entry, key+"="); ok {
			return value
		}
	}
	return ""
}

// FindGo returns the first go command on a PATH that is not the kernel's shim.
func FindGo(path string) string {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, "go")
		if info, err := os.Stat(file); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 && filepath.Base(dir) != "shims" {
			return file
		}
	}
	return "go"
}

// Stamp returns a string that changes with everything that Write writes.
func (s Spec) Stamp() string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings only
	}
	return string(data)
}

// Write writes the kernelspec into kernels, a "kernels" directory of Jupyter. It replaces an existing one atomically.
func (s Spec) Write(kernels string) error {
	if err := os.MkdirAll(kernels, 0o755); err != nil {
		return err
	}
	// Jupyter ignores names that begin with a dot.
	staging, err := os.MkdirTemp(kernels, "."+s.Name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	if err := os.Chmod(staging, 0o755); err != nil {
		return err
	}
	spec, err := json.MarshalIndent(s.JSON, "", "  ")
	if err != nil {
		return err
	}
	files := map[string][]byte{"kernel.json": append(spec, '\n'), "logo-svg.svg": []byte(svg(s.Color))}
	for _, size := range []int{32, 64} {
		data, err := png(s.Color, size)
		if err != nil {
			return err
		}
		files[fmt.Sprintf("logo-%dx%d.png", size, size)] = data
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(staging, name), data, 0o644); err != nil {
			return err
		}
	}
	dir := filepath.Join(kernels, s.Name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(staging, dir)
}

// Read reads a kernelspec from a "kernels" directory.
func Read(kernels, name string) (Spec, error) {
	data, err := os.ReadFile(filepath.Join(kernels, name, "kernel.json"))
	if err != nil {
		return Spec{}, err
	}
	s := Spec{Name: name}
	return s, json.Unmarshal(data, &s.JSON)
}

// Root returns the repository that the kernel uses, or "" if this project did not install it.
func (s Spec) Root() string {
	root, _ := s.JSON.Metadata["birnn"].(string)
	return root
}

// UserDir returns the user's "kernels" directory, which every Jupyter of the user searches.
func UserDir() (string, error) {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return filepath.Join(dir, "kernels"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(user, "Library", "Jupyter", "kernels"), nil
	}
	if xdg := os.Getenv("XDG_DATA_HOME"); xdg != "" {
		return filepath.Join(xdg, "jupyter", "kernels"), nil
	}
	return filepath.Join(user, ".local", "share", "jupyter", "kernels"), nil
}

// CheckFree returns an error if kernels has a kernelspec of that name that this project did not install.
func CheckFree(kernels, name string) error {
	s, err := Read(kernels, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || s.Root() == "" {
		return fmt.Errorf("%s was not installed by this command: remove it first", filepath.Join(kernels, name))
	}
	return nil
}
