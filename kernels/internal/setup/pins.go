package setup

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Versions shown to users.
const (
	jupyterLabVersion = "4.6.6"
	nbclientVersion   = "0.11.0"
)

// requirements lists the Python packages that are used directly.
//
//go:embed pins/requirements.txt
var requirements []byte

// constraints pins the dependencies of requirements. It is the output of "pip freeze" in an environment made from them.
//
//go:embed pins/constraints.txt
var constraints []byte

// tool is a Go program, built from source in a separate module whose go.sum pins the hash of every dependency.
type tool struct {
	name, path, version string

	// wrapper, if not empty, is a shell script installed under the program's name. The program itself gets the suffix
	// "-real".
	wrapper string
}

// binary is the file name of the program itself.
func (t tool) binary() string {
	if t.wrapper != "" {
		return t.name + "-real"
	}
	return t.name
}

// goplsWrapper makes gopls exit some time after its kernel has. GoNB starts a gopls for each kernel and stops it with
// the kernel, unless the kernel is killed.
const goplsWrapper = `#!/bin/sh
case "$1" in
-listen) set -- "$@" -listen.timeout=1m ;;
esac
exec "$0-real" "$@"
`

// tools are GoNB and the two programs that it calls. They cannot share a module: gopls and goimports need different
// versions of x/tools.
var tools = []tool{
	{"gonb", "github.com/janpfeifer/gonb", "v0.11.5", ""},
	{"goimports", "golang.org/x/tools/cmd/goimports", "v0.52.0", ""},
	{"gopls", "golang.org/x/tools/gopls", "v0.23.0", goplsWrapper},
}

//go:embed pins/*.mod pins/*.sum
var toolFiles embed.FS

// files returns the go.mod and go.sum of the tool's module.
func (t tool) files() (mod, sum []byte) {
	mod, err := toolFiles.ReadFile("pins/" + t.name + ".mod")
	if err != nil {
		panic(err) // embedded
	}
	if sum, err = toolFiles.ReadFile("pins/" + t.name + ".sum"); err != nil {
		panic(err)
	}
	return mod, sum
}

// writeModule writes the tool's go.mod and go.sum into dir.
func (t tool) writeModule(dir string) error {
	mod, sum := t.files()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644)
}

// stamp returns a hash of everything that a step's result depends on. A step with an unchanged stamp is up to date.
func stamp(parts ...any) string {
	h := sha256.New()
	for _, part := range parts {
		if b, ok := part.([]byte); ok {
			part = string(b)
		}
		io.WriteString(h, fmt.Sprintf("%d:%v\n", len(fmt.Sprint(part)), part))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
