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
	"birnn/internal/simd"
)

// Manifest records what was installed, so that a later install can skip what is up to date and an uninstall removes all
// of it and nothing else.
type Manifest struct {
	home Home

	Checkout    string            `json:"checkout"`               // repository that the kernels use
	Python      string            `json:"python,omitempty"`       // interpreter of the Python environment
	AskedPython string            `json:"asked_python,omitempty"` // interpreter named by -python, if any
	Steps       map[string]string `json:"steps"`                  // stamp of each completed step
	Plain       bool              `json:"plain,omitempty"`        // kernels are GoNB alone
	SIMD        *simd.Toolchain   `json:"simd,omitempty"`         // how the pure-Go kernel builds; nil if unknown
	Outside     []string          `json:"outside,omitempty"`      // directories of kernelspecs outside the folder
	PluginDirs  []string          `json:"plugin_dirs,omitempty"`  // directories of PJRT plugins, each with a record next to it
	MadeDirs    []string          `json:"made_dirs,omitempty"`    // parent directories that were made, removed if empty
	Files       []string          `json:"files,omitempty"`        // every file in the folder, relative to it
}

// manifestName is the manifest's file name in the folder.
const manifestName = "manifest.json"

// ReadManifest reads the manifest. The error wraps fs.ErrNotExist if nothing is installed.
func (h Home) ReadManifest() (*Manifest, error) {
	path := h.Path(manifestName)
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

// Save writes the manifest atomically.
func (m *Manifest) Save() error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(m.home.Path(manifestName), append(data, '\n'), 0o644)
}

// Note adds entries to a list of the manifest, without duplicates, and saves it. Call it before making anything outside
// the folder, so that a killed process leaves nothing that the manifest does not list.
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

// NoteDirs notes a directory outside the folder and its parents, if they do not exist yet. An uninstall removes them if
// they are empty, whatever made them.
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

// MakeDirs makes a directory outside the folder and notes it with [Manifest.NoteDirs].
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

// Remove removes everything that the manifest lists except plugins, which have their own records, and the manifest
// itself last. It calls gone with each path. It returns the other files in the folder, which it leaves alone. If dry is
// true, it removes nothing.
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
		case entry.Name() == manifestName: // the last one
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
	if err := remove(m.home.Path(manifestName), os.Remove); err != nil {
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
