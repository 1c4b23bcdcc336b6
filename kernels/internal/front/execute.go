package front

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/wire"
)

// execution is the execution of a cell.
type execution struct {
	*request
	front   *front
	code    string
	number  int // execution count of the cell
	silent  bool
	input   bool // whether the client accepts requests for input
	payload []any
	output  *output
	began   time.Time
	program *cell.Program
	after   []func()          // run after the cell
	links   map[string]string // paths of the cell's commands, by the links that GoNB gets
}

// execute executes a cell. After an error it returns the requests that the client sent before it learned of the error;
// they must not run.
func (f *front) execute(r *request) (aborted []*request) {
	content := struct {
		Code            string                     `json:"code"`
		Silent          bool                       `json:"silent"`
		StoreHistory    bool                       `json:"store_history"`
		UserExpressions map[string]json.RawMessage `json:"user_expressions"`
		AllowStdin      bool                       `json:"allow_stdin"`
		StopOnError     bool                       `json:"stop_on_error"`
	}{StoreHistory: true, StopOnError: true}
	f.status(r.Message, "busy")
	if err := r.Read(&content); err != nil {
		f.reply(r, map[string]any{"status": "error", "ename": "BadRequest", "evalue": err.Error(), "traceback": []string{err.Error()}})
		return nil
	}
	store := content.StoreHistory && !content.Silent
	if store {
		f.count++
		f.sources[f.count] = content.Code
	}
	number := f.count
	e := &execution{request: r, front: f, code: content.Code, number: number, silent: content.Silent, input: content.AllowStdin, began: time.Now()}
	e.output = &output{execution: e}
	if !content.Silent {
		f.publish(r.Message, "execute_input", map[string]any{"code": content.Code, "execution_count": number})
	}
	if store && strings.TrimSpace(content.Code) != "" {
		if err := f.history.add(number, content.Code); err != nil {
			f.log.Print(err)
		}
	}
	err := e.run()
	for _, undo := range e.after {
		undo()
	}
	expressions := map[string]any{}
	for name := range content.UserExpressions {
		expressions[name] = map[string]any{"status": "error", "ename": "NotSupported", "evalue": "user expressions are not supported: put the expression into a cell", "traceback": []string{}}
	}
	answer := map[string]any{"status": "ok", "execution_count": number, "user_expressions": expressions, "payload": append([]any{}, e.payload...)}
	if err != nil {
		for link, path := range e.links {
			err.value = strings.ReplaceAll(err.value, link, path)
		}
		answer["status"] = "error"
		for key, value := range err.content() {
			answer[key] = value
		}
		f.trace = err
		f.publish(r.Message, "error", err.content())
		if content.StopOnError {
			time.Sleep(20 * time.Millisecond) // some may still arrive
			f.mu.Lock()
			aborted, f.queue = f.queue, nil
			f.mu.Unlock()
		}
	}
	f.reply(r, answer)
	return aborted
}

// run runs the cell.
func (e *execution) run() *cellError {
	f := e.front
	code := e.code
	if name, ok := asksFor(code); ok {
		return e.page(name)
	}
	c, err := f.notebook.Parse(code)
	if err != nil {
		return e.syntaxError(err)
	}
	if c.Foreign {
		return e.foreign(code)
	}
	c.ID = e.cellID()
	if err := e.commands(c); err != nil {
		return err
	}
	e.program = nil
	asks := false
	for i, d := range c.Directives {
		c.Directives[i].Text = f.gonb.Shell(d.Text, asks)
		asks = d.Name() == "%with_inputs" || d.Name() == "%with_password" || asks && d.Name() != "!"
	}
	bare := len(c.Decls) == 0 && len(c.Imports) == 0 && c.Body == "" && c.Entry.Text == ""
	if bare && !slices.ContainsFunc(c.Directives, isTest) {
		if len(c.Directives) == 0 {
			return nil
		}
		var lines []string
		for _, d := range c.Directives {
			lines = append(lines, d.Text)
		}
		return e.send(strings.Join(lines, "\n"))
	}
	if !e.silent {
		e.warn()
	}
	notebook := f.notebook.With(c, e.number)
	opts := cell.Options{Exports: f.packages.exports}
	cellErr := e.sendProgram(notebook, c, opts)
	if cellErr != nil && cellErr.says("used as value") && c.Result != nil {
		opts.Quiet = true // the expression that ends the cell has no value
		cellErr = e.sendProgram(notebook, c, opts)
	}
	for cellErr != nil {
		// The check whether a dot import is used is a guess.
		m := unusedImport.FindStringSubmatch(cellErr.all)
		if m == nil || slices.Contains(opts.Unused, m[1]) {
			break
		}
		opts.Unused = append(opts.Unused, m[1])
		cellErr = e.sendProgram(notebook, c, opts)
	}
	const tries = 5 // the go command reports one lack after the other
	for range tries {
		if cellErr == nil || cellErr.compiled || f.noGet {
			break
		}
		paths := missing(cellErr)
		if len(paths) == 0 {
			break
		}
		if cellErr = e.fetch(paths); cellErr == nil {
			cellErr = e.sendThis()
		}
	}
	if cellErr != nil {
		cellErr, notebook = e.sendWithout(notebook, c, opts, cellErr)
	}
	if cellErr != nil && cellErr.beforeMain(c) {
		notebook = notebook.WithoutEffects(c) // else every later cell would fail
	}
	if cellErr == nil || cellErr.compiled {
		f.setNotebook(notebook)
	}
	e.tellStale(notebook)
	if f.timing {
		e.tellTime()
	}
	return cellErr
}

