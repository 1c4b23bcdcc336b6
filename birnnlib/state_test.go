package birnnlib_test

import (
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// TestStreaming reads a sequence in pieces of several lengths: the outputs equal those of the whole sequence, and again
// after ResetStates.
func TestStreaming(t *testing.T) {
	t.Parallel()
	const n, d = 2, 3
	pieces := []int{1, 1, 3, 2}
	T := 7
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, bothForward := range []bool{false, true} {
			sizes := []birnnlib.Sizes{{Forward: 4}, {Forward: 3}}
			if bothForward {
				sizes[0].Backward, sizes[1].Backward = 2, 3
			}
			layers := func(scope *model.Scope, x *Node) *birnnlib.BiRNN {
				return birnnlib.New(scope, x, sizes...).Cell(birnnlib.LSTM{}).BothForward(bothForward).Initializer(everywhere)
			}
			x, store := random(1, T, n, d), model.NewStore()
			want, err := model.CallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
				h, _ := layers(scope, x).Done()
				return h
			}, x)
			if err != nil {
				t.Fatal(err)
			}
			stream, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) *Node {
				h, _ := layers(scope, x).Streaming().Done()
				return h
			})
			if err != nil {
				t.Fatal(err)
			}
			values := tensors.MustCopyFlatData[float64](x)
			for range 2 {
				var got []float64
				at := 0
				for _, length := range pieces {
					piece := tensors.FromFlatDataAndDimensions(values[at*n*d:(at+length)*n*d], length, n, d)
					h, err := stream.Call1(piece)
					if err != nil {
						t.Fatal(err)
					}
					got, at = append(got, tensors.MustCopyFlatData[float64](h)...), at+length
				}
				same(t, "the pieces", []*tensors.Tensor{tensors.FromFlatDataAndDimensions(got, want.Shape().Dimensions...)}, []*tensors.Tensor{want}, 1e-14)
				if err := birnnlib.ResetStates(store.Scope("/")); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestStatefulBackward checks that the backward direction starts at zero in every mini-batch.
func TestStatefulBackward(t *testing.T) {
	b := backendtest.One(t)
	store, sizes := model.NewStore(), birnnlib.Sizes{Forward: 2, Backward: 3}
	exec, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
		hf, hb, _ := birnnlib.New(scope, x, sizes).Initializer(everywhere).Stateful().DoneApart()
		return []*Node{hf, hb}
	})
	if err != nil {
		t.Fatal(err)
	}
	x := random(1, 4, 1, 2)
	first, second := exec.MustCall(x), exec.MustCall(x)
	if first[0].Equal(second[0]) {
		t.Error("the forward state is not carried")
	}
	if !first[1].Equal(second[1]) {
		t.Error("the backward state is carried")
	}
}

func TestStatefulErrors(t *testing.T) {
	b := backendtest.One(t)
	for name, test := range map[string]struct {
		build func(b *birnnlib.BiRNN)
		want  string
	}{
		"backward units": {func(b *birnnlib.BiRNN) { b.Streaming() }, "layer 1 has 3 backward units, and cannot stream"},
		"initial states": {func(b *birnnlib.BiRNN) { b.Stateful().InitialStates(birnnlib.State{}) }, "both InitialStates and Stateful"},
	} {
		_, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
			b := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2, Backward: 3})
			test.build(b)
			h, _ := b.Done()
			return h
		}, random(1, 4, 1, 2))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, test.want)
		}
	}
	store := model.NewStore()
	exec, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) *Node {
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2}).Streaming().Done()
		return h
	})
	if err != nil {
		t.Fatal(err)
	}
	exec.MustCall(random(1, 4, 1, 2))
	if _, err := exec.Call(random(1, 4, 2, 2)); err == nil || !strings.Contains(err.Error(), "keeps its batch size") {
		t.Errorf("another batch size: error %v", err)
	}
}
