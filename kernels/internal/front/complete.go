package front

import (
	"cmp"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/gopls"
)

// startGopls starts gopls in a directory set up like GoNB's. It loads the packages in the background.
func (f *Front) startGopls() {
	dir := filepath.Join(f.run, "gopls")
	command := filepath.Join(f.config.Bin, "gopls")
	os.MkdirAll(dir, 0o700)
	version := goVersion()
	for name, content := range map[string]string{
		"go.mod":  "module gonb_gopls\n\ngo " + version + "\n",
		"go.work": "go " + version + "\n\nuse (\n\t.\n\t" + strconv.Quote(f.config.Root) + "\n)\n",
		"main.go": "package main\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			f.log.Print(err)
			return
		}
	}
	client, err := gopls.Start(f.ctx, gopls.Options{Command: command, Dir: dir, Temp: f.run, Log: f.config.Log})
	if err != nil {
		f.log.Printf("without completion: %v", err)
		return
	}
	f.gopls.Store(client)
	go func() {
		// The first request makes gopls load the imports.
		program, at, _ := f.snapshot().Draft("fmt.Print", 9, f.packages())
		client.Complete(f.ctx, "main.go", program, at)
	}()
}

func (f *Front) stopGopls() {
	if client := f.gopls.Swap(nil); client != nil {
		client.Close()
	}
}

// patience is the time limit of a completion.
const patience = 5 * time.Second

// cursor is a position in a cell, in the form of the protocol.
type cursor struct {
	Code   string `json:"code"`
	Cursor int    `json:"cursor_pos"` // in characters
}

// offset returns the byte offset of the cursor.
func (c cursor) offset() int {
	at := 0
	for i := 0; i < c.Cursor && at < len(c.Code); i++ {
		_, n := utf8.DecodeRuneInString(c.Code[at:])
		at += n
	}
	return at
}

// snapshot returns the current notebook.
func (f *Front) snapshot() *cell.Notebook {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.notebook
}

// complete answers a complete_request.
func (f *Front) complete(r *request) any {
	var c cursor
	if err := r.Read(&c); err != nil {
		return map[string]any{"status": "error", "ename": "BadRequest", "evalue": err.Error(), "traceback": []string{}}
	}
	at := c.offset()
	var matches []gopls.Completion
	from, to := at, at
	if line := c.Code[strings.LastIndexByte(c.Code[:at], '\n')+1 : at]; strings.HasPrefix(line, "%") && !strings.Contains(line, " ") {
		from = at - len(line)
		for _, m := range magicNames() {
			if strings.HasPrefix(m, line) {
				matches = append(matches, gopls.Completion{Text: m, Kind: "magic"})
			}
		}
	} else if program, draftAt, ok := f.snapshot().Draft(c.Code, at, f.packages()); ok {
		if server := f.gopls.Load(); server != nil && server.Ready() {
			ctx, cancel := context.WithTimeout(f.ctx, patience)
			defer cancel()
			found, a, b, err := server.Complete(ctx, "main.go", program, draftAt)
			if err != nil {
				f.log.Printf("completion: %v", err)
			}
			matches, from, to = found, at-(draftAt-a), at+(b-draftAt)
		}
		if len(matches) == 0 {
			matches, from, to = f.simpleMatches(c.Code, at)
		}
	}
	if from < 0 || to > len(c.Code) || from > to {
		from, to = at, at
	}
	start, end := utf8.RuneCountInString(c.Code[:from]), utf8.RuneCountInString(c.Code[:to])
	texts, types := []string{}, []map[string]any{}
	for _, m := range matches {
		texts = append(texts, m.Text)
		types = append(types, map[string]any{"text": m.Text, "type": m.Kind, "start": start, "end": end, "signature": m.Detail})
	}
	return map[string]any{
		"status": "ok", "matches": texts, "cursor_start": start, "cursor_end": end,
		"metadata": map[string]any{"_jupyter_types_experimental": types},
	}
}

func isNameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// simpleMatches returns completions without gopls: names of the notebook and of the packages that it imports.
func (f *Front) simpleMatches(code string, at int) (matches []gopls.Completion, from, to int) {
	from = at
	for from > 0 {
		r, n := utf8.DecodeLastRuneInString(code[:from])
		if !isNameRune(r) {
			break
		}
		from -= n
	}
	prefix := code[from:at]
	n := f.snapshot()
	names := map[string]string{}
	if before, ok := strings.CutSuffix(code[:from], "."); ok {
		start := strings.LastIndexFunc(before, func(r rune) bool { return !isNameRune(r) }) + 1
		imports := n.Imports()
		if c, _ := cell.Parse(code); c != nil {
			imports = append(imports, c.Imports...)
		}
		if path := f.packages()[before[start:]]; path != "" {
			imports = append(imports, cell.Import{Path: path})
		}
		for _, i := range imports {
			if path := i.Path; cmp.Or(i.Name, filepath.Base(path)) == before[start:] {
				for name := range f.exports(path) {
					names[name] = "name"
				}
			}
		}
	} else if prefix != "" {
		for tok := token.BREAK; tok <= token.VAR; tok++ {
			names[tok.String()] = "keyword"
		}
		for _, d := range n.Decls() {
			for _, name := range d.Names {
				names[name] = strings.ToLower(d.Kind.String())
			}
		}
		for word := range strings.FieldsFuncSeq(code[:from], func(r rune) bool { return !isNameRune(r) }) {
			names[word] = cmp.Or(names[word], "name")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if strings.HasPrefix(name, prefix) && name != prefix && !strings.ContainsAny(name, ".") && !unicode.IsDigit(rune(name[0])) {
			matches = append(matches, gopls.Completion{Text: name, Kind: names[name]})
		}
	}
	return matches, from, at
}

// inspect answers an inspect_request.
func (f *Front) inspect(r *request) any {
	var c cursor
	answer := map[string]any{"status": "ok", "found": false, "data": map[string]any{}, "metadata": map[string]any{}}
	if r.Read(&c) != nil {
		return answer
	}
	ctx, cancel := context.WithTimeout(f.ctx, patience)
	defer cancel()
	if text, found := f.documentation(ctx, c.Code, c.offset()); found {
		answer["found"], answer["data"] = true, map[string]string{"text/markdown": text, "text/plain": text}
	}
	return answer
}

// documentation returns gopls's documentation of the name at an offset in a cell.
func (f *Front) documentation(ctx context.Context, code string, at int) (markdown string, found bool) {
	line := code[strings.LastIndexByte(code[:at], '\n')+1:]
	if strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") {
		return helpText, true
	}
	program, draftAt, ok := f.snapshot().Draft(code, at, f.packages())
	server := f.gopls.Load()
	if !ok || server == nil {
		return "", false
	}
	text, found, err := server.Hover(ctx, "main.go", program, draftAt)
	if err != nil {
		if !server.Ready() {
			return "gopls is still loading the packages. Try again in some seconds.", true
		}
		f.log.Printf("inspection: %v", err)
	}
	return text, found
}

// packages maps names to paths of the packages that a cell may use without an import: those of the standard library and
// of the repository.
func (f *Front) packages() map[string]string {
	f.known.Do(func() {
		f.byName = map[string]string{}
		cmd := exec.CommandContext(f.ctx, goCommand(), "list", "-e", "-find", "-f", "{{.Name}} {{.ImportPath}}", "./...", "std")
		cmd.Dir = f.config.Root
		out, err := cmd.Output()
		if err != nil {
			f.log.Printf("go list std: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
			if before := f.byName[name]; !hidden(path) && name != "main" && (before == "" || len(path) < len(before)) {
				f.byName[name] = path
			}
		}
	})
	return f.byName
}

// hidden reports whether a cell cannot import a package.
func hidden(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return part == "internal" || part == "vendor" })
}

// exports returns the exported names of a package, by its source, or nil if the package is not found.
func (f *Front) exports(path string) map[string]bool {
	f.exported.Lock()
	defer f.exported.Unlock()
	if names, ok := f.exported.names[path]; ok {
		return names
	}
	cmd := exec.CommandContext(f.ctx, goCommand(), "list", "-find", "-f", "{{.Dir}}", path)
	cmd.Dir = f.config.Root
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	names := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range file.Decls {
			for _, name := range topLevelNames(d) {
				if ast.IsExported(name) {
					names[name] = true
				}
			}
		}
	}
	f.exported.names[path] = names
	return names
}

func topLevelNames(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					names = append(names, id.Name)
				}
			}
		}
	}
	return names
}
