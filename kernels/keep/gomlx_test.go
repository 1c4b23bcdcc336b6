package keep

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

func noise(t *testing.T, shape shapes.Shape) *tensors.Tensor {
	t.Helper()
	x := tensors.FromShape(shape)
	err := x.MutableBytes(func(data []byte) {
		for i := range data {
			if data[i] = byte(rand.Uint32()); shape.DType == dtypes.Bool {
				data[i] &= 1
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func sameTensor(t *testing.T, want, got *tensors.Tensor) {
	t.Helper()
	var a, b []byte
	err := want.ConstBytes(func(data []byte) { a = bytes.Clone(data) })
	err2 := got.ConstBytes(func(data []byte) { b = bytes.Clone(data) })
	if err != nil || err2 != nil || !reflect.DeepEqual(want.Shape(), got.Shape()) || !bytes.Equal(a, b) {
		t.Errorf("%s came back as %s (%v, %v)", want, got, err, err2)
	}
}

func TestTensors(t *testing.T) {
	for dtype, supported := range dtypes.SupportedDTypes {
		if !supported {
			continue
		}
		for _, dims := range [][]int{{}, {1}, {7}, {3, 5, 2}, {0}, {4, 0, 2}} {
			x := noise(t, shapes.Make(dtypes.DType(dtype), dims...))
			sameTensor(t, x, again(t, x))
		}
	}
	named := noise(t, shapes.Make(dtypes.Float32, 2, 3).WithAxisNames("batch", "time"))
	sameTensor(t, named, again(t, named))

	x, y := noise(t, shapes.Make(dtypes.Int32, 2)), noise(t, shapes.Make(dtypes.Float64, 3))
	slice := again(t, []*tensors.Tensor{x, y, nil, x})
	sameTensor(t, x, slice[0])
	sameTensor(t, y, slice[1])
	if slice[2] != nil || slice[3] != slice[0] {
		t.Errorf("%v", slice)
	}
	byName := again(t, map[string]*tensors.Tensor{"权重": x, "b": y})
	sameTensor(t, x, byName["权重"])
	sameTensor(t, y, byName["b"])
	type layer struct {
		Name string
		W, B *tensors.Tensor
		More any
	}
	layers := again(t, []layer{{"hidden", x, y, nil}, {"output", y, nil, x}})
	sameTensor(t, x, layers[0].W)
	if layers[1].Name != "output" || layers[1].W != layers[0].B || layers[1].B != nil || layers[1].More != any(layers[0].W) {
		t.Errorf("%+v", layers)
	}
	if again(t, (*tensors.Tensor)(nil)) != nil {
		t.Error("nil is something")
	}
	x.MustFinalizeAll()
	refused(t, []*tensors.Tensor{y, x}, "[1] cannot be read")
	refused(t, struct{ T tensors.Tensor }{}, "T is a tensors.Tensor", "pointer")
	refused(t, struct{ S *model.Scope }{}, "S is a model.Scope", "*model.Store")
}

// regression is y = x·w + b with dropout, so that it has a random state, and with a variable that is not trained.
func regression(scope *model.Scope, x *graph.Node) *graph.Node {
	g := x.Graph()
	linear := scope.In("linear")
	w := linear.VariableWithValue("w", tensors.FromFlatDataAndDimensions([]float32{.1, -.2, .3}, 3, 1)).NodeValue(g)
	b := linear.VariableWithValue("b", float32(0)).NodeValue(g)
	calls := scope.VariableWithValue("calls", int32(0)).SetTrainable(false)
	calls.SetNodeValue(graph.AddScalar(calls.NodeValue(g), 1))
	keep := scope.RandomUniform(g, x.Shape())
	x = graph.Mul(x, graph.ConvertDType(graph.GreaterThan(keep, graph.Scalar(g, dtypes.Float32, .2)), dtypes.Float32))
	return graph.Add(graph.Dot(x, w).Product(), b)
}

func trainSteps(t *testing.T, backend compute.Backend, store *model.Store, steps int) {
	t.Helper()
	trainer := train.NewTrainer(backend, store, regression, loss.MeanSquaredError, optimizer.Adam().LearningRate(0.1).Done(), nil, nil)
	for i := range steps {
		x := tensors.FromFlatDataAndDimensions([]float32{1, 2, float32(i), 4, 5, 6}, 2, 3)
		y := tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2, 1)
		if _, err := trainer.TrainStep(train.Batch{Inputs: []*tensors.Tensor{x}, Labels: []*tensors.Tensor{y}}); err != nil {
			t.Fatal(err)
		}
	}
	// Each trainer names its metrics differently.
	if err := store.DeleteVariablesInScope("/metrics"); err != nil {
		t.Fatal(err)
	}
}

func sameStore(t *testing.T, want, got *model.Store) {
	t.Helper()
	var paths, paths2 []string
	for v := range want.IterVariables() {
		paths = append(paths, v.Path())
		if w := got.GetVariable(v.Path()); w == nil || w.Trainable != v.Trainable || w.Name() != v.Name() {
			t.Errorf("variable %s came back as %+v", v.Path(), w)
		} else {
			sameTensor(t, v.MustValue(), w.MustValue())
		}
	}
	for v := range got.IterVariables() {
		paths2 = append(paths2, v.Path())
	}
	params, params2 := map[string]any{}, map[string]any{}
	for name, value := range want.IterParams() {
		params[name] = value
	}
	for name, value := range got.IterParams() {
		params2[name] = value
	}
	if !reflect.DeepEqual(paths, paths2) || !reflect.DeepEqual(params, params2) || want.VariablesAsConst() != got.VariablesAsConst() {
		t.Errorf("variables %q and parameters %v came back as %q and %v", paths, params, paths2, params2)
	}
}

// TestStore keeps a model during its training: trained further, it has the same bits as one that was not kept.
func TestStore(t *testing.T) {
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	store := model.NewStore()
	store.SetParam(model.ParamInitialSeed, int64(42))
	store.SetParams(map[string]any{
		"rate": 0.1, "nan": math.Inf(1), "layers": []int{1, 2}, "/linear/name": "线性", "dtype": dtypes.BFloat16, "steps": int8(3), "none": nil,
	})
	trainSteps(t, backend, store, 5)
	if store.NumVariables() < 8 { // weights, Adam's moments, the step, the random state
		t.Fatalf("only %d variables", store.NumVariables())
	}
	got := again(t, store)
	sameStore(t, store, got)
	trainSteps(t, backend, store, 5)
	trainSteps(t, backend, got, 5)
	sameStore(t, store, got)
	if v := got.GetVariable("/calls"); v.Trainable || tensors.ToScalar[int32](v.MustValue()) != 10 {
		t.Errorf("%s after ten steps", v.MustValue())
	}

	type trained struct {
		Store  *model.Store
		Losses []float64
	}
	sameStore(t, store, again(t, trained{store, []float64{1}}).Store)
	sameStore(t, model.NewStore(), again(t, model.NewStore()))
	sameStore(t, store.WithVariableAsConst(true), again(t, store))
	if again(t, (*model.Store)(nil)) != nil {
		t.Error("nil is something")
	}
}

func TestStoreRefused(t *testing.T) {
	unset := model.NewStore()
	unset.RootScope().VariableWithShape("w", shapes.Make(dtypes.Float32, 2))
	refused(t, unset, "/w", "no value", "run the model once")

	param := model.NewStore()
	param.SetParam("f", func() {})
	refused(t, struct{ S *model.Store }{param}, "S.Params[/f] is a func()")

	saved := model.NewStore()
	if _, err := saved.CreateVariable("/w", tensors.FromValue([]float32{1, 2})); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := checkpoint.Build(saved).Dir(dir).MustDone().Save(); err != nil {
		t.Fatal(err)
	}
	lazy := model.NewStore()
	checkpoint.Build(lazy).Dir(dir).MustDone()
	refused(t, lazy, "not loaded yet", "Immediate()")
	immediate := model.NewStore()
	checkpoint.Build(immediate).Dir(dir).Immediate().MustDone()
	sameStore(t, immediate, again(t, immediate))
}
