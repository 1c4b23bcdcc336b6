package front

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/rivo/uniseg"

	"birnn/birnnlib/backend/plugin"
	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/kept"
	"birnn/kernels/internal/kernelspec"
)

//go:embed help.md
var helpText string

// magics are the commands that the front executes. Other commands go to GoNB.
var magics map[string]func(*execution, string) *cellError

func init() { // not in the declaration: help refers to magics
	magics = map[string]func(*execution, string) *cellError{
		"%help": (*execution).help, "%backend": (*execution).backend, "%timing": (*execution).timing,
		"%trace": (*execution).traceMagic, "%keep": (*execution).keep, "%output": (*execution).outputMagic,
		"%ls": (*execution).list, "%list": (*execution).list, "%rm": (*execution).remove, "%remove": (*execution).remove,
		"%reset": (*execution).resetMagic, "%clear": (*execution).clear,
		"%modules": (*execution).listModules, "%autoget": (*execution).autoGet, "%noautoget": (*execution).noAutoGet,
		"%wasm":  (*execution).wasm,
		"%graph": (*execution).graph, "%stablehlo": (*execution).stableHLO,
	}
}

func magicNames() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(magics)), gonb.Commands...)))
}

// commands executes the cell's commands that are in magics, prepares those that GoNB would garble, and keeps the others.
func (e *execution) commands(c *cell.Cell) *cellError {
	var others []cell.Directive
	captures := false
	for _, d := range c.Directives {
		name := d.Name()
		magic, ours := magics[name]
		switch {
		case ours && !(name == "%reset" && d.Args() != ""):
			if err := magic(e, d.Args()); err != nil {
				return err
			}
		case name == "%exec" && c.Entry.Text == "":
			return e.misuse("use %%exec FUNCTION ARGUMENTS, with the name of a function")
		case name == "%%" || name == "%main" || name == "%exec":
			return &cellError{name: "SyntaxError", value: "a second " + name + ": a cell has one body of main", traceback: []string{e.where(e.number, d.Line, 0)}}
		case name != "!" && !ours && !slices.Contains(gonb.Commands, name):
			return e.misuse("%s is not a command of this kernel; %%help lists the commands", name)
		case name == "%env":
			if e.setEnv(d) {
				continue
			}
			others = append(others, d)
		case name == "%cd" || name == "%capture":
			captures = captures || name == "%capture"
			others = append(others, e.linked(d)...)
		default:
			others = append(others, d)
		}
		if ours && name == "%reset" && d.Args() == "go.mod" {
			e.front.dropModules()
		}
	}
	c.Directives = others
	if captures { // the file must get all of the output
		e.front.gonb.Tell("%env BIRNN_OUTPUT_LIMIT 0")
		e.after = append(e.after, func() { e.front.gonb.Tell(fmt.Sprintf("%%env BIRNN_OUTPUT_LIMIT %d", e.front.limit)) })
	}
	return nil
}

// setEnv executes a command %env with other characters than ASCII, which GoNB garbles: the shim sets the variable. It
// reports whether the command was one.
func (e *execution) setEnv(d cell.Directive) bool {
	words := gonb.SplitWords(d.Text)[1:]
	if len(words) == 1 {
		if name, value, ok := strings.Cut(words[0], "="); ok {
			words = []string{name, value}
		}
	}
	if len(words) != 2 {
		return false // GoNB explains it
	}
	ours := gonb.Garbles(d.Text)
	e.front.gonb.SetState(func(s *gonb.State) {
		delete(s.Env, words[0])
		if ours && s.Env == nil {
			s.Env = map[string]string{}
		}
		if ours {
			s.Env[words[0]] = words[1]
		}
	})
	if ours {
		e.say("Set: %s=%q", words[0], words[1])
	}
	return ours
}

