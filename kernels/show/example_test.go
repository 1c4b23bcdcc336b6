package show_test

import (
	"errors"
	"fmt"
	"strconv"

	"birnn/kernels/show"
)

// The kernel passes the last expression of a cell to Result. Outside a notebook, Result prints the text.
func ExampleResult() {
	show.Result(1 + 2)
	show.Result(strconv.Atoi("12")) // the error is nil
	show.Result(strconv.Atoi("分"))
	show.Result("分开", true)
	show.Result(struct {
		Name string
		Size []int
	}{"hidden", []int{256, 128}})
	show.Result(nil)
	show.Result()
	show.Result(errors.New("no such number"))
	// Output:
	// 3
	// 12
	// 0
	// error: strconv.Atoi: parsing "分": invalid syntax
	// "分开"
	// true
	// {Name:"hidden" Size:[256 128]}
	// error: no such number
}

func ExampleVegaLite() {
	err := show.VegaLite(map[string]any{
		"title":    "Perplexity by epoch",
		"data":     map[string]any{"values": []map[string]float64{{"epoch": 1, "perplexity": 900}, {"epoch": 2, "perplexity": 300}}},
		"mark":     map[string]any{"type": "line", "point": true},
		"encoding": map[string]any{"x": map[string]string{"field": "epoch"}, "y": map[string]string{"field": "perplexity"}},
	})
	fmt.Println(err)
	// Output:
	// Vega-Lite chart: Perplexity by epoch (line, x epoch, y perplexity)
	// <nil>
}

func ExampleSVG() {
	show.SVG(`<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><title>A square</title><rect width="10" height="10"/></svg>`)
	// Output: SVG drawing: A square
}

func ExampleMarkdown() {
	show.Markdown("The loss is $-\\sum_t \\log p_t$.")
	// Output: The loss is $-\sum_t \log p_t$.
}
