package plugin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"birnn/internal/atomicfile"
)

// Record describes an installed plugin. It is stored in a JSON file next to the plugin.
type Record struct {
	File      string    `json:"file"`                // the plugin's file name
	Source    Source    `json:"source,omitempty"`    // empty if Install did not install it
	Package   string    `json:"package,omitempty"`   // the package that it comes from
	Version   string    `json:"version,omitempty"`   // of the package
	SHA256    string    `json:"sha256"`              // of the plugin
	Size      int64     `json:"size"`                // in bytes
	ModTime   time.Time `json:"mod_time"`            // while unchanged, the file is not hashed again
	Installed bool      `json:"installed,omitempty"` // whether Install installed it, so that Uninstall removes it
	MadeDirs  []string  `json:"made_dirs,omitempty"` // directories created for it, innermost first
}

// ErrChanged is wrapped by the error of [Verify] if a plugin is not the recorded one.
var ErrChanged = errors.New("the plugin has changed since it was recorded")

// RecordPath returns the path of the record of a plugin.
func RecordPath(plugin string) string { return plugin + ".birnn.json" }

// ReadRecord reads the record of a plugin. If the plugin has none, the error wraps fs.ErrNotExist.
func ReadRecord(plugin string) (Record, error) {
	var r Record
	data, err := os.ReadFile(RecordPath(plugin))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s is not a plugin's record: %w; remove it, and it is written again", RecordPath(plugin), err)
	}
	return r, nil
}

// writeRecord replaces the record of a plugin atomically.
func writeRecord(plugin string, r Record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(RecordPath(plugin), append(data, '\n'), 0o644)
}

// Verify checks that a plugin is the recorded file; if not, the error wraps [ErrChanged]. It writes a record for a
// plugin that has none, since nothing else is known of a plugin that was published without a hash or installed by
// another program.
//
// Verify hashes the file only if its size or modification time differs from the record; [VerifyFull] always does. If
// the directory is read-only, Verify writes no record and returns nil.
func Verify(plugin string) error { return verify(plugin, false) }

// VerifyFull is like [Verify] but always reads the whole file.
func VerifyFull(plugin string) error { return verify(plugin, true) }

func verify(plugin string, full bool) error {
	info, err := os.Stat(plugin)
	if err != nil {
		return err
	}
	r, err := ReadRecord(plugin)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if !missing && !full && r.Size == info.Size() && r.ModTime.Equal(info.ModTime()) {
		return nil
	}
	sum, err := hashFile(plugin)
	if err != nil {
		return err
	}
	if !missing && sum != r.SHA256 {
		return fmt.Errorf("%w: %s has sha256 %s, expected %s (%s); if you replaced it yourself, remove %s",
			ErrChanged, plugin, sum, r.SHA256, r.origin(), RecordPath(plugin))
	}
	if missing {
		r = Record{File: filepath.Base(plugin), SHA256: sum}
	}
	if r.Size == info.Size() && r.ModTime.Equal(info.ModTime()) {
		return nil
	}
	r.Size, r.ModTime = info.Size(), info.ModTime()
	if err := writeRecord(plugin, r); err != nil && !errors.Is(err, fs.ErrPermission) && !isReadOnly(err) {
		return err
	}
	return nil
}

func (r Record) origin() string {
	if r.Source == "" {
		return "as first seen"
	}
	return fmt.Sprintf("%s %s from %s", r.Package, r.Version, r.Source)
}

// Uninstall removes from dir (default: [DefaultDir]) the unchanged plugins that [Install] and [InstallCUDA] installed,
// every record, and the directories created for them as far as they are empty. It returns the removed paths. A plugin
// that has changed since stays.
func Uninstall(dir string) (removed []string, err error) { return uninstall(dir, false) }

// Installed returns the files and folders that [Uninstall] would remove from dir.
func Installed(dir string) ([]string, error) { return uninstall(dir, true) }

func uninstall(dir string, dry bool) (removed []string, err error) {
	if dir == "" {
		if dir, err = DefaultDir(); err != nil {
			return nil, err
		}
	}
	if !dry {
		tidy(dir)
	}
	remove := func(path string) (err error) {
		if !dry {
			err = os.Remove(path)
		}
		if err == nil {
			removed = append(removed, path)
		}
		return err
	}
	records, err := filepath.Glob(filepath.Join(dir, RecordPath("*")))
	if err != nil {
		return nil, err
	}
	cuda, err := filepath.Glob(filepath.Join(cudaDir(dir), RecordPath("*")))
	if err != nil {
		return nil, err
	}
	var made []string
	for _, path := range append(cuda, records...) {
		plugin := path[:len(path)-len(RecordPath(""))]
		r, err := ReadRecord(plugin)
		if err != nil {
			return removed, err
		}
		made = append(made, r.MadeDirs...)
		if r.Installed {
			if sum, err := hashFile(plugin); err == nil && sum == r.SHA256 {
				if r.Package == cudaPackage {
					libraries, err := removeCUDALibraries(dir, dry)
					removed = append(removed, libraries...)
					if err != nil {
						return removed, err
					}
					continue // the record was among them
				}
				if err := remove(plugin); err != nil {
					return removed, err
				}
			}
		}
		if err := remove(path); err != nil {
			return removed, err
		}
	}
	if dry {
		return removed, nil
	}
	// Innermost first: a longer path cannot contain a shorter one.
	slices.SortFunc(made, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, dir := range slices.Compact(made) {
		remove(dir) // fails, as it should, if the directory is not empty
	}
	return removed, nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
