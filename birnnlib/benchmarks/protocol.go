package main

// A contender is a process that is told what to do on its standard input and answers on its standard output, one line of
// JSON for each. Its first line, once it is ready to train, is a hello. It ends when its standard input does.

// hello tells what the contender is, with version and device, or why it cannot take part.
type hello struct {
	Ready string `json:"ready,omitempty"`
	Error string `json:"error,omitempty"`
}

// request asks for one of three things.
type request struct {
	Steps  int `json:"steps,omitempty"`  // do so many steps; of the post's training, those of an epoch after the ones of the epoch before
	Matmul int `json:"matmul,omitempty"` // multiply two random float32 matrices of this size
	// Compile what a step needs, without doing one. Only of layers: the post's training compiles in its first step.
	Compile bool `json:"compile,omitempty"`
}

// answer tells how long it took, by the contender's own clock: from reading the request until the results are there.
type answer struct {
	Seconds float64 `json:"seconds"`
	Loss    float64 `json:"loss,omitempty"`       // the mean over the steps
	Plan    int64   `json:"plan_bytes,omitempty"` // of Compile: the memory that XLA will take for a step, beyond what goes in and comes out
	Error   string  `json:"error,omitempty"`
}
