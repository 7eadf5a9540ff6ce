package scaling_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/spec"
)

// situation is a fleet as the function meets it, what comes in, and what must
// have become of the fleet then.
type situation struct {
	queue     func(minutesAgo int) (depth int, published bool) // nil: always empty
	protected int
	desired   int                   // 0: two workers
	zero      int                   // minutes of the fleet's template; 0: 15
	event     func(slug string) any // nil: its alarm went off
	left      int                   // milliseconds of the invocation; 0: all
	fault     string                // an operation that AWS refuses

	want   int
	armed  bool // the alarm was set to OK, so that it can go off again
	failed bool // Lambda has to try again
}

// jobAt is a quiet queue but for one job so many minutes ago.
func jobAt(minute int) func(int) (int, bool) {
	return func(ago int) (int, bool) {
		if ago == minute {
			return 1, true
		}
		return 0, true
	}
}

// publishedUntil is a quiet queue of which nobody has told since.
func publishedUntil(minute int) func(int) (int, bool) {
	return func(ago int) (int, bool) { return 0, ago >= minute }
}

// message is what CloudWatch sends to a topic (CloudWatch User Guide,
// "Notifying users on alarm changes").
func message(slug string) map[string]any {
	name := "staging-" + slug + "-queue-empty"
	return map[string]any{
		"AlarmName": name, "AlarmDescription": "No job", "AWSAccountId": account,
		"AlarmConfigurationUpdatedTimestamp": "2026-11-23T11:00:00.000+0000",
		"NewStateValue":                      "ALARM", "OldStateValue": "OK", "NewStateReason": "Threshold Crossed",
		"StateChangeTime": "2026-11-23T12:00:00.000+0000", "Region": "US East (N. Virginia)",
		"AlarmArn":  "arn:aws:cloudwatch:" + region + ":" + account + ":alarm:" + name,
		"OKActions": []any{}, "AlarmActions": []any{"arn:aws:sns:" + region + ":" + account + ":bp-scale-to-zero"},
		"Trigger": map[string]any{"Period": 60, "EvaluationPeriods": 15, "DatapointsToAlarm": 15, "Threshold": 1, "TreatMissingData": "notBreaching"},
	}
}

// record is what SNS hands to Lambda (Lambda Developer Guide, "Using Lambda with Amazon SNS").
func record(message any) any {
	text, ok := message.(string)
	if !ok {
		b, err := json.Marshal(message)
		if err != nil {
			panic(err)
		}
		text = string(b)
	}
	return map[string]any{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": map[string]any{
		"Type": "Notification", "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e", "Subject": "ALARM",
		"TopicArn": "arn:aws:sns:" + region + ":" + account + ":bp-scale-to-zero", "Message": text,
	}}
}

func event(records ...any) map[string]any { return map[string]any{"Records": records} }

// changed is an event whose message differs in one field; nil takes the field away.
func changed(field string, value func(old string) any) func(string) any {
	return func(slug string) any {
		m := message(slug)
		if v := value(fmt.Sprint(m[field])); v != nil {
			m[field] = v
		} else {
			delete(m, field)
		}
		return event(record(m))
	}
}

func constant(v any) func(string) any { return func(string) any { return v } }

// renamed is an event whose alarm has another name, in its ARN as well.
func renamed(name string) func(string) any {
	return func(slug string) any {
		m := message(slug)
		m["AlarmArn"] = strings.Replace(m["AlarmArn"].(string), m["AlarmName"].(string), name, 1)
		m["AlarmName"] = name
		return event(record(m))
	}
}

func idle(want int) situation { return situation{want: want} }

func (s situation) on(event func(string) any) situation {
	s.event = event
	return s
}

