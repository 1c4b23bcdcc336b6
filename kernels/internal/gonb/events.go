package gonb

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// RunEnv is the environment variable with the path of a kernel's run folder.
const RunEnv = "BIRNN_RUN"

// ModuleFile is the name of the file in the run folder with the go.mod of the cells' programs.
const ModuleFile = "go.mod"

// The kinds of events.
const (
	BuildStarted   = "build"     // the build of the cell's program starts
	Built          = "built"     // the build succeeded
	BuildFailed    = "buildfail" // the build failed
	ProgramStarted = "start"     // the program starts
	ProgramEnded   = "exit"      // the program ended
	CommandStarted = "command"   // a shell command or script starts
	CommandEnded   = "done"      // the shell command or script ended
)

// Event is a step in the life of a cell's program.
type Event struct {
	Kind    string        `json:"kind"`
	Time    time.Time     `json:"time"`
	Length  time.Duration `json:"length,omitempty"`  // duration, for events at the end of something
	Message string        `json:"message,omitempty"` // for ProgramEnded and CommandEnded: the error, such as "exit status 1"
	PID     int           `json:"pid,omitempty"`     // at the start of a program or command: the process that takes interrupts
}

func file(run string) string { return filepath.Join(run, "events") }

// Tell appends an event to the file of the run folder in [RunEnv], if it is set.
func Tell(e Event) {
	run := os.Getenv(RunEnv)
	if run == "" {
		return
	}
	e.Time = time.Now()
	line, err := json.Marshal(e)
	if err != nil {
		return
	}
	f, err := os.OpenFile(file(run), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return // the kernel is ending
	}
	defer f.Close()
	f.Write(append(line, '\n')) // in one write, so that lines of several programs do not mix
}

// readEvents returns the events since the last clearEvents.
func readEvents(run string) []Event {
	data, _ := os.ReadFile(file(run)) // missing if there were no events
	var all []Event
	for line := range bytes.Lines(data) {
		var e Event
		if json.Unmarshal(line, &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// clearEvents discards the events.
func clearEvents(run string) error {
	err := os.Truncate(file(run), 0)
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// State is what the programs need to know of the front.
type State struct {
	Interrupted bool              `json:"interrupted,omitempty"` // the cell was interrupted: start nothing more
	Input       bool              `json:"input,omitempty"`       // the client can be asked for input
	Reads       bool              `json:"reads,omitempty"`       // the program's source mentions the standard input
	Env         map[string]string `json:"env,omitempty"`         // variables that GoNB cannot set
}

func stateFile(run string) string { return filepath.Join(run, "state") }

// store stores the state in a run folder.
func (s State) store(run string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temp := stateFile(run) + ".new"
	return errors.Join(os.WriteFile(temp, data, 0o600), os.Rename(temp, stateFile(run)))
}

// CurrentState returns the state in the run folder that [RunEnv] names, or the zero State without one.
func CurrentState() (s State) {
	if run := os.Getenv(RunEnv); run != "" {
		if data, err := os.ReadFile(stateFile(run)); err == nil {
			json.Unmarshal(data, &s)
		}
	}
	return s
}

// InputRequest is a request for a line of input, which a program sends to the socket [InputSocket]; the answer is an
// [InputReply]. Both are JSON.
type InputRequest struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password"`
}

// InputReply is the answer to an [InputRequest]: a line, or the end of the input.
type InputReply struct {
	Value string `json:"value"`
	End   bool   `json:"end"`
}

// InputSocket returns the path of the Unix socket on which the front with this run folder takes requests for input.
func InputSocket(run string) string { return filepath.Join(run, "input") }
