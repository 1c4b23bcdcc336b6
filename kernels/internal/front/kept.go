package front

import (
	"bufio"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/kept"
)

// computed says when and from which definition a kept value was computed.
type computed struct {
	when time.Time
	from string
}

// tellStale warns of kept values in the program whose definitions have changed.
func (e *execution) tellStale(n *cell.Notebook) {
	if e.program == nil {
		return
	}
	f := e.front
	for _, d := range e.program.Decls {
		name, ok := keptName(d.Text)
		if !ok {
			continue
		}
		kept.Get(f.keepDir(), name, func(info kept.Info, _ *bufio.Reader) error { // does nothing if none is kept
			definition := n.Closure(d.Names[0])
			if old := f.computed[name]; !old.when.Equal(info.Kept) {
				f.computed[name] = computed{info.Kept, definition}
			} else if old.from != definition {
				e.output.text("stderr", fmt.Sprintf("%q was computed before its definition changed; to compute it again: %%keep drop %s\n", name, name))
			}
			return nil
		})
	}
}

var keepCall = regexp.MustCompile(`\bkeep\.Value(?:\[[^\n]*\])?\(\s*("(?:[^"\\]|\\.)*"|` + "`[^`]*`" + `)`)

// keptName returns the name under which a declaration keeps its value.
func keptName(text string) (string, bool) {
	m := keepCall.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	var name string
	if json.Unmarshal([]byte(m[1]), &name) != nil {
		name = strings.Trim(m[1], "`")
	}
	return name, true
}
