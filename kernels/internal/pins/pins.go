// Package pins holds the exact versions of everything that is installed, with
// the hashes that go with them.
package pins

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"birnn/internal/simd"
)

// Go is the Go of the pure-Go kernel where the Go that is here does not compile SIMD instructions.
const Go = simd.Go

// Versions that people like to know.
const (
	JupyterLab = "4.6.6"
	NBClient   = "0.11.0"
)

// Requirements are the Python packages that are used directly.
//
//go:embed requirements.txt
var Requirements []byte

// Constraints pin what those need in turn. They come from "pip freeze" in an
// environment made from Requirements alone.
//
//go:embed constraints.txt
var Constraints []byte

// Tool is a Go program that is built from source in a module of its own, whose
// go.sum pins the hash of every module in it.
type Tool struct {
	Name, Package, Version string

	// Wrapper, if not empty, is a shell script that takes the program's place
	// under its name; the program itself is beside it with "-real" in its name.
	Wrapper string
}

// Binary is the file name of the program itself.
func (t Tool) Binary() string {
	if t.Wrapper != "" {
		return t.Name + "-real"
	}
	return t.Name
}

// goplsWrapper ends a gopls whose kernel is gone. GoNB starts one for each
// kernel and ends it with the kernel, unless the kernel itself is killed.
const goplsWrapper = `#!/bin/sh
case "$1" in
-listen) set -- "$@" -listen.timeout=1m ;;
esac
exec "$0-real" "$@"
`

// Tools are the Go kernel and the two programs it calls. They cannot share a
// module: gopls belongs to a different version of x/tools than goimports.
var Tools = []Tool{
	{"gonb", "github.com/janpfeifer/gonb", "v0.11.5", ""},
	{"goimports", "golang.org/x/tools/cmd/goimports", "v0.52.0", ""},
	{"gopls", "golang.org/x/tools/gopls", "v0.23.0", goplsWrapper},
}

//go:embed tools
var toolFiles embed.FS

// Files returns the go.mod and go.sum of the tool's module.
func (t Tool) Files() (mod, sum []byte) {
	mod, err := toolFiles.ReadFile("tools/" + t.Name + ".mod")
	if err != nil {
		panic(err) // embedded
	}
	if sum, err = toolFiles.ReadFile("tools/" + t.Name + ".sum"); err != nil {
		panic(err)
	}
	return mod, sum
}

// WriteModule makes dir the module from which the tool is built.
func (t Tool) WriteModule(dir string) error {
	mod, sum := t.Files()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644)
}

// Stamp is a hash of everything that decides how a step turns out: when it is
// what it was, the step need not be done again.
func Stamp(parts ...any) string {
	h := sha256.New()
	for _, part := range parts {
		if b, ok := part.([]byte); ok {
			part = string(b)
		}
		io.WriteString(h, fmt.Sprintf("%d:%v\n", len(fmt.Sprint(part)), part))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
