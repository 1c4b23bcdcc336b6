package gopls

import (
	"context"
	"go/scanner"
	"go/token"
	"slices"
)

// Hover returns the documentation, in Markdown, of the name that is at a byte
// offset of a file or ends there; else, inside the parentheses of a call, that
// of what is called. File, content and errors are as for [Client.Complete].
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

// nameAt returns where the name begins that a cursor at offset is about: an
// identifier or the path of an import which the cursor touches, else the callee
// of the innermost call around it. It goes by tokens alone, as a program that is
// being written need not parse.
func nameAt(content string, offset int) (int, bool) {
	type bracket struct {
		token token.Token // IMPORT for the parenthesis behind it
		name  int         // where the name before it begins, or -1
	}
	var (
		open     []bracket
		name     = -1 // where the name just read begins, or -1
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
		case b.token == token.LBRACE: // what is around a block or a literal says nothing about it
			return 0, false
		case b.token == token.LPAREN && b.name >= 0:
			return b.name, true
		}
	}
	return 0, false
}
