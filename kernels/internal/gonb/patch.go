package gonb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the module of the packages by which cells display.
const module = "github.com/janpfeifer/gonb"

// gonbuiPatch has pairs of texts in gonbui.go and what replaces them. With them a display returns when the shim has it,
// so that what a program prints next comes after it: the displays and the output are two pipes.
var gonbuiPatch = []string{
	"func SendData(data *protocol.DisplayData) {\n", `func SendData(data *protocol.DisplayData) {
	sendData(data)
	for _, kind := range []protocol.MIMEType{protocol.MIMEJupyterInput, protocol.MIMECommValue, protocol.MIMECommSubscribe} {
		if _, ok := data.Data[kind]; ok {
			return
		}
	}
	Sync()
}

func sendData(data *protocol.DisplayData) {
`,
	"\tSendData(data)\n\tLogf(\"\\tsync(%d) request sent", "\tsendData(data)\n\tLogf(\"\\tsync(%d) request sent",
}

// Patched returns a line of go.work that replaces the module that the module in root requires by a copy with the patch. The
// copy is made once and stays, so that its packages stay in the build cache.
func Patched(ctx context.Context, goCommand, root string) (string, error) {
	cmd := exec.CommandContext(ctx, goCommand, "list", "-m", "-f", "{{.Version}} {{.Dir}}", module)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	version, original, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(original + strings.Join(gonbuiPatch, "")))
	dir := filepath.Join(cache, "birnn", "gonb-"+hex.EncodeToString(sum[:8]))
	replace := fmt.Sprintf("replace %s %s => %q", module, version, dir)
	if _, err := os.Stat(dir); err == nil {
		return replace, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	staging, err := os.MkdirTemp(filepath.Dir(dir), ".gonb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(staging)
	for _, name := range []string{"gonbui", "common", "cache", "version"} {
		if err := os.CopyFS(filepath.Join(staging, name), os.DirFS(filepath.Join(original, name))); err != nil {
			return "", err
		}
	}
	main := filepath.Join(staging, "gonbui", "gonbui.go")
	source, err1 := os.ReadFile(main)
	file, err2 := os.ReadFile(filepath.Join(original, "go.mod"))
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	for i := 0; i < len(gonbuiPatch); i += 2 {
		if strings.Count(string(source), gonbuiPatch[i]) != 1 {
			return "", errors.New("gonbui.go is not as the patch expects")
		}
		source = []byte(strings.Replace(string(source), gonbuiPatch[i], gonbuiPatch[i+1], 1))
	}
	if err := errors.Join(os.WriteFile(main, source, 0o644), os.WriteFile(filepath.Join(staging, "go.mod"), file, 0o644)); err != nil {
		return "", err
	}
	err = os.Rename(staging, dir)
	if _, made := os.Stat(dir); made == nil { // perhaps by another kernel
		return replace, nil
	}
	return "", err
}
