package front

import (
	"cmp"
	"context"
	"errors"
	"go/token"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/gopls"
)

// completer answers requests for completion and documentation, each in a separate goroutine, with gopls once that has
// loaded the packages.
type completer struct {
	ctx      context.Context
	run      string // directory of temporary files
	root     string // of the repository
	log      *log.Logger
	notebook func() *cell.Notebook // returns the current one
	packages *packages
	gopls    atomic.Pointer[gopls.Client]
	modules  []string // fetched modules, with their versions
	sums     []byte   // their go.sum
}

func (c *completer) dir() string { return filepath.Join(c.run, "gopls") }

// write writes the module of the directory in which gopls runs, which is set up like GoNB's.
func (c *completer) write() error {
	version := goVersion()
	var require strings.Builder
	for _, module := range c.modules {
		require.WriteString("require " + strings.Replace(module, "@", " ", 1) + "\n")
	}
	err := os.MkdirAll(c.dir(), 0o700)
	for name, content := range map[string]string{
		"go.mod":  "module gonb_gopls\n\ngo " + version + "\n\n" + require.String(),
		"go.sum":  string(c.sums),
		"go.work": "go " + version + "\n\nuse (\n\t.\n\t" + strconv.Quote(c.root) + "\n)\n",
		"main.go": "package main\n\nfunc main() {}\n",
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(c.dir(), name), []byte(content), 0o600))
	}
	return err
}

// use tells gopls which modules were fetched.
func (c *completer) use(modules []string, sums []byte) {
	if slices.Equal(modules, c.modules) {
		return
	}
	c.modules, c.sums = modules, sums
	err := c.write()
	if client := c.gopls.Load(); err == nil && client != nil {
		err = client.Changed("go.mod", "go.sum")
	}
	if err != nil {
		c.log.Printf("completion in fetched packages: %v", err)
	}
}

// start starts the gopls in bin. It loads the packages in the background.
func (c *completer) start(bin string) {
	if err := c.write(); err != nil {
		c.log.Print(err)
		return
	}
	client, err := gopls.Start(c.ctx, gopls.Options{Command: filepath.Join(bin, "gopls"), Dir: c.dir(), Temp: c.run, Log: c.log.Writer()})
	if err != nil {
		c.log.Printf("without completion: %v", err)
		return
	}
	c.gopls.Store(client)
	go func() {
		// The first request makes gopls load the imports.
		program, at, _ := c.notebook().Draft("fmt.Print", 9, c.packages.paths())
		client.Complete(c.ctx, "main.go", program, at)
	}()
}

// stop ends gopls.
func (c *completer) stop() {
	if client := c.gopls.Swap(nil); client != nil {
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

// complete answers a complete_request.
func (c *completer) complete(r *request) any {
	var q cursor
	if err := r.Read(&q); err != nil {
		return map[string]any{"status": "error", "ename": "BadRequest", "evalue": err.Error(), "traceback": []string{}}
	}
	at := q.offset()
	var matches []gopls.Completion
	from, to := at, at
	if line := q.Code[strings.LastIndexByte(q.Code[:at], '\n')+1 : at]; strings.HasPrefix(line, "%") && !strings.Contains(line, " ") {
		from = at - len(line)
		for _, m := range magicNames() {
			if strings.HasPrefix(m, line) {
				matches = append(matches, gopls.Completion{Text: m, Kind: "magic"})
			}
		}
	} else if program, draftAt, ok := c.notebook().Draft(q.Code, at, c.packages.paths()); ok {
		if server := c.gopls.Load(); server != nil && server.Ready() {
			ctx, cancel := context.WithTimeout(c.ctx, patience)
			defer cancel()
			found, a, b, err := server.Complete(ctx, "main.go", program, draftAt)
			if err != nil {
				c.log.Printf("completion: %v", err)
			}
			matches, from, to = found, at-(draftAt-a), at+(b-draftAt)
		}
		if len(matches) == 0 {
			matches, from, to = c.simpleMatches(q.Code, at)
		}
	}
	if from < 0 || to > len(q.Code) || from > to {
		from, to = at, at
	}
	start, end := utf8.RuneCountInString(q.Code[:from]), utf8.RuneCountInString(q.Code[:to])
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
func (c *completer) simpleMatches(code string, at int) (matches []gopls.Completion, from, to int) {
	from = at
	for from > 0 {
		r, n := utf8.DecodeLastRuneInString(code[:from])
		if !isNameRune(r) {
			break
		}
		from -= n
	}
	prefix := code[from:at]
	n := c.notebook()
	names := map[string]string{}
	if before, ok := strings.CutSuffix(code[:from], "."); ok {
		start := strings.LastIndexFunc(before, func(r rune) bool { return !isNameRune(r) }) + 1
		imports := n.Imports()
		if now, _ := cell.Parse(code); now != nil {
			imports = append(imports, now.Imports...)
		}
		if path := c.packages.paths()[before[start:]]; path != "" {
			imports = append(imports, cell.Import{Path: path})
		}
		for _, i := range imports {
			if path := i.Path; cmp.Or(i.Name, filepath.Base(path)) == before[start:] {
				for name := range c.packages.exports(path) {
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
func (c *completer) inspect(r *request) any {
	var q cursor
	answer := map[string]any{"status": "ok", "found": false, "data": map[string]any{}, "metadata": map[string]any{}}
	if r.Read(&q) != nil {
		return answer
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	if text, found := c.documentation(ctx, q.Code, q.offset()); found {
		answer["found"], answer["data"] = true, map[string]string{"text/markdown": text, "text/plain": text}
	}
	return answer
}

// documentation returns gopls's documentation of the name at an offset in a cell.
func (c *completer) documentation(ctx context.Context, code string, at int) (markdown string, found bool) {
	line := code[strings.LastIndexByte(code[:at], '\n')+1:]
	if strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") {
		return helpText, true
	}
	program, draftAt, ok := c.notebook().Draft(code, at, c.packages.paths())
	server := c.gopls.Load()
	if !ok || server == nil {
		return "", false
	}
	text, found, err := server.Hover(ctx, "main.go", program, draftAt)
	if err != nil {
		if !server.Ready() {
			return "gopls is still loading the packages. Try again in some seconds.", true
		}
		c.log.Printf("inspection: %v", err)
	}
	return text, found
}
