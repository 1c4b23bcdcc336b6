package birnnlib_test

import (
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/internal/testall"

	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// TestSharding splits the batch over several devices by GoMLX's auto-sharding: outputs, loss and all gradients equal
// those of a single device.
func TestSharding(t *testing.T) { sharding(t, map[string]birnnlib.Cell{"RNN": birnnlib.RNN{}}) }

func TestLongSharding(t *testing.T) {
	testall.Long(t)
	sharding(t, map[string]birnnlib.Cell{"LSTM": birnnlib.LSTM{}, "GRU": birnnlib.GRU{}})
}

func sharding(t *testing.T, cells map[string]birnnlib.Cell) {
	t.Parallel()
	const T, n, d, devices = 5, 8, 3, 4
	opened, err := backend.Open(t.Context(), backend.Options{CPUDevices: devices})
	if err != nil {
		t.Fatal(err)
	}
	b := opened.Backend
	t.Cleanup(b.Finalize)
	if b.NumDevices() < devices {
		testall.Missing(t, "%s has %d devices, this needs %d", opened, b.NumDevices(), devices)
	}
	for name, cell := range cells {
		t.Run(name, func(t *testing.T) {
			step := func(scope *model.Scope, x *Node) []*Node {
				h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 3, Backward: 2}, birnnlib.Sizes{Forward: 2, Backward: 2}).
					Cell(cell).Initializer(everywhere).Done()
				loss := ReduceAllMean(Mul(h, h))
				var parameters []*Node
				for v := range scope.IterVariables() {
					parameters = append(parameters, v.NodeValue(x.Graph()))
				}
				return append([]*Node{h, loss}, Gradient(loss, parameters...)...)
			}
			x := random(1, T, n, d)
			want, err := model.CallOnceN(b, model.NewStore(), step, x)
			if err != nil {
				t.Fatal(err)
			}

			mesh, err := distributed.NewDeviceMesh([]int{devices}, []string{"batch"})
			if err != nil {
				t.Fatal(err)
			}
			split, err := distributed.BuildSpec(mesh).R().S("batch").Done()
			if err != nil {
				t.Fatal(err)
			}
			everywhereTheSame := distributed.NewReplicatedShardingSpec(mesh)
			exec, err := model.NewExec(b, model.NewStore(), step)
			if err != nil {
				t.Fatal(err)
			}
			exec = exec.AutoSharding(mesh).WithInputShardingSpecs(split).WithOutputShardingSpecs(split, everywhereTheSame)
			if err := exec.SetDefaultShardingSpec(everywhereTheSame); err != nil {
				t.Fatal(err)
			}
			shards, err := dtensor.ShardTensor(split, x)
			if err != nil {
				t.Fatal(err)
			}
			outputs, err := exec.DistributedExec(shards)
			if err != nil {
				t.Fatal(err)
			}
			var got []*tensors.Tensor
			for _, o := range outputs {
				whole, err := o.Merge()
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, whole)
			}
			if shape := outputs[0].ShardShape(); shape.Dim(1) != n/devices {
				t.Errorf("a device has outputs %s; the batch is not split", shape)
			}
			same(t, "four devices", got, want, 1e-12)
		})
	}
}
