package show

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// JupyterLab 4 and Notebook 7 render this version without a network.
const vegaLite = "application/vnd.vegalite.v5+json"

// VegaLite displays a chart given by a Vega-Lite 5 specification: JSON in a string or []byte, or a map or struct that
// encodes to JSON. It returns an error if that is not a JSON object. An empty array in it becomes null on the way to
// GoNB.
func VegaLite(spec any) error {
	var text []byte
	var err error
	switch spec := spec.(type) {
	case string:
		text = []byte(spec)
	case []byte:
		text = spec
	default:
		if text, err = json.Marshal(spec); err != nil {
			return fmt.Errorf("show.VegaLite: %w", err)
		}
	}
	var chart map[string]any
	if err := json.Unmarshal(text, &chart); err != nil {
		return fmt.Errorf("show.VegaLite: the specification is not a JSON object: %w", err)
	}
	if chart == nil {
		return fmt.Errorf("show.VegaLite: the specification is null")
	}
	send(mimes{vegaLite: forPipe(chart), protocol.MIMETextPlain: chartText(chart)})
	return nil
}

// forPipe replaces null, which gob rejects, by a value that arrives as null.
func forPipe(value any) any {
	switch value := value.(type) {
	case nil:
		return []any(nil)
	case map[string]any:
		for key, part := range value {
			value[key] = forPipe(part)
		}
	case []any:
		for i, part := range value {
			value[i] = forPipe(part)
		}
	}
	return value
}

// chartText describes the chart for readers who cannot see it.
func chartText(chart map[string]any) string {
	text := "Vega-Lite chart"
	for _, key := range []string{"title", "description"} {
		title := chart[key]
		if parts, ok := title.(map[string]any); ok {
			title = parts["text"]
		}
		if title, ok := title.(string); ok {
			text += ": " + title
			break
		}
	}
	mark := chart["mark"]
	if parts, ok := mark.(map[string]any); ok {
		mark = parts["type"]
	}
	var details []string
	if mark, ok := mark.(string); ok {
		details = append(details, mark)
	}
	channels, _ := chart["encoding"].(map[string]any)
	for _, name := range []string{"x", "y", "color"} {
		if channel, ok := channels[name].(map[string]any); ok {
			if field, ok := channel["field"].(string); ok {
				details = append(details, name+" "+field)
			}
		}
	}
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	return text
}