// linked returns a command of GoNB with a path, or, if GoNB would garble the path, one that makes a link to it and one
// with the link.
func (e *execution) linked(d cell.Directive) []cell.Directive {
	words := gonb.SplitWords(d.Text)
	if !gonb.Garbles(d.Text) || len(words) < 2 {
		return []cell.Directive{d}
	}
	f := e.front
	f.links++
	link := filepath.Join(f.run, fmt.Sprintf("link-%d", f.links))
	path := words[len(words)-1]
	if e.links == nil {
		e.links = map[string]string{}
	}
	e.links[link] = path
	words[len(words)-1] = link
	for i, word := range words[1:] {
		words[i+1] = strconv.Quote(word)
	}
	return []cell.Directive{
		{Line: d.Line, Text: f.gonb.Link(path, link)},
		{Line: d.Line, Text: strings.Join(words, " ")},
	}
}

func (e *execution) misuse(format string, args ...any) *cellError {
	return &cellError{name: "UsageError", value: fmt.Sprintf(format, args...)}
}

func (e *execution) say(format string, args ...any) {
	e.publish("stream", map[string]string{"name": "stdout", "text": fmt.Sprintf(format, args...) + "\n"})
}

func (e *execution) help(string) *cellError {
	e.publish("display_data", map[string]any{"data": map[string]string{"text/markdown": helpText, "text/plain": helpText}, "metadata": map[string]any{}})
	return nil
}

// timing turns the display of times on or off.
func (e *execution) timing(args string) *cellError {
	switch args {
	case "", "on":
		e.front.gonb.Tell("%env BIRNN_TRACE_INIT 1", "%env BIRNN_TIMING 1")
		e.front.timing = true
		if args == "" { // only this cell
			e.after = append(e.after, func() { e.timing("off") })
		}
	case "off":
		e.front.gonb.Tell(`%env BIRNN_TRACE_INIT ""`, `%env BIRNN_TIMING ""`)
		e.front.timing = false
	default:
		return e.misuse("use %%timing for this cell, %%timing on or %%timing off for all cells from here on")
	}
	return nil
}

func (e *execution) traceMagic(string) *cellError {
	switch last := e.front.trace; {
	case last == nil:
		e.say("no cell has failed")
	case last.all != "":
		e.say("%s", strings.TrimRight(last.all, "\n"))
	default:
		e.say("%s: %s\n%s", last.name, last.value, strings.Join(last.traceback, "\n"))
	}
	return nil
}

// graph shows the graph of a function.
func (e *execution) graph(args string) *cellError { return e.lower("Graph", args) }

// stableHLO shows the StableHLO of a function, which XLA compiles.
func (e *execution) stableHLO(args string) *cellError { return e.lower("StableHLO", args) }

// lower runs a cell that prints a form of a function for inputs of given shapes.
func (e *execution) lower(form, args string) *cellError {
	words := strings.Fields(strings.ReplaceAll(args, ", ", ","))
	if len(words) == 0 {
		return e.misuse("use %%%s FUNCTION SHAPE…, as in %%%s f float32[32,256]", strings.ToLower(form), strings.ToLower(form))
	}
	var code strings.Builder
	code.WriteString("import birnnlower \"birnn/birnnlib/lower\"\nimport birnnbackend \"birnn/birnnlib/backend\"\nimport birnnshapes \"github.com/gomlx/compute/shapes\"\nimport \"context\"\n%%\n")
	code.WriteString("fail := func(err error) { if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) } }\nvar inputs []birnnshapes.Shape\n")
	for _, shape := range words[1:] {
		fmt.Fprintf(&code, "{ s, err := birnnlower.ParseShape(%q); fail(err); inputs = append(inputs, s) }\n", shape)
	}
	fmt.Fprintf(&code, "b, err := birnnbackend.Open(context.Background(), birnnbackend.Options{})\nfail(err)\nl, err := birnnlower.Build(b.Backend, %s, inputs...)\nfail(err)\n", words[0])
	if form == "Graph" {
		code.WriteString("fmt.Println(l.Graph())\n")
	} else {
		code.WriteString("program, err := l.StableHLO()\nfail(err)\nfmt.Print(program)\n")
	}
	c, err := cell.Parse(code.String())
	if err != nil {
		return e.misuse("%q is not the name of a function", words[0])
	}
	notebook := e.front.notebook.With(c, e.number)
	return e.sendProgram(notebook, c, cell.Options{Exports: e.front.packages.exports})
}