func (e *execution) sendProgram(notebook *cell.Notebook, c *cell.Cell, opts cell.Options) *cellError {
	e.program = notebook.Program(c, e.number, opts)
	return e.sendThis()
}

// sendWithout sends the program again without declarations of other cells that do not compile and that the cell does not
// need: they have an effect, or are methods of a type that the cell changes. If that succeeds, it returns the notebook
// without them: else no later cell could run, nor the cell change the type.
func (e *execution) sendWithout(notebook *cell.Notebook, c *cell.Cell, opts cell.Options, first *cellError) (*cellError, *cell.Notebook) {
	err := first
	for range mostTries {
		blamed := notebook.Dispensable(c, err.blamed)
		if len(blamed) == 0 || slices.ContainsFunc(blamed, func(d *cell.Decl) bool { return slices.Contains(opts.Without, d) }) {
			break
		}
		opts.Without = append(opts.Without, blamed...)
		if err = e.sendProgram(notebook, c, opts); err == nil || err.compiled {
			for _, d := range opts.Without {
				e.output.text("stderr", fmt.Sprintf("%s of cell %d does not compile any more and is dropped; change that cell and run it again\n", d.Title(), d.Cell))
			}
			return err, notebook.Without(opts.Without)
		}
		if e.front.wasInterrupted() {
			return err, notebook
		}
	}
	if err != first { // the program of the first error
		opts.Without = nil
		e.program = notebook.Program(c, e.number, opts)
	}
	return first, notebook
}

// mostTries is how often a program is sent without more declarations. The compiler reports ten errors at once.
const mostTries = 5

// cellID returns what identifies the cell when it runs again, if the client tells.
func (e *execution) cellID() string {
	var metadata struct {
		ID string `json:"cellId"`
	}
	json.Unmarshal(e.Metadata, &metadata)
	return metadata.ID
}

// sendThis sends the program, which has all declarations that it needs: GoNB forgets what it remembers. With it, GoNB
// would forget its module; the shim restores that.
func (e *execution) sendThis() *cellError {
	const reset = "%reset"
	if !strings.HasPrefix(e.program.Source, reset+"\n") {
		e.program.Prepend(reset)
	}
	e.output.forgets = 1
	e.front.gonb.KeepModule()
	return e.send(e.program.Source)
}

// send has GoNB execute code and waits for the end.
func (e *execution) send(code string) *cellError {
	f := e.front
	f.gonb.ClearEvents()
	p, err := f.gonb.Process()
	if err != nil || p == nil {
		f.gonb.Start() // try again
		return &cellError{name: "KernelError", value: fmt.Sprintf("GoNB could not be started: %v", err)}
	}
	if f.wasInterrupted() {
		return e.interruptedError()
	}
	e.output.reset()
	f.gonb.SetState(func(s *gonb.State) { s.Input, s.Reads = e.input, readsInput.MatchString(code) })
	reply, err := p.Execute(code, e.input, e.output.take)
	held := e.output.end()
	if err != nil {
		f.gonb.Start()
		if f.wasInterrupted() {
			return e.interruptedError()
		}
		if f.ctx.Err() != nil {
			return &cellError{name: "Interrupted", value: "the kernel was shut down"}
		}
		f.log.Print(err)
		return &cellError{name: "KernelError", value: "GoNB ended unexpectedly and was restarted with all declarations; run the cell again."}
	}
	var content struct {
		Status    string   `json:"status"`
		Value     string   `json:"evalue"`
		Traceback []string `json:"traceback"`
	}
	if err := reply.Read(&content); err != nil {
		return &cellError{name: "KernelError", value: err.Error()}
	}
	told := f.gonb.Events()
	f.remember(code, content.Status)
	if f.wasInterrupted() && (content.Status == "error" || !endedWell(told)) {
		e.output.release(strings.TrimSuffix(strings.TrimSuffix(held, "\n"), content.Value))
		err := e.interruptedError()
		err.compiled = slices.ContainsFunc(told, func(e gonb.Event) bool { return e.Kind == gonb.ProgramStarted })
		return err
	}
	if content.Status != "error" {
		e.output.release(held)
		return nil
	}
	if slices.ContainsFunc(told, func(e gonb.Event) bool { return e.Kind == gonb.ProgramEnded }) {
		return e.programError(content.Value, held)
	}
	e.output.release(held)
	return e.compileError(content.Value, content.Traceback)
}

