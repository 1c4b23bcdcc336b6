//go:build unix

package main

import (
	"encoding/json"
	"net"
	"os"
	"sync"
	"time"

	"birnn/kernels/internal/gonb"
)

// keyboard is the standard input of a job: a pipe into which go the lines for which the reader is asked when the job
// waits for them.
type keyboard struct {
	r, w *os.File
	mu   sync.Mutex // held while the reader is asked
	end  bool
}

func newKeyboard() (*keyboard, error) {
	r, w, err := os.Pipe()
	return &keyboard{r: r, w: w}, err
}

const watchInterval = 100 * time.Millisecond

// watch asks the reader whenever the job waits for input.
func (k *keyboard) watch(pid int, state gonb.State) {
	pipe := identity(k.w)
	before := false
	for {
		time.Sleep(watchInterval)
		if !k.mu.TryLock() {
			before = false
			continue
		}
		reads, known := waits(pid, pipe)
		if !known { // this system does not show it
			reads = state.Reads
		}
		reads = reads && empty(k.w) && !k.end
		k.mu.Unlock()
		if reads && before {
			k.ask("", false, state)
			reads = false
		}
		before = reads
	}
}

// ask asks the reader for a line and writes it to the pipe. If the client cannot be asked, it ends the input.
func (k *keyboard) ask(prompt string, password bool, state gonb.State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end {
		return
	}
	reply := gonb.InputReply{End: true}
	if state.Input {
		if c, err := net.Dial("unix", gonb.InputSocket(os.Getenv(gonb.RunEnv))); err == nil {
			defer c.Close()
			json.NewEncoder(c).Encode(gonb.InputRequest{Prompt: prompt, Password: password})
			if json.NewDecoder(c).Decode(&reply) != nil {
				return // the kernel ends
			}
		}
	} else {
		os.Stderr.WriteString("The program waits for input, and this client cannot ask for any: it gets the end of the input.\n")
	}
	if reply.End {
		k.end = true
		k.w.Close()
		return
	}
	k.w.WriteString(reply.Value + "\n")
}
