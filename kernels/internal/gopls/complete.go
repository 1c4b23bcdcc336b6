package gopls

import "context"

// Completion is a completion at the cursor.
type Completion struct {
	Text   string // to insert
	Kind   string // "function", "variable", "keyword" …
	Detail string // the signature or type; the path of a package that is not imported
}

// kinds are the names of the protocol's CompletionItemKind.
var kinds = [...]string{
	1: "text", "method", "function", "constructor", "field", "variable", "class", "interface", "module",
	"property", "unit", "value", "enum", "keyword", "snippet", "color", "file", "reference", "folder",
	"enum member", "constant", "struct", "event", "operator", "type parameter",
}

// Complete returns the completions at a byte offset of a file with the unsaved text content, the best first, and the
// bytes [from, to) that they replace: the name around the offset, if any. A relative file is in Dir; it need not exist.
// The completions include members of packages that are not imported, but not the imports.
//
// It waits until gopls is ready. If gopls dies, Complete returns an error, and the next call starts gopls again.
func (c *Client) Complete(ctx context.Context, file, content string, offset int) (matches []Completion, from, to int, err error) {
	var list struct {
		Items []struct {
			Kind     int
			Detail   string
			TextEdit struct {
				Range   textRange
				NewText string
			}
		}
	}
	if err := c.ask(ctx, file, content, "textDocument/completion", offset, &list); err != nil {
		return nil, offset, offset, err
	}
	from, to = offset, offset
	for i, item := range list.Items {
		r := item.TextEdit.Range
		if i == 0 {
			from, to = offsetAt(content, r.Start), offsetAt(content, r.End)
		} else if r != list.Items[0].TextEdit.Range {
			continue
		}
		match := Completion{Text: item.TextEdit.NewText, Detail: item.Detail}
		if item.Kind > 0 && item.Kind < len(kinds) {
			match.Kind = kinds[item.Kind]
		}
		matches = append(matches, match)
	}
	return matches, from, to, nil
}
