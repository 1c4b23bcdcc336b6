package kept

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"birnn/internal/atomicfile"
)

// sweep removes the files in dir that ended processes have left. It returns the data file of the value kept under name
// and the total size of the other values.
func sweep(dir, name string) (data string, others int64, err error) {
	left, err := abandoned(dir)
	if err != nil {
		return "", 0, err
	}
	// Listed after the check that the writers have ended, so that everything they finished is included.
	infos, err := List(dir)
	used := map[string]bool{}
	for _, info := range infos {
		used[info.Data] = true
		if info.Name == name {
			data = info.Data
		} else {
			others += info.Size
		}
	}
	if err != nil {
		return data, others, nil // which data belongs to the damaged metadata is unknown, so all stays
	}
	for _, file := range left {
		if !used[file] {
			os.Remove(filepath.Join(dir, file)) // on Windows, the next sweep removes a file that is in use
		}
	}
	return data, others, nil
}

// abandoned returns the files in dir, named BASE.PID.RANDOM and a suffix, whose processes have ended.
func abandoned(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		parts := strings.Split(entry.Name(), ".")
		if last := len(parts) - 1; last >= 3 && (parts[last] == dataSuffix[1:] || parts[last] == atomicfile.Suffix[1:]) {
			if pid, err := strconv.Atoi(parts[last-2]); err == nil && !alive(pid) {
				files = append(files, entry.Name())
			}
		}
	}
	return files, err
}

func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false // only on Windows
	}
	defer process.Release()
	if runtime.GOOS == "windows" {
		return true
	}
	err = process.Signal(syscall.Signal(0))
	return !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH)
}