// foreign runs a cell that is a script or a file.
func (e *execution) foreign(code string) *cellError {
	first, rest, _ := strings.Cut(code, "\n")
	if command, ok := strings.CutSuffix(first, "\r"); ok { // GoNB takes the line ends of Windows for part of the command
		first, rest = command, strings.ReplaceAll(rest, "\r\n", "\n")
	}
	line, writes, wrong := e.front.gonb.Foreign(first)
	if wrong != nil {
		return e.misuse("%v", wrong)
	}
	if err := e.send(line + "\n" + rest); err != nil {
		return err
	}
	return e.failed(writes)
}

// failed returns the error of the last command that the shim ran, if errors of it count.
func (e *execution) failed(counts bool) *cellError {
	told := e.front.gonb.Events()
	if i := len(told) - 1; i >= 0 && counts && told[i].Message != "" {
		return &cellError{name: "CommandError", value: told[i].Message}
	}
	return nil
}

func isTest(d cell.Directive) bool { return d.Name() == "%test" }

// endedWell reports whether the last program, shell command or script ended without an error.
func endedWell(told []gonb.Event) bool {
	well := false
	for _, e := range told {
		well = (e.Kind == gonb.ProgramEnded || e.Kind == gonb.CommandEnded) && e.Message == ""
	}
	return well
}

// remember notes the commands that another GoNB must execute again.
func (f *front) remember(code, status string) {
	if status == "error" || cell.IsForeign(code) || !strings.Contains(code, "%") {
		return
	}
	c, err := cell.Parse(code)
	if err != nil {
		return
	}
	for _, d := range c.Directives {
		if gonb.Lasts(d.Name()) && d.Args() != "" {
			f.gonb.Remember(d.Text)
		}
	}
}

var unusedImport = regexp.MustCompile(`"([^"\n]+)" imported and not used`)

// tellTime shows how much time the cell took for what.
func (e *execution) tellTime() {
	total := time.Since(e.began)
	var build, run time.Duration
	for _, event := range e.front.gonb.Events() {
		switch event.Kind {
		case gonb.Built, gonb.BuildFailed:
			build += event.Length
		case gonb.ProgramEnded:
			run += event.Length
		}
	}
	start, compile := e.output.start, e.output.compile
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	e.output.text("stderr", fmt.Sprintf("build %s, start %s, compile (XLA) %s, run %s, the rest %s; in all %s\n",
		seconds(build), seconds(start), seconds(compile), seconds(max(0, run-start-compile)), seconds(max(0, total-build-run)), seconds(total)))
}

// page shows the documentation of a name, for "name?".
func (e *execution) page(name string) *cellError {
	text, found := e.front.completer.documentation(e.front.ctx, name, len(name))
	if !found {
		return &cellError{name: "NotFound", value: fmt.Sprintf("no documentation of %s: it is not a name in the notebook or an imported package", name)}
	}
	e.pager(text)
	return nil
}

// pager has the client show a text outside the notebook.
func (e *execution) pager(markdown string) {
	e.payload = append(e.payload, map[string]any{
		"source": "page", "start": 0, "data": map[string]string{"text/plain": markdown, "text/markdown": markdown},
	})
}

var question = regexp.MustCompile(`^\s*\??([\pL_][\pL\pN_.]*)\?{1,2}\s*$|^\s*\?([\pL_][\pL\pN_.]*)\s*$`)

// asksFor returns the name in "name?" or "?name".
func asksFor(code string) (string, bool) {
	m := question.FindStringSubmatch(code)
	if m == nil {
		return "", false
	}
	return m[1] + m[2], true
}

// publish publishes a message for the cell.
func (e *execution) publish(kind string, content any) {
	e.front.publish(e.Message, kind, content)
}

func (e *execution) relay(m *wire.Message) { e.front.relay(e.Message, m) }

func joined(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range many.Unwrap() {
			all = append(all, joined(one)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func asSyntax(err error) (*cell.SyntaxError, bool) { return errors.AsType[*cell.SyntaxError](err) }
