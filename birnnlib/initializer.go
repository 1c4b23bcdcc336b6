package birnnlib

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"reflect"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
	"gonum.org/v1/gonum/mat"
)

// Weight describes a parameter to an [Initializer].
type Weight struct {
	Path      string // in its store
	Dims      []int  // [inputs, outputs] of a matrix, [h] of a vector, such as a bias
	Recurrent bool   // a matrix inside the recurrence: Layout.Weights
	Hidden    int    // the hidden units h of its direction; a matrix has a block of h columns for each gate
	Seed      uint64 // of its random numbers: that of [Initializer.Seed], else 0
}

// Initializer returns the initial values of a parameter, row by row. The values of those in this package depend only on
// the Weight: they are the same on every backend and for every order of building layers.
type Initializer func(w Weight) []float64

// Seed returns the initializer with random numbers of this seed. Inside of it, an initializer that has a seed keeps it, as
// Glorot does in Orthogonal(Glorot().Seed(2)).Seed(1).
func (i Initializer) Seed(seed uint64) Initializer {
	return func(w Weight) []float64 {
		w.Seed = seed
		return i(w)
	}
}

// Normal draws the matrices from N(0, σ²); vectors are zero.
func Normal(σ float64) Initializer {
	return func(w Weight) []float64 {
		return w.draw(func(rng *rand.Rand) float64 { return σ * rng.NormFloat64() })
	}
}

// Glorot draws the matrices uniformly from [-a, a] with a = √(6 / (inputs + outputs)), where outputs are those of one
// gate; vectors are zero.
//
// Source: X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
func Glorot() Initializer {
	return func(w Weight) []float64 {
		outputs := w.Dims[len(w.Dims)-1]
		if w.Hidden > 0 && outputs%w.Hidden == 0 {
			outputs = w.Hidden
		}
		a := math.Sqrt(6 / float64(w.Dims[0]+outputs))
		return w.draw(func(rng *rand.Rand) float64 { return a * (2*rng.Float64() - 1) })
	}
}

// TorchUniform draws everything, vectors too, uniformly from [-1/√h, 1/√h], as PyTorch's recurrent layers do; for the output
// layer, h is the first dimension: the inputs of W_hq, as in PyTorch's linear layer, but the outputs for b_q.
func TorchUniform() Initializer {
	return func(w Weight) []float64 {
		h := w.Hidden
		if h == 0 { // of the output layer: PyTorch's linear layer takes its inputs there
			h = w.Dims[0]
		}
		a := 1 / math.Sqrt(float64(h))
		rng, values := w.rng(), make([]float64, w.size())
		for i := range values {
			values[i] = a * (2*rng.Float64() - 1)
		}
		return values
	}
}

// Orthogonal draws random orthogonal recurrent matrices, one per gate, which preserve lengths over many time steps;
// others draws the remaining parameters, such as [Glorot]().
//
// Source: A. M. Saxe, J. L. McClelland and S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
// linear neural networks, 2014.
func Orthogonal(others Initializer) Initializer {
	if others == nil {
		Panicf("birnnlib.Orthogonal: others is nil; pass the initializer of all parameters that are not recurrent, such as Glorot()")
	}
	return func(w Weight) []float64 {
		if !w.Recurrent || len(w.Dims) != 2 {
			return others(w)
		}
		rows, columns := w.Dims[0], w.Dims[1]
		block := columns
		if w.Hidden > 0 && columns%w.Hidden == 0 {
			block = w.Hidden
		}
		rng, values := w.rng(), make([]float64, w.size())
		for from := 0; from < columns; from += block {
			q := orthonormal(rng, rows, block)
			for i := range rows {
				for k := range block {
					values[i*columns+from+k] = q.At(i, k)
				}
			}
		}
		return values
	}
}

// orthonormal returns a random matrix with orthonormal columns, or with orthonormal rows if it has more columns than
// rows: the factor Q of a matrix of normal numbers, with the signs that make the diagonal of R positive.
func orthonormal(rng *rand.Rand, rows, columns int) mat.Matrix {
	normal := mat.NewDense(max(rows, columns), min(rows, columns), nil)
	length, count := normal.Dims()
	for k := range count {
		for i := range length {
			normal.Set(i, k, rng.NormFloat64())
		}
	}
	var qr mat.QR
	var q, r mat.Dense
	qr.Factorize(normal)
	qr.QTo(&q)
	qr.RTo(&r)
	for k := range count {
		if r.At(k, k) < 0 {
			for i := range length {
				q.Set(i, k, -q.At(i, k))
			}
		}
	}
	thin := q.Slice(0, length, 0, count)
	if columns > rows {
		return thin.T()
	}
	return thin
}

