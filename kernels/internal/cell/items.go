package cell

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// keepOnly returns the code with blanks instead of everything outside the spans.
func keepOnly(code string, spans []Span) string {
	kept := []byte(code)
	at := 0
	blank := func(to int) {
		for ; at < to; at++ {
			if kept[at] != '\n' {
				kept[at] = ' '
			}
		}
	}
	for _, s := range spans {
		blank(s.From)
		at = s.To
	}
	blank(len(kept))
	return string(kept)
}

// item is a declaration or a statement at the top level of a cell.
type item struct {
	Span
	token     token.Token // the first one
	declares  bool
	semicolon bool // ends with an explicit semicolon
}

// split divides code into items. Scanner errors are ignored: the parser reports them.
func split(code string) []item {
	var s scanner.Scanner
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, scanner.ScanComments)
	var items []item
	var tokens []token.Token // of the current item
	now := item{Span: Span{From: -1}}
	comments := -1 // the offset of the comments before the item
	depth, lastComment, headers := 0, 0, 0
	end := func(at int) {
		now.To = max(now.From, len(strings.TrimRight(code[:min(at, len(code))], " \t\r\n")))
		now.declares = declares(tokens)
		items = append(items, now)
		now, tokens, comments, headers = item{Span: Span{From: -1}}, nil, -1, 0
	}
	for {
		pos, tok, lit := s.Scan()
		at := 0
		if pos.IsValid() {
			at = file.Offset(pos)
		}
		switch {
		case tok == token.EOF:
			if now.From >= 0 {
				end(len(code))
			}
			return items
		case tok == token.COMMENT:
			if now.From < 0 {
				if comments < 0 || strings.Count(code[lastComment:at], "\n") > 1 {
					comments = at // an empty line separates a comment from what follows
				}
				lastComment = at + len(lit)
			}
			continue
		case tok == token.SEMICOLON && depth == 0:
			if now.From < 0 {
				continue // an empty statement
			}
			if lit == ";" && headers < mostHeaders && isHeader(code[now.From:at], tokens) {
				headers++
				continue
			}
			if now.semicolon = lit == ";"; now.semicolon {
				at++
			}
			end(at)
			continue
		}
		if now.From < 0 {
			now.From, now.token = at, tok
			if comments >= 0 && strings.Count(code[lastComment:at], "\n") <= 1 {
				now.From = comments
			}
		}
		switch tok {
		case token.LPAREN, token.LBRACK, token.LBRACE:
			depth++
		case token.RPAREN, token.RBRACK, token.RBRACE:
			depth = max(0, depth-1)
		}
		tokens = append(tokens, tok)
	}
}

// mostHeaders bounds the semicolons in the headers of a statement: each is parsed with all before it.
const mostHeaders = 100

// isHeader reports whether the text before a semicolon is only the beginning of a statement, as of for i := 0; i < n; i++.
func isHeader(text string, tokens []token.Token) bool {
	for len(tokens) > 2 && tokens[0] == token.IDENT && tokens[1] == token.COLON { // labels
		tokens = tokens[2:]
	}
	switch tokens[0] {
	case token.FOR, token.IF, token.SWITCH:
		_, err := parser.ParseFile(token.NewFileSet(), "", clause+"func _() {\n"+text+"\n}", parser.SkipObjectResolution)
		return err != nil
	}
	return false
}

// separate divides a declaration into the parts that are a declaration and those that are a statement: the specifications
// with offsets in local.
func separate(code string, item Span, local map[int]bool) (global, inside []Span) {
	if len(local) == 0 {
		return []Span{item}, nil
	}
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", clause+code[item.From:item.To], parser.SkipObjectResolution)
	if err != nil || len(f.Decls) != 1 {
		return []Span{item}, nil
	}
	d, ok := f.Decls[0].(*ast.GenDecl)
	if !ok || len(d.Specs) == 0 {
		return []Span{item}, nil
	}
	offset := func(p token.Pos) int { return files.Position(p).Offset - len(clause) + item.From }
	if d.Tok == token.CONST || !d.Rparen.IsValid() {
		if at := offset(d.Specs[0].Pos()); local[at] || local[offset(d.Pos())] {
			return nil, []Span{item}
		}
		return []Span{item}, nil
	}
	head, tail := Span{item.From, offset(d.Specs[0].Pos())}, Span{offset(d.Rparen), item.To}
	for i, spec := range d.Specs {
		part := Span{offset(spec.Pos()), tail.From}
		if i+1 < len(d.Specs) {
			part.To = offset(d.Specs[i+1].Pos())
		}
		if local[part.From] {
			inside = append(inside, part)
		} else {
			global = append(global, part)
		}
	}
	for _, parts := range []*[]Span{&global, &inside} {
		if len(*parts) > 0 {
			*parts = append(append([]Span{head}, *parts...), tail)
		}
	}
	return global, inside
}

// declares reports whether tokens begin a declaration. A func without a name is a function literal, unless it is a
// method.
func declares(tokens []token.Token) bool {
	switch tokens[0] {
	case token.TYPE, token.VAR, token.CONST:
		return true
	case token.FUNC:
	default:
		return false
	}
	if len(tokens) > 1 && tokens[1] == token.IDENT {
		return true
	}
	depth := 0
	for i := 1; i < len(tokens); i++ {
		switch tokens[i] {
		case token.LPAREN:
			depth++
		case token.RPAREN:
			if depth--; depth == 0 {
				return i+2 < len(tokens) && tokens[i+1] == token.IDENT && tokens[i+2] == token.LPAREN
			}
		}
	}
	return false
}

// position returns the line and column of an offset.
func position(code string, offset int) (line, column int) {
	before := code[:offset]
	return 1 + strings.Count(before, "\n"), offset - strings.LastIndexByte(before, '\n')
}
