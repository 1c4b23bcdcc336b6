package front

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rivo/uniseg"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/gonb"
)

// cellError is the error of a cell, as Jupyter shows it.
type cellError struct {
	name, value string
	traceback   []string
	all         string // the complete text; empty if the traceback is complete
	compiled    bool   // the program was built, so its declarations are kept
	// blamed are the declarations of other cells that do not compile; nil stands for the cell itself.
	blamed []*cell.Decl
}

// Terminal colours for errors in Jupyter.
const (
	red   = "\x1b[31m"
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

func (e *cellError) content() map[string]any {
	head := red + bold + e.name + plain
	if e.value != "" {
		head += ": " + e.value
	}
	return map[string]any{"ename": e.name, "evalue": e.value, "traceback": append([]string{head}, e.traceback...)}
}

func (e *cellError) says(text string) bool {
	return strings.Contains(e.value, text) || strings.Contains(e.all, text)
}

// beforeMain reports whether the program of cell c ended before its function main began, as far as one can tell.
func (e *cellError) beforeMain(c *cell.Cell) bool {
	if goroutine.MatchString(e.all) {
		return !strings.Contains(e.all, "main.main")
	}
	return c.Body == "" && !c.Main
}

func (e *execution) interruptedError() *cellError {
	return &cellError{name: "Interrupted", value: "the cell was stopped"}
}

// wrote reports whether a line is in a cell.
func (e *execution) wrote(number, line int) bool {
	return line > 0 && (number != e.number || line <= strings.Count(e.code, "\n")+1)
}

// where returns a line of a cell and, unless column is 0, a mark below that column.
func (e *execution) where(number, line, column int) string {
	head := fmt.Sprintf("cell %d, line %d", number, line)
	source := e.front.sources[number]
	if number == e.number {
		source = e.code
	}
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) {
		return head
	}
	text := strings.TrimRight(lines[line-1], "\r")
	margin := fmt.Sprintf("%5d │ ", line)
	shown := head + "\n" + faint + margin + plain + spaces(text)
	if column > 0 && column <= len(text)+1 {
		blank := strings.Repeat(" ", uniseg.StringWidth(spaces(text[:column-1])))
		shown += "\n" + faint + "      │ " + plain + blank + red + "^" + plain
	}
	return shown
}

// spaces replaces tabs by the spaces that JupyterLab shows for them.
func spaces(text string) string { return strings.ReplaceAll(text, "\t", "    ") }

// syntaxError returns the error for a cell that does not parse.
func (e *execution) syntaxError(err error) *cellError {
	result := &cellError{name: "SyntaxError"}
	for _, one := range joined(err) {
		s, ok := asSyntax(one)
		if !ok {
			s = &cell.SyntaxError{Message: one.Error()}
		}
		if result.value == "" {
			result.value = s.Message
		}
		result.traceback = append(result.traceback, e.where(e.number, s.Line, s.Column), "      "+s.Message)
	}
	return result
}

var undefined = regexp.MustCompile(`^undefined: (\w+)$`)

// kernelNames replaces the names that the kernel gives its packages in a program.
var kernelNames = strings.NewReplacer("argument to birnnshow.Result", "the result of the cell", "birnnshow.", "show.",
	"birnnlower.", "lower.", "birnnbackend.", "backend.", "birnnshapes.", "shapes.")

// internal matches what means nothing to the reader in a message of GoNB or the go command.
var internal = regexp.MustCompile(`^executing special commands in cell: |[^\s"]*/gonb_\w+/`)

// compileError returns the error for a program that does not compile, with the places in the cells. GoNB's traceback
// has the place in the program for each line of the go command's output.
func (e *execution) compileError(value string, traceback []string) *cellError {
	result := &cellError{name: "CompileError", all: value}
	for i, line := range strings.Split(value, "\n") {
		if i >= len(traceback) || e.program == nil {
			break
		}
		message, sent, column, ok := gonb.CompilerMessage(line, traceback[i])
		if !ok {
			continue
		}
		message = kernelNames.Replace(message)
		if result.value == "" {
			result.value = message
		}
		var blamed *cell.Decl
		if sent > 0 {
			blamed = e.program.DeclAt(sent)
			if number, at, column := e.program.Place(sent, column); e.wrote(number, at) {
				result.traceback = append(result.traceback, e.where(number, at, column))
			}
		}
		result.blamed = append(result.blamed, blamed)
		result.traceback = append(result.traceback, "      "+message+e.hint(message))
	}
	if result.value == "" { // no message of the compiler about the cell
		result.name = "CommandError"
		value = internal.ReplaceAllString(value, "")
		if strings.Contains(value, "go: ") || strings.Contains(value, "go build") || strings.Contains(value, ".go:") {
			result.name = "CompileError"
		}
		result.value, _, _ = strings.Cut(strings.TrimSpace(value), "\n")
		if rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(value), result.value)); rest != "" {
			result.traceback = strings.Split(rest, "\n")
		}
		result.all = ""
	}
	return result
}

