package front

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"birnn/kernels/internal/process"
)

// Messages of the go command about modules that the program's module lacks.
var (
	goGet       = regexp.MustCompile(`(?m)(?:^|\s)go get (\S+)$`)                       // its suggestion
	downloading = regexp.MustCompile(`(?m)^go: downloading (\S+) (v\S+)$`)              // of a module that the repository requires
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
	if err := e.send(f.gonb.Shell("!*"+strings.Join(lines, " && "), false)); err != nil {
		return err
	}
	if told := f.gonb.Events(); len(told) == 0 || told[len(told)-1].Message == "" {
		f.gonb.NoteModules()
		f.completer.use(f.gonb.Fetched())
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

// listModules lists the fetched modules.
func (e *execution) listModules(string) *cellError {
	modules := e.front.gonb.Modules()
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
