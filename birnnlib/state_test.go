package birnnlib_test

import (
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"
	"birnn/internal/testall"

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
	pieces := []int{3, 1, 3} // XLA compiles each length
	T := 7
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, bothForward := range []bool{false, true} {
			if compiles(b) && !bothForward {
				continue // a part of the other
			}
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

// streams returns an LSTM of two layers in the scope /encoder as three executors: two streams and, with a state of its
// own, training, which returns the outputs too and goes a step of the given length down the gradient.
func streams(t *testing.T, b compute.Backend) (store *model.Store, one, two, training *model.Exec) {
	t.Helper()
	store = model.NewStore()
	layers := func(scope *model.Scope, x *Node) *birnnlib.BiRNN {
		return birnnlib.New(scope.In("encoder"), x, birnnlib.Sizes{Forward: 4}, birnnlib.Sizes{Forward: 3}).Cell(birnnlib.LSTM{}).Initializer(everywhere)
	}
	stream := func(path string) *model.Exec {
		exec, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) *Node {
			h, _ := layers(scope, x).Streaming().StatesIn(scope.Store().Scope(path)).Done()
			return h
		})
		if err != nil {
			t.Fatal(err)
		}
		return exec
	}
	training, err := model.NewExec(b, store, func(scope *model.Scope, x, rate *Node) *Node {
		h, _ := layers(scope, x).Stateful().Done()
		var weights []*model.Variable
		var values []*Node
		for v := range scope.IterVariables() {
			if v.Trainable && v.InUseByGraph(x.Graph()) {
				weights, values = append(weights, v), append(values, v.NodeValue(x.Graph()))
			}
		}
		for i, gradient := range Gradient(ReduceAllSum(Square(h)), values...) {
			weights[i].SetNodeValue(Sub(values[i], Mul(rate, gradient)))
		}
		return h
	})
	if err != nil {
		t.Fatal(err)
	}
	return store, stream("/streams/one"), stream("/streams/two"), training
}

// TestStatesIn reads two streams, one sequence beside seven, and trains in between with five: each sees its own states only,
// so that the outputs are those of three separate runs.
func TestStatesIn(t *testing.T) {
	t.Parallel()
	statesIn(t, backendtest.Go(t))
}

func TestLongStatesIn(t *testing.T) {
	testall.Long(t)
	t.Parallel()
	statesIn(t, backendtest.One(t))
}

func statesIn(t *testing.T, b compute.Backend) {
	const d, calls = 2, 3
	x := func(seed uint64, n int) (pieces []*tensors.Tensor) {
		for k := range uint64(calls) {
			pieces = append(pieces, random(seed+k, 2, n, d))
		}
		return pieces
	}
	xs := [][]*tensors.Tensor{x(10, 1), x(20, 7), x(30, 5)}
	// run calls the three executors in the given order and returns the outputs of each.
	run := func(rate float64, order ...int) (store *model.Store, h [3][]*tensors.Tensor) {
		store, one, two, training := streams(t, b)
		for _, k := range order {
			inputs := []any{xs[k][len(h[k])]}
			if k == 2 {
				inputs = append(inputs, rate)
			}
			y, err := []*model.Exec{one, two, training}[k].Call1(inputs...)
			if err != nil {
				t.Fatal(err)
			}
			h[k] = append(h[k], y)
		}
		return store, h
	}
	store, mixed := run(0, 2, 0, 1, 2, 1, 0, 0, 2, 1)
	var apart [3][]*tensors.Tensor
	for k := range apart {
		_, h := run(0, k, k, k)
		apart[k] = h[k]
	}
	for k, name := range []string{"the stream of one sequence", "the stream of seven", "the training"} {
		same(t, name, mixed[k], apart[k], 1e-14)
		if mixed[k][0].Equal(mixed[k][1]) {
			t.Errorf("%s: the outputs do not change", name)
		}
	}
	_, learned := run(0.1, 0, 2, 1, 2, 1, 2)
	_, alone := run(0.1, 2, 2, 2)
	same(t, "the training between samples", learned[2], alone[2], 1e-14)
	if learned[2][1].Equal(mixed[2][1]) {
		t.Error("the training changes nothing")
	}

	// A stream is reset by its scope, without the others.
	zero := func(path string) bool {
		for _, v := range tensors.MustCopyFlatData[float64](store.GetVariable(path).MustValue()) {
			if v != 0 {
				return false
			}
		}
		return true
	}
	if err := birnnlib.ResetStates(store.Scope("/streams/one")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/streams/one/encoder/layer_2/state_2^f": true,
		"/streams/two/encoder/layer_2/state_2^f": false,
		"/encoder/layer_2/state_2^f":             false,
	} {
		if zero(path) != want {
			t.Errorf("after ResetStates of stream one: %s is zero: %t", path, !want)
		}
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
		"no scope":       {func(b *birnnlib.BiRNN) { b.StatesIn(nil) }, "StatesIn got a scope that is nil or of another store"},
		"another store":  {func(b *birnnlib.BiRNN) { b.StatesIn(model.NewStore().RootScope()) }, "StatesIn got a scope that is nil or of another store"},
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