// rng returns the random numbers of a parameter.
func (w Weight) rng() *rand.Rand {
	key := fnv.New64a()
	_, _ = key.Write([]byte(w.Path)) // never fails
	return rand.New(rand.NewPCG(w.Seed, key.Sum64()))
}

func (w Weight) size() int { return shapes.Make(dtypes.Float64, w.Dims...).Size() }

// draw draws the entries of a matrix; those of a vector are zero.
func (w Weight) draw(next func(rng *rand.Rand) float64) []float64 {
	values := make([]float64, w.size())
	if len(w.Dims) > 1 {
		rng := w.rng()
		for i := range values {
			values[i] = next(rng)
		}
	}
	return values
}

// parameter returns the parameter called name in the scope. If it does not exist yet, the initializer that was chosen
// creates it, or else that of the scope, if the user has set one, or else defaultInitializer; at, if not nil, is added to
// the initial values.
func parameter(scope *model.Scope, chosen []Initializer, g *Graph, name string, dtype dtypes.DType, w Weight, at func(i int) float64) *Node {
	if len(chosen) > 1 {
		Panicf("birnnlib: %d initializers were given for the parameter %s; give one at most", len(chosen), model.JoinPath(scope.Scope(), name))
	}
	shape := shapes.Make(dtype, w.Dims...)
	if v := scope.GetVariable(name); v != nil {
		if !v.Shape().Equal(shape) {
			Panicf("birnnlib: the parameter %s is %s; the network needs %s", v.Path(), v.Shape(), shape)
		}
		return v.NodeValue(g)
	}
	var added []float64
	if at != nil {
		for i := range w.size() {
			added = append(added, at(i))
		}
	}
	if len(chosen) == 0 && hasInitializer(scope) {
		if initial := scope.Initializer(); at != nil {
			scope = scope.WithInitializer(func(g *Graph, shape shapes.Shape) *Node {
				return Add(initial(g, shape), ConstTensor(g, tensorOf(added, shape)))
			})
		}
		return scope.VariableWithShape(name, shape).NodeValue(g)
	}
	w.Path = model.JoinPath(scope.Scope(), name)
	initial := defaultInitializer
	if len(chosen) > 0 {
		initial = chosen[0]
	}
	if initial == nil {
		Panicf("birnnlib: the parameter %s does not exist, and there is no initializer to create it", w.Path)
	}
	values := initial(w)
	for i, v := range added {
		values[i] += v
	}
	return scope.VariableWithValue(name, tensorOf(values, shape)).NodeValue(g)
}

// defaultInitializer is that of parameters that have no other.
var defaultInitializer = Orthogonal(Glorot())

// hasInitializer reports whether the user has set an initializer on the scope, or on one above it. Functions cannot be
// compared, but those that model.DefaultInitializer returns have the same code.
func hasInitializer(scope *model.Scope) bool {
	code := func(f model.VariableInitializer) uintptr { return reflect.ValueOf(f).Pointer() }
	return code(scope.Initializer()) != code(model.DefaultInitializer(scope.Store()))
}

// tensorOf returns the values in the shape, rounded to its dtype.
func tensorOf(values []float64, shape shapes.Shape) *tensors.Tensor {
	switch shape.DType {
	case dtypes.Float64:
		return tensors.FromFlatDataAndDimensions(values, shape.Dimensions...)
	case dtypes.Float32:
		return rounded(values, shape, func(v float64) float32 { return float32(v) })
	case dtypes.BFloat16:
		return rounded(values, shape, bfloat16.FromFloat64)
	case dtypes.Float16:
		return rounded(values, shape, float16.FromFloat64)
	}
	Panicf("birnnlib: parameters of dtype %s are not supported; use Float32, Float64, BFloat16 or Float16", shape.DType)
	return nil
}

func rounded[T float32 | bfloat16.BFloat16 | float16.Float16](values []float64, shape shapes.Shape, round func(float64) T) *tensors.Tensor {
	flat := make([]T, len(values))
	for i, v := range values {
		flat[i] = round(v)
	}
	return tensors.FromFlatDataAndDimensions(flat, shape.Dimensions...)
}
