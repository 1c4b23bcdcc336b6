package gopls

import (
	"context"
	"go/scanner"
	"go/token"
	"slices"
)

// Hover returns the documentation in Markdown of the name at a byte offset of a file; if there is no name, but the
// offset is in the parentheses of a call, it returns that of the callee. File, content and errors are those of
// [Client.Complete].
func (c *Client) Hover(ctx context.Context, file, content string, offset int) (markdown string, found bool, err error) {
	at, ok := nameAt(content, offset)
	if !ok {
		return "", false, nil
	}
	var hover struct{ Contents struct{ Value string } }
	if err := c.ask(ctx, file, content, "textDocument/hover", at, &hover); err != nil {
		return "", false, err
	}
	return hover.Contents.Value, hover.Contents.Value != "", nil
}

// nameAt returns the beginning of the name for a cursor at offset: the identifier or import path that the cursor
// touches, or else the callee of the innermost call around it. It uses only tokens, since an unfinished program may not
// parse.
func nameAt(content string, offset int) (int, bool) {
	type bracket struct {
		token token.Token // IMPORT for the parenthesis after it
		name  int         // the beginning of the name before it, or -1
	}
	var (
		open     []bracket
		name     = -1 // the beginning of the name just read, or -1
		previous token.Token
		s        scanner.Scanner
	)
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(content))
	s.Init(file, []byte(content), nil, 0)
	for {
		pos, tok, text := s.Scan()
		start := file.Offset(pos)
		if tok == token.EOF || start > offset {
			break
		}
		touched := offset <= start+len(text)
		if tok == token.IDENT && touched {
			return start, true
		}
		if tok == token.STRING && touched &&
			(previous == token.IMPORT || len(open) > 0 && open[len(open)-1].token == token.IMPORT) {
			return start, true
		}
		if start == offset {
			break
		}
		before := name
		name = -1
		switch tok {
		case token.IDENT:
			name = start
		case token.LPAREN, token.LBRACK, token.LBRACE:
			if previous == token.IMPORT {
				tok = token.IMPORT
			}
			open = append(open, bracket{tok, before})
		case token.RPAREN, token.RBRACK, token.RBRACE:
			if len(open) > 0 {
				if tok == token.RBRACK { // of f[int](x)
					name = open[len(open)-1].name
				}
				open = open[:len(open)-1]
			}
		}
		previous = tok
	}
	for _, b := range slices.Backward(open) {
		switch {
		case b.token == token.LBRACE: // a block or literal ends the search for a callee
			return 0, false
		case b.token == token.LPAREN && b.name >= 0:
			return b.name, true
		}
	}
	return 0, false
}
