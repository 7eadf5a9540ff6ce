package report

import (
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

// complete makes a command of ours run as pasted: with the flags of this
// invocation and, where it names nothing itself, with the same selection.
func (o Options) complete(command string) string {
	head, tail, _ := strings.Cut(command, " -")
	words := strings.Fields(head)
	if len(words) < 2 || words[0] != "reconcile" {
		return command
	}
	if tail != "" {
		tail = " -" + tail
	}
	add := o.Flags
	runs := words[1] == "plan" || words[1] == "apply" || words[1] == "destroy"
	if runs && !strings.Contains(tail, " --stack ") && !strings.Contains(tail, " --fleet ") {
		add = slices.Concat(o.Flags, o.Select)
	}
	if o.Rev != "" && (words[1] == "plan" || words[1] == "apply") {
		add = append(slices.Clone(add), "--rev "+ShellWord(o.Rev))
	}
	for _, flag := range add {
		if !strings.Contains(tail+" ", " "+flag+" ") {
			head += " " + flag
		}
	}
	return head + tail
}

// runCommand is the command that makes and runs this kind of plan.
func runCommand(p plan.Plan) string {
	if p.Destroy {
		return "reconcile destroy"
	}
	return "reconcile apply"
}

// manyDestroys is from how many on a plan to destroy is approved as a whole.
const manyDestroys = 4

// approving is the command that runs the plan with the consent that these
// steps need: its words, of which each flag is one with its value.
func (o Options) approving(p plan.Plan, steps []plan.Step) []string {
	var destroys, flags []string
	told := map[string]bool{}
	for _, s := range steps {
		for _, a := range s.Approvals {
			flag := "--approve " + ShellWord(a.String())
			switch {
			case told[flag]:
			case a.Kind == plan.ApproveDestroy && p.Destroy:
				destroys = append(destroys, flag)
			default:
				flags = append(flags, flag)
			}
			told[flag] = true
		}
	}
	if len(destroys) >= manyDestroys {
		destroys = []string{"--allow-destroy"}
	}
	return slices.Concat([]string{o.complete(runCommand(p))}, destroys, flags)
}

// flagged cuts a command before each flag and each further command.
func flagged(command string) []string {
	out := strings.Split(strings.ReplaceAll(command, " && ", " \n&& "), " --")
	for i := range out[1:] {
		out[i+1] = "--" + out[i+1]
	}
	return strings.Split(strings.Join(out, " \n"), " \n")
}

// command writes one command behind lead, over several lines where it must be,
// so that it can be pasted as it stands.
func (p *page) command(indent int, lead string, words []string) {
	margin := strings.Repeat(" ", indent)
	lead, line := margin+lead, clean(words[0])
	if len(lead)+len(strings.Join(words, " ")) > p.o.width() && lead != margin {
		p.linef("%s", strings.TrimRight(lead, " "))
		margin += "  "
		lead = margin
	}
	for i, w := range words[1:] {
		w = clean(w)
		end := len(lead) + len(line) + 1 + len(w)
		if i+2 < len(words) {
			end += 2 // the backslash
		}
		if end > p.o.width() {
			p.linef("%s%s", lead, p.bold(line+` \`))
			lead, line = margin+"    ", w
			continue
		}
		line += " " + w
	}
	p.linef("%s%s", lead, p.bold(line))
}

// ShellWord quotes an argument if a shell would change it, and takes out what
// does not print.
func ShellWord(s string) string {
	s = clean(s)
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,", r) {
			return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}
	}
	return s
}
