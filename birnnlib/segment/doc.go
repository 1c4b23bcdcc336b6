// Package segment cuts Chinese text into words, which it has no spaces between, with a recurrent network that reads
// the characters and says of each where in its word it stands.
package segment