// backend shows or switches the backend. Later cells are built and run with the settings of that backend's kernel. If
// that kernel uses another Go, GoNB and gopls are restarted with it.
func (e *execution) backend(args string) *cellError {
	f := e.front
	if args == "" {
		e.say("%s", f.backendNow)
		return nil
	}
	env := map[string]string{"GOMLX_BACKEND": args, "CGO_ENABLED": "1"}
	name := kernelspec.XLA
	switch {
	case args == "go":
		env["CGO_ENABLED"] = "0"
		name = kernelspec.Go
	case strings.HasPrefix(args, "xla:"):
		device := strings.TrimPrefix(args, "xla:")
		i := slices.IndexFunc(plugin.Find(), func(p plugin.Found) bool { return p.Name == device })
		if i < 0 {
			return e.misuse("no XLA plugin for %q: install it with \"go run ./kernels install\"; \"go run ./kernels doctor\" shows details", device)
		}
		env["PJRT_PLUGIN_LIBRARY_PATH"] = filepath.Dir(plugin.Find()[i].Path)
	default:
		return e.misuse("unknown backend %q: use %%backend go, %%backend xla:cpu or %%backend xla:cuda", args)
	}
	spec, err := kernelspec.Read(f.config.Kernels, name)
	if err != nil {
		f.log.Printf("%%backend %s: without the settings of %s: %v", args, name, err)
	}
	for _, key := range []string{"GOEXPERIMENT", "GODEBUG"} {
		env[key] = spec.Getenv(key)
	}
	pure := spec.Getenv(kernelspec.PureGo)
	os.Setenv(kernelspec.PureGo, pure)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		os.Setenv(key, env[key])
		lines = append(lines, fmt.Sprintf("%%env %s %s", key, strconv.Quote(env[key])))
	}
	f.gonb.Remember(lines...)
	f.backendNow = args
	if goroot := filepath.Dir(filepath.Dir(spec.GoCommand())); err == nil && goroot != filepath.Dir(filepath.Dir(goCommand())) {
		f.changeGo(spec)
	} else {
		f.gonb.Tell(lines...)
	}
	said := args + ", from here on"
	if pure != "" {
		said += "; pure Go " + pure
		f.warned = true
	}
	e.say("%s", said)
	return nil
}

