package packer

import "strings"

// Kind of a message.
type Kind string

// The kinds of messages that a build is followed by.
const (
	Say      Kind = "say"      // a step begins
	Message  Kind = "message"  // what a step, or a script in it, says
	Error    Kind = "error"    // why the build fails
	Artifact Kind = "artifact" // what came out
)

// Event is one message of Packer.
type Event struct {
	Kind Kind
	Text string   // of Artifact: the name of the field, "id"
	Data []string // of Artifact: the field's values
}

// Parse reads one line of `-machine-readable` output, TIMESTAMP,TARGET,TYPE,DATA…,
// in which commas and line ends of data are escaped (Packer: "Machine-Readable
// Output"). False for a line that is none, or of another type.
func Parse(line string) (Event, bool) {
	fields := strings.Split(strings.TrimRight(line, "\r\n"), ",")
	if len(fields) < 4 || fields[0] == "" || strings.Trim(fields[0], "0123456789") != "" {
		return Event{}, false
	}
	data := fields[3:]
	for i, d := range data {
		data[i] = strings.NewReplacer("%!(PACKER_COMMA)", ",", `\n`, "\n", `\r`, "\r").Replace(d)
	}
	switch fields[2] {
	case "ui":
		kind := Kind(data[0])
		if len(data) < 2 || kind != Say && kind != Message && kind != Error {
			return Event{}, false
		}
		return Event{Kind: kind, Text: data[1]}, true
	case "error":
		return Event{Kind: Error, Text: data[0]}, true
	case "artifact":
		if len(data) < 2 {
			return Event{}, false
		}
		return Event{Kind: Artifact, Text: data[1], Data: data[2:]}, true
	}
	return Event{}, false
}

// images adds the AMIs of an artifact's id, "us-east-1:ami-1,eu-west-1:ami-2",
// by region.
func images(e Event, into map[string]string) {
	if e.Kind != Artifact || e.Text != "id" {
		return
	}
	for _, one := range strings.Split(strings.Join(e.Data, ","), ",") {
		if region, id, ok := strings.Cut(strings.TrimSpace(one), ":"); ok && strings.HasPrefix(id, "ami-") {
			into[region] = id
		}
	}
}
