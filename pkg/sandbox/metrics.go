package sandbox

import (
	"encoding/json"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// metric is a series of what PutMetricData wrote, the oldest first.
type metric struct {
	Namespace  string      `json:"namespace"`
	Name       string      `json:"name"`
	Dimensions [][2]string `json:"dimensions,omitempty"` // sorted
	Points     []point     `json:"points,omitempty"`
}

type point struct {
	At      time.Time `json:"t"`
	Sum     float64   `json:"v"`
	Samples float64   `json:"n"`
	Min     float64   `json:"min"`
	Max     float64   `json:"max"`
	Unit    string    `json:"u,omitempty"`
}

// keptPoints is how much of a metric is remembered: a day of minutes.
const keptPoints = 1440

func validJSON(s string) bool { return s != "" && json.Valid([]byte(s)) }

func dimensions(list []props) [][2]string {
	out := make([][2]string, 0, len(list))
	for _, d := range list {
		out = append(out, [2]string{d.text("Name"), d.text("Value")})
	}
	sort.Slice(out, func(i, j int) bool { return out[i][0] < out[j][0] })
	return out
}

func metricKey(namespace, name string, dims [][2]string) string {
	parts := []string{namespace, name}
	for _, d := range dims {
		parts = append(parts, d[0], d[1])
	}
	return strings.Join(parts, "\x00")
}

// putMetricData refuses what AWS refuses: more than 1,000 metrics or 30
// dimensions, and points outside of two weeks back and two hours ahead.
func putMetricData(c *call, in props) (doc, error) {
	namespace, list := in.text("Namespace"), in.list("MetricData")
	switch {
	case namespace == "":
		return nil, fail("MissingParameter", "The parameter Namespace is required.")
	case strings.HasPrefix(namespace, "AWS/"):
		return nil, fail("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
	case len(list) > 1000:
		return nil, fail("ValidationError", "The collection MetricData must not have a size greater than 1000.")
	}
	for _, d := range list {
		if err := c.checkDatum(d); err != nil {
			return nil, err
		}
	}
	for _, d := range list {
		dims := dimensions(d.list("Dimensions"))
		key := metricKey(namespace, d.text("MetricName"), dims)
		m := c.region.Metrics[key]
		if m == nil {
			m = &metric{Namespace: namespace, Name: d.text("MetricName"), Dimensions: dims}
			c.region.Metrics[key] = m
		}
		m.Points = append(m.Points, c.points(d)...)
		sort.SliceStable(m.Points, func(i, j int) bool { return m.Points[i].At.Before(m.Points[j].At) })
		if n := len(m.Points) - keptPoints; n > 0 {
			m.Points = slices.Clone(m.Points[n:])
		}
	}
	return doc{}, nil
}

func (c *call) checkDatum(d props) error {
	if d.text("MetricName") == "" {
		return fail("MissingParameter", "The parameter MetricData.member.1.MetricName is required.")
	}
	if len(d.list("Dimensions")) > 30 {
		return fail("InvalidParameterValue", "The collection MetricData.member.1.Dimensions must not have a size greater than 30.")
	}
	_, value := d.real("Value")
	if !value && d.sub("StatisticValues") == nil && len(d.texts("Values")) == 0 {
		return fail("InvalidParameterCombination", "At least one of the parameters MetricData.member.1.Value, Values or StatisticValues must be specified.")
	}
	if at, ok := d.moment("Timestamp"); ok && (at.Before(c.now.AddDate(0, 0, -14)) || at.After(c.now.Add(2*time.Hour))) {
		return fail("InvalidParameterValue", "The value %s for parameter MetricData.member.1.Timestamp is invalid: it must be within the last two weeks and at most two hours ahead.", ec2Time(at))
	}
	return nil
}

// points of a datum: a value, values with counts, or statistics.
func (c *call) points(d props) []point {
	at, ok := d.moment("Timestamp")
	if !ok {
		at = c.now
	}
	base := point{At: at, Unit: d.text("Unit")}
	if s := d.sub("StatisticValues"); s != nil {
		base.Samples, _ = s.real("SampleCount")
		base.Sum, _ = s.real("Sum")
		base.Min, _ = s.real("Minimum")
		base.Max, _ = s.real("Maximum")
		return []point{base}
	}
	values, counts := d.texts("Values"), d.texts("Counts")
	if len(values) == 0 {
		values = []string{d.text("Value")}
	}
	var out []point
	for i, text := range values {
		p, n := base, 1.0
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		if i < len(counts) {
			n, _ = strconv.ParseFloat(counts[i], 64) // a count that is none weighs nothing
		}
		p.Sum, p.Samples, p.Min, p.Max = v*n, n, v, v
		out = append(out, p)
	}
	return out
}

// aggregate gives the points of a period as one.
func (m *metric) aggregate(from, to time.Time, period time.Duration) (starts []time.Time, buckets map[time.Time][]point) {
	buckets = map[time.Time][]point{}
	if m == nil {
		return nil, buckets
	}
	for _, p := range m.Points {
		if p.At.Before(from) || !p.At.Before(to) {
			continue
		}
		start := p.At.Truncate(period)
		if buckets[start] == nil {
			starts = append(starts, start)
		}
		buckets[start] = append(buckets[start], p)
	}
	return starts, buckets
}

// statistic computes one; ok is false for a name that there is not.
func statistic(points []point, name string) (float64, bool) {
	var sum, n float64
	least, most := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		sum, n, least, most = sum+p.Sum, n+p.Samples, math.Min(least, p.Min), math.Max(most, p.Max)
	}
	switch name {
	case "Sum":
		return sum, true
	case "SampleCount":
		return n, true
	case "Average":
		if n == 0 {
			return 0, true
		}
		return sum / n, true
	case "Minimum":
		return least, true
	case "Maximum":
		return most, true
	}
	rank, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	if !strings.HasPrefix(name, "p") || err != nil || rank < 0 || rank > 100 {
		return 0, false
	}
	var values []float64
	for _, p := range points {
		if p.Samples > 0 {
			values = append(values, p.Sum/p.Samples)
		}
	}
	if len(values) == 0 {
		return 0, true
	}
	sort.Float64s(values)
	return values[min(len(values)-1, int(math.Ceil(rank/100*float64(len(values))))-min(1, len(values)))], true
}

// window reads StartTime, EndTime and a period in seconds.
func window(in props, period int32) (from, to time.Time, err error) {
	from, ok1 := in.moment("StartTime")
	to, ok2 := in.moment("EndTime")
	switch {
	case !ok1 || !ok2:
		return from, to, fail("MissingParameter", "The parameters StartTime and EndTime are required.")
	case !from.Before(to):
		return from, to, fail("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	case period < 1 || period > 30 && period%60 != 0:
		return from, to, fail("InvalidParameterValue", "The value %d for parameter Period is invalid: it must be 1, 5, 10, 20, 30 or a multiple of 60.", period)
	}
	return from, to, nil
}

func getMetricData(c *call, in props) (doc, error) {
	queries := in.list("MetricDataQueries")
	if len(queries) == 0 || len(queries) > 500 {
		return nil, fail("ValidationError", "The collection MetricDataQueries must have between 1 and 500 members.")
	}
	out := []doc{}
	for _, q := range queries {
		if q.sub("MetricStat") == nil {
			return nil, &Fail{Code: "NotImplemented", Message: "the sandbox evaluates no metric expressions", Status: 501}
		}
		r, err := c.metricData(in, q)
		if err != nil {
			return nil, err
		}
		if q.text("ReturnData") != "false" {
			out = append(out, r)
		}
	}
	return doc{"MetricDataResults": out, "Messages": []doc{}}, nil
}

func (c *call) metricData(in, q props) (doc, error) {
	s := q.sub("MetricStat")
	period, _ := s.number("Period")
	from, to, err := window(in, period)
	if err != nil {
		return nil, err
	}
	of := s.sub("Metric")
	m := c.region.Metrics[metricKey(of.text("Namespace"), of.text("MetricName"), dimensions(of.list("Dimensions")))]
	times, values := []time.Time{}, []float64{}
	starts, buckets := m.aggregate(from, to, time.Duration(period)*time.Second)
	if in.text("ScanBy") != "TimestampAscending" {
		slices.Reverse(starts)
	}
	for _, start := range starts {
		v, ok := statistic(buckets[start], s.text("Stat"))
		if !ok {
			return nil, fail("ValidationError", "The value '%.40s' for parameter MetricDataQueries.member.1.MetricStat.Stat is not supported", s.text("Stat"))
		}
		times, values = append(times, start), append(values, v)
	}
	label := q.text("Label")
	if label == "" {
		label = of.text("MetricName")
	}
	return doc{"Id": q.text("Id"), "Label": label, "Timestamps": times, "Values": values, "StatusCode": "Complete"}, nil
}

func getMetricStatistics(c *call, in props) (doc, error) {
	period, _ := in.number("Period")
	from, to, err := window(in, period)
	if err != nil {
		return nil, err
	}
	names, extended := in.texts("Statistics"), in.texts("ExtendedStatistics")
	if len(names)+len(extended) == 0 {
		return nil, fail("MissingParameter", "The parameter Statistics or ExtendedStatistics is required.")
	}
	if to.Sub(from)/(time.Duration(period)*time.Second) > keptPoints {
		return nil, fail("InvalidParameterCombination", "You have requested up to %d datapoints, which exceeds the limit of 1,440.", int(to.Sub(from).Seconds())/int(period))
	}
	m := c.region.Metrics[metricKey(in.text("Namespace"), in.text("MetricName"), dimensions(in.list("Dimensions")))]
	starts, buckets := m.aggregate(from, to, time.Duration(period)*time.Second)
	out := []doc{}
	for _, start := range starts {
		d := doc{"Timestamp": start, "Unit": unitOf(buckets[start][0])}
		for _, name := range slices.Concat(names, extended) {
			v, ok := statistic(buckets[start], name)
			if !ok {
				return nil, fail("InvalidParameterValue", "The value %.40s for parameter Statistics is invalid.", name)
			}
			d[name] = v
		}
		out = append(out, d)
	}
	return doc{"Label": in.text("MetricName"), "Datapoints": out}, nil
}

func unitOf(p point) string {
	if p.Unit == "" {
		return "None"
	}
	return p.Unit
}

func listMetrics(c *call, in props) (doc, error) {
	var keys []string
	for _, key := range sortedKeys(c.region.Metrics) {
		m := c.region.Metrics[key]
		ok := (in.text("Namespace") == "" || in.text("Namespace") == m.Namespace) && (in.text("MetricName") == "" || in.text("MetricName") == m.Name)
		for _, d := range in.list("Dimensions") {
			ok = ok && slices.ContainsFunc(m.Dimensions, func(have [2]string) bool {
				return have[0] == d.text("Name") && (d.text("Value") == "" || have[1] == d.text("Value"))
			})
		}
		if ok {
			keys = append(keys, key)
		}
	}
	keys, next, err := pageOf(in, "NextToken", "", 500, 500, keys, func(s string) string { return s })
	if err != nil {
		return nil, err
	}
	out := []doc{}
	for _, key := range keys {
		m := c.region.Metrics[key]
		dims := []doc{}
		for _, d := range m.Dimensions {
			dims = append(dims, doc{"Name": d[0], "Value": d[1]})
		}
		out = append(out, doc{"Namespace": m.Namespace, "MetricName": m.Name, "Dimensions": dims})
	}
	return doc{"Metrics": out, "NextToken": next}, nil
}
