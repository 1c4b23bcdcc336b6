package front

import (
	"encoding/json"
	"os"
	"strings"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/wire"
)

// request is a request and the socket for its reply.
type request struct {
	*wire.Message
	from *wire.Socket
	done chan struct{} // of an execute_request: closed when its cell has ended
}

// dispatch answers a request or queues it for execution.
func (f *front) dispatch(r *request) {
	switch r.Header.Type {
	case "execute_request":
		r.done = make(chan struct{})
		f.mu.Lock()
		f.queue = append(f.queue, r)
		f.mu.Unlock()
		f.poke()
	case "kernel_info_request":
		f.answer(r, func() any { return f.kernelInfo() })
	case "is_complete_request":
		f.answer(r, func() any { return f.isComplete(r) })
	case "history_request":
		f.answer(r, func() any { return f.answerHistory(r) })
	case "comm_info_request":
		f.answer(r, func() any { return f.commInfo(r) })
	case "complete_request":
		go f.answer(r, func() any { return f.completer.complete(r) })
	case "inspect_request":
		go f.answer(r, func() any { return f.completer.inspect(r) })
	case "connect_request":
		f.answer(r, func() any { return map[string]any{"status": "ok"} })
	case "interrupt_request":
		f.answer(r, func() any { f.interrupt(); return map[string]any{"status": "ok"} })
	case "shutdown_request":
		var content struct {
			Restart bool `json:"restart"`
		}
		r.Read(&content)
		f.answer(r, func() any { return map[string]any{"status": "ok", "restart": content.Restart} })
		f.shutDown()
	case "comm_open", "comm_msg", "comm_close":
		f.noteComm(r.Message)
		f.status(r.Message, "busy")
		if c, _ := f.gonb.Process(); c != nil {
			c.Forward(r.Message)
		}
		f.idle(r)
	default:
		f.log.Printf("unknown request: %s", r.Header.Type)
		f.status(r.Message, "busy")
		f.idle(r)
	}
}

// answer sends the reply to a request.
func (f *front) answer(r *request, content func() any) {
	f.status(r.Message, "busy")
	f.reply(r, content())
	f.idle(r)
}

func (f *front) reply(r *request, content any) {
	if err := r.from.SendMessage(wire.New(f.session, strings.Replace(r.Header.Type, "_request", "_reply", 1), r.Message, content)); err != nil {
		f.log.Printf("%s: %v", r.Header.Type, err)
	}
}

// status publishes the kernel's state.
func (f *front) status(parent *wire.Message, state string) {
	f.publish(parent, "status", map[string]string{"execution_state": state})
}

// idle ends a request. While a cell runs, the kernel as a whole is still busy.
func (f *front) idle(r *request) {
	f.status(r.Message, "idle")
	f.mu.Lock()
	running := f.running
	f.mu.Unlock()
	if running != nil && running != r {
		f.status(running.Message, "busy")
	}
}

// publish publishes a message to all clients.
func (f *front) publish(parent *wire.Message, kind string, content any) {
	f.publishMessage(parent, wire.New(f.session, kind, parent, content))
}

func (f *front) publishMessage(parent *wire.Message, m *wire.Message) {
	m.Identities = [][]byte{[]byte("kernel." + m.Header.Type)}
	if err := f.sockets.IOPub.SendMessage(m); err != nil && f.ctx.Err() == nil {
		f.log.Printf("iopub: %v", err)
	}
}

// publishOrphan publishes a message of GoNB while no cell runs, as for widgets.
func (f *front) publishOrphan(m *wire.Message) {
	if !strings.HasPrefix(m.Header.Type, "comm_") {
		return
	}
	f.noteComm(m)
	f.mu.Lock()
	last := f.last
	f.mu.Unlock()
	if last != nil {
		f.relay(last.Message, m)
	}
}

// relay publishes a message of GoNB as the kernel's.
func (f *front) relay(parent, m *wire.Message) {
	ours := wire.New(f.session, m.Header.Type, parent, m.Content)
	ours.Metadata, ours.Buffers = m.Metadata, m.Buffers
	f.publishMessage(parent, ours)
}

func (f *front) noteComm(m *wire.Message) {
	var content struct {
		ID     string `json:"comm_id"`
		Target string `json:"target_name"`
	}
	if m.Read(&content) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch m.Header.Type {
	case "comm_open":
		f.comms[content.ID] = content.Target
	case "comm_close":
		delete(f.comms, content.ID)
	}
}

func (f *front) commInfo(r *request) any {
	var content struct {
		Target string `json:"target_name"`
	}
	r.Read(&content)
	comms := map[string]map[string]string{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, target := range f.comms {
		if content.Target == "" || content.Target == target {
			comms[id] = map[string]string{"target_name": target}
		}
	}
	return map[string]any{"status": "ok", "comms": comms}
}

func (f *front) isComplete(r *request) any {
	var content struct {
		Code string `json:"code"`
	}
	if r.Read(&content) != nil {
		return map[string]any{"status": "unknown"}
	}
	status, indent := cell.IsComplete(content.Code)
	answer := map[string]any{"status": status}
	if status == cell.Incomplete {
		answer["indent"] = indent
	}
	return answer
}

func (f *front) kernelInfo() any {
	banner := "Go with GoNB and birnnlib. %help lists the commands; the value of a final expression is shown."
	if pure := os.Getenv(kernelspec.PureGo); pure != "" {
		banner += "\nPure Go " + pure + "."
	}
	return map[string]any{
		"status":                 "ok",
		"protocol_version":       wire.Version,
		"implementation":         "birnn",
		"implementation_version": "1.0",
		"banner":                 banner,
		"language_info": map[string]any{
			"name": "go", "version": goVersion(), "mimetype": "text/x-go",
			"file_extension": ".go", "pygments_lexer": "go", "codemirror_mode": "go", "nbconvert_exporter": "script",
		},
		"help_links": []map[string]string{
			{"text": "Go", "url": "https://go.dev/doc/"},
			{"text": "GoNB", "url": "https://github.com/janpfeifer/gonb"},
			{"text": "GoMLX", "url": "https://github.com/gomlx/gomlx"},
		},
	}
}

// answerHistory answers a history_request.
func (f *front) answerHistory(r *request) any {
	var q historyQuery
	if err := json.Unmarshal(r.Content, &q); err != nil {
		return map[string]any{"status": "error", "ename": "BadRequest", "evalue": err.Error(), "traceback": []string{}}
	}
	return map[string]any{"status": "ok", "history": f.history.find(q)}
}
