package lesson

import (
	"errors"
	"fmt"
	"strings"

	"birnn/notebooks/kit/figure"

	"github.com/gomlx/gomlx/ml/model"
)

// Network describes the network whose parameters birnnlib.New and birnnlib.Output created at the root of a store. The
// cells may be RNN, LSTM or GRU. A store without a hidden layer is an error.
func Network(params *model.Store) (*figure.Network, error) {
	n := &figure.Network{}
	for l := 1; ; l++ {
		var layer figure.Layer
		for v := range params.Scope(fmt.Sprintf("/layer_%d", l)).IterVariables() {
			dims, direction := v.Shape().Dimensions, &layer.Forward
			layer.Parameters += v.Shape().Size()
			if strings.HasSuffix(v.Name(), "^b") {
				direction = &layer.Backward
			}
			switch {
			case strings.HasPrefix(v.Name(), "W_h"): // from h units to one or more gates of h each
				*direction = dims[0]
			case l == 1 && strings.HasPrefix(v.Name(), "W_x"):
				n.Inputs = dims[0]
			}
		}
		if layer.Parameters == 0 {
			break
		}
		n.Layers = append(n.Layers, layer)
	}
	if len(n.Layers) == 0 {
		return nil, errors.New("the store holds no hidden layer; build the network with birnnlib.New in its root first")
	}
	for _, name := range []string{"/W_hq", "/b_q"} {
		if v := params.GetVariable(name); v != nil {
			dims := v.Shape().Dimensions
			n.Outputs.Forward = dims[len(dims)-1]
			n.Outputs.Parameters += v.Shape().Size()
		}
	}
	return n, nil
}