// changeGo restarts GoNB and gopls with the Go of another kernel, and with the programs built by it.
func (f *front) changeGo(spec kernelspec.Spec) {
	f.completer.stop()
	var dirs []string
	for _, dir := range filepath.SplitList(spec.Getenv("PATH")) { // ends in the PATH as it is now
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	os.Setenv("PATH", strings.Join(dirs, string(filepath.ListSeparator)))
	f.packages.forget()
	bin := filepath.Dir(spec.JSON.Argv[0])
	f.gonb.Use(bin, goCommand())
	f.completer.start(bin)
}

// warn warns once if pure Go is slower here than it could be.
func (e *execution) warn() {
	f := e.front
	pure := os.Getenv(kernelspec.PureGo)
	if f.warned || f.backendNow != "go" || runtime.GOARCH != "amd64" || pure == "" || os.Getenv("GOEXPERIMENT") != "" {
		return
	}
	f.warned = true
	e.publish("stream", map[string]string{"name": "stderr", "text": "Pure Go " + pure + "\n"})
}

// outputMagic shows or sets the limit of a cell's output.
func (e *execution) outputMagic(args string) *cellError {
	if args != "" {
		n, err := humanize.ParseBytes(args)
		if err != nil || n > math.MaxInt || strings.Contains(args, ",") { // to humanize, "1,5" is 15
			return e.misuse("%%output: %q is not a size; write it like 500kB or 4MB", args)
		}
		e.front.limit = int(n)
		line := fmt.Sprintf("%%env BIRNN_OUTPUT_LIMIT %d", n)
		e.front.gonb.Remember(line)
		e.front.gonb.Tell(line)
	}
	e.say("a cell shows up to %s of each stream; longer output goes to a file in %s", humanize.Bytes(uint64(e.front.limit)), e.front.outputs)
	return nil
}

// keep lists and drops kept values.
func (e *execution) keep(args string) *cellError {
	dir := e.front.keepDir()
	words := strings.Fields(args)
	var err error
	switch {
	case len(words) == 0 || words[0] == "list":
		var infos []kept.Info
		infos, err = kept.List(dir)
		for _, i := range infos {
			pad := strings.Repeat(" ", max(0, 20-uniseg.StringWidth(i.Name)))
			line := fmt.Sprintf("%s %-24s %9s  kept %s", i.Name+pad, i.Type, humanize.Bytes(uint64(i.Size)), i.Kept.Format(time.DateTime))
			if i.Took > 0 {
				line += fmt.Sprintf(", computed in %s", i.Took.Round(time.Millisecond))
			}
			e.say("%s", line)
		}
		if len(infos) == 0 && err == nil {
			e.say("no values are kept; keep.Put(name, value) keeps one")
		}
	case words[0] == "drop" && len(words) > 1:
		name := strings.TrimSpace(strings.TrimPrefix(args, "drop"))
		if err = kept.Drop(dir, name); errors.Is(err, fs.ErrNotExist) {
			return e.misuse("no value is kept under the name %q; %%keep lists them", name)
		}
		if err == nil {
			e.say("dropped %s", name)
		}
	case words[0] == "clear":
		if err = os.RemoveAll(dir); err == nil {
			e.say("all kept values are dropped")
		}
	default:
		return e.misuse("use %%keep to list the kept values, %%keep drop NAME or %%keep clear")
	}
	if err != nil {
		return &cellError{name: "KeepError", value: err.Error()}
	}
	return nil
}

func (e *execution) wasm(string) *cellError {
	return e.misuse("%%wasm is not available: GoNB looks for wasm_exec.js where Go has not had it since version 1.24")
}

// list lists the declarations of the cells.
func (e *execution) list(string) *cellError {
	n := e.front.notebook
	for _, i := range n.Imports() {
		e.say("%s", strings.Join(strings.Fields(fmt.Sprintf("import %s %q", i.Name, i.Path)), " "))
	}
	for _, d := range n.Decls() {
		e.say("%-5s %s   (cell %d)", d.Kind, strings.Join(d.Names, ", "), d.Cell)
	}
	return nil
}

// remove drops declarations.
func (e *execution) remove(args string) *cellError {
	f := e.front
	n := f.notebook.With(&cell.Cell{}, 0)
	for _, name := range strings.Fields(args) {
		if !n.Forget(strings.ReplaceAll(name, "~", ".")) {
			e.output.text("stderr", fmt.Sprintf("%s is not declared; %%ls lists the declarations\n", name))
			continue
		}
		e.say("removed %s", name)
	}
	f.setNotebook(n)
	return nil
}

// clear clears the output of the cell.
func (e *execution) clear(args string) *cellError {
	e.publish("clear_output", map[string]bool{"wait": args == "wait"})
	return nil
}

// dropModules makes the session forget what was fetched.
func (f *front) dropModules() {
	f.gonb.DropModule()
	f.completer.use(nil, nil)
}

func (e *execution) resetMagic(string) *cellError {
	e.front.setNotebook(&cell.Notebook{})
	e.front.dropModules()
	e.say("all declarations are dropped")
	return nil
}
