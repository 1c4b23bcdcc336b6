package plugin

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/gomlx/go-xla/installer"
)

// SearchPathEnv is the environment variable that replaces go-xla's search path: directories separated by colons, on
// Windows too.
const SearchPathEnv = "PJRT_PLUGIN_LIBRARY_PATH"

// Found is a plugin that go-xla would find.
type Found struct {
	Name    string // what follows "xla:", such as "cpu" or "cuda"
	Version string // from the file name, such as "v0.114.0"; empty if it has none
	Path    string
}

// Broken is a file in the search path that is named like a plugin but cannot be loaded. go-xla panics when it finds
// one, whichever plugin was asked for, so the user must remove it.
type Broken struct {
	Path string
	Err  error
}

// Find returns the plugins that go-xla would find, one for each name, in go-xla's order of preference: cuda, cpu, then
// the others by name.
//
// It searches the directories of [SearchDirs] in order. A versioned file such as pjrt_c_api_cpu_v0.114.0_plugin.so is
// "cpu" if no file without a version is. On a machine without an NVIDIA GPU, Find omits CUDA plugins.
func Find() []Found {
	found, _ := search(SearchDirs())
	return found
}

// FindBroken returns the files on which go-xla would panic; see [Broken].
func FindBroken() []Broken {
	_, broken := search(SearchDirs())
	return broken
}

// nameOfFile extracts the plugin's name from its file name, by go-xla's rules.
var nameOfFile = []*regexp.Regexp{
	regexp.MustCompile(`^pjrt_c_api_(.+)_plugin\.(so|dylib|dll)$`),
	regexp.MustCompile(`^pjrt[-_]plugin[-_](.+)\.(so|dylib|dll)$`),
}

// versionOfName splits "cpu_v0.114.0" into "cpu" and "v0.114.0".
var versionOfName = regexp.MustCompile(`^(.+?)_(v.*)$`)

// rawName returns go-xla's name for a plugin file, or "" if it is not one.
func rawName(file string) string {
	for _, re := range nameOfFile {
		if m := re.FindStringSubmatch(file); m != nil {
			return m[1]
		}
	}
	return ""
}

func search(dirs []string) (found []Found, broken []Broken) {
	byRawName := map[string]bool{}
	var all []Found
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir) // sorted by name
		if err != nil {
			continue // a missing directory has no plugins
		}
		for _, entry := range entries {
			raw := rawName(entry.Name())
			if raw == "" || byRawName[raw] {
				continue
			}
			if isCUDA(raw) && !HasNVIDIA() {
				continue // go-xla does not open these either
			}
			path := filepath.Join(dir, entry.Name())
			if err := Check(path); err != nil {
				broken = append(broken, Broken{path, err})
				continue
			}
			byRawName[raw] = true
			f := Found{Name: raw, Path: path}
			if m := versionOfName.FindStringSubmatch(raw); m != nil {
				f.Name, f.Version = m[1], m[2]
			}
			all = append(all, f)
		}
	}
	// A file without a version takes precedence, wherever it is: go-xla looks for "cpu" first, then for "cpu_v…".
	slices.SortStableFunc(all, func(a, b Found) int {
		return cmp.Or(
			cmp.Compare(preference(a.Name), preference(b.Name)),
			cmp.Compare(a.Name, b.Name),
			cmp.Compare(boolToInt(a.Version != ""), boolToInt(b.Version != "")),
		)
	})
	found = slices.CompactFunc(all, func(a, b Found) bool { return a.Name == b.Name })
	return found, broken
}

func preference(name string) int {
	switch name {
	case "cuda":
		return 0
	case "cpu":
		return 1
	}
	return 2
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// isCUDA reports whether a plugin is for CUDA, judging by its name, as go-xla does.
func isCUDA(name string) bool {
	upper := strings.ToUpper(name)
	return strings.Contains(upper, "CUDA") || strings.Contains(upper, "NVIDIA")
}

// HasNVIDIA reports whether this machine seems to have an NVIDIA GPU that go-xla can use, by go-xla's test.
func HasNVIDIA() bool { return installer.HasNvidiaGPU() }

// SearchDirs returns go-xla's search path for plugins: the directories of PJRT_PLUGIN_LIBRARY_PATH if that is set,
// otherwise the user's, the system's and the dynamic linker's.
func SearchDirs() []string {
	home, _ := os.UserHomeDir()
	return searchDirs(runtime.GOOS, home, os.LookupEnv, "/etc/ld.so.conf")
}

func searchDirs(goos, home string, lookupEnv func(string) (string, bool), ldConf string) []string {
	if list, ok := lookupEnv(SearchPathEnv); ok {
		return slices.DeleteFunc(strings.Split(list, ":"), func(dir string) bool { return dir == "" })
	}
	var dirs []string
	addHome := func(elem ...string) {
		if home != "" {
			dirs = append(dirs, filepath.Join(append([]string{home}, elem...)...))
		}
	}
	addList := func(variable string) {
		list, _ := lookupEnv(variable)
		for dir := range strings.SplitSeq(list, ":") {
			if filepath.IsAbs(dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	switch goos {
	case "linux":
		addHome(".local", "lib", "go-xla")
		addHome(".local", "lib", "go-xla", "nvidia")
		addHome(".local", "lib", "gomlx", "pjrt") // gopjrt, go-xla's predecessor
		dirs = append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia", "/usr/local/lib/gomlx/pjrt")
		addList("LD_LIBRARY_PATH")
		dirs = append(dirs, linkerDirs(ldConf, 0)...)
	case "darwin":
		addHome("Library", "Application Support", "go-xla")
		addHome("Library", "Application Support", "GoMLX", "PJRT")
		dirs = append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/gomlx/pjrt")
		addList("DYLD_LIBRARY_PATH")
		addList("LD_LIBRARY_PATH")
	case "windows":
		addHome("AppData", "Local", "go-xla")
	}
	return dirs
}

// linkerDirs returns the directories in /etc/ld.so.conf and the files that it includes. depth guards against a file
// that includes itself.
func linkerDirs(file string, depth int) []string {
	f, err := os.Open(file)
	if err != nil || depth > 8 {
		return nil
	}
	defer f.Close()
	var dirs []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		pattern, isInclude := strings.CutPrefix(line, "include")
		switch {
		case line == "" || line[0] == '#':
		case isInclude:
			files, _ := filepath.Glob(strings.TrimSpace(pattern))
			for _, included := range files {
				dirs = append(dirs, linkerDirs(included, depth+1)...)
			}
		default:
			dirs = append(dirs, line)
		}
	}
	return dirs
}
