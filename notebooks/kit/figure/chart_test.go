package figure

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCharts sends charts as GoNB's pipe does, and looks at what arrives. That Vega-Lite draws them is seen in JupyterLab,
// see the tests of the lessons.
func TestCharts(t *testing.T) {
	curves := &Curves{Title: "training", X: "epoch", Y: "perplexity", LogY: true}
	bars := &Bars{Title: "regression", Y: "MSE", Value: "network", Line: "floor"}
	for i := range 20 {
		curves.Add("falling", float64(i), 1e6*math.Exp(-float64(i)))
		curves.Add("constant", float64(i), 7)
	}
	bars.Add("forward", 33.21, 33.2)
	bars.Add("both", 0.5, 0)
	bars.Add("diverged", math.Inf(1), math.NaN())
	curves.Add("constant", 20, math.Inf(-1))
	heatMap := &HeatMap{Title: "states", X: "t", Y: "unit", Values: [][]float64{{-1, 0, math.NaN()}, {1.0 / 3, math.Inf(-1), 1}}}
	for name, test := range map[string]struct {
		c    chart
		want []string
	}{
		"curves": {curves.chart(), []string{
			`{"name":"falling","x":1,"y":367879}`, `{"name":"constant (not drawn: 1 of 21 points)","x":1,"y":7}`, `"field":"x","scale":{"nice":false,"zero":false},"title":"epoch"`,
			`"field":"y","scale":{"type":"log"},"title":"perplexity"`, `"domain":["falling","constant (not drawn: 1 of 21 points)"],"range":["#0072b2","#d55e00"]`,
			`"domain":["falling","constant (not drawn: 1 of 21 points)"],"range":[[1,0],[6,3]]`,
		}},
		"bars": {bars.chart(), []string{
			`{"label":"33.2","line":33.2,"name":"forward","top":33.21,"value":33.21}`, `{"label":"+Inf","name":"diverged","top":0}`, `"sort":["forward","both","diverged"]`,
			`"domain":["network","floor"]`, `"title":"MSE"`,
		}},
		"heatmap": {heatMap.chart(), []string{
			`{"value":[-1,0,null],"y":0},{"value":[0.333333,-1,1],"y":1}`, `"clamp":true,"domain":[-1,1],"interpolate":"lab","range":["#00204d","#7c7b78","#ffea46"]`,
		}},
	} {
		var pipe bytes.Buffer
		var arrived map[string]any
		if err := gob.NewEncoder(&pipe).Encode(test.c); err != nil {
			t.Fatalf("%s cannot be sent: %v", name, err)
		}
		if err := gob.NewDecoder(&pipe).Decode(&arrived); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := json.Marshal(arrived)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(test.want, fmt.Sprintf(`"title":%q`, test.c["title"]), `"background":"white"`) {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %s:\n%s", name, want, text)
			}
		}
		if dir := os.Getenv("BIRNN_CHARTS"); dir != "" { // to look at them
			if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}
