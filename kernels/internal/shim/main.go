//go:build unix

// Command shim wraps the programs that GoNB runs. Run as "go", it runs the go command, but replaces the program that is
// built by itself; run as that program or as "shell", it runs the program or shell and copies its output.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/gonb"
)

// program is the suffix of the built program.
const program = ".cell"

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if name == drainName {
		drain(args)
		return
	}
	state := gonb.CurrentState()
	for key, value := range state.Env {
		os.Setenv(key, value)
	}
	switch name {
	case "go":
		os.Exit(goCommand(args, state))
	case "shell":
		shell(args, state)
	default:
		(&job{name: os.Args[0] + program, args: gonb.Ungarbled(args), state: state, start: gonb.ProgramStarted, exit: gonb.ProgramEnded}).run()
	}
}

// shell runs a line that begins with "!", or, after one of the words below, something else.
func shell(args []string, state gonb.State) {
	j := &job{name: "/bin/bash", args: append([]string{"-c"}, args...), state: state, start: gonb.CommandStarted, exit: gonb.CommandEnded}
	if len(args) > 1 {
		switch args[0] {
		case gonb.AsksGoNB:
			j.args, j.passes = append([]string{"-c"}, args[1:]...), true
		case gonb.Script:
			args = gonb.Decoded(args[1:])
			j.name, j.args, j.passes = args[0], args[1:], true
		case gonb.Write:
			write(gonb.Decoded(args[1:]))
			return
		case gonb.Link:
			link(args[1], args[2])
			return
		}
	}
	j.run()
}

// write writes standard input to a file, or, after "-a", appends it.
func write(args []string) {
	flags, done := os.O_TRUNC, "written"
	if len(args) > 1 && args[0] == "-a" {
		flags, done, args = os.O_APPEND, "appended", args[1:]
	}
	path := atHome(os.ExpandEnv(args[0]))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flags, 0o644)
	if err == nil {
		_, err = io.Copy(f, os.Stdin)
		err = errors.Join(err, f.Close())
	}
	end(err)
	fmt.Fprintf(os.Stderr, "Cell contents %s to %q.\n", done, path)
}

// link makes a symbolic link to a path, for a command of GoNB, which garbles the path.
func link(path, name string) {
	path, err := filepath.Abs(atHome(os.ExpandEnv(path)))
	end(errors.Join(err, os.Symlink(path, name)))
}

// end tells the end of a command, and ends this process if there was an error.
func end(err error) {
	done := gonb.Event{Kind: gonb.CommandEnded}
	if err != nil {
		done.Message = err.Error()
	}
	gonb.Tell(done)
	if err != nil {
		os.Exit(0) // GoNB would show another code
	}
}

// atHome replaces "~" at the beginning of a path by the user's home directory.
func atHome(path string) string {
	if home, err := os.UserHomeDir(); err == nil && (path == "~" || strings.HasPrefix(path, "~/")) {
		return home + path[1:]
	}
	return path
}

// goCommand runs the go command that $BIRNN_GO names.
func goCommand(args []string, state gonb.State) int {
	command := os.Getenv("BIRNN_GO")
	if cache, emptied := os.LookupEnv("GOMODCACHE"); emptied && cache == "" {
		// goimports does that (x/tools v0.52.0, internal/imports/fix.go), and the go command would use ~/go/pkg/mod.
		os.Setenv("GOMODCACHE", os.Getenv("BIRNN_GOMODCACHE"))
	}
	if len(args) == 3 && args[0] == "mod" && args[1] == "init" && restoreModule(args[2]) {
		return 0
	}
	i := slices.Index(args, "-o")
	if i < 0 || i+1 >= len(args) || args[0] != "build" && args[0] != "test" || !strings.HasPrefix(filepath.Base(args[i+1]), "gonb_") {
		err := syscall.Exec(command, append([]string{command}, args...), os.Environ())
		fmt.Fprintf(os.Stderr, "%s: %v\n", command, err)
		return 1
	}
	if state.Interrupted {
		return interruptedCode
	}
	place := args[i+1]
	args = append(slices.Clone(args[:i+2]), gonb.Ungarbled(args[i+2:])...)
	args[i+1] = place + program
	gonb.Tell(gonb.Event{Kind: gonb.BuildStarted})
	begin := time.Now()
	if slices.Contains(args, "-race") || slices.Contains(args, "-msan") || slices.Contains(args, "-asan") {
		// These need the C linker, without the flags that keep it from cells.
		os.Setenv("GOFLAGS", linkerFlags.ReplaceAllString(os.Getenv("GOFLAGS"), ""))
		os.Setenv("CGO_ENABLED", "1")
	}
	restoreNames()
	dir, err := os.Getwd()
	if err == nil {
		err = reachRoot(command, dir)
	}
	b := builder{command: command, args: args, dir: dir, output: place + program}
	done := err == nil && args[0] == "build" && b.build()
	if !done {
		cmd := exec.Command(command, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		err = cmd.Run()
	}
	if err == nil {
		err = putSelf(place)
	}
	kind := gonb.Built
	if err != nil {
		kind = gonb.BuildFailed
	}
	gonb.Tell(gonb.Event{Kind: kind, Length: time.Since(begin)})
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(1, exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// restoreModule writes the go.mod that the front has kept, if it is that of the module. GoNB's command %reset, with which
// each program begins, creates a new one.
func restoreModule(module string) bool {
	kept, err := os.ReadFile(filepath.Join(os.Getenv(gonb.RunEnv), gonb.ModuleFile))
	return err == nil && bytes.HasPrefix(kept, []byte("module "+module+"\n")) && os.WriteFile("go.mod", kept, 0o600) == nil
}

// linkerFlags matches the linker's flags in GOFLAGS.
var linkerFlags = regexp.MustCompile(`'-ldflags=[^']*'`)

// reachRoot adds the repository to the workspace of the program in dir if the program needs it and a command such as
// "go work init" has removed it.
func reachRoot(command, dir string) error {
	root, work := os.Getenv("BIRNN_ROOT"), filepath.Join(dir, "go.work")
	source, _ := os.ReadFile(filepath.Join(dir, "main.go"))
	if root == "" || !bytes.Contains(source, []byte(`"birnn/`)) {
		return nil
	}
	uses, err := os.ReadFile(work)
	if bytes.Contains(uses, []byte(root)) {
		return nil
	}
	var steps [][]string
	if err != nil {
		steps = append(steps, []string{"work", "init"})
	}
	for _, step := range append(steps, []string{"work", "use", ".", root}) {
		cmd := exec.Command(command, step...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	return nil
}

// restoreNames gives the methods in the program their names again.
func restoreNames() {
	for _, name := range []string{"main.go", "main_test.go"} {
		if source, err := os.ReadFile(name); err == nil {
			if restored := cell.Restore(source); !bytes.Equal(restored, source) {
				os.WriteFile(name, restored, 0o600)
			}
		}
	}
}

// putSelf makes place a link to this executable.
func putSelf(place string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if now, err := os.Readlink(place); err == nil && now == self {
		return nil
	}
	link := place + ".link"
	os.Remove(link)
	return errors.Join(os.Symlink(self, link), os.Rename(link, place))
}