// hint returns an explanation of a compiler message, if there is a helpful one.
func (e *execution) hint(message string) string {
	if m := undefined.FindStringSubmatch(message); m != nil {
		number, ok := e.front.notebook.Local(m[1])
		if c, _ := cell.Parse(e.code); c != nil && slices.Contains(c.Locals, m[1]) {
			return fmt.Sprintf("\n      (%s is a variable of this cell's statements, which functions cannot use: declare it with var, or pass it)", m[1])
		}
		if ok && number != e.number {
			return fmt.Sprintf("\n      (%s was a variable of cell %d's statements and no longer exists. To keep it: %s := keep.Value(%q, func() (T, error) {…}))", m[1], number, m[1], m[1])
		}
	}
	return ""
}

var (
	ending    = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z]+): `)
	goroutine = regexp.MustCompile(`(?m)^goroutine \d+ .*\[.*\]:\n`)
	ansi      = regexp.MustCompile(`\x1b\[[0-9;]*m`)
)

// programError returns the error for a program that failed. held, the end of its standard error, may be a panic.
func (e *execution) programError(status, held string) *cellError {
	held = strings.TrimSuffix(held, status+"\n")
	kind := ""
	if m := ending.FindStringSubmatch(held); m != nil {
		kind = m[1]
	}
	at := goroutine.FindStringIndex(held)
	if kind == "" || at == nil {
		e.output.release(held)
		return &cellError{name: exitName(status), value: e.lastLine(), compiled: true, all: e.output.places(e.output.stacks.complete.String())}
	}
	value, _, _ := strings.Cut(strings.TrimPrefix(held[:at[0]], kind+": "), "\nruntime stack:\n")
	value = strings.TrimSpace(value)
	result := &cellError{name: kind, value: value, compiled: true, all: e.output.places(held)}
	stack := held[at[1]:]
	if end := strings.Index(stack, "\n\n"); end >= 0 {
		stack = stack[:end] // only the goroutine that panicked
	}
	result.traceback = e.frames(stack)
	if strings.Contains(strings.Join(result.traceback, "\n"), "…") {
		result.traceback = append(result.traceback, faint+"%trace shows all of it"+plain)
	}
	return result
}

func exitName(status string) string {
	if strings.HasPrefix(status, "signal: ") {
		return "Killed"
	}
	return strings.ReplaceAll(status, "exit status ", "ExitStatus ")
}

// lastLine returns the last line that a program wrote before os.Exit.
func (e *execution) lastLine() string {
	lines := strings.Split(strings.TrimSpace(e.output.tail), "\n")
	return ansi.ReplaceAllString(lines[len(lines)-1], "")
}

// frames returns the frames of a stack that are in the cells, with counts of the others and of those that recur.
func (e *execution) frames(stack string) []string {
	const most = 3 // times that a frame is shown
	var shown []string
	hidden, recurring := 0, 0
	seen := map[string]int{}
	packages := map[string]bool{}
	fold := func() {
		if hidden > 0 {
			shown = append(shown, fmt.Sprintf("%s      … %d frames in %s%s", faint, hidden, strings.Join(slices.Sorted(maps.Keys(packages)), ", "), plain))
		}
		if recurring > 0 {
			shown = append(shown, fmt.Sprintf("%s      … %d frames of the same calls%s", faint, recurring, plain))
		}
		hidden, recurring, packages = 0, 0, map[string]bool{}
	}
	lines := strings.Split(stack, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		function := lines[i]
		if strings.HasPrefix(function, "...") { // "...100 frames elided..."
			i--
			continue
		}
		if sent, ok := gonb.Annotated(lines[i+1]); ok && e.program != nil {
			if number, line, _ := e.program.Place(sent, 0); line > 0 {
				where := e.where(number, line, 0)
				if seen[where]++; seen[where] > most {
					recurring++
					continue
				}
				fold()
				shown = append(shown, where)
				continue
			}
			continue // the call that the kernel added
		}
		hidden++
		packages[packageOf(function)] = true
	}
	fold()
	return shown
}

// packageOf returns the module or package of a function's full name.
func packageOf(function string) string {
	function = strings.TrimPrefix(function, "created by ")
	if i := strings.IndexAny(function, "(["); i > 0 {
		function = function[:i]
	}
	slash := strings.LastIndexByte(function, '/')
	name, _, _ := strings.Cut(function[slash+1:], ".")
	path := function[:slash+1] + name
	if parts := strings.Split(path, "/"); len(parts) > 3 {
		path = strings.Join(parts[:3], "/")
	}
	return path
}
