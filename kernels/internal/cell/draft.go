package cell

import (
	"go/token"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Draft returns a program around an unfinished cell, which need not parse, for a language server. cursor and at are the
// byte offsets of the cursor in the cell and in the program; ok is false if the cursor is not in Go code. packages maps
// names to paths of packages whose imports are added when the cell runs.
func (n *Notebook) Draft(source string, cursor int, packages map[string]string) (program string, at int, ok bool) {
	if IsForeign(source) {
		return "", 0, false
	}
	code := blankDirectives(source)
	line := source[strings.LastIndexByte(source[:cursor], '\n')+1 : cursor]
	if line != "" && line != code[cursor-len(line):cursor] {
		return "", 0, false // in a directive
	}
	c := &Cell{Source: source}
	_, entry := c.takeDirectives()
	before, body := code, ""
	if entry > 0 {
		end := 0 // of the line of "%%"
		for range entry {
			end += strings.IndexByte(code[end:]+"\n", '\n') + 1
		}
		end = min(end, len(code))
		before, body = code[:end], code[end:]
	}
	var imports, decls, statements []Span
	declared := map[string]bool{}
	section := &statements
	for _, i := range split(before) {
		into := &statements
		switch {
		case i.token == token.PACKAGE:
			continue
		case i.token == token.IMPORT:
			into = &imports
		case i.declares:
			into = &decls
			declared[declaredName(before[i.From:i.To])] = true
		}
		*into = append(*into, i.Span)
		if i.From <= cursor && cursor <= i.To {
			section = into
		}
	}
	var b strings.Builder
	b.WriteString(clause)
	imported := keepOnly(before, imports)
	for _, i := range n.Imports() {
		b.WriteString(strings.TrimSpace("import "+i.Name+" \""+i.Path+"\"") + "\n")
		imported += " " + i.key()
	}
	for _, m := range qualifier.FindAllStringSubmatch(code, -1) {
		name := m[1]
		if path := packages[name]; path != "" && !strings.Contains(imported, name) {
			b.WriteString("import \"" + path + "\"\n")
			imported += " " + name
		}
	}
	if section == &imports {
		at = b.Len() + cursor
	}
	b.WriteString(keepOnly(before, imports) + "\n")
	for _, d := range n.decls {
		if !slices.ContainsFunc(d.Names, func(name string) bool { return declared[name] }) {
			b.WriteString(d.Text + "\n")
		}
	}
	if section == &decls {
		at = b.Len() + cursor
	}
	b.WriteString(keepOnly(before, decls) + "\nfunc main() {\n")
	if entry > 0 {
		if cursor >= len(before) {
			at = b.Len() + cursor - len(before)
		}
		b.WriteString(body)
	} else {
		if section == &statements {
			at = b.Len() + cursor
		}
		b.WriteString(keepOnly(before, statements))
	}
	b.WriteString("\n}\n")
	if at == 0 {
		return "", 0, false
	}
	return b.String(), at, true
}

// qualifier matches a possible package name.
var qualifier = regexp.MustCompile(`([\pL_][\pL\pN_]*)\.`)

// declaredName returns the second word of a declaration, which is its name, if it has one.
func declaredName(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) < 2 {
		return ""
	}
	return words[1]
}

// blankDirectives returns source with the directives replaced by blanks, which keeps all offsets.
func blankDirectives(source string) string {
	lines := strings.Split(source, "\n")
	begins, _ := lineStates(lines, isDirective)
	for i := 0; i < len(lines); i++ {
		if begins[i] != inCode || !isDirective(lines[i]) {
			continue
		}
		for {
			more := strings.HasSuffix(lines[i], `\`)
			lines[i] = strings.Repeat(" ", len(lines[i]))
			if !more || i+1 == len(lines) {
				break
			}
			i++
		}
	}
	return strings.Join(lines, "\n")
}
