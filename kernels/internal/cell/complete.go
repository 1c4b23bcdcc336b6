package cell

import (
	"errors"
	"go/scanner"
	"go/token"
	"strings"
)

// Status is whether a cell can run, as a console asks at the end of a line.
type Status string

// The answers that the protocol knows.
const (
	Complete   Status = "complete"
	Incomplete Status = "incomplete"
	Invalid    Status = "invalid"
)

// IsComplete reports whether source can run as it is, or what to indent the
// next line with if more is to come.
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
	// What is wrong at the very end may be right with another line.
	if syntax, ok := errors.AsType[*SyntaxError](err); ok && !finished && strings.Contains(syntax.Message, unfinished) {
		return Incomplete, ""
	}
	return Invalid, ""
}

// brackets returns how many brackets are open at the end, whether each one
// that closes had one to close, and whether the last token wants another.
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
