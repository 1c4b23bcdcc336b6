package jupyter

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"birnn/kernels/internal/process"
)

//go:embed execute.py
var executeScript string

// Job is a notebook to run.
type Job struct {
	Notebook string        // path; its folder is the kernel's working directory
	Kernel   string        // name of the kernel
	Timeout  time.Duration // time limit of each cell; 0: none
	Out      string        // path of the executed copy; "": none
}

// Event is an event during the run of a notebook.
type Event struct {
	Kind    string  `json:"event"` // start, cell, ran, failed, done or fatal
	Cells   int     `json:"cells"`
	Number  int     `json:"number"` // of the cell, from 1; empty cells and text do not count
	Source  string  `json:"source"`
	Seconds float64 `json:"seconds"`
	Message string  `json:"message"`

	Name    string   `json:"name"` // of the error
	Value   string   `json:"value"`
	Outputs []Output `json:"outputs"`
}

// Output is an output of a cell, in the notebook format.
type Output struct {
	Type      string         `json:"output_type"`
	Stream    string         `json:"name"`
	Text      string         `json:"text"`
	Data      map[string]any `json:"data"`
	Name      string         `json:"ename"`
	Value     string         `json:"evalue"`
	Traceback []string       `json:"traceback"`
	Metadata  map[string]any `json:"metadata"`
}

// ErrCell is wrapped by the error of a notebook in which a cell failed.
var ErrCell = errors.New("a cell failed")

// Run runs a notebook and calls tell with each event. The error wraps [ErrCell] if a cell failed.
func (j Jupyter) Run(ctx context.Context, job Job, tell func(Event)) error {
	temp, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	log := filepath.Join(temp, "kernel.log")
	script := filepath.Join(temp, "execute.py")
	if err := os.WriteFile(script, []byte(executeScript), 0o600); err != nil {
		return err
	}
	if job.Notebook, err = filepath.Abs(job.Notebook); err != nil {
		return err
	}
	if job.Out != "" {
		if job.Out, err = filepath.Abs(job.Out); err != nil {
			return err
		}
	}
	request, err := json.Marshal(map[string]any{
		"notebook": job.Notebook, "dir": filepath.Dir(job.Notebook), "kernel": job.Kernel,
		"timeout": job.Timeout.Seconds(), "out": job.Out, "log": log,
	})
	if err != nil {
		return err
	}

	cmd := process.Command(ctx, process.Options{Env: append(j.env, "TMPDIR="+temp, "IPYTHONDIR="+temp, "PYTHONDONTWRITEBYTECODE=1"), Grace: 20 * time.Second}, j.Python, script)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer process.End(cmd)
	// If this fails, the runner has ended already: its message is read below.
	_, _ = stdin.Write(append(request, '\n'))

	var result error
	ended := false
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var event Event
			if err := json.Unmarshal(line, &event); err != nil {
				result = fmt.Errorf("the notebook's runner wrote %q: %w", line, err)
				break
			}
			switch event.Kind {
			case "failed":
				result, ended = ErrCell, true
			case "fatal":
				result, ended = errors.New(event.Message+tail(log)), true
			case "done":
				ended = true
			}
			tell(event)
		}
		if err == io.EOF {
			break
		} else if err != nil {
			result = err
			break
		}
	}
	stdin.Close() // cancels the run if it has not finished: see execute.py
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case result == nil && !ended:
		return fmt.Errorf("the notebook's runner ended early: %v\n%s", err, strings.TrimSpace(stderr.String()))
	}
	return result
}

// tail returns the last lines of a kernel's log.
func tail(log string) string {
	data, err := os.ReadFile(log)
	if err != nil || len(data) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return "\n" + strings.Join(lines[max(0, len(lines)-8):], "\n")
}
