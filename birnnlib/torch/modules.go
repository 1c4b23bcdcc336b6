package torch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// ImportLinear sets the parameters of [birnnlib.Output] in the scope to the weights of an nn.Linear, and returns the number
// q of its outputs. Without a bias, b_q is zero. Errors are those of [Import].
func ImportLinear(scope *model.Scope, weights map[string]*tensors.Tensor, o Options) (q int, err error) {
	w, dtype, err := plain(weights, o.Prefix, "nn.Linear", "weight", "bias")
	if err != nil {
		return 0, err
	}
	q = w["weight"].dims[0]
	b, hasBias := w["bias"]
	if !hasBias {
		b = array{[]int{q}, make([]float64, q)}
	} else if !slices.Equal(b.dims, []int{q}) {
		return 0, fmt.Errorf("torch: %q has the shape %v; nn.Linear with %d outputs needs [%d]", o.Prefix+"bias", b.dims, q, q)
	}
	p := parameters{dtype: o.DType, from: dtype, paths: []string{"W_hq", "b_q"}, arrays: []array{w["weight"].transposed(), b}}
	return q, p.set(scope)
}

// ImportEmbedding sets the table of [birnnlib.Embedding] in the scope to the weights of an nn.Embedding, and returns its
// shape [q, d]. Errors are those of [Import].
func ImportEmbedding(scope *model.Scope, weights map[string]*tensors.Tensor, o Options) (table shapes.Shape, err error) {
	w, dtype, err := plain(weights, o.Prefix, "nn.Embedding", "weight")
	if err != nil {
		return shapes.Invalid(), err
	}
	p := parameters{dtype: o.DType, from: dtype, paths: []string{"E"}, arrays: []array{w["weight"]}}
	return shapes.Make(cmp.Or(o.DType, dtype), w["weight"].dims...), p.set(scope)
}

// ExportLinear returns the parameters of [birnnlib.Output] in the scope as the weights of an nn.Linear.
func ExportLinear(scope *model.Scope, o Options) (map[string]*tensors.Tensor, error) {
	w, err := valueOf(scope, "W_hq", "birnnlib.Output")
	if err != nil {
		return nil, err
	}
	b, err := valueOf(scope, "b_q", "birnnlib.Output")
	if err != nil {
		return nil, err
	}
	a, err := arrayOf(w)
	if err != nil {
		return nil, fmt.Errorf("torch: W_hq: %w", err)
	}
	transposed, err := a.transposed().tensor(w.DType())
	return map[string]*tensors.Tensor{o.Prefix + "weight": transposed, o.Prefix + "bias": b}, err
}

// ExportEmbedding returns the table of [birnnlib.Embedding] in the scope as the weights of an nn.Embedding.
func ExportEmbedding(scope *model.Scope, o Options) (map[string]*tensors.Tensor, error) {
	table, err := valueOf(scope, "E", "birnnlib.Embedding")
	if err != nil {
		return nil, err
	}
	return map[string]*tensors.Tensor{o.Prefix + "weight": table}, nil
}

// plain returns the weights of a module that has a matrix called weight, and no others than those called names.
func plain(weights map[string]*tensors.Tensor, prefix, module string, names ...string) (map[string]array, dtypes.DType, error) {
	hint := func() string { return prefixHint(weights, "weight", "modules with a weight") }
	given, err := sourcesOf(weights, prefix, hint)
	if err != nil {
		return nil, 0, err
	}
	weight, ok := given["weight"]
	if !ok {
		return nil, 0, fmt.Errorf("torch: %q is missing; %s requires it; %s", prefix+"weight", module, hint())
	}
	if dims := weight.dims(); len(dims) != 2 || dims[0] < 1 || dims[1] < 1 {
		return nil, 0, fmt.Errorf("torch: %q is %s; that of %s is a matrix", weight.name, weight.t.Shape(), module)
	}
	arrays := map[string]array{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		s := given[name]
		if !slices.Contains(names, name) {
			return nil, 0, fmt.Errorf("torch: %q is not a weight of %s, which has %q; %s", s.name, module, names, hint())
		}
		if s.dtype() != weight.dtype() {
			return nil, 0, fmt.Errorf("torch: %q is %s, but %q is %s; all weights must have the same dtype", s.name, s.dtype(), weight.name, weight.dtype())
		}
		if arrays[name], err = s.array(); err != nil {
			return nil, 0, err
		}
	}
	return arrays, weight.dtype(), nil
}

// valueOf returns the value of a parameter that a function makes in the scope.
func valueOf(scope *model.Scope, name, function string) (*tensors.Tensor, error) {
	v := scope.GetVariable(name)
	if v == nil {
		return nil, fmt.Errorf("torch: the scope %s has no %s; pass the scope given to %s", scope.Scope(), name, function)
	}
	value, err := v.Value()
	if err != nil {
		return nil, fmt.Errorf("torch: %s has no value yet: %w", v.Path(), err)
	}
	return value, nil
}
