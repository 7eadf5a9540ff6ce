package sandbox

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// logStream is a stream of a log group. Events may lie ahead: what a task will
// print is written down when it starts, and shows when its time has come.
type logStream struct {
	Created time.Time  `json:"created"`
	Events  []logEvent `json:"events,omitempty"` // in the order of their time
}

type logEvent struct {
	At       time.Time `json:"t"`
	Message  string    `json:"m"`
	Ingested time.Time `json:"i"`
}

// keptEvents is how many events a stream remembers.
const keptEvents = 10_000

// stream finds or makes a stream.
func (g *logGroup) stream(name string, at time.Time) *logStream {
	makeMap(&g.Streams)
	if g.Streams[name] == nil {
		g.Streams[name] = &logStream{Created: at}
	}
	return g.Streams[name]
}

// logGroupOf finds the group by name or by identifier.
func (c *call) logGroupOf(in props) (*logGroup, error) {
	name := in.text("logGroupName")
	if id := in.text("logGroupIdentifier"); id != "" {
		name = strings.TrimSuffix(strings.TrimPrefix(id, c.logGroupARN("")), ":*")
	}
	return c.logGroup(name)
}

func (c *call) logStreamOf(in props) (*logGroup, *logStream, error) {
	g, err := c.logGroupOf(in)
	if err != nil {
		return nil, nil, err
	}
	s := g.Streams[in.text("logStreamName")]
	if s == nil || s.Created.After(c.now) {
		return nil, nil, fail("ResourceNotFoundException", "The specified log stream does not exist.")
	}
	return g, s, nil
}