// realAlarms are what CloudWatch and SNS send, in good and bad times.
func realAlarms() map[string]situation {
	return map[string]situation{
		"idle":                    idle(0),
		"at-zero":                 {desired: -1},
		"job-meanwhile":           {queue: jobAt(1), want: 2, armed: true},
		"job-within-the-time":     {queue: jobAt(15), want: 2, armed: true},
		"job-before-the-time":     {queue: jobAt(16)},
		"publisher-died":          {queue: publishedUntil(6), want: 2, armed: true},
		"publisher-just-died":     {queue: publishedUntil(5), want: 2, armed: true},
		"publisher-never-lived":   {queue: publishedUntil(1000), want: 2, armed: true},
		"few-points":              {queue: func(ago int) (int, bool) { return 0, ago <= 5 }, want: 2, armed: true},
		"one-minute":              {queue: jobAt(2), zero: 1},
		"whole-day":               {zero: 1440},
		"one-protected":           {desired: 3, protected: 1, want: 1, armed: true},
		"all-protected":           {protected: 2, want: 2, armed: true},
		"state-ok":                idle(2).on(changed("NewStateValue", constantOf("OK"))),
		"state-insufficient-data": idle(2).on(changed("NewStateValue", constantOf("INSUFFICIENT_DATA"))),
		"replayed": idle(0).on(func(slug string) any {
			return event(record(message(slug)), record(message(slug)), record(message(slug)))
		}),
		// The alarm of an hour ago comes after the OK: what counts is the queue now.
		"out-of-order": {queue: jobAt(3), want: 2, armed: true, event: func(slug string) any {
			ok := message(slug)
			ok["NewStateValue"] = "OK"
			return event(record(ok), record(message(slug)))
		}},
		"another-alarm":    idle(2).on(func(slug string) any { return renamed("staging-" + slug + "-queue-has-jobs")(slug) }),
		"scaling-refused":  {want: 2, failed: true, fault: "SetDesiredCapacity"},
		"metrics-refused":  {want: 2, failed: true, fault: "GetMetricStatistics"},
		"alarms-refused":   {want: 2, failed: true, fault: "DescribeAlarms"},
		"no-time":          {want: 2, failed: true, left: 1000},
		"rearming-refused": {queue: jobAt(1), want: 2, failed: true, fault: "SetAlarmState"},
	}
}

func constantOf(v any) func(string) any { return func(string) any { return v } }

// hostileEvents are what a topic of ours should never carry.
func hostileEvents() map[string]situation {
	out := map[string]situation{
		"other-account": idle(2).on(changed("AlarmArn", func(old string) any { return strings.Replace(old, account, "210987654321", 1) })),
		"other-region":  idle(2).on(changed("AlarmArn", func(old string) any { return strings.Replace(old, region, "eu-west-1", 1) })),
		"other-arn":     idle(2).on(changed("AlarmArn", func(old string) any { return old + "x" })),
		"no-arn":        idle(2).on(changed("AlarmArn", func(string) any { return nil })),
		"no-name":       idle(2).on(changed("AlarmName", func(string) any { return nil })),
		"no-state":      idle(2).on(changed("NewStateValue", func(string) any { return nil })),
		"name-is-a-map": idle(2).on(changed("AlarmName", constantOf(map[string]any{"a": 1}))),
		// The alarm's own definition counts, not what a message says of it.
		"lying-trigger": {queue: jobAt(10), want: 2, armed: true, event: changed("Trigger", constantOf(map[string]any{"EvaluationPeriods": 1}))},
		"odd-trigger":   idle(0).on(changed("Trigger", constantOf("x"))),
		"bad-before-good": idle(0).on(func(slug string) any {
			return event(nil, "x", record("{"), record(renamed("staging-gone-queue-empty")("gone")), record(message(slug)))
		}),
		"huge":          idle(2).on(changed("AlarmName", constantOf(strings.Repeat("a", 1<<20)))),
		"deep":          idle(2).on(constant(event(record(strings.Repeat("[", 100_000))))),
		"huge-but-true": idle(0).on(changed("AlarmDescription", constantOf(strings.Repeat("x", 250_000)))),
	}
	for name, e := range map[string]any{
		"null": nil, "list": []any{}, "text": "x", "number": 7, "no-records": map[string]any{}, "records-are-text": map[string]any{"Records": "x"},
		"no-sns": event(map[string]any{}), "sns-is-text": event(map[string]any{"Sns": "x"}), "message-is-a-map": event(map[string]any{"Sns": map[string]any{"Message": map[string]any{}}}),
		"not-json": event(record("not json")), "json-null": event(record("null")), "json-list": event(record("[]")), "json-number": event(record("1e999")),
	} {
		out["event-"+name] = idle(2).on(constant(e))
	}
	for i, name := range []string{
		"", "staging--queue-empty", "staging-../../x-queue-empty", "staging-a/b-queue-empty", "staging-*-queue-empty", "staging-%s\n-queue-empty",
		"staging-%s-queue-empty\n", "\x00staging-%s-queue-empty", "staging-%s\x00-queue-empty", "staging-%s\u202e-queue-empty", "qa-%s-queue-empty",
		"STAGING-%s-queue-empty", "production-%s-queue-empty", "staging-%s-queue-empty; x", "staging-" + strings.Repeat("a", 101) + "-queue-empty",
	} {
		out[fmt.Sprintf("name-%02d", i)] = idle(2).on(func(slug string) any { return renamed(strings.ReplaceAll(name, "%s", slug))(slug) })
	}
	return out
}

