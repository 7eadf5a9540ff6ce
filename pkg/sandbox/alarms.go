package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	alarmType     = "AWS::CloudWatch::Alarm"
	compositeType = "AWS::CloudWatch::CompositeAlarm"
	dashboardType = "AWS::CloudWatch::Dashboard"
)

// metricOperations are CloudWatch's. Nothing here evaluates an alarm: its
// state is what SetAlarmState last said.
func metricOperations() map[string]operation {
	return map[string]operation{
		"DescribeAlarms":   docReads(describeAlarms),
		"SetAlarmState":    docWrites(setAlarmState),
		"PutMetricAlarm":   docWrites(putMetricAlarm),
		"DeleteAlarms":     docWrites(deleteAlarms),
		"GetDashboard":     docReads(getDashboard),
		"ListDashboards":   docReads(listDashboards),
		"PutDashboard":     docWrites(putDashboard),
		"DeleteDashboards": docWrites(deleteDashboards),

		"PutMetricData":       docWrites(putMetricData),
		"GetMetricData":       docReads(getMetricData),
		"GetMetricStatistics": docReads(getMetricStatistics),
		"ListMetrics":         docReads(listMetrics),
	}
}

// alarmState is the state of an alarm that somebody set.
type alarmState struct {
	Value  string    `json:"value"`
	Reason string    `json:"reason,omitempty"`
	Data   string    `json:"data,omitempty"`
	At     time.Time `json:"at"`
}

// dimensionShape and the others are the members of CloudWatch's types that
// have CloudFormation's names.
func dimensionShape() []shape { return []shape{{"Name": aText, "Value": aText}} }

func metricsShape() []shape {
	metric := shape{"Namespace": aText, "MetricName": aText, "Dimensions": dimensionShape()}
	return []shape{{"Id": aText, "Expression": aText, "Label": aText, "ReturnData": aFlag, "Period": aNumber, "AccountId": aText,
		"MetricStat": shape{"Metric": metric, "Period": aNumber, "Stat": aText, "Unit": aText}}}
}

func alarmShape() shape {
	actions := shape{"AlarmDescription": aText, "OKActions": aList, "AlarmActions": aList, "InsufficientDataActions": aList}
	for name, form := range (shape{
		"Namespace": aText, "MetricName": aText, "Dimensions": dimensionShape(), "Statistic": aText, "ExtendedStatistic": aText, "Period": aNumber, "Unit": aText,
		"EvaluationPeriods": aNumber, "DatapointsToAlarm": aNumber, "Threshold": aReal, "ComparisonOperator": aText, "TreatMissingData": aText,
		"EvaluateLowSampleCountPercentile": aText, "ThresholdMetricId": aText,
		"Metrics": metricsShape(),
	}) {
		actions[name] = form
	}
	return actions
}

func (c *call) alarm(i networkItem, composite bool) doc {
	out := alarmShape().of(i.props)
	if composite {
		out = shape{"AlarmDescription": aText, "OKActions": aList, "AlarmActions": aList, "InsufficientDataActions": aList, "AlarmRule": aText}.of(i.props)
	}
	for _, list := range []string{"OKActions", "AlarmActions", "InsufficientDataActions"} {
		if out[list] == nil {
			out[list] = []string{}
		}
	}
	if !composite && out["Dimensions"] == nil {
		out["Dimensions"] = []doc{}
	}
	out["AlarmName"], out["AlarmArn"] = i.id, c.arn("cloudwatch", "alarm:"+i.id)
	out["ActionsEnabled"] = i.props.text("ActionsEnabled") != "false"
	out["AlarmConfigurationUpdatedTimestamp"] = i.created
	state := c.alarmState(i)
	out["StateValue"], out["StateReason"], out["StateUpdatedTimestamp"] = state.Value, state.Reason, state.At
	out["StateTransitionedTimestamp"], out["StateReasonData"] = state.At, opt(state.Data)
	return out
}

func (c *call) alarmState(i networkItem) alarmState {
	if s := c.region.Alarms[i.id]; s != nil {
		return *s
	}
	return alarmState{Value: "INSUFFICIENT_DATA", Reason: "Unchecked: Initial alarm creation", At: i.created}
}

func describeAlarms(c *call, in props) (doc, error) {
	names, kinds := in.texts("AlarmNames"), in.texts("AlarmTypes")
	if len(names) > 100 {
		return nil, fail("ValidationError", "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: Member must have length less than or equal to 100")
	}
	if len(names) > 0 && in.text("AlarmNamePrefix") != "" {
		return nil, fail("ValidationError", "AlarmNames and AlarmNamePrefix are mutually exclusive")
	}
	var all []networkItem
	composite := map[string]bool{}
	if len(kinds) == 0 || slices.Contains(kinds, "MetricAlarm") {
		all = append(all, c.items(alarmType)...)
	}
	if slices.Contains(kinds, "CompositeAlarm") {
		for _, i := range c.items(compositeType) {
			composite[i.id] = true
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b networkItem) int { return strings.Compare(a.id, b.id) })
	all = slices.DeleteFunc(all, func(i networkItem) bool {
		actions := slices.Concat(i.props.texts("AlarmActions"), i.props.texts("OKActions"), i.props.texts("InsufficientDataActions"))
		prefix := in.text("ActionPrefix")
		return len(names) > 0 && !slices.Contains(names, i.id) || !strings.HasPrefix(i.id, in.text("AlarmNamePrefix")) ||
			in.text("StateValue") != "" && c.alarmState(i).Value != in.text("StateValue") ||
			prefix != "" && !slices.ContainsFunc(actions, func(a string) bool { return strings.HasPrefix(a, prefix) })
	})
	list, next, err := pageOf(in, "NextToken", "MaxRecords", 50, 100, all, func(i networkItem) string { return i.id })
	if err != nil {
		return nil, err
	}
	metric, composites := []doc{}, []doc{}
	for _, i := range list {
		if composite[i.id] {
			composites = append(composites, c.alarm(i, true))
		} else {
			metric = append(metric, c.alarm(i, false))
		}
	}
	return doc{"MetricAlarms": metric, "CompositeAlarms": composites, "NextToken": next}, nil
}