func createLogStream(c *call, in props) (doc, error) {
	g, err := c.logGroupOf(in)
	if err != nil {
		return nil, err
	}
	name := in.text("logStreamName")
	if name == "" || len(name) > 512 || strings.ContainsAny(name, ":*") {
		return nil, fail("InvalidParameterException", "1 validation error detected: Value '%.80s' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*", name)
	}
	if g.Streams[name] != nil {
		return nil, fail("ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	g.stream(name, c.now)
	return doc{}, nil
}

func deleteLogStream(c *call, in props) (doc, error) {
	g, _, err := c.logStreamOf(in)
	if err != nil {
		return nil, err
	}
	delete(g.Streams, in.text("logStreamName"))
	return doc{}, nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func describeLogStreams(c *call, in props) (doc, error) {
	g, err := c.logGroupOf(in)
	if err != nil {
		return nil, err
	}
	prefix := in.text("logStreamNamePrefix")
	if prefix != "" && in.text("orderBy") == "LastEventTime" {
		return nil, fail("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	var names []string
	for _, name := range sortedKeys(g.Streams) {
		if strings.HasPrefix(name, prefix) && !g.Streams[name].Created.After(c.now) {
			names = append(names, name)
		}
	}
	last := func(name string) time.Time {
		at := time.Time{}
		for _, e := range c.past(g.Streams[name]) {
			at = e.At
		}
		return at
	}
	if in.text("orderBy") == "LastEventTime" {
		sort.SliceStable(names, func(i, j int) bool { return last(names[i]).Before(last(names[j])) })
	}
	if in.flag("descending") {
		slices.Reverse(names)
	}
	list, next, err := numbered(props{"NextToken": in["nextToken"], "MaxResults": in["limit"]}, names)
	out := []doc{}
	for _, name := range list {
		s := g.Streams[name]
		d := doc{"logStreamName": name, "creationTime": millis(s.Created), "arn": c.logGroupARN(g.Name) + ":log-stream:" + name, "storedBytes": 0, "uploadSequenceToken": "49039859639172309173290738921738921730"}
		if events := c.past(s); len(events) > 0 {
			d["firstEventTimestamp"], d["lastEventTimestamp"], d["lastIngestionTime"] = millis(events[0].At), millis(events[len(events)-1].At), millis(events[len(events)-1].Ingested)
		}
		out = append(out, d)
	}
	return doc{"logStreams": out, "nextToken": next}, err
}

// past are the events whose time has come.
func (c *call) past(s *logStream) []logEvent {
	n := len(s.Events)
	for n > 0 && s.Events[n-1].Ingested.After(c.now) {
		n--
	}
	return s.Events[:n]
}

func whole(in props, name string) (int64, bool) {
	n, err := strconv.ParseInt(in.text(name), 10, 64)
	return n, err == nil
}

func putLogEvents(c *call, in props) (doc, error) {
	_, s, err := c.logStreamOf(in)
	if err != nil {
		return nil, err
	}
	events := in.list("logEvents")
	if len(events) == 0 || len(events) > 10_000 {
		return nil, fail("InvalidParameterException", "1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length between 1 and 10000")
	}
	var before int64
	for i, e := range events {
		at, ok := whole(e, "timestamp")
		if !ok || e.text("message") == "" {
			return nil, fail("InvalidParameterException", "Log event message and timestamp must not be null or empty.")
		}
		if i > 0 && at < before {
			return nil, fail("InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.")
		}
		before = at
	}
	rejected := doc{}
	for i, e := range events {
		ms, _ := whole(e, "timestamp")
		at := time.UnixMilli(ms).UTC()
		switch {
		case at.Before(c.now.AddDate(0, 0, -14)):
			rejected["tooOldLogEventEndIndex"] = i + 1
		case at.After(c.now.Add(2 * time.Hour)):
			if rejected["tooNewLogEventStartIndex"] == nil {
				rejected["tooNewLogEventStartIndex"] = i
			}
		default:
			s.Events = append(s.Events, logEvent{At: at, Message: e.text("message"), Ingested: c.now})
		}
	}
	sort.SliceStable(s.Events, func(i, j int) bool { return s.Events[i].At.Before(s.Events[j].At) })
	if n := len(s.Events) - keptEvents; n > 0 {
		s.Events = slices.Clone(s.Events[n:])
	}
	out := doc{"nextSequenceToken": "49039859639172309173290738921738921730"}
	if len(rejected) > 0 {
		out["rejectedLogEventsInfo"] = rejected
	}
	return out, nil
}

// between keeps the events of startTime (from) and endTime (before).
func between(in props, events []logEvent) []logEvent {
	from, hasFrom := whole(in, "startTime")
	to, hasTo := whole(in, "endTime")
	return slices.DeleteFunc(slices.Clone(events), func(e logEvent) bool { return hasFrom && millis(e.At) < from || hasTo && millis(e.At) >= to })
}

// getLogEvents pages both ways. At an end the token is the one that was given.
func getLogEvents(c *call, in props) (doc, error) {
	_, s, err := c.logStreamOf(in)
	if err != nil {
		return nil, err
	}
	events := between(in, c.past(s))
	limit := 10_000
	if n, ok := in.number("limit"); ok {
		if n < 1 || n > 10_000 {
			return nil, fail("InvalidParameterException", "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000", n)
		}
		limit = int(n)
	}
	from := max(0, len(events)-limit)
	if in.flag("startFromHead") {
		from = 0
	}
	to := min(len(events), from+limit)
	if token := in.text("nextToken"); token != "" {
		var at int
		if n, err := fmt.Sscanf(token[min(2, len(token)):], "%d", &at); n != 1 || err != nil || at < 0 {
			return nil, fail("InvalidParameterException", "The specified nextToken is invalid.")
		}
		at = min(at, len(events))
		if strings.HasPrefix(token, "b/") {
			from, to = max(0, at-limit), at
		} else {
			from, to = at, min(len(events), at+limit)
		}
	}
	out := []doc{}
	for _, e := range events[from:to] {
		out = append(out, doc{"timestamp": millis(e.At), "message": e.Message, "ingestionTime": millis(e.Ingested)})
	}
	return doc{"events": out, "nextForwardToken": fmt.Sprintf("f/%056d", to), "nextBackwardToken": fmt.Sprintf("b/%056d", from)}, nil
}

// filterLogEvents: terms that must all occur, quoted or not; a term with ? is
// one of which any must; one with - must not. Patterns of fields are refused.
func filterLogEvents(c *call, in props) (doc, error) {
	g, err := c.logGroupOf(in)
	if err != nil {
		return nil, err
	}
	pattern := strings.TrimSpace(in.text("filterPattern"))
	if strings.HasPrefix(pattern, "{") || strings.HasPrefix(pattern, "[") || strings.HasPrefix(pattern, "%") {
		return nil, fail("InvalidParameterException", "the sandbox reads filter patterns of terms only")
	}
	names, prefix := in.texts("logStreamNames"), in.text("logStreamNamePrefix")
	type found struct {
		stream string
		index  int
		logEvent
	}
	var all []found
	for _, name := range sortedKeys(g.Streams) {
		if len(names) > 0 && !slices.Contains(names, name) || !strings.HasPrefix(name, prefix) {
			continue
		}
		for i, e := range between(in, c.past(g.Streams[name])) {
			if matchesTerms(pattern, e.Message) {
				all = append(all, found{name, i, e})
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].At.Before(all[j].At) })
	limit := in["limit"]
	list, next, err := numberedUpTo(props{"NextToken": in["nextToken"], "MaxResults": limit}, all, 10_000)
	out := []doc{}
	for _, e := range list {
		out = append(out, doc{"logStreamName": e.stream, "timestamp": millis(e.At), "message": e.Message, "ingestionTime": millis(e.Ingested), "eventId": digitsOf(hexOf("event", g.Name, e.stream, plainText(e.index), e.Message))})
	}
	return doc{"events": out, "searchedLogStreams": []doc{}, "nextToken": next}, err
}

func matchesTerms(pattern, message string) bool {
	some, any := false, false
	for pattern != "" {
		var term string
		sign := byte(0)
		if pattern[0] == '?' || pattern[0] == '-' {
			sign, pattern = pattern[0], pattern[1:]
		}
		if rest, ok := strings.CutPrefix(pattern, `"`); ok {
			term, pattern, _ = strings.Cut(rest, `"`)
		} else {
			term, pattern, _ = strings.Cut(pattern, " ")
		}
		pattern = strings.TrimLeft(pattern, " ")
		has := strings.Contains(message, term)
		switch {
		case sign == '?':
			some, any = true, any || has
		case sign == '-' == has:
			return false
		}
	}
	return !some || any
}