// TestScaleToZeroActsOnFreshZerosOnly calls the function as it is rendered,
// with AWS's own client where it is installed and with a stand-in, against a
// sandbox on a port.
func TestScaleToZeroActsOnFreshZerosOnly(t *testing.T) {
	t.Parallel()
	for i, client := range pythons(t) {
		all := realAlarms()
		if i == 0 { // what is hostile does not get as far as AWS's client
			maps.Copy(all, hostileEvents())
		}
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, client, all)
			w.endsInTime()
			w.known = w.sizes()
			for _, name := range slices.Sorted(maps.Keys(all)) {
				w.check(name, all[name])
			}
			w.bystandersAreUntouched()
		})
	}
}

// check calls the function in one situation. Whatever comes in: no other group
// moves, none grows, and no call but the two that may be is a write.
func (w *world) check(name string, s situation) {
	t := w.t
	slug := fleetOf(name, s)
	w.arrange(slug, s)
	e := any(event(record(message(slug))))
	if s.event != nil {
		e = s.event(slug)
	}
	got := w.invoke(e, s.left, s.fault)
	if (got.Error != "") != s.failed {
		t.Errorf("%s: error %q\n%s", name, got.Error, got.Told)
	}
	if got.Seconds > 10 {
		t.Errorf("%s: it took %.1f s", name, got.Seconds)
	}
	want := maps.Clone(w.known)
	want["asg-staging-"+slug] = s.want
	w.known = w.sizes()
	if d := cmp.Diff(want, w.known); d != "" {
		t.Errorf("%s: desired capacities (-want +got):\n%s%s", name, d, got.Told)
	}
	state := "ALARM"
	if s.armed {
		state = "OK"
	}
	if now := w.alarmState("staging-" + slug + "-queue-empty"); now != state && s.fault != "SetAlarmState" {
		t.Errorf("%s: the alarm is in %s, not %s\n%s", name, now, state, got.Told)
	}
	if n := len(got.Told); n > 5000 || strings.ContainsAny(got.Told, "\x00\r\u202e") {
		t.Errorf("%s: %d bytes of log: %.300q", name, n, got.Told)
	}
	writes := slices.DeleteFunc(got.calls, func(c string) bool { return strings.HasPrefix(c, "Describe") || strings.HasPrefix(c, "Get") })
	if len(writes) > 2 && !s.failed || slices.ContainsFunc(writes, func(c string) bool { return c != "SetDesiredCapacity" && c != "SetAlarmState" }) {
		t.Errorf("%s: it wrote %v", name, writes)
	}
}

// endsInTime: what its calls may take together is less than what the template
// gives the function.
func (w *world) endsInTime() {
	const calls = 5 // two reads, the metric, two writes
	most := time.Duration(calls*w.limits.Tries) * time.Duration((w.limits.Connect+w.limits.Read)*float64(time.Second))
	needed := time.Duration(w.limits.Needed) * time.Millisecond
	timeout := time.Duration(w.function.at("Timeout").number()) * time.Second
	if most >= needed || needed >= timeout {
		w.t.Errorf("calls take up to %s, a record is begun with %s left, the function has %s", most, needed, timeout)
	}
}

// fleetOf is the slug of a situation's fleet. Those whose queue is quiet and
// whose workers are all alike share one.
func fleetOf(name string, s situation) string {
	if s.protected == 0 && s.zero == 0 && s.queue == nil {
		return "quiet"
	}
	return name
}

// fleetsOf are a template, and with it a fleet, per slug.
func fleetsOf(all map[string]situation, like spec.FleetTemplate) []spec.FleetTemplate {
	var out []spec.FleetTemplate
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := like
		f.Slug = fleetOf(name, all[name])
		if f.ScaleToZeroMinutes = all[name].zero; f.ScaleToZeroMinutes == 0 {
			f.ScaleToZeroMinutes = like.ScaleToZeroMinutes
		}
		if !slices.ContainsFunc(out, func(o spec.FleetTemplate) bool { return o.Slug == f.Slug }) {
			out = append(out, f)
		}
	}
	return out
}
