// Package events passes events from the programs of a kernel to its front, as lines of JSON appended to a file.
package events

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Env is the environment variable with the path of a kernel's run folder.
const Env = "BIRNN_RUN"

// The kinds of events.
const (
	Build     = "build"     // the build of the cell's program starts
	Built     = "built"     // the build succeeded
	BuildFail = "buildfail" // the build failed
	Start     = "start"     // the program starts
	Exit      = "exit"      // the program ended
	Overflow  = "overflow"  // an output exceeds the limit
)

// Event is a step in the life of a cell's program.
type Event struct {
	Kind    string        `json:"kind"`
	Time    time.Time     `json:"time"`
	Length  time.Duration `json:"length,omitempty"` // duration, for events at the end of something
	Message string        `json:"message,omitempty"`
}

func file(run string) string { return filepath.Join(run, "events") }

// Tell appends an event to the file of the run folder in [Env], if it is set.
func Tell(e Event) {
	run := os.Getenv(Env)
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

// Read returns the events since the last Clear.
func Read(run string) []Event {
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

// Clear discards the events.
func Clear(run string) error {
	err := os.Truncate(file(run), 0)
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
