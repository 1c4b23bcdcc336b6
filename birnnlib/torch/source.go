package torch

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// source is what a weight is computed from: itself or, with weight normalisation, its direction v and its norm g.
type source struct {
	name string          // of t
	t    *tensors.Tensor // the weight, or v
	g    *tensors.Tensor // nil without weight normalisation
}

// computed matches the names, below those of a module, of what PyTorch computes a weight from.
var computed = regexp.MustCompile(`^(?:parametrizations\.(\w+)\.(.+)|((?:weight|bias)\w*)_(g|v|raw|orig|mask|u))$`)

// roles are the suffixes of what Import computes a weight from, by their meaning.
var roles = map[string]string{"g": "g", "original0": "g", "v": "v", "original1": "v", "raw": "raw"}

// sourcesOf returns the weights of the module with that prefix by their names below it. If there are none, hint says which
// names are wanted.
func sourcesOf(weights map[string]*tensors.Tensor, prefix string, hint func() string) (map[string]source, error) {
	parts := map[string]map[string]string{} // for each weight the full names by their roles; "" is the weight itself
	outer, dropped := strings.CutSuffix(prefix, "module.")
	for _, full := range slices.Sorted(maps.Keys(weights)) {
		name, ok := strings.CutPrefix(full, prefix)
		if !ok && dropped { // fastai's WeightDropout has the raw weight itself, and the others in its module
			name, ok = strings.CutPrefix(full, outer)
			ok = ok && strings.HasSuffix(name, "_raw") && !strings.Contains(name, ".")
		}
		if !ok {
			continue
		}
		if t := weights[full]; t == nil || !t.Ok() {
			return nil, fmt.Errorf("torch: %q is nil or finalized; pass a tensor that holds values", full)
		}
		weight, role := strings.TrimPrefix(name, "module."), ""
		if match := computed.FindStringSubmatch(weight); match != nil {
			suffix := match[2] + match[4]
			if weight, role = match[1]+match[3], roles[suffix]; role == "" {
				return nil, fmt.Errorf("torch: %q is a part of %s, which PyTorch computes in a way that Import does not know (it knows weight_norm and _raw); "+
					"store the computed weight: in Python, call torch.nn.utils.parametrize.remove_parametrizations(module, %q), "+
					"torch.nn.utils.remove_spectral_norm or torch.nn.utils.prune.remove before state_dict()", full, weight, weight)
			}
		}
		if parts[weight] == nil {
			parts[weight] = map[string]string{}
		}
		if other, twice := parts[weight][role]; twice {
			return nil, fmt.Errorf("torch: both %q and %q are there, and mean the same; remove one of them", other, full)
		}
		parts[weight][role] = full
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("torch: none of the %d weights has a name that begins with %q; %s", len(weights), prefix, hint())
	}

	sources := map[string]source{}
	for _, weight := range slices.Sorted(maps.Keys(parts)) {
		itself, isItself := parts[weight][""]
		raw, isRaw := parts[weight]["raw"]
		g, isG := parts[weight]["g"]
		v, isV := parts[weight]["v"]
		switch {
		case isG && isV && (isItself || isRaw):
			return nil, fmt.Errorf("torch: both %q and %q are there; remove one of them", itself+raw, g)
		case isG && isV:
			sources[weight] = source{v, weights[v], weights[g]}
		case isG || isV:
			return nil, fmt.Errorf("torch: %q is there, but not its counterpart; weight_norm stores %s as %s_g and %s_v, or as original0 and original1 "+
				"in parametrizations.%s", g+v, weight, weight, weight, weight)
		case isRaw: // the weight itself, if it is there, is the raw one with some entries dropped
			sources[weight] = source{raw, weights[raw], nil}
		default:
			sources[weight] = source{itself, weights[itself], nil}
		}
	}
	return sources, nil
}

func (s source) dims() []int         { return s.t.Shape().Dimensions }
func (s source) dtype() dtypes.DType { return s.t.DType() }

// array returns the weight. With weight normalisation it is g v / ‖v‖, with a norm for each entry of g, which has one entry
// along the axes that the norm is taken over.
//
// Source: T. Salimans and D. P. Kingma, Weight normalization: a simple reparameterization to accelerate training of deep
// neural networks, 2016.
func (s source) array() (array, error) {
	w, err := arrayOf(s.t)
	if err != nil {
		return w, fmt.Errorf("torch: %q: %w", s.name, err)
	}
	if s.g == nil {
		return w, nil
	}
	g, err := arrayOf(s.g)
	if err != nil {
		return w, fmt.Errorf("torch: the norm of %q: %w", s.name, err)
	}
	if len(g.dims) == 0 { // of all of v
		g.dims = slices.Repeat([]int{1}, len(w.dims))
	}
	fits := len(g.dims) == len(w.dims) && s.g.DType() == s.t.DType()
	for axis := range g.dims {
		fits = fits && (g.dims[axis] == 1 || g.dims[axis] == w.dims[axis])
	}
	if !fits {
		return w, fmt.Errorf("torch: %q is %s, but its norm is %s; in weight_norm they have the same dtype, and the norm the same axes, or one entry along them", s.name, s.t.Shape(), s.g.Shape())
	}
	entry := func(i int) (j int) { // the entry of g that belongs to entry i of v
		stride := 1
		for axis := len(w.dims) - 1; axis >= 0; axis-- {
			if g.dims[axis] > 1 {
				j += i % w.dims[axis] * stride
				stride *= g.dims[axis]
			}
			i /= w.dims[axis]
		}
		return j
	}
	squares := make([]float64, len(g.values))
	for i, v := range w.values {
		squares[entry(i)] += v * v
	}
	for i := range w.values {
		j := entry(i)
		w.values[i] *= g.values[j] / math.Sqrt(squares[j])
	}
	return w, nil
}

// prefixHint returns a hint to the prefixes of the modules with a weight whose name matches the expression.
func prefixHint(weights map[string]*tensors.Tensor, weight, modules string) string {
	names := regexp.MustCompile(`^(|.*?\.)(?:parametrizations\.)?` + weight + `(?:_raw|_v|\.original1)?$`)
	var prefixes []string
	for name := range weights {
		if match := names.FindStringSubmatch(name); match != nil {
			prefixes = append(prefixes, strconv.Quote(match[1]))
		}
	}
	slices.Sort(prefixes)
	switch prefixes = slices.Compact(prefixes); {
	case len(prefixes) == 0:
		return "there are no " + modules
	case len(prefixes) > 10:
		prefixes = append(prefixes[:10], "…")
	}
	return "the prefixes of " + modules + " in it are " + strings.Join(prefixes, ", ")
}
