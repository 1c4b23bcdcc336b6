//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import (
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// go-xla needs cgo; without it this file is left out and XLA is reported as not built in.
func init() {
	// This package decides what is installed, and when: opening a backend must never download by itself.
	xla.EnableAutoInstall(false)
	newXLA = func(config string, cpuDevices int) (compute.Backend, error) {
		if name, _, _ := strings.Cut(filepath.Base(config), ","); strings.Contains(name, "cpu") {
			b, err := xla.NewWithOptions(config, pjrt.NamedValuesMap{"cpu_device_count": int64(cpuDevices)})
			if err == nil {
				return b, nil
			} // an older plugin does not know the option
		}
		return xla.New(config)
	}
}
