package front

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/kept"
)

// fingerprints stores the fingerprints of the definitions of the kept values for the programs.
func (f *front) fingerprints(n *cell.Notebook) {
	prints := map[string]string{}
	for _, d := range n.Decls() {
		if name, ok := keptName(d.Text); ok {
			sum := sha256.Sum256([]byte(n.Closure(d.Names[0])))
			prints[name] = hex.EncodeToString(sum[:8])
		}
	}
	for _, dir := range []string{f.keepDir(), f.lastingDir()} {
		if len(prints) > 0 {
			if err := kept.SetFingerprints(dir, prints); err != nil {
				f.log.Print(err)
			}
		}
	}
}

var keepCall = regexp.MustCompile(`\bkeep\.Value(?:\[[^\n]*\])?\(\s*("(?:[^"\\]|\\.)*"|` + "`[^`]*`" + `)`)

// keptName returns the name under which a declaration keeps its value.
func keptName(text string) (string, bool) {
	m := keepCall.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	var name string
	if json.Unmarshal([]byte(m[1]), &name) != nil {
		name = strings.Trim(m[1], "`")
	}
	return name, true
}

// tellStale warns of kept values in the program whose definitions have changed.
func (e *execution) tellStale(n *cell.Notebook) {
	if e.program == nil {
		return
	}
	for _, d := range e.program.Decls {
		name, ok := keptName(d.Text)
		if !ok {
			continue
		}
		for _, dir := range []string{e.front.keepDir(), e.front.lastingDir()} {
			prints, _ := kept.Fingerprints(dir)
			infos, _ := kept.List(dir)
			for _, info := range infos {
				if info.Name == name && info.Fingerprint != "" && prints[name] != "" && info.Fingerprint != prints[name] {
					e.output.text("stderr", fmt.Sprintf("%q was computed before its definition changed; to compute it again: %%keep drop %s\n", name, name))
				}
			}
		}
	}
}
