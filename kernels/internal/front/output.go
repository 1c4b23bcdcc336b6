package front

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/wire"
)

// output passes the output of a cell from GoNB to the client.
type output struct {
	*execution
	forgets int           // number of GoNB's lines that it forgets declarations
	start   time.Duration // time until main began, of a timed program
	compile time.Duration // time of XLA's compilations, of a timed program
	line    string        // incomplete line of a timed program

	mu    sync.Mutex
	held  string      // the end of standard error, if a program that dies may have written it
	timer *time.Timer // publishes the held text, unless it certainly is such an end
	tail  string      // the last part of standard error
	stacks
}

// MIME types for what GoNB's protocol lacks.
const (
	resultType = "application/x.birnn.result+json" // this display is the cell's result
	clearType  = "application/x.birnn.clear+json"  // this display clears the output
)

func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = ""
}

// take processes a message that GoNB publishes.
func (o *output) take(m *wire.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch m.Header.Type {
	case "error", "execute_input": // the front publishes these itself
	case "stream":
		var content struct {
			Name string `json:"name"`
			Text string `json:"text"`
		}
		if m.Read(&content) == nil {
			o.stream(content.Name, content.Text)
		}
	case "display_data":
		o.display(m)
	default:
		o.front.noteComm(m)
		o.relay(m)
	}
}

var (
	settingOf = regexp.MustCompile(`^Set: BIRNN_[A-Z_]+=".*"\n$`)
	// Output of a timed program: by Go for each package, by go-xla for each compilation.
	initTrace  = regexp.MustCompile(`^init \S+ @([0-9.]+) ms, ([0-9.]+) ms clock, .*\n$`)
	compileLog = regexp.MustCompile(`^I\d{4} .* executable\.go:\d+\] (?:Compiled in (\S+)|.*)\n$`)
)

// stream publishes text, except what only the front needs.
func (o *output) stream(name, text string) {
	if o.forgets > 0 && strings.HasPrefix(text, "* State reset: ") {
		o.forgets--
		return
	}
	if settingOf.MatchString(text) {
		return
	}
	if name != "stderr" {
		o.text(name, o.testPlaces(text))
		return
	}
	text = gonb.Undisguised(text, func(line int) string {
		if number, line := o.written(line); line > 0 {
			return fmt.Sprintf("cell %d, line %d", number, line)
		}
		return ""
	})
	if o.front.timing {
		text = o.timed(text)
	}
	o.stop()
	text = o.held + text
	var certain bool
	text, o.held, certain = dying(text)
	if o.held != "" && !certain {
		o.timer = time.AfterFunc(time.Second, o.goesOn)
	}
	o.text(name, o.places(o.stacks.feed(text, o.place)))
}

// stop stops the timer.
func (o *output) stop() {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
}

// goesOn publishes the held text of a program that has not died.
func (o *output) goesOn() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer != nil {
		o.timer = nil
		o.text("stderr", o.places(o.stacks.feed(o.held, o.place)))
		o.held = ""
	}
}

// place returns the place in the cells of a line of a stack.
func (o *output) place(line string) (string, bool) {
	sent, ok := gonb.Annotated(line)
	if !ok || o.program == nil {
		return "", false
	}
	number, at, _ := o.program.Place(sent, 0)
	return fmt.Sprintf("cell %d, line %d", number, at), at > 0
}

// timed removes the times from the output of a program and records them. Lines may arrive in pieces.
func (o *output) timed(text string) string {
	text = o.line + text
	o.line = ""
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") && (strings.HasPrefix("init ", line) || strings.HasPrefix(line, "init ")) {
			o.line = line
		} else if m := initTrace.FindStringSubmatch(line); m != nil {
			at, _ := strconv.ParseFloat(m[1], 64)
			took, _ := strconv.ParseFloat(m[2], 64)
			o.start = time.Duration((at + took) * float64(time.Millisecond))
		} else if m := compileLog.FindStringSubmatch(line); m != nil {
			took, _ := time.ParseDuration(m[1]) // zero in other lines
			o.compile += took
		} else {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

var (
	lastWords = regexp.MustCompile(`(?m)^(?:panic: |fatal error: |SIG[A-Z]+: |\^C\n|exit status \d+\n|signal: [a-z ]+)`)
	exitLine  = regexp.MustCompile(`^(?:\^C|exit status \d+|signal: [a-z ()]+)$`)            // by GoNB
	panicLine = regexp.MustCompile(`^(?:\t.*|\[signal .*|panic: .*|fatal error: .*|)$`)      // between the first line of a panic and its stacks
	stackLine = regexp.MustCompile(`^(?:goroutine \d+.*|runtime stack:|PC=.*|runtime: .*)$`) // the first of the stacks
)

// dying divides text into what a program has written and what it may have died with: a panic or fatal error, or GoNB's
// report of its exit. certain means that the latter has a stack, so that more of it may follow.
func dying(text string) (alive, last string, certain bool) {
	for _, at := range lastWords.FindAllStringIndex(text, -1) {
		last := text[at[0]:]
		if ends, certain := isEnd(last); ends {
			return text[:at[0]], last, certain
		}
	}
	return text, "", false
}

// isEnd reports whether text, which begins with lastWords, may be all that follows, and whether that is certain.
func isEnd(text string) (ends, certain bool) {
	exited := exitLine.MatchString(strings.SplitN(text, "\n", 2)[0])
	first := true
	for line := range strings.Lines(text) {
		bare, whole := strings.CutSuffix(line, "\n")
		switch {
		case !whole: // it may become anything
		case first:
		case exitLine.MatchString(bare):
			exited = true
		case exited:
			return false, false
		case stackLine.MatchString(bare):
			return true, true
		case !panicLine.MatchString(bare):
			return false, false
		}
		first = false
	}
	return true, false
}

// end ends the output and returns the held text.
func (o *output) end() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
	o.text("stderr", o.places(o.stacks.end(o.place)))
	held := o.held
	o.held = ""
	return held
}

