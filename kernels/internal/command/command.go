// Package command implements the commands of the kernels program: their flags, output and exit codes.
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
	"birnn/internal/progress"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/setup"
)

// The exit codes.
const (
	ok    = 0
	fails = 1 // the command failed
	wrong = 2 // usage error
)

// app runs commands and holds the streams they write to.
type app struct {
	out io.Writer // results
	err io.Writer // progress and problems

	os string // overrides runtime.GOOS in tests
}

func (a *app) goos() string { return cmp.Or(a.os, runtime.GOOS) }

const usage = `Usage: go run ./kernels <command> [flags]

  lab        install what is missing and open JupyterLab on the first lesson
  run        run notebooks without a browser (default: all lessons)
  print      make a printable edition of notebooks (default: all lessons)
  install    install what is missing: JupyterLab, the Go kernels, XLA's plugin
  uninstall  remove everything that was installed, and nothing else
  doctor     report what is installed, whether it works, and how to repair it

"go run ./kernels <command> -h" explains a command's flags.
`

// main runs the command that args name and returns its exit code.
func (a *app) main(ctx context.Context, args []string) int {
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
		fmt.Fprint(a.out, usage)
		return ok
	case "":
		fmt.Fprint(a.err, usage)
		return wrong
	}
	command, known := commands[name]
	if !known {
		fmt.Fprintf(a.err, "unknown command %q\n\n%s", name, usage)
		return wrong
	}
	if a.goos() == "windows" {
		fmt.Fprintln(a.err, "the kernels need Linux or macOS: on Windows, install WSL (wsl --install), clone the repository inside it\n"+
			"and run the same command there. Without WSL, the library works (go test ./...), and so does GoNB on its own:\n"+
			"see \"Windows\" in kernels/README.md")
		return fails
	}
	return command(ctx, args[1:])
}

// flags is a command's flag set with the flags that several commands share.
type flags struct {
	*flag.FlagSet
	app     *app
	dir     *string
	options setup.Options
	cuda    bool
	source  string
}

func (a *app) flags(name, arguments, text string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), app: a}
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "Usage: go run ./kernels %s [flags]%s\n\n%s\n", name, arguments, text)
		f.PrintDefaults()
	}
	f.dir = f.String("dir", "", "`folder` of the installation (default: $"+home.Env+" or \"birnn\" in the user's data directory)")
	f.cuda = true
	return f
}

func (f *flags) cudaFlag() {
	f.BoolVar(&f.cuda, "cuda", true, "install the kernel birnn-cuda too if there is an NVIDIA GPU")
}

// installFlags are the flags of commands that install.
func (f *flags) installFlags() {
	f.StringVar(&f.options.Python, "python", "", "Python `interpreter` for the environment (default: python3 on the PATH)")
	f.jupyterFlag()
	f.cudaFlag()
	f.StringVar(&f.source, "plugin-source", "", "`source` of XLA's CPU plugin: \"pypi\" (a wheel pinned by hash) or \"go-xla\" (its release page) (default: pypi on linux/amd64)")
}

func (f *flags) jupyterFlag() {
	f.StringVar(&f.options.Jupyter, "jupyter", "", "use the existing Jupyter whose command is at `path` instead of installing one")
}

func (f *flags) userFlags() {
	f.BoolVar(&f.options.User, "user", false, "also install the kernels where all your Jupyters find them")
	f.BoolVar(&f.options.ReplacePlugin, "replace-plugin", false, "fetch XLA's CPU plugin again, for instance if doctor reports that it has changed")
}

// parse parses args; flags may come before and after other arguments. If done is true, the command exits with code.
func (f *flags) parse(args []string, takesArguments bool) (rest []string, code int, done bool) {
	f.SetOutput(f.app.err)
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" || arg == "--h" {
			f.SetOutput(f.app.out) // a result, not an error
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

// misuse reports a usage error.
func (f *flags) misuse(format string, args ...any) int {
	fmt.Fprintf(f.app.err, "%s: %s\n\"go run ./kernels %s -h\" explains its flags\n", f.Name(), fmt.Sprintf(format, args...), f.Name())
	return wrong
}

// failed reports why a command failed.
func (a *app) failed(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		fmt.Fprintln(a.err, "interrupted; run the same command again to continue")
		return fails
	}
	fmt.Fprintln(a.err, err)
	return fails
}

// ensure installs what is missing and reports what could not be installed.
func (a *app) ensure(ctx context.Context, opts setup.Options) (*setup.Installed, []setup.Problem, error) {
	installed, problems, err := setup.Ensure(ctx, opts, progress.NewConsole(a.err))
	for _, problem := range problems {
		fmt.Fprintf(a.err, "\n%v\n\n", problem)
	}
	return installed, problems, err
}

// installCUDA is the hidden command [setup.InstallCUDA].
func (a *app) installCUDA(ctx context.Context, args []string) int {
	if len(args) != 1 {
		fmt.Fprintf(a.err, "%s: expected one directory\n", setup.InstallCUDA)
		return wrong
	}
	path, err := plugin.InstallCUDA(ctx, args[0])
	if err != nil {
		return a.failed(ctx, err)
	}
	fmt.Fprintln(a.out, path)
	return ok
}

// Main runs the command that args name, which writes to standard output and standard error, and returns its exit code.
func Main(ctx context.Context, args []string) int {
	return (&app{out: os.Stdout, err: os.Stderr}).main(ctx, args)
}
