package birnnlib_test

import (
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// TestUnusedDirection returns the outputs of both directions or of one. When pure Go computes the latter, too, the package
// documentation must no longer warn of it.
func TestUnusedDirection(t *testing.T) {
	for name, both := range map[string]bool{"both": true, "forward": false} {
		_, err := model.CallOnceN(backendtest.Go(t), model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
			hf, hb, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2, Backward: 2}).DoneApart()
			if both {
				return []*Node{hf, hb}
			}
			return []*Node{hf}
		}, random(1, 3, 1, 2))
		if works := err == nil; works != both {
			t.Errorf("%s: works %t, want %t: %v", name, works, both, err)
		}
	}
}
