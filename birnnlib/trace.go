package birnnlib

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// A traced computation was built once from placeholders and can be built again from other nodes, also in the body of a
// loop. There GoMLX's operations accept no nodes from outside, constants included: so again makes constants once more, and
// the caller passes in whatever else does not depend on a placeholder, the captured nodes.
type traced struct {
	placeholders []*Node
	outputs      []*Node
	captured     []*Node // nodes from outside, other than constants
	depends      map[*Node]bool
}

// trace builds f once, from placeholders like the nodes.
func trace(like []*Node, f func(placeholders []*Node) (outputs []*Node)) *traced {
	t := &traced{depends: map[*Node]bool{}}
	for _, n := range like {
		p := placeholder(n)
		t.placeholders = append(t.placeholders, p)
		t.depends[p] = true
	}
	t.outputs = f(t.placeholders)
	t.captureAll()
	return t
}

// placeholder returns a new node of the shape of n. If it is of a float type, it depends on no other node of the graph, so
// that no gradient can bypass the loop.
func placeholder(n *Node) *Node {
	if n.DType().IsFloat() {
		return Identity(Zeros(n.Graph(), n.Shape()))
	}
	return Identity(n)
}

// captureAll fills captured.
func (t *traced) captureAll() {
	t.captured = nil
	seen := map[*Node]bool{}
	for _, y := range t.outputs {
		t.capture(y, seen)
	}
}

// capture adds to captured what n and its inputs need.
func (t *traced) capture(n *Node, seen map[*Node]bool) {
	if seen[n] || slices.Contains(t.placeholders, n) {
		return
	}
	seen[n] = true
	switch {
	case t.dependent(n), n.IsConstantExpression() && !large(n), cheap(n):
		for _, input := range n.Inputs() {
			t.capture(input, seen)
		}
	default:
		t.captured = append(t.captured, n)
	}
}

// dependent reports whether n depends on a placeholder.
func (t *traced) dependent(n *Node) bool {
	depends, known := t.depends[n]
	if !known {
		depends = slices.ContainsFunc(n.Inputs(), t.dependent)
		t.depends[n] = depends
	}
	return depends
}

// large reports whether n is a constant whose value the graph does not keep.
func large(n *Node) bool { return n.Type() == NodeTypeConstant && n.ConstantValue() == nil }

// cheap reports whether computing n in each round of a loop is faster than reading it.
func cheap(n *Node) bool { return n.Type() == NodeTypeBroadcastInDim || n.Type() == NodeTypeReshape }

// again builds the computation with other nodes in place of the placeholders and the captured nodes.
func (t *traced) again(placeholders, captured []*Node) (outputs []*Node) {
	return t.build(t.outputs, placeholders, captured)
}

// build is again for any of the nodes.
func (t *traced) build(nodes, placeholders, captured []*Node) (built []*Node) {
	made := map[*Node]*Node{}
	for i, p := range t.placeholders {
		made[p] = placeholders[i]
	}
	for i, c := range t.captured {
		made[c] = captured[i]
	}
	var build func(n *Node) *Node
	build = func(n *Node) *Node {
		if m, ok := made[n]; ok {
			return m
		}
		var m *Node
		if n.Type() == NodeTypeConstant {
			m = ConstTensor(n.Graph(), n.ConstantValue())
		} else {
			inputs := make([]*Node, len(n.Inputs()))
			for i, input := range n.Inputs() {
				inputs[i] = build(input)
			}
			m = n.CloneWithInputs(inputs...)
		}
		made[n] = m
		return m
	}
	for _, n := range nodes {
		built = append(built, build(n))
	}
	return built
}

// any reports whether f holds for a node that again would build.
func (t *traced) any(f func(n *Node) bool) bool {
	seen := map[*Node]bool{}
	for _, n := range slices.Concat(t.placeholders, t.captured) {
		seen[n] = true
	}
	var visit func(n *Node) bool
	visit = func(n *Node) bool {
		if seen[n] {
			return false
		}
		seen[n] = true
		return f(n) || slices.ContainsFunc(n.Inputs(), visit)
	}
	return slices.ContainsFunc(t.outputs, visit)
}

// costly returns the nodes that take longer to compute than to read: products, reductions and transcendental functions.
func (t *traced) costly() (nodes []*Node) {
	t.any(func(n *Node) bool {
		switch n.Type() {
		case NodeTypeDotGeneral, NodeTypeReduceSum, NodeTypeReduceMax, NodeTypeReduceMin, NodeTypeReduceProduct, NodeTypeExp, NodeTypeExpm1,
			NodeTypeLog, NodeTypeLog1p, NodeTypeLogistic, NodeTypeTanh, NodeTypeErf, NodeTypePow, NodeTypeSqrt, NodeTypeRsqrt, NodeTypeSin,
			NodeTypeCos:
			if t.dependent(n) {
				nodes = append(nodes, n)
			}
		}
		return false
	})
	return nodes
}
