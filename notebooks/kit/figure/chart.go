package figure

import (
	"encoding/json"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// A chart is a specification of Vega-Lite 5, https://vega.github.io/vega-lite. JupyterLab draws it in place of the PNG
// next to it, and shows the values under the pointer.
type chart = map[string]any

const vegaLite protocol.MIMEType = "application/vnd.vegalite.v5+json"

// newChart returns a chart of the size of a PNG, on white like it, with what is added to it.
func newChart(title string, more chart) chart {
	c := chart{
		"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "title": title, "width": 600, "height": 240,
		"config": chart{ // or the dark theme of JupyterLab would write white on white
			"background": "white", "view": chart{"stroke": "#ddd"}, "title": chart{"color": "black"},
			"axis":  chart{"domainColor": "#888", "gridColor": "#ddd", "tickColor": "#888"},
			"style": chart{"guide-label": chart{"fill": "black"}, "guide-title": chart{"fill": "black"}},
		},
	}
	for key, value := range more {
		c[key] = value
	}
	return c
}

// chart is the figure for Vega-Lite, with the colours and dashes of the PNG.
func (c *Curves) chart() chart {
	var values, names, range_, widths, dashed []any
	for i, style := range c.styles() {
		of := c.curves[i]
		names, range_, widths = append(names, of.label()), append(range_, hex(style.colour)), append(widths, style.width.Points()*4/3)
		dash := []any{1.0, 0.0} // solid
		for j, length := range style.dashes {
			dash = append(dash[:j:j], length.Points())
		}
		dashed = append(dashed, dash)
		for _, p := range of.points {
			values = append(values, chart{"x": short(p.X), "y": short(p.Y), "name": of.label()})
		}
	}
	y, ticks := chart{"zero": false}, 6
	if c.LogY {
		y, ticks = chart{"type": "log"}, 4 // else there is a line for each of 1, 2, …, 9
	}
	by := func(range_ []any) chart {
		return chart{"field": "name", "type": "nominal", "title": "", "scale": chart{"domain": names, "range": range_}, "legend": above("stroke")}
	}
	return newChart(c.Title, chart{
		"data": chart{"values": values},
		"mark": chart{"type": "line", "point": "transparent", "tooltip": true},
		"encoding": chart{
			"x":     chart{"field": "x", "type": "quantitative", "title": c.X, "scale": chart{"zero": false, "nice": false}},
			"y":     chart{"field": "y", "type": "quantitative", "title": c.Y, "scale": y, "axis": chart{"tickCount": ticks}},
			"color": by(range_), "strokeDash": by(dashed), "strokeWidth": by(widths),
		},
	})
}

// chart is the figure for Vega-Lite: bars, a line across each, and the values above.
func (b *Bars) chart() chart {
	var values, names []any
	foot := b.foot()
	for _, bar := range b.bars {
		names = append(names, bar.name)
		of := chart{"name": bar.name, "top": short(bar.top(foot)), "label": fmt.Sprintf("%.3g", bar.value)}
		if b.LogY {
			of["foot"] = foot
		}
		if b.drawn(bar.value) {
			of["value"] = short(bar.value)
		}
		if b.drawn(bar.line) {
			of["line"] = short(bar.line)
		}
		values = append(values, of)
	}
	x := chart{"field": "name", "type": "nominal", "sort": names, "title": "", "axis": chart{"labelAngle": 0}}
	called := func(name string) chart {
		return chart{"datum": name, "type": "nominal", "title": "", "legend": above("square"),
			"scale": chart{"domain": []any{b.Value, b.Line}, "range": []any{hex(colours[4]), "#000000"}}}
	}
	tooltip := []any{
		chart{"field": "name", "type": "nominal", "title": b.Title},
		chart{"field": "value", "type": "quantitative", "title": b.Value}, chart{"field": "line", "type": "quantitative", "title": b.Line},
	}
	y := func(field string) chart { return chart{"field": field, "type": "quantitative", "title": b.Y} }
	columns := chart{"x": x, "y": y("value"), "color": called(b.Value), "tooltip": tooltip}
	if b.LogY {
		var ticks []any
		for _, tick := range (decades{}).Ticks(foot, b.roof()) {
			ticks = append(ticks, tick.Value)
		}
		y = func(field string) chart {
			return chart{"field": field, "type": "quantitative", "title": b.Y,
				"scale": chart{"type": "log", "domain": []any{foot, b.roof()}}, "axis": chart{"values": ticks}}
		}
		columns["y"], columns["y2"] = y("value"), chart{"field": "foot"}
	}
	return newChart(b.Title, chart{
		"data": chart{"values": values},
		"layer": []any{
			chart{"mark": "bar", "encoding": columns},
			chart{"mark": chart{"type": "tick", "thickness": 2, "bandSize": 60}, "encoding": chart{"x": x, "y": y("line"), "color": called(b.Line), "tooltip": tooltip}},
			chart{"mark": chart{"type": "text", "dy": -8}, "encoding": chart{"x": x, "y": y("top"), "text": chart{"field": "label", "type": "nominal"}}},
		},
	})
}

// chart is the figure for Vega-Lite. Each row is a list, to be short; Vega-Lite takes it apart.
func (h *HeatMap) chart() chart {
	var rows []any
	lowest, highest := h.scale()
	for i, row := range h.Values {
		var values []any
		for _, v := range row {
			switch {
			case math.IsNaN(v):
				values = append(values, []any(nil)) // becomes null; nil cannot be sent
			case math.IsInf(v, 0): // which JSON cannot hold
				values = append(values, short(min(max(v, lowest), highest)))
			default:
				values = append(values, short(v))
			}
		}
		rows = append(rows, chart{"y": i, "value": values})
	}
	axis := func(field, title, sort string) chart {
		labels := chart{"labelAngle": 0, "labelOverlap": true}
		if field == "x" && h.Columns != nil {
			names, _ := json.Marshal(h.Columns)
			labels["labelExpr"] = fmt.Sprintf("[%s[datum.value], datum.value]", names)
		}
		return chart{"field": field, "type": "ordinal", "title": title, "sort": sort, "axis": labels, "scale": chart{"padding": 0}}
	}
	return newChart(h.Title, chart{
		"data": chart{"values": rows},
		"transform": []any{
			chart{"flatten": []any{"value"}},
			chart{"window": []any{chart{"op": "row_number", "as": "column"}}, "groupby": []any{"y"}},
			chart{"calculate": "datum.column - 1", "as": "x"},
		},
		"mark": chart{"type": "rect", "tooltip": true},
		"encoding": chart{
			"x": axis("x", h.X, "ascending"), "y": axis("y", h.Y, "descending"),
			"color": chart{"field": "value", "type": "quantitative", "title": "", "scale": chart{
				"domain": []any{short(lowest), short(highest)}, "clamp": true, "interpolate": "lab", "range": []any{hex(brightness[0]), hex(brightness[1]), hex(brightness[2])}}},
		},
	})
}

// above is a legend above the figure, with symbols of a shape.
func above(symbol string) chart {
	return chart{"orient": "top", "symbolType": symbol, "symbolSize": 200, "symbolOpacity": 1, "labelLimit": 400}
}

// short rounds to six digits, so that a notebook stays small.
func short(x float64) float64 {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	return x
}

func hex(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
