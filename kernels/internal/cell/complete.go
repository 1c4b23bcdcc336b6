package cell

import (
	"errors"
	"go/scanner"
	"go/token"
	"strings"
)

// Status is the answer to a console that asks at the end of a line whether the cell is complete.
type Status string

// The answers of the protocol.
const (
	Complete   Status = "complete"
	Incomplete Status = "incomplete"
	Invalid    Status = "invalid"
)

// IsComplete reports whether source is a complete cell; if not, indent is the indentation of the next line.
func IsComplete(source string) (status Status, indent string) {
	finished := strings.HasSuffix(source, "\n") // an empty line at the end
	if IsForeign(source) {
		if finished {
			return Complete, ""
		}
		return Incomplete, ""
	}
	lines := strings.Split(source, "\n")
	begins, end := lineStates(lines, isDirective)
	if end != inCode {
		return Incomplete, ""
	}
	last := strings.TrimRight(lines[len(lines)-1], " \t\r")
	if begins[len(lines)-1] == inCode && isDirective(last) {
		if strings.HasSuffix(last, `\`) || isEntry(command(last)) {
			return Incomplete, ""
		}
	}
	depth, closed, open := brackets(source)
	switch {
	case !closed:
		return Invalid, ""
	case depth > 0:
		return Incomplete, strings.Repeat("\t", depth)
	case open:
		return Incomplete, "\t"
	}
	_, err := Parse(source)
	if err == nil {
		return Complete, ""
	}
	// An error at the very end may be corrected by another line.
	if syntax, ok := errors.AsType[*SyntaxError](err); ok && !finished && strings.Contains(syntax.Message, unfinished) {
		return Incomplete, ""
	}
	return Invalid, ""
}

// brackets returns the number of unclosed brackets, whether each closing bracket matches an opening one, and whether
// the last token needs another after it.
func brackets(source string) (depth int, closed, open bool) {
	c := &Cell{Source: source}
	code, _ := c.takeDirectives()
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, 0)
	closing := map[token.Token]token.Token{token.RPAREN: token.LPAREN, token.RBRACK: token.LBRACK, token.RBRACE: token.LBRACE}
	var stack []token.Token
	for {
		_, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return len(stack), true, open
		case token.LPAREN, token.LBRACK, token.LBRACE:
			stack = append(stack, tok)
		case token.RPAREN, token.RBRACK, token.RBRACE:
			if len(stack) == 0 || stack[len(stack)-1] != closing[tok] {
				return 0, false, false
			}
			stack = stack[:len(stack)-1]
		}
		if tok != token.SEMICOLON || lit == ";" {
			open = tok.IsOperator() && tok != token.RPAREN && tok != token.RBRACK && tok != token.RBRACE &&
				tok != token.INC && tok != token.DEC && tok != token.SEMICOLON
		}
	}
}
