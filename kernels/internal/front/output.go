package front

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

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
	held  strings.Builder // the end of standard error, from what looks like a panic on
	since time.Time
	tail  string // the last part of standard error
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
	o.held.Reset()
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
	settingOf  = regexp.MustCompile(`^Set: BIRNN_[A-Z_]+=".*"\n$`)
	annotation = regexp.MustCompile(`(?: ?\x1b\[7m)?\[\[ Cell (?:\[-?\d+\] )?Line (\d+) \]\](?:\x1b\[0m)? \S*main(?:_test)?\.go:\d+`)
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
		o.text(name, text)
		return
	}
	if o.front.timing {
		text = o.timed(text)
	}
	if o.held.Len() > 0 {
		// A program that goes on after that has not panicked.
		if time.Since(o.since) > 2*time.Second && !strings.Contains(o.held.String(), "\ngoroutine ") {
			text = o.held.String() + text
			o.held.Reset()
		} else {
			o.held.WriteString(text)
			return
		}
	}
	if at := dying(text); at >= 0 {
		o.since = time.Now()
		o.held.WriteString(text[at:])
		text = text[:at]
	}
	o.text(name, o.places(o.stacks.feed(text, o.place)))
}

// place returns the place in the cells of a line of a stack.
func (o *output) place(line string) (string, bool) {
	m := annotation.FindStringSubmatch(line)
	if m == nil || o.program == nil {
		return "", false
	}
	sent, _ := strconv.Atoi(m[1])
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

var lastWords = regexp.MustCompile(`(?m)^(?:panic: |fatal error: |SIG[A-Z]+: |\^C\n|exit status \d+\n|signal: [a-z ]+)`)

// dying returns the offset of a panic or fatal error, or of GoNB's report of one, or -1.
func dying(text string) int {
	if at := lastWords.FindStringIndex(text); at != nil {
		return at[0]
	}
	return -1
}

// end ends the output and returns the held text.
func (o *output) end() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text("stderr", o.places(o.stacks.end(o.place)))
	return o.held.String()
}

// release publishes held text.
func (o *output) release(held string) { o.text("stderr", o.places(held)) }

// places replaces places in GoNB's program by those in the cells.
func (o *output) places(text string) string {
	return annotation.ReplaceAllStringFunc(text, func(match string) string {
		line, _ := strconv.Atoi(annotation.FindStringSubmatch(match)[1])
		if o.program == nil {
			return match
		}
		number, line, _ := o.program.Place(line, 0)
		if line == 0 {
			return "(generated)"
		}
		return fmt.Sprintf("cell %d, line %d", number, line)
	})
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
	o.front.history.SetOutput(o.number, text)
	o.publish("execute_result", map[string]any{"execution_count": o.number, "data": content.Data, "metadata": content.Metadata})
}
