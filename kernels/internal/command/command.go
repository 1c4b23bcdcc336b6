// Package command is the commands of the kernels program: their flags, what
// they print and how they exit.
package command

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"birnn/birnnlib/backend/plugin"
	"birnn/kernels/internal/console"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/setup"
)

// The exit codes.
const (
	ok    = 0
	fails = 1 // it did not work
	wrong = 2 // it was called wrongly
)

// App is where a command writes.
type App struct {
	Out io.Writer // what was asked for
	Err io.Writer // progress and problems

	os string // the operating system, where it is not the real one
}

func (a *App) goos() string { return cmp.Or(a.os, runtime.GOOS) }

const usage = `Usage: go run ./kernels <command> [flags]

  lab        install what is missing and open JupyterLab on the first lesson
  run        run notebooks without a browser, all lessons if none is named
  print      make a printable edition of notebooks, all lessons if none is named
  install    install what is missing: JupyterLab, the Go kernels, XLA's plugin
  uninstall  remove everything that was installed, and nothing else
  doctor     say what is installed, whether it works, and how to mend it

"go run ./kernels <command> -h" explains a command's flags.
`

// Main runs the command that args name and returns its exit code.
func (a *App) Main(ctx context.Context, args []string) int {
	commands := map[string]func(context.Context, []string) int{
		"lab": a.lab, "run": a.run, "print": a.printable, "install": a.install, "uninstall": a.uninstall, "doctor": a.doctor,
		"kernel": a.kernel, "guard": a.guard, setup.InstallCUDA: a.installCUDA,
	}
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case "-h", "-help", "--help", "help":
		fmt.Fprint(a.Out, usage)
		return ok
	case "":
		fmt.Fprint(a.Err, usage)
		return wrong
	}
	command, known := commands[name]
	if !known {
		fmt.Fprintf(a.Err, "there is no command %q\n\n%s", name, usage)
		return wrong
	}
	if a.goos() == "windows" {
		fmt.Fprintln(a.Err, "GoNB, the Go kernel, needs a Unix. On Windows, install WSL (wsl --install), clone the repository inside it\n"+
			"and run the same command there. The library itself works on Windows: go test ./...")
		return fails
	}
	return command(ctx, args[1:])
}

// flags is a command's flag set with what several commands have in common.
type flags struct {
	*flag.FlagSet
	app     *App
	dir     *string
	options setup.Options
	cuda    bool
	source  string
}

func (a *App) flags(name, arguments, text string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), app: a}
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "Usage: go run ./kernels %s [flags]%s\n\n%s\n", name, arguments, text)
		f.PrintDefaults()
	}
	f.dir = f.String("dir", "", "private `folder` of the installation (default: $"+home.Env+", else \"birnn\" in the user's data directory)")
	f.cuda = true
	return f
}

func (f *flags) cudaFlag() {
	f.BoolVar(&f.cuda, "cuda", true, "where there is an NVIDIA GPU, have the kernel birnn-cuda too")
}

// installFlags are the flags of commands that install.
func (f *flags) installFlags() {
	f.StringVar(&f.options.Python, "python", "", "`interpreter` to make the Python environment with (default: python3 of the PATH)")
	f.jupyterFlag()
	f.cudaFlag()
	f.StringVar(&f.source, "plugin-source", "", "`source` of XLA's CPU plugin: \"pypi\", a wheel pinned by hash, or \"go-xla\", its release page (default: pypi on linux/amd64)")
}

func (f *flags) jupyterFlag() {
	f.StringVar(&f.options.Jupyter, "jupyter", "", "use an existing Jupyter, by the `path` of its command, instead of installing one")
}

func (f *flags) userFlags() {
	f.BoolVar(&f.options.User, "user", false, "put the kernels where every Jupyter of yours finds them, too")
	f.BoolVar(&f.options.ReplacePlugin, "replace-plugin", false, "fetch XLA's CPU plugin anew, for instance when doctor says that it has changed")
}

// parse parses args; flags may stand before and after other arguments. When
// done is true, the command ends with code.
func (f *flags) parse(args []string, takesArguments bool) (rest []string, code int, done bool) {
	f.SetOutput(f.app.Err)
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" || arg == "--h" {
			f.SetOutput(f.app.Out) // asked for, so it is no error
		}
	}
	for {
		if err := f.FlagSet.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, ok, true
		} else if err != nil {
			return nil, wrong, true
		}
		if f.NArg() == 0 {
			break
		}
		rest = append(rest, f.Arg(0))
		args = f.Args()[1:]
	}
	if len(rest) > 0 && !takesArguments {
		return nil, f.misuse("unexpected argument %q", rest[0]), true
	}
	f.options.PluginSource = plugin.Source(f.source)
	if s := f.options.PluginSource; s != plugin.Auto && s != plugin.Wheel && s != plugin.Release {
		return nil, f.misuse("-plugin-source is %q, expected %q or %q", s, plugin.Wheel, plugin.Release), true
	}
	f.options.NoCUDA = !f.cuda
	var err error
	if f.options.Home, err = home.Locate(*f.dir); err != nil {
		return nil, f.misuse("%v", err), true
	}
	return rest, ok, false
}

// misuse says how a command was called wrongly.
func (f *flags) misuse(format string, args ...any) int {
	fmt.Fprintf(f.app.Err, "%s: %s\n\"go run ./kernels %s -h\" explains its flags\n", f.Name(), fmt.Sprintf(format, args...), f.Name())
	return wrong
}

// failed says why a command did not work.
func (a *App) failed(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		fmt.Fprintln(a.Err, "interrupted; nothing was left half-done, run the same command to go on")
		return fails
	}
	fmt.Fprintln(a.Err, err)
	return fails
}

// ensure installs what is missing and says what could not be.
func (a *App) ensure(ctx context.Context, opts setup.Options) (*setup.Installed, []setup.Problem, error) {
	installed, problems, err := setup.Ensure(ctx, opts, console.New(a.Err))
	for _, problem := range problems {
		fmt.Fprintf(a.Err, "\n%v\n\n", problem)
	}
	return installed, problems, err
}

// installCUDA is the command that this program calls in a process of its own.
func (a *App) installCUDA(ctx context.Context, args []string) int {
	if len(args) != 1 {
		fmt.Fprintf(a.Err, "%s: expected one directory\n", setup.InstallCUDA)
		return wrong
	}
	path, err := plugin.InstallCUDA(ctx, args[0])
	if err != nil {
		return a.failed(ctx, err)
	}
	fmt.Fprintln(a.Out, path)
	return ok
}

// Stdio is an App on the process's own streams.
func Stdio() *App { return &App{Out: os.Stdout, Err: os.Stderr} }
