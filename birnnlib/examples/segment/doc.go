// Package segment cuts Chinese text into words, which it has no spaces between, with a recurrent network that reads the
// characters in both directions and says of each where in its word it stands.
//
//	path, err := segment.FetchPeoplesDaily(ctx, "", segment.FetchOptions{})   // or a corpus of your own
//	lines, err := segment.Read(path)
//	train, test := segment.Split(lines)
//	m, err := segment.New(backend, train, segment.Full())
//	err = m.Train(ctx, train, tag.Callbacks{})
//	score, err := m.Test(ctx, test)
//	words, err := m.Segment(ctx, "他马上下来。")
//
// The tags are BMES, decoded by the algorithm of Viterbi; precision, recall and F1 count words. A character may have the
// two bigrams that it stands in as further features. The command birnn/birnnlib/examples/cmd/segment does the same from the shell.
package segment
