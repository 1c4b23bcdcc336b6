package plugin

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// entryPoint is the function with which a plugin returns its API.
const entryPoint = "GetPjrtApi"

// Check returns an error if path cannot be a PJRT plugin for this machine: it is not a file, is truncated, is for
// another processor or operating system, or does not export GetPjrtApi. It reads only headers, so it takes milliseconds
// and misses changes in the contents; [Verify] finds those.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	switch runtime.GOOS {
	case "darwin":
		err = checkMachO(path)
	case "windows":
		err = checkPE(path)
	default:
		err = checkELF(path, info.Size())
	}
	if err != nil {
		return fmt.Errorf("%s is not a PJRT plugin for %s/%s: %w", path, runtime.GOOS, runtime.GOARCH, err)
	}
	return nil
}

var errNoEntryPoint = errors.New("it does not export " + entryPoint)

func checkELF(path string, size int64) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	machines := map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV, "386": elf.EM_386,
	}
	if want, known := machines[runtime.GOARCH]; known && f.Machine != want {
		return fmt.Errorf("it is built for %v", f.Machine)
	}
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("it is of type %v, expected a shared library", f.Type)
	}
	for _, seg := range f.Progs {
		if end := seg.Off + seg.Filesz; end > uint64(size) {
			return fmt.Errorf("it is truncated: %d bytes, expected at least %d", size, end)
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if s.Name == entryPoint && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return errNoEntryPoint
}

func checkMachO(path string) error {
	f, err := macho.Open(path)
	if err != nil {
		fat, fatErr := macho.OpenFat(path)
		if fatErr != nil {
			return err
		}
		// A universal library: the loader selects the part.
		return fat.Close()
	}
	defer f.Close()
	cpus := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}
	if want, known := cpus[runtime.GOARCH]; known && f.Cpu != want {
		return fmt.Errorf("it is built for %v", f.Cpu)
	}
	if f.Symtab == nil {
		return nil // the exports are in a trie, which the standard library cannot read
	}
	for _, s := range f.Symtab.Syms {
		if s.Name == "_"+entryPoint {
			return nil
		}
	}
	return errNoEntryPoint
}

func checkPE(path string) error {
	f, err := pe.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	machines := map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}
	if want, known := machines[runtime.GOARCH]; known && f.Machine != want {
		return fmt.Errorf("it is built for machine %#x", f.Machine)
	}
	return nil // the standard library cannot read a DLL's exports
}
