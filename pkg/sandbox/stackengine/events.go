package stackengine

import "time"

const eventTime = "2006-01-02T15:04:05.000Z"

// setStatus moves the stack and writes the event that tells it.
func (e *Engine) setStatus(s *Stack, status, reason string, at time.Time) {
	s.Status, s.Reason = status, reason
	s.Events = append(s.Events, Event{
		ID: e.nextID(s, "event"), Time: at, LogicalID: s.Name, PhysicalID: s.ID,
		Type: "AWS::CloudFormation::Stack", Status: status, Reason: reason,
		Token: token(s), Operation: operationID(s),
	})
}

// note moves a resource and writes the event that tells it.
func (e *Engine) note(s *Stack, r *StackResource, status, reason string, at time.Time) {
	r.Status, r.Reason, r.Updated = status, reason, at
	s.Events = append(s.Events, Event{
		ID:   eventID(s, r.LogicalID+"-"+status+"-", at),
		Time: at, LogicalID: r.LogicalID, PhysicalID: r.PhysicalID, Type: r.Type,
		Status: status, Reason: reason, Token: token(s), Operation: operationID(s), Properties: r.Text,
	})
}

// eventID is unique although the engine's time may run a thousand times faster
// than the milliseconds that AWS writes into it.
func eventID(s *Stack, prefix string, at time.Time) string {
	for ; ; at = at.Add(time.Millisecond) {
		id := prefix + at.UTC().Format(eventTime)
		unique := true
		for i := len(s.Events) - 1; i >= 0 && s.Events[i].Time.After(at.Add(-time.Minute)); i-- {
			unique = unique && s.Events[i].ID != id
		}
		if unique {
			return id
		}
	}
}

func token(s *Stack) string {
	if s.Op == nil {
		return ""
	}
	return s.Op.Token
}

func operationID(s *Stack) string {
	if s.Op == nil {
		return ""
	}
	return s.Op.ID
}

// remember keeps a text that events refer to.
func remember(s *Stack, text string) string {
	if s.Texts == nil {
		s.Texts = map[string]string{}
	}
	key := digest(text)
	s.Texts[key] = text
	return key
}
