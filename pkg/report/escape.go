package report

import "strings"

// fenceFor is a code fence longer than any run of backticks inside.
func fenceFor(lines []string) string {
	longest := 2
	for _, l := range lines {
		longest = max(longest, backticks(l))
	}
	return strings.Repeat("`", longest+1)
}

func backticks(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// code is an inline code span that its content cannot leave.
func code(s string) string {
	s = clean(s)
	if strings.TrimSpace(s) == "" {
		return ""
	}
	fence := strings.Repeat("`", backticks(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// markupCode is text in <code>, which GitHub makes nothing of but markup.
func markupCode(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clean(s))
}

// markup is text in an HTML block of Markdown: no tag, and nothing that GitHub
// would make a mention or a link of.
func markup(s string) string {
	var b strings.Builder
	s = clean(s)
	for i, r := range s {
		b.WriteString(entity(r))
		if breaks(s, i, r) {
			b.WriteString(broken)
		}
	}
	return b.String()
}

// entity is a character as HTML text has it.
func entity(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return string(r)
}

// broken is a space of no width. GitHub finds mentions, references and links
// in the rendered text, where an escape is gone, so they must be interrupted.
const broken = "&#8203;"

// breaks tells whether the character at i begins something that GitHub makes
// more of than text: @people, #1, GH-1, ://, www., :emoji:, $formula$.
func breaks(s string, i int, r rune) bool {
	rest := s[i+len(string(r)):]
	switch r {
	case '@', '#', '$':
		return true
	case ':':
		if strings.HasPrefix(rest, "//") {
			return true
		}
		n := strings.IndexFunc(rest, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("_+-", r)
		})
		return n > 0 && rest[n] == ':'
	case '.':
		return strings.HasSuffix(strings.ToLower(s[:i]), "www")
	case '-':
		return strings.HasSuffix(strings.ToLower(s[:i]), "gh")
	}
	return false
}

// escape makes text that Markdown and GitHub show as it is: no markup, no
// mention of people, no reference to issues, no link.
func escape(s string) string {
	var b strings.Builder
	s = strings.TrimSpace(clean(s))
	leading := len(s) - len(strings.TrimLeft(s, "0123456789"))
	for i, r := range s {
		first := i == 0 && strings.ContainsRune("-+=", r) || i == leading && leading > 0 && strings.ContainsRune(".)", r)
		switch {
		case first || strings.ContainsRune("\\`*_[]|~!", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteString(entity(r))
		}
		if breaks(s, i, r) {
			b.WriteString(broken)
		}
	}
	return b.String()
}
