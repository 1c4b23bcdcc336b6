package front

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/process"
)

// Messages of the go command about modules that the program's module lacks. The module is in GoNB's temporary
// directory: what is added to it lasts as long as the session and changes no file of the repository.
var (
	goGet       = regexp.MustCompile(`(?m)(?:^|\s)go get (\S+)$`)                       // its suggestion
	downloading = regexp.MustCompile(`(?m)^go: downloading (\S+) (v\S+)$`)              // of a module that the repository requires
	required    = regexp.MustCompile(`(?m)^(?:require |\t)([^\s()=]+ v[^\s/]+)`)        // in go.mod
	disabled    = "module lookup disabled by GOPROXY=off"                               // how a build ends
	isPath      = regexp.MustCompile(`^[\pL\pN._~/-]+(?:@v[\pL\pN.+-]+)?$`).MatchString // a module or package, and its version
)

// missing returns the packages and, with their versions, the modules that a program lacks, according to its error.
func missing(err *cellError) (paths []string) {
	text := strings.Join(append([]string{err.value, err.all}, err.traceback...), "\n")
	for _, m := range goGet.FindAllStringSubmatch(text, -1) {
		paths = append(paths, m[1])
	}
	if strings.Contains(text, disabled) {
		for _, m := range downloading.FindAllStringSubmatch(text, -1) {
			paths = append(paths, m[1]+"@"+m[2])
		}
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return !isPath(path) })
	slices.Sort(paths)
	return slices.Compact(paths)
}

// fetch adds packages and modules to the module of the program. The go command shows its progress.
func (e *execution) fetch(paths []string) *cellError {
	f := e.front
	var packages, lines []string
	for _, path := range paths {
		if strings.Contains(path, "@") {
			lines = append(lines, "go mod edit -require="+path+" && go mod download "+path)
		} else {
			packages = append(packages, path)
		}
	}
	if len(packages) > 0 {
		lines = append(lines, "go get "+strings.Join(packages, " "))
	}
	e.output.tail = ""
	if err := e.send("!*" + quoted(f.shim()) + " " + quoted(strings.Join(lines, " && "))); err != nil {
		return err
	}
	if told := gonb.ReadEvents(f.run); len(told) == 0 || told[len(told)-1].Message == "" {
		f.modules = f.fetched()
		for _, dir := range f.programDirs() {
			if data, err := os.ReadFile(filepath.Join(dir, "go.sum")); err == nil {
				os.WriteFile(filepath.Join(f.run, "go.sum"), data, 0o600)
			}
		}
		return nil
	}
	said := ansi.ReplaceAllString(strings.TrimSpace(e.output.tail), "")
	what := "cannot fetch " + strings.Join(paths, ", ") + ": "
	switch {
	case strings.Contains(said, disabled):
		return &cellError{name: "FetchError", value: what + "GOPROXY=off forbids it"}
	case process.IsNetwork(&process.Error{Err: errors.New("go get"), Output: said}):
		return &cellError{name: "FetchError", value: what + "the network cannot be reached; packages that were fetched before work without it"}
	}
	return &cellError{name: "FetchError", value: what + "the go command says why"}
}

// fetched returns the modules, with their versions, that the program's module requires.
func (f *Front) fetched() (modules []string) {
	for _, dir := range f.programDirs() {
		data, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
		for _, m := range required.FindAllStringSubmatch(string(data), -1) {
			modules = append(modules, strings.Replace(m[1], " ", "@", 1))
		}
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}

// fetchAgain returns the command with which a restarted GoNB gets the fetched modules, which are in the module cache.
func (f *Front) fetchAgain() []string {
	if len(f.modules) == 0 {
		return nil
	}
	sums := filepath.Join(f.run, "go.sum") // so that the checksum database is not asked
	return []string{"!*cp " + quoted(sums) + " . ; go get " + strings.Join(f.modules, " ")}
}

// keepModule writes the program's go.mod where the shim finds it, unless it is to be dropped.
func (f *Front) keepModule() {
	kept := filepath.Join(f.run, gonb.ModuleFile)
	if f.dropsModule {
		os.Remove(kept)
		f.dropsModule = false
		return
	}
	for _, dir := range f.programDirs() {
		if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			os.WriteFile(kept, data, 0o600)
		}
	}
}

// dropModule makes the session forget what was fetched.
func (f *Front) dropModule() {
	f.modules, f.dropsModule = nil, true
	os.Remove(filepath.Join(f.run, gonb.ModuleFile))
}

// listModules lists the fetched modules.
func (e *execution) listModules(string) *cellError {
	modules := e.front.fetched()
	for _, module := range modules {
		e.say("%s", strings.Replace(module, "@", " ", 1))
	}
	if len(modules) == 0 {
		e.say("no module was fetched; importing a package fetches its module, until the kernel ends")
	}
	return nil
}

func (e *execution) autoGet(string) *cellError   { e.front.noGet = false; return nil }
func (e *execution) noAutoGet(string) *cellError { e.front.noGet = true; return nil }
