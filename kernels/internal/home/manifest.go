package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"birnn/internal/atomicfile"
)

// Manifest says what was installed: enough to know what need not be done again,
// and to remove all of it and nothing else.
type Manifest struct {
	home Home

	Checkout    string            `json:"checkout"`               // the repository that the kernels use
	Python      string            `json:"python,omitempty"`       // the environment's interpreter
	AskedPython string            `json:"asked_python,omitempty"` // the one that was asked for to make it, if any
	Steps       map[string]string `json:"steps"`                  // the stamp of each step that was done
	Plain       bool              `json:"plain,omitempty"`        // whether the kernels are GoNB alone
	Outside     []string          `json:"outside,omitempty"`      // kernelspecs outside the folder, each a directory
	PluginDirs  []string          `json:"plugin_dirs,omitempty"`  // where PJRT plugins were put, each with a record beside it
	MadeDirs    []string          `json:"made_dirs,omitempty"`    // directories made on the way, removed when empty
	Files       []string          `json:"files,omitempty"`        // every file in the folder, relative to it
}

// ManifestName is the manifest's file name in the folder.
const ManifestName = "manifest.json"

// ReadManifest reads the manifest; the error wraps fs.ErrNotExist when nothing
// is installed.
func (h Home) ReadManifest() (*Manifest, error) {
	path := h.Path(ManifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &Manifest{home: h}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove %s and install again", path, err, h.Dir)
	}
	if m.Steps == nil {
		m.Steps = map[string]string{}
	}
	return m, nil
}

// Save writes the manifest in one step.
func (m *Manifest) Save() error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(m.home.Path(ManifestName), append(data, '\n'), 0o644)
}

// Note adds to a list of the manifest, once, and saves it. It is called before
// something is made outside the folder, so that a kill cannot leave anything
// that the manifest does not know.
func (m *Manifest) Note(list *[]string, entries ...string) error {
	before := len(*list)
	for _, entry := range entries {
		if !slices.Contains(*list, entry) {
			*list = append(*list, entry)
		}
	}
	if len(*list) == before {
		return nil
	}
	return m.Save()
}

// NoteDirs notes a directory outside the folder, and those above it, as far as
// they are not there yet: whatever makes them then, they are removed with the
// rest when they are empty.
func (m *Manifest) NoteDirs(dir string) error {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || filepath.Dir(d) == d {
			break
		}
		missing = append(missing, d)
	}
	return m.Note(&m.MadeDirs, missing...)
}

// MakeDirs makes a directory outside the folder, noted by [Manifest.NoteDirs].
func (m *Manifest) MakeDirs(dir string) error {
	if err := m.NoteDirs(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}

// ListFiles records every file of the folder.
func (m *Manifest) ListFiles() error {
	m.Files = nil
	err := filepath.WalkDir(m.home.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(m.home.Dir, path)
		m.Files = append(m.Files, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		return err
	}
	return m.Save()
}

// Remove removes everything that the manifest knows but plugins, which have
// their own records, the manifest itself last. gone is told each path. What
// somebody else has put into the folder stays, and is returned.
func (m *Manifest) Remove(dry bool, gone func(path string)) (stayed []string, err error) {
	remove := func(path string, how func(string) error) error {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !dry {
			if err := how(path); err != nil {
				return err
			}
		}
		gone(path)
		return nil
	}
	for _, dir := range m.Outside {
		if err := remove(dir, os.RemoveAll); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(m.home.Dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		path := m.home.Path(entry.Name())
		switch {
		case entry.Name() == ManifestName: // the last one
		case slices.ContainsFunc(contents, func(pattern string) bool {
			match, _ := filepath.Match(pattern, entry.Name())
			return match
		}):
			if err := remove(path, os.RemoveAll); err != nil {
				return nil, err
			}
		default:
			stayed = append(stayed, path)
		}
	}
	if err := remove(m.home.Path(ManifestName), os.Remove); err != nil {
		return nil, err
	}
	// Innermost first: a longer path cannot contain a shorter one.
	dirs := slices.Clone(m.MadeDirs)
	slices.SortFunc(dirs, func(a, b string) int { return len(b) - len(a) })
	for _, dir := range append([]string{m.home.Dir}, dirs...) {
		if !dry && os.Remove(dir) == nil {
			gone(dir)
		}
	}
	return stayed, nil
}
