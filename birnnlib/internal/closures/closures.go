// Package closures lets the body of a loop use operations that go-xla builds with a helper function: reductions,
// ArgMax and ArgMin, scatters (the gradient of Gather), windows and pooling.
//
// go-xla v0.4.5 keeps these small functions in caches of the builder, one for each dtype and operation, although StableHLO
// allows one only inside the function in which it was made. So whatever the main function reduces first, no closure can
// reduce any more, and vice versa. The fix in go-xla is to key the caches by the function as well:
//
//	type reductionKey struct {
//		fn     *stablehlo.Function // f.fn
//		dtype  dtypes.DType
//		opType compute.OpType
//	}
//
// and likewise argMinMaxKey. Until then [Fresh] exchanges the caches by reflection; TestFresh fails when go-xla changes them.
package closures

import (
	"reflect"
	"unsafe"

	. "github.com/gomlx/gomlx/core/graph"
)

// caches are the fields of go-xla's Builder.
var caches = []string{"cacheReductions", "cacheArgMinMax", "cacheSelections"}

// Fresh gives the graph's builder empty caches until restore is called. It reports false where the builder has no such
// caches: then nothing was changed, and a closure may fail to reduce.
func Fresh(g *Graph) (restore func(), ok bool) {
	builder := settable(reflect.ValueOf(g).Elem(), "builder")
	for builder.Kind() == reflect.Interface || builder.Kind() == reflect.Pointer {
		builder = builder.Elem()
	}
	if builder.Kind() != reflect.Struct || !builder.CanAddr() {
		return func() {}, false
	}
	var fields, before []reflect.Value
	for _, name := range caches {
		field := settable(builder, name)
		if field.Kind() != reflect.Map {
			return func() {}, false
		}
		fields, before = append(fields, field), append(before, reflect.ValueOf(field.Interface()))
	}
	for _, field := range fields {
		field.Set(reflect.MakeMap(field.Type()))
	}
	return func() {
		for i, field := range fields {
			field.Set(before[i])
		}
	}, true
}

// settable returns an unexported field of a struct so that it can be read and set; the zero Value if it has none.
func settable(owner reflect.Value, name string) reflect.Value {
	field := owner.FieldByName(name)
	if !field.IsValid() {
		return field
	}
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
}

// Needed reports whether go-xla builds n with a helper function.
func Needed(n *Node) bool {
	switch n.Type() {
	case NodeTypeReduceSum, NodeTypeReduceMax, NodeTypeReduceMin, NodeTypeReduceProduct,
		NodeTypeReduceBitwiseAnd, NodeTypeReduceBitwiseOr, NodeTypeReduceBitwiseXor,
		NodeTypeReduceLogicalAnd, NodeTypeReduceLogicalOr, NodeTypeReduceLogicalXor,
		NodeTypeArgMinMax, NodeTypeReduceWindow, NodeTypeScatterSum, NodeTypeScatterMax, NodeTypeScatterMin:
		return true
	}
	return false
}
