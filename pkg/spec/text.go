package spec

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkText refuses bytes that a reader and a parser would see differently,
// each at its place, and returns the text without a byte order mark.
func checkText(file string, data []byte) ([]byte, Issues) {
	var issues Issues
	at := Source{File: file, Line: 1, Column: 1}
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}),
		len(data) >= 2 && data[0] == 0 && data[1] != 0, len(data) >= 2 && data[0] != 0 && data[1] == 0:
		issues.add(at, "", "encoding", "the file is UTF-16; save it as UTF-8")
		return nil, issues
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if problem := oddRune(r, size); problem != "" {
			issues.add(at, "", "characters", problem)
			if len(issues) == 10 {
				break
			}
		}
		if r == '\r' && (len(rest) < 2 || rest[1] != '\n') {
			issues.add(at, "", "characters", "a carriage return without a line feed: editors and parsers count lines differently")
		}
		if r == '\n' {
			at.Line, at.Column = at.Line+1, 0
		}
		at.Column++
		rest = rest[size:]
	}
	return data, issues
}

// oddRune says what is wrong with a character, or nothing.
func oddRune(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "not UTF-8"
	case r == 0:
		return "a NUL character"
	case r == '\t' || r == '\n' || r == '\r':
		return ""
	case r < 0x20 || r == 0x7F || r >= 0x80 && r < 0xA0 && r != 0x85:
		return fmt.Sprintf("the control character U+%04X", r)
	case isBidi(r):
		return fmt.Sprintf("the invisible character U+%04X, which reorders the text that people see", r)
	case r == 0x85 || r == 0x2028 || r == 0x2029:
		return fmt.Sprintf("the invisible line break U+%04X", r)
	case r == 0xFEFF:
		return "a byte order mark in the middle of the file"
	}
	return ""
}

// isBidi tells the characters that change the direction of text; with them a
// line reads differently from what it does.
func isBidi(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0x200E || r == 0x200F || r == 0x061C
}

// oddText says what is wrong with a value after its escapes are decoded.
func oddText(s string) string {
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		if problem := oddRune(r, size); problem != "" {
			return problem
		}
	}
	return ""
}

// oddName says what is wrong with a file name, or nothing.
func oddName(name string) string {
	if !utf8.ValidString(name) {
		return "the file name is not UTF-8"
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return unicode.IsControl(r) || isBidi(r) || r == 0x2028 || r == 0x2029 }); i >= 0 {
		return "the file name holds an invisible character"
	}
	return ""
}

// indentTab finds the first line at or before the given one that is indented
// with a tab.
func indentTab(data []byte, upTo int) (line, column int, ok bool) {
	for i, text := range strings.Split(string(data), "\n") {
		if i >= upTo {
			break
		}
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
			return i + 1, tab + 1, true
		}
	}
	return 0, 0, false
}
