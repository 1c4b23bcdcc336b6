package lesson3

import (
	"fmt"
	"math"
	"strings"

	"birnn/notebooks/kit/exercise"
)

// ThreeOfFour checks exercise 2: the sum ofPast(u) + ofFuture(v) has the sign of the exclusive or of u and v in three of
// the four cases, and its cross-entropy is at most ln 2 + 0.1.
func ThreeOfFour(ofPast, ofFuture [2]float64) error {
	var cases []string
	right, loss := 0, 0.0
	for i, a := range ofPast {
		for j, c := range ofFuture {
			s, sign := 1.0, "✗" // the label is 1 where u and v differ
			if i == j {
				s = -1
			}
			if s*(a+c) > 0 {
				right, sign = right+1, "✓"
			}
			loss += math.Log1p(math.Exp(-s*(a+c))) / 4
			cases = append(cases, fmt.Sprintf("o(%d,%d)=%.2f %s", 2*i-1, 2*j-1, a+c, sign))
		}
	}
	switch {
	case right < 3:
		return exercise.Faultf("%s: three of four are possible; which of the four cases would you give up?",
			"%s：可以对三个；四种情况里你愿意放弃哪一种？", strings.Join(cases, ", "))
	case !(loss <= math.Ln2+0.1):
		return exercise.Faultf("%s; but your cross-entropy is %.2f, more than 0.1 above ln 2: how large must the numbers be?",
			"%s；但是你的交叉熵是%.2f，比ln 2大了0.1还多：这些数要有多大？", strings.Join(cases, ", "), loss)
	}
	return nil
}
