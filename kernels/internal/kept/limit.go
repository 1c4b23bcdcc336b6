package kept

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// DefaultLimit is how many bytes the values in a folder may have together if SetLimit was not called.
const DefaultLimit int64 = 2 << 30

const (
	limitFile        = "limit.json"
	fingerprintsFile = "fingerprints.json"
)

// Limit returns how many bytes the values in dir may have together.
func Limit(dir string) (int64, error) {
	limit := DefaultLimit
	err := readJSON(dir, limitFile, &limit)
	return limit, err
}

// SetLimit sets it. Values that are there already stay, even if they have more.
func SetLimit(dir string, bytes int64) error {
	if bytes < 0 {
		return fmt.Errorf("a limit of %d bytes: it must not be negative", bytes)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeJSON(dir, limitFile, bytes)
}

// Fingerprints returns what SetFingerprints wrote; without it, nothing.
func Fingerprints(dir string) (map[string]string, error) {
	var fingerprints map[string]string
	err := readJSON(dir, fingerprintsFile, &fingerprints)
	return fingerprints, err
}

// SetFingerprints writes, for the names of values, the fingerprints of the definitions from which they would be computed
// now. Where one differs from Info.Fingerprint, the kept value is stale.
func SetFingerprints(dir string, fingerprints map[string]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeJSON(dir, fingerprintsFile, fingerprints)
}

// readJSON leaves value as it is if there is no such file.
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

// Bytes writes a number of bytes as people do, with decimal units: 1.5 GB.
func Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return strconv.FormatFloat(value, 'g', 3, 64) + " " + units[unit]
}

// ParseBytes reads what Bytes writes, with or without a space, in upper or lower case, and a mere number of bytes.
func ParseBytes(text string) (int64, error) {
	number := strings.TrimRight(text, "bkmgtBKMGT ")
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	unit := strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(text[len(number):])), "B")
	factor := 1.0
	for _, prefix := range []string{"", "K", "M", "G", "T"} {
		if unit == prefix && err == nil && value >= 0 && value*factor < math.MaxInt64 {
			return int64(value * factor), nil
		}
		factor *= 1000
	}
	return 0, fmt.Errorf("%q is not a size; write it like 500MB or 4GB", text)
}