// release publishes held text.
func (o *output) release(held string) { o.text("stderr", o.places(held)) }

// places replaces places in GoNB's program by those in the cells.
func (o *output) places(text string) string {
	if o.program == nil {
		return text
	}
	return gonb.ReplaceAnnotated(text, func(sent int) string {
		number, line, _ := o.program.Place(sent, 0)
		if line == 0 {
			return "(generated)"
		}
		return fmt.Sprintf("cell %d, line %d", number, line)
	})
}

var testPlace = regexp.MustCompile(`(?m)^(\s+)main_test\.go:(\d+): `) // in the output of a test

// testPlaces replaces the places in the output of a test.
func (o *output) testPlaces(text string) string {
	return testPlace.ReplaceAllStringFunc(text, func(match string) string {
		m := testPlace.FindStringSubmatch(match)
		line, _ := strconv.Atoi(m[2])
		if number, line := o.written(line); line > 0 {
			return fmt.Sprintf("%scell %d, line %d: ", m[1], number, line)
		}
		return match
	})
}

// written returns the place in the cells of a line in the file that GoNB has made of the program; a line outside of the
// cells' functions has line 0.
func (o *output) written(line int) (number, cellLine int) {
	if o.program == nil {
		return 0, 0
	}
	for _, name := range o.front.gonb.Sources() {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || line < files.Position(f.Pos()).Line || line > files.Position(f.End()).Line {
				continue
			}
			within := line - files.Position(f.Pos()).Line
			if f.Name.Name == "main" && f.Recv == nil && !o.program.HasMain() {
				return o.inMain(within)
			}
			for _, d := range o.program.Decls {
				if at := functionLine(d.Text, f); at > 0 {
					return d.Cell, d.Line + at - 1 + within
				}
			}
		}
	}
	return 0, 0
}

// inMain returns the place in the cells of a line below that of main, which GoNB has made of the statements.
func (o *output) inMain(below int) (number, cellLine int) {
	for i, line := range strings.Split(o.program.Source, "\n") {
		if strings.HasPrefix(line, "%%") || strings.HasPrefix(line, "%main") {
			number, cellLine, _ = o.program.Place(i+below, 0) // GoNB inserts flag.Parse()
			break
		}
	}
	return number, cellLine
}

// functionLine returns the line of the declaration of a function in a text, or 0 if that is another declaration.
func functionLine(text string, f *ast.FuncDecl) int {
	files := token.NewFileSet()
	const clause = "package main;"
	file, err := parser.ParseFile(files, "", clause+text, parser.SkipObjectResolution)
	if err != nil || len(file.Decls) != 1 {
		return 0
	}
	g, ok := file.Decls[0].(*ast.FuncDecl)
	if !ok || g.Name.Name != f.Name.Name || receiver(g) != receiver(f) {
		return 0
	}
	return files.Position(g.Pos()).Line
}

// receiver returns the name of the type of a method, or "".
func receiver(f *ast.FuncDecl) (name string) {
	if f.Recv != nil {
		ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && name == "" {
				name = id.Name
			}
			return name == ""
		})
	}
	return name
}

func (o *output) text(name, text string) {
	if text != "" {
		o.publish("stream", map[string]string{"name": name, "text": text})
		if name == "stderr" {
			o.tail += text
			o.tail = o.tail[max(0, len(o.tail)-4096):]
		}
	}
}

// display publishes a display of the program.
func (o *output) display(m *wire.Message) {
	if !bytes.Contains(m.Content, []byte("application/x.birnn.")) {
		o.relay(m)
		return
	}
	var content struct {
		Data      map[string]json.RawMessage `json:"data"`
		Metadata  map[string]json.RawMessage `json:"metadata"`
		Transient map[string]json.RawMessage `json:"transient,omitempty"`
	}
	if m.Read(&content) != nil {
		o.relay(m)
		return
	}
	if wait, ok := content.Data[clearType]; ok {
		o.publish("clear_output", map[string]bool{"wait": string(wait) == "true"})
		return
	}
	_, isResult := content.Data[resultType]
	delete(content.Data, resultType)
	if !isResult {
		o.publish("display_data", content)
		return
	}
	if o.silent {
		return
	}
	var text string
	json.Unmarshal(content.Data["text/plain"], &text)
	o.front.history.setOutput(o.number, text)
	o.publish("execute_result", map[string]any{"execution_count": o.number, "data": content.Data, "metadata": content.Metadata})
}
