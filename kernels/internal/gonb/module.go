package gonb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The module of the cells' programs is in GoNB's temporary directory: what is added to it lasts as long as the session and
// changes no file of the repository.

// programs returns the directory of GoNB's program, if there is one.
func (c *Config) programs() []string {
	dirs, _ := filepath.Glob(filepath.Join(c.temp(), "gonb_*", "go.mod"))
	for i, file := range dirs {
		dirs[i] = filepath.Dir(file)
	}
	return dirs
}

// addToWork adds a line to the workspace of GoNB's program.
func (c *Config) addToWork(line string) error {
	for _, dir := range c.programs() {
		work, err := os.OpenFile(filepath.Join(dir, "go.work"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(work, "\n%s\n", line)
		if err := errors.Join(err, work.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Sources returns the Go files that GoNB has made of the cell's program.
func (s *Supervisor) Sources() []string {
	names, _ := filepath.Glob(filepath.Join(s.config.temp(), "gonb_*", "main*.go"))
	return names
}

var required = regexp.MustCompile(`(?m)^(?:require |\t)([^\s()=]+ v[^\s/]+)`) // in go.mod

// Modules returns the modules, with their versions, that the program's module requires.
func (s *Supervisor) Modules() (modules []string) {
	for _, dir := range s.config.programs() {
		data, _ := os.ReadFile(filepath.Join(dir, "go.mod"))
		for _, m := range required.FindAllStringSubmatch(string(data), -1) {
			modules = append(modules, strings.Replace(m[1], " ", "@", 1))
		}
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}

// sums is the file with the checksums of the fetched modules.
func (c *Config) sums() string { return filepath.Join(c.Run, "go.sum") }

// NoteModules notes the modules for another GoNB, after some were fetched.
func (s *Supervisor) NoteModules() {
	s.modules = s.Modules()
	for _, dir := range s.config.programs() {
		if data, err := os.ReadFile(filepath.Join(dir, "go.sum")); err == nil {
			os.WriteFile(s.config.sums(), data, 0o600)
		}
	}
}

// Fetched returns the noted modules, and the content of their go.sum.
func (s *Supervisor) Fetched() (modules []string, sums []byte) {
	sums, _ = os.ReadFile(s.config.sums()) // missing if there are no modules
	return s.modules, sums
}

// fetchAgain returns the command with which another GoNB gets the fetched modules, which are in the module cache.
func (s *Supervisor) fetchAgain() []string {
	if len(s.modules) == 0 {
		return nil
	}
	// With the checksums, so that the checksum database is not asked.
	return []string{"!*cp " + quoted(s.config.sums()) + " . ; go get " + strings.Join(s.modules, " ")}
}

// KeepModule keeps the program's go.mod for the shim, unless it is to be dropped.
func (s *Supervisor) KeepModule() {
	if p, _ := s.Process(); p == nil { // it has what is fetched at its start
		return
	}
	kept := filepath.Join(s.config.Run, ModuleFile)
	if s.dropsModule {
		os.Remove(kept)
		s.dropsModule = false
		return
	}
	for _, dir := range s.config.programs() {
		if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			os.WriteFile(kept, data, 0o600)
		}
	}
}

// DropModule makes the session forget what was fetched.
func (s *Supervisor) DropModule() {
	s.modules, s.dropsModule = nil, true
	os.Remove(filepath.Join(s.config.Run, ModuleFile))
}
