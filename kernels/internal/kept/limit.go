package kept

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
)

// DefaultLimit is the limit of a directory without SetLimit, in bytes.
const DefaultLimit int64 = 2_000_000_000

const (
	limitFile        = "limit.json"
	fingerprintsFile = "fingerprints.json"
)

// Limit returns the maximal total size of the values in dir, in bytes.
func Limit(dir string) (int64, error) {
	limit := DefaultLimit
	err := readJSON(dir, limitFile, &limit)
	return limit, err
}

// SetLimit sets the limit of dir. Existing values stay even if they exceed it.
func SetLimit(dir string, bytes int64) error {
	if bytes < 0 {
		return fmt.Errorf("the limit is %d bytes: it must not be negative", bytes)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeJSON(dir, limitFile, bytes)
}

// Fingerprints returns the fingerprints of the last SetFingerprints, if any.
func Fingerprints(dir string) (map[string]string, error) {
	var fingerprints map[string]string
	err := readJSON(dir, fingerprintsFile, &fingerprints)
	return fingerprints, err
}

// SetFingerprints stores by name the fingerprints of the definitions from which values would be computed now. A kept
// value with another Info.Fingerprint is stale.
func SetFingerprints(dir string, fingerprints map[string]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeJSON(dir, fingerprintsFile, fingerprints)
}

// readJSON reads value from a file; if the file is missing, it leaves value unchanged.
func readJSON(dir, name string, value any) error {
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("%s is damaged, delete it: %w", path, err)
	}
	return nil
}

// ParseBytes parses a size such as 500MB, 1.5 GB, 2GiB or 1000, in upper or lower case.
func ParseBytes(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt64 || strings.Contains(text, ",") { // to humanize, "1,5" is 15
		return 0, fmt.Errorf("%q is not a size; write it like 500MB or 4GB", text)
	}
	return int64(n), nil
}
