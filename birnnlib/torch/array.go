package torch

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// array is the values of a tensor, row by row. Float64 holds those of all other float types exactly.
type array struct {
	dims   []int
	values []float64
}

// named is an array with the name of its parameter in a cell, such as W_x.
type named struct {
	name string
	array
}

func arrayOf(t *tensors.Tensor) (array, error) {
	a := array{dims: t.Shape().Dimensions}
	var failed error
	err := t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			a.values = slices.Clone(flat)
		case []float32:
			a.values = widened(flat, func(v float32) float64 { return float64(v) })
		case []bfloat16.BFloat16:
			a.values = widened(flat, bfloat16.BFloat16.Float64)
		case []float16.Float16:
			a.values = widened(flat, float16.Float16.Float64)
		default:
			failed = fmt.Errorf("it is %s; weights must be of the dtype %s", t.Shape(), floats)
		}
	})
	if err != nil {
		return a, err
	}
	return a, failed
}

const floats = "Float32, Float64, BFloat16 or Float16"

func widened[T any](flat []T, widen func(T) float64) []float64 {
	values := make([]float64, len(flat))
	for i, v := range flat {
		values[i] = widen(v)
	}
	return values
}

// tensor returns the values rounded to the dtype.
func (a array) tensor(dtype dtypes.DType) (*tensors.Tensor, error) {
	switch dtype {
	case dtypes.Float64:
		return tensors.FromFlatDataAndDimensions(a.values, a.dims...), nil
	case dtypes.Float32:
		return rounded(a, func(v float64) float32 { return float32(v) }), nil
	case dtypes.BFloat16:
		return rounded(a, bfloat16.FromFloat64), nil
	case dtypes.Float16:
		return rounded(a, float16.FromFloat64), nil
	}
	return nil, fmt.Errorf("torch: parameters cannot be of the dtype %s; use %s", dtype, floats)
}

func rounded[T float32 | bfloat16.BFloat16 | float16.Float16](a array, round func(float64) T) *tensors.Tensor {
	flat := make([]T, len(a.values))
	for i, v := range a.values {
		flat[i] = round(v)
	}
	return tensors.FromFlatDataAndDimensions(flat, a.dims...)
}

func (a array) clone() array { return array{a.dims, slices.Clone(a.values)} }

// part returns the entries from … to-1 of a vector.
func (a array) part(from, to int) array { return array{[]int{to - from}, a.values[from:to]} }

// transposed returns the transposed matrix.
func (a array) transposed() array {
	rows, columns := a.dims[0], a.dims[1]
	t := array{[]int{columns, rows}, make([]float64, len(a.values))}
	for i := range rows {
		for j := range columns {
			t.values[j*rows+i] = a.values[i*columns+j]
		}
	}
	return t
}

// parameters are those that an import will set.
type parameters struct {
	dtype, from dtypes.DType // of the parameters, if not none, and of the weights
	paths       []string     // below the scope
	arrays      []array
}

// add adds one direction of layer l, counted from 0.
func (p *parameters) add(l int, suffix string, values []named) {
	for _, v := range values {
		p.paths, p.arrays = append(p.paths, layerPath(l, v.name, suffix)), append(p.arrays, v.array)
	}
}

// set creates or changes the parameters in the scope; with an error, none of them.
func (p *parameters) set(scope *model.Scope) error {
	dtype := p.dtype
	if dtype == dtypes.InvalidDType {
		dtype = p.from
	}
	store, paths := scope.Store(), make([]string, len(p.paths))
	values := make([]*tensors.Tensor, len(p.paths))
	for i, a := range p.arrays {
		var err error
		if values[i], err = a.tensor(dtype); err != nil {
			return err
		}
		paths[i] = model.JoinPath(scope.Scope(), p.paths[i])
		shape := shapes.Make(dtype, a.dims...)
		if v := store.GetVariable(paths[i]); v != nil && !v.Shape().Equal(shape) {
			return fmt.Errorf("torch: the parameter %s is %s, but its weights are %s; import into another scope, or a network of that size and dtype", paths[i], v.Shape(), shape)
		}
	}
	for i, path := range paths {
		var err error
		if v := store.GetVariable(path); v != nil {
			err = v.SetValue(values[i])
		} else {
			_, err = store.CreateVariable(path, values[i])
		}
		if err != nil {
			return fmt.Errorf("torch: the parameter %s cannot be set: %w", path, err)
		}
	}
	return nil
}
