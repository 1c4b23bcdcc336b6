package keep

import (
	"maps"
	"reflect"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

var (
	tensorType = reflect.TypeFor[*tensors.Tensor]()
	storeType  = reflect.TypeFor[*model.Store]()
)

func isGoMLX(t reflect.Type) bool { return t == tensorType || t == storeType }

// insteadOf returns what to keep instead of a GoMLX object; it is empty for other types.
func insteadOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[model.Scope](), reflect.TypeFor[model.Variable]():
		return "keep its *model.Store"
	case tensorType.Elem(), storeType.Elem():
		return "keep a pointer to it"
	}
	return ""
}

func (e *encoder) encodeGoMLX(v reflect.Value) *flaw {
	switch x := v.Interface().(type) {
	case *tensors.Tensor:
		return e.encodeTensor(x)
	case *model.Store:
		s, f := take(x)
		if f != nil {
			return f
		}
		return e.encode(reflect.ValueOf(s))
	}
	panic("not reached")
}

func (d *decoder) decodeGoMLX(v reflect.Value) {
	if v.Type() == tensorType {
		v.Set(reflect.ValueOf(d.decodeTensor()))
		return
	}
	var s stored
	d.decode(reflect.ValueOf(&s).Elem())
	v.Set(reflect.ValueOf(s.store()))
}

// encodeTensor encodes the shape, then the bytes, as in GoMLX's checkpoints. (GoMLX's gob encoding of a tensor takes
// six times as long to decode.)
func (e *encoder) encodeTensor(t *tensors.Tensor) *flaw {
	if err := t.CheckValid(); err != nil {
		return flawf("cannot be read: %v", err)
	}
	if f := e.encode(reflect.ValueOf(t.Shape())); f != nil || t.Size() == 0 {
		return f
	}
	if err := t.ConstBytes(func(data []byte) { e.w.Write(data) }); err != nil {
		return flawf("cannot be read: %v", err)
	}
	return nil
}

func (d *decoder) decodeTensor() *tensors.Tensor {
	var shape shapes.Shape
	d.decode(reflect.ValueOf(&shape).Elem())
	t := tensors.FromShape(shape)
	if t.Size() > 0 {
		check(t.MutableBytes(d.fill))
	}
	return t
}

// stored is an encoded model.Store. Unlike a checkpoint, it keeps the order of the variables and whether they are
// trainable.
type stored struct {
	Variables []variable
	Params    map[string]any
	AsConst   bool
}

type variable struct {
	Path      string
	Trainable bool
	Value     *tensors.Tensor
}

func take(s *model.Store) (stored, *flaw) {
	if loader := s.Loader(); loader != nil {
		// The handler of a checkpoint holds the variables that the store has not loaded yet.
		l, ok := loader.(interface {
			LoadedVariables() map[string]*tensors.Tensor
		})
		if !ok || len(l.LoadedVariables()) > 0 {
			return stored{}, flawf("has variables that are not loaded yet: load the checkpoint with Immediate()")
		}
	}
	kept := stored{Params: maps.Collect(s.IterParams()), AsConst: s.VariablesAsConst()}
	for v := range s.IterVariables() {
		if v.ShardingSpec() != nil {
			return kept, flawf("is distributed over devices: variable %s", v.Path())
		}
		value, err := v.Value()
		if err != nil {
			return kept, flawf("has a variable without a value: %v: run the model once, or call InitializeVariables", err)
		}
		kept.Variables = append(kept.Variables, variable{v.Path(), v.Trainable, value})
	}
	return kept, nil
}

func (kept stored) store() *model.Store {
	s := model.NewStore().WithVariableAsConst(kept.AsConst)
	s.SetParams(kept.Params)
	for _, v := range kept.Variables {
		variable, err := s.CreateVariable(v.Path, v.Value)
		check(err)
		variable.Trainable = v.Trainable
	}
	return s
}
