package plugin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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
	tmp, err := os.CreateTemp(filepath.Dir(plugin), ".birnn-record-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), RecordPath(plugin))
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

// Uninstall removes from dir (default: [DefaultDir]) the plugins that Install
// put there, as long as they are unchanged, and every record; it returns the
// paths it removed. A plugin that has changed since is somebody else's by now
// and stays. The directory itself goes when it is left empty.
func Uninstall(dir string) (removed []string, err error) {
	if dir == "" {
		if dir, err = DefaultDir(); err != nil {
			return nil, err
		}
	}
	records, err := filepath.Glob(filepath.Join(dir, RecordPath("*")))
	if err != nil {
		return nil, err
	}
	for _, path := range records {
		plugin := path[:len(path)-len(RecordPath(""))]
		r, err := ReadRecord(plugin)
		if err != nil {
			return removed, err
		}
		if r.Installed {
			if sum, err := hashFile(plugin); err == nil && sum == r.SHA256 {
				if err := os.Remove(plugin); err != nil {
					return removed, err
				}
				removed = append(removed, plugin)
			}
		}
		if err := os.Remove(path); err != nil {
			return removed, err
		}
		removed = append(removed, path)
	}
	if len(removed) > 0 && os.Remove(dir) == nil {
		removed = append(removed, dir)
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