func (c *call) anyAlarm(name string) (networkItem, string, bool) {
	for _, typeName := range []string{alarmType, compositeType} {
		if i, ok := c.thing(typeName, name); ok {
			return i, typeName, true
		}
	}
	return networkItem{}, "", false
}

func setAlarmState(c *call, in props) (doc, error) {
	name, value := in.text("AlarmName"), in.text("StateValue")
	if !slices.Contains([]string{"OK", "ALARM", "INSUFFICIENT_DATA"}, value) {
		return nil, fail("ValidationError", "1 validation error detected: Value '%.80s' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]", value)
	}
	if _, _, ok := c.anyAlarm(name); !ok {
		return nil, &Fail{Code: "ResourceNotFound", Message: "Alarm " + name + " does not exist", Status: http.StatusNotFound}
	}
	c.region.Alarms[name] = &alarmState{Value: value, Reason: in.text("StateReason"), Data: in.text("StateReasonData"), At: c.now}
	c.lookAtAlarms(name)
	return doc{}, nil
}

func putMetricAlarm(c *call, in props) (doc, error) {
	name := in.text("AlarmName")
	for _, needed := range []string{"AlarmName", "ComparisonOperator", "EvaluationPeriods"} {
		if in.text(needed) == "" {
			return nil, fail("ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", lowerFirst(needed))
		}
	}
	if len(in.texts("AlarmActions")) > 5 {
		return nil, fail("ValidationError", "1 validation error detected: Value at 'alarmActions' failed to satisfy constraint: Member must have length less than or equal to 5")
	}
	p := props{}
	for k, v := range in {
		if k != "Action" && k != "Version" {
			p[k] = v
		}
	}
	c.put(alarmType, name, p, nil)
	return doc{}, nil
}

func deleteAlarms(c *call, in props) (doc, error) {
	for _, name := range in.texts("AlarmNames") {
		if _, _, ok := c.anyAlarm(name); !ok {
			return nil, &Fail{Code: "ResourceNotFound", Message: "Alarm " + name + " does not exist", Status: http.StatusNotFound}
		}
	}
	for _, name := range in.texts("AlarmNames") {
		_, typeName, _ := c.anyAlarm(name)
		c.drop(typeName, name)
		delete(c.region.Alarms, name)
	}
	return doc{}, nil
}

// dashboards are global: every region shows all.
func (c *call) dashboards() []networkItem { return c.itemsEverywhere(dashboardType) }

func (c *call) dashboardARN(name string) string {
	return "arn:aws:cloudwatch::" + c.account.ID + ":dashboard/" + name
}

func getDashboard(c *call, in props) (doc, error) {
	for _, i := range c.dashboards() {
		if i.id == in.text("DashboardName") {
			return doc{"DashboardName": i.id, "DashboardArn": c.dashboardARN(i.id), "DashboardBody": i.props.text("DashboardBody")}, nil
		}
	}
	return nil, noDashboard(in.text("DashboardName"))
}

func noDashboard(name string) *Fail {
	return &Fail{Code: "ResourceNotFound", Message: "Dashboard " + name + " does not exist", Status: http.StatusNotFound}
}

func listDashboards(c *call, in props) (doc, error) {
	all := slices.DeleteFunc(c.dashboards(), func(i networkItem) bool { return !strings.HasPrefix(i.id, in.text("DashboardNamePrefix")) })
	list, next, err := pageOf(in, "NextToken", "", 1000, 1000, all, func(i networkItem) string { return i.id })
	if err != nil {
		return nil, err
	}
	out := []doc{}
	for _, i := range list {
		out = append(out, doc{"DashboardName": i.id, "DashboardArn": c.dashboardARN(i.id), "LastModified": i.created, "Size": len(i.props.text("DashboardBody"))})
	}
	return doc{"DashboardEntries": out, "NextToken": next}, nil
}

func putDashboard(c *call, in props) (doc, error) {
	body := in.text("DashboardBody")
	if in.text("DashboardName") == "" || !validJSON(body) {
		return nil, fail("InvalidParameterInput", "The field DashboardBody must be a valid JSON object")
	}
	p := props{"DashboardName": in.text("DashboardName"), "DashboardBody": body}
	c.put(dashboardType, in.text("DashboardName"), p, nil)
	return doc{"DashboardValidationMessages": []doc{}}, nil
}

func deleteDashboards(c *call, in props) (doc, error) {
	for _, name := range in.texts("DashboardNames") {
		if _, ok := c.thing(dashboardType, name); !ok {
			return nil, noDashboard(name)
		}
	}
	for _, name := range in.texts("DashboardNames") {
		c.drop(dashboardType, name)
	}
	return doc{}, nil
}
