package jupyter

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

var (
	escapes  = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	unshown  = regexp.MustCompile(`(?s)<(style|script)\b.*?</(style|script)>`)
	tags     = regexp.MustCompile(`(?s)<[^>]*>`)
	newlines = regexp.MustCompile(`\n{3,}`)
)

// plain returns the text of an output, without formatting.
func (o Output) plain() string {
	switch o.Type {
	case "stream":
		return plain(o.Text)
	case "error":
		if len(o.Traceback) > 0 {
			return plain(strings.Join(o.Traceback, "\n"))
		}
		return plain(o.Name + ": " + o.Value)
	}
	for _, kind := range []string{"text/plain", "text/markdown", "text/html"} {
		text := joined(o.Data[kind])
		if kind == "text/html" {
			text = html.UnescapeString(tags.ReplaceAllString(unshown.ReplaceAllString(text, ""), ""))
		}
		if text = plain(text); text != "" {
			return text
		}
	}
	return ""
}

// joined returns a text of the notebook format, which is a string or a list of lines.
func joined(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var all strings.Builder
		for _, line := range v {
			fmt.Fprint(&all, line)
		}
		return all.String()
	}
	return ""
}

func plain(text string) string {
	return strings.TrimSpace(newlines.ReplaceAllString(escapes.ReplaceAllString(text, ""), "\n\n"))
}

// Explain returns the outputs of a failed cell, in order, and the error, unless they contain it.
func (e Event) Explain() string {
	var parts []string
	for _, output := range e.Outputs {
		if text := output.plain(); text != "" {
			parts = append(parts, text)
		}
	}
	if !strings.Contains(strings.Join(parts, "\n"), e.Value) {
		parts = append(parts, plain(e.Name+": "+e.Value))
	}
	return strings.Join(parts, "\n")
}
