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

// Record is what is remembered about a plugin, in a small JSON file beside it.
type Record struct {
	File      string    `json:"file"`                // name of the plugin beside the record
	Source    Source    `json:"source,omitempty"`    // "" when it was there before us
	Package   string    `json:"package,omitempty"`   // what it was taken from
	Version   string    `json:"version,omitempty"`   // and which version of that
	SHA256    string    `json:"sha256"`              // of the plugin
	Size      int64     `json:"size"`                // in bytes
	ModTime   time.Time `json:"mod_time"`            // saves hashing again when it has not moved
	Installed bool      `json:"installed,omitempty"` // put there by Install, so Uninstall removes it
	MadeDirs  []string  `json:"made_dirs,omitempty"` // directories made for it, innermost first
}

// ErrChanged is wrapped by [Verify]'s error when a plugin is not the one recorded.
var ErrChanged = errors.New("the plugin has changed since it was recorded")

// RecordPath returns where the record of a plugin is.
func RecordPath(plugin string) string { return plugin + ".birnn.json" }

// ReadRecord reads the record of a plugin. The error wraps fs.ErrNotExist when
// there is none.
func ReadRecord(plugin string) (Record, error) {
	var r Record
	data, err := os.ReadFile(RecordPath(plugin))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s is not a plugin's record: %w; remove it to have it made anew", RecordPath(plugin), err)
	}
	return r, nil
}

// writeRecord replaces the record of a plugin in one step.
func writeRecord(plugin string, r Record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(RecordPath(plugin), append(data, '\n'), 0o644)
}

// Verify checks that a plugin is still the file that was recorded, and returns
// an error that wraps [ErrChanged] if not. A plugin without a record gets one:
// that is all that can be done for a plugin that was published without a hash,
// or installed by something else.
//
// While size and modification time are those of the record, the file is not
// hashed again; [VerifyFull] always does. Where the record cannot be written,
// because the directory is the system's, nothing is remembered and Verify
// returns nil.
func Verify(plugin string) error { return verify(plugin, false) }

// VerifyFull is [Verify] that always reads the whole file.
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
		return fmt.Errorf("%w: %s has sha256 %s, recorded was %s (%s); if you replaced it yourself, remove %s",
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
		return "as it was first seen"
	}
	return fmt.Sprintf("%s %s from %s", r.Package, r.Version, r.Source)
}

// Uninstall removes from dir (default: [DefaultDir]) the plugins that [Install]
// and [InstallCUDA] put there, as long as they are unchanged, every record, and
// the directories that were made for them, if they are empty now; it returns the
// paths it removed. A plugin that has changed since is somebody else's by now
// and stays.
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
		remove(dir) // it stays when something else is in it
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
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
