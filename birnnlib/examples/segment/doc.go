// Package segment cuts Chinese text, which has no spaces between words, into words with a recurrent network that reads
// the characters in both directions and finds the position of each within its word.
//
//	path, err := segment.FetchPeoplesDaily(ctx, "", segment.FetchOptions{})   // or another corpus
//	lines, err := segment.Read(path)
//	train, test := segment.Split(lines)
//	m, err := segment.New(backend, train, segment.Full())
//	err = m.Train(ctx, train, tag.Callbacks{})
//	score, err := m.Test(ctx, test)
//	words, err := m.Segment(ctx, "他马上下来。")
//
// The tags are BMES, decoded by the algorithm of Viterbi; precision, recall and F1 count words. The two bigrams of a
// character can be further features, and with tag.Config.CRF a conditional random field learns which tags follow each
// other. A [Shared] model serves many goroutines, and HTTP requests, in common mini-batches. The command
// birnn/birnnlib/examples/cmd/segment does all this from the shell.
package segment
