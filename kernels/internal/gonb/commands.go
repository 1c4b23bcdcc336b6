package gonb

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Commands are GoNB's commands that the front leaves to it.
var Commands = []string{
	"%%", "%%bash", "%%gx", "%%script", "%%sh", "%%writefile", "%args", "%capture", "%cd", "%env", "%exec", "%goflags",
	"%goworkfix", "%main", "%test", "%track", "%untrack", "%version", "%widgets", "%widgets_hb", "%with_inputs", "%with_password",
}

// Lasts reports whether a command has a lasting effect on GoNB, which another GoNB must get too.
func Lasts(command string) bool {
	return slices.Contains([]string{"%env", "%cd", "%goflags", "%track", "%untrack", "%goworkfix"}, command)
}

// SplitWords splits a command as GoNB does: at spaces, except in double quotes, in which a backslash is an escape.
func SplitWords(text string) (words []string) {
	var word strings.Builder
	started, inQuotes, escaped := false, false, false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
			switch r {
			case 'n':
				r = '\n'
			case 't':
				r = '\t'
			}
			word.WriteRune(r)
		case inQuotes && r == '\\':
			escaped = true
		case r == '"':
			started, inQuotes = true, !inQuotes
		case !inQuotes && (r == ' ' || r == '\t' || r == '\n'):
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			started = true
			word.WriteRune(r)
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words
}

// Garbles reports whether GoNB garbles the text of a command: it takes each byte for a character.
func Garbles(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// Ungarbled repairs arguments that GoNB has garbled.
func Ungarbled(args []string) []string {
	whole := slices.Clone(args)
	for i, arg := range whole {
		var raw []byte
		for _, r := range arg {
			if r > 0xff {
				raw = nil
				break
			}
			raw = append(raw, byte(r))
		}
		if utf8.Valid(raw) && raw != nil {
			whole[i] = string(raw)
		}
	}
	return whole
}

// The words after which the shim, run as "shell", does something else than run the line that follows.
const (
	AsksGoNB = "asking" // it runs the line, and GoNB asks for the input
	Script   = "script" // it runs a script on standard input
	Write    = "write"  // it writes standard input to a file
	Link     = "link"   // it makes a link
)

// shell returns the path of the shim that runs shell commands.
func (s *Supervisor) shell() string { return filepath.Join(s.config.shims(), "shell") }

// Shell returns the line that runs a shell command, which begins with "!", by the shim, which copies its output; other lines
// stay as they are. In GoNB, a backslash at the end of the line continues it. asks means that GoNB asks for the input.
func (s *Supervisor) Shell(line string, asks bool) string {
	command, ok := strings.CutPrefix(line, "!")
	if !ok || strings.HasSuffix(line, `\`) {
		return line
	}
	start := "!"
	if after, ok := strings.CutPrefix(command, "*"); ok { // in the program's directory
		start, command = "!*", after
	}
	start += quoted(s.shell()) + " "
	if asks {
		start += AsksGoNB + " "
	}
	return start + quoted(command)
}

// Link returns the line that makes a link to a path by the shim, for a command of GoNB, which would garble the path.
func (s *Supervisor) Link(path, link string) string {
	return "!" + quoted(s.shell()) + " " + Link + " " + quoted(path) + " " + quoted(link)
}

// Foreign returns the line for a cell that is a script or a file, by which the shim runs or writes it, and whether it
// writes: GoNB garbles names that are not ASCII, and cannot tell whether a script was interrupted. Other lines stay as they
// are. A line that would end GoNB is an error.
func (s *Supervisor) Foreign(line string) (changed string, writes bool, err error) {
	words := SplitWords(strings.TrimPrefix(line, "//gonb:"))
	var run []string
	switch name, args := words[0], words[1:]; {
	case name == "%%writefile" && (len(args) == 1 || len(args) == 2 && args[0] == "-a"):
		run = append([]string{Write}, args...)
	case (name == "%%bash" || name == "%%sh") && len(args) == 0:
		run = []string{Script, strings.TrimPrefix(name, "%%")}
	case name == "%%script" && len(args) > 0:
		run = append([]string{Script}, args...)
	case name == "%%script": // GoNB would end
		return "", false, errors.New("use %%script PROGRAM ARGUMENTS: the program gets the lines below")
	default:
		return line, false, nil
	}
	for i, word := range run {
		if run[i] = url.PathEscape(word); word == "" {
			run[i] = `""`
		}
	}
	shell := "shell" // which the PATH finds
	if path := s.shell(); !Garbles(path) {
		shell = strconv.Quote(path)
	}
	return "%%script " + shell + " " + strings.Join(run, " "), run[0] == Write, nil
}

// Decoded decodes the arguments of [Supervisor.Foreign].
func Decoded(args []string) []string {
	whole := slices.Clone(args)
	for i, arg := range whole {
		if text, err := url.PathUnescape(arg); err == nil {
			whole[i] = text
		}
	}
	return whole
}

// quoted quotes text for the shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
