// Package events lets the programs of a kernel report events to its front: JSON lines appended to a file.
package events

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Env is the environment variable that names a kernel's directory of temporary files.
const Env = "BIRNN_RUN"

// The kinds of events.
const (
	Build     = "build"     // the build of the cell's program begins
	Built     = "built"     // the build has succeeded
	BuildFail = "buildfail" // the build has failed
	Start     = "start"     // the program starts
	Exit      = "exit"      // the program has ended
	Overflow  = "overflow"  // an output is too long to show
)

// Event is an event.
type Event struct {
	Kind    string        `json:"kind"`
	Time    time.Time     `json:"time"`
	Length  time.Duration `json:"length,omitempty"` // duration of what has ended
	Message string        `json:"message,omitempty"`
}

func file(run string) string { return filepath.Join(run, "events") }

// Tell tells an event, if there is somebody to tell it to.
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
	f.Write(append(line, '\n')) // one write: lines of several programs do not mix
}

// Read returns what has been told since Clear.
func Read(run string) []Event {
	data, _ := os.ReadFile(file(run)) // not there: nothing was told
	var all []Event
	for line := range bytes.Lines(data) {
		var e Event
		if json.Unmarshal(line, &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// Clear forgets what has been told.
func Clear(run string) error {
	err := os.Truncate(file(run), 0)
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
