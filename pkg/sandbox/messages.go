package sandbox

import (
	"slices"
	"strings"
)

// SNS, SQS and Budgets show what stacks deployed. A message that is published
// to a topic is taken and goes nowhere: nothing runs that could receive it.

const (
	topicType        = "AWS::SNS::Topic"
	subscriptionType = "AWS::SNS::Subscription"
)

func topicOperations() map[string]operation {
	return map[string]operation{
		"Publish":                  docWrites(publish),
		"ListTopics":               docReads(listTopics),
		"GetTopicAttributes":       docReads(getTopicAttributes),
		"ListSubscriptionsByTopic": docReads(listSubscriptions),
		"ListTagsForResource":      docReads(listTopicTags),
	}
}

func (c *call) topic(arn string) (networkItem, error) {
	i, ok := c.thing(topicType, arn)
	if !ok {
		return i, notThere("NotFound", "Topic does not exist")
	}
	return i, nil
}

func publish(c *call, in props) (doc, error) {
	arn := in.text("TopicArn")
	if arn == "" {
		arn = in.text("TargetArn")
	}
	if _, err := c.topic(arn); err != nil {
		return nil, err
	}
	switch message := in.text("Message"); {
	case message == "":
		return nil, fail("InvalidParameter", "Invalid parameter: Empty message")
	case len(message) > 256<<10:
		return nil, fail("InvalidParameter", "Invalid parameter: Message too long")
	case in.text("MessageStructure") == "json" && !validJSON(message):
		return nil, fail("InvalidParameter", "Invalid parameter: Message Structure - JSON message body failed to parse")
	}
	return doc{"MessageId": uuid(c.account.draw("message"))}, nil
}

func listTopics(c *call, in props) (doc, error) {
	list, next, err := pageOf(in, "NextToken", "", 100, 100, c.items(topicType), func(i networkItem) string { return i.id })
	out := []doc{}
	for _, i := range list {
		out = append(out, doc{"TopicArn": i.id})
	}
	return doc{"Topics": out, "NextToken": next}, err
}

// subscriptions of a topic: those in the topic itself and those beside it.
func (c *call) subscriptions(topic networkItem) []doc {
	out := []doc{}
	add := func(id string, p props) {
		if p.text("Protocol") == "email" {
			id = "PendingConfirmation" // nobody reads mail here
		}
		out = append(out, doc{"SubscriptionArn": id, "Owner": c.account.ID, "Protocol": p.text("Protocol"), "Endpoint": p.text("Endpoint"), "TopicArn": topic.id})
	}
	for n, p := range topic.props.list("Subscription") {
		add(topic.id+":"+uuid(hexOf("subscription", topic.id, plainText(n))), p)
	}
	for _, i := range c.items(subscriptionType) {
		if i.props.text("TopicArn") == topic.id {
			add(i.id, i.props)
		}
	}
	return out
}

func getTopicAttributes(c *call, in props) (doc, error) {
	i, err := c.topic(in.text("TopicArn"))
	if err != nil {
		return nil, err
	}
	pending, confirmed := 0, 0
	for _, s := range c.subscriptions(i) {
		if s["SubscriptionArn"] == "PendingConfirmation" {
			pending++
		} else {
			confirmed++
		}
	}
	out := map[string]string{"TopicArn": i.id, "Owner": c.account.ID, "DisplayName": i.props.text("DisplayName"), "SubscriptionsConfirmed": plainText(confirmed), "SubscriptionsPending": plainText(pending), "SubscriptionsDeleted": "0"}
	if key := i.props.text("KmsMasterKeyId"); key != "" {
		out["KmsMasterKeyId"] = key
	}
	for _, p := range c.items("AWS::SNS::TopicPolicy") {
		if slices.Contains(p.props.texts("Topics"), i.id) {
			out["Policy"] = string(p.props.raw("PolicyDocument"))
		}
	}
	return doc{"Attributes": out}, nil
}

func listSubscriptions(c *call, in props) (doc, error) {
	i, err := c.topic(in.text("TopicArn"))
	if err != nil {
		return nil, err
	}
	return doc{"Subscriptions": c.subscriptions(i)}, nil
}

func listTopicTags(c *call, in props) (doc, error) {
	i, ok := c.thing(topicType, in.text("ResourceArn"))
	if !ok {
		return nil, notThere("ResourceNotFound", "Resource does not exist")
	}
	return doc{"Tags": tagDocs(i.tags())}, nil
}

func queueOperations() map[string]operation {
	return map[string]operation{"GetQueueUrl": docReads(getQueueURL), "GetQueueAttributes": docReads(getQueueAttributes), "ListQueues": docReads(listQueues)}
}

const queueType = "AWS::SQS::Queue"

func noQueue() *Fail {
	return fail("QueueDoesNotExist", "The specified queue does not exist.")
}

func getQueueURL(c *call, in props) (doc, error) {
	for _, i := range c.items(queueType) {
		if tail(i.id) == in.text("QueueName") {
			return doc{"QueueUrl": i.id}, nil
		}
	}
	return nil, noQueue()
}

func listQueues(c *call, in props) (doc, error) {
	out := []string{}
	for _, i := range c.items(queueType) {
		if strings.HasPrefix(tail(i.id), in.text("QueueNamePrefix")) {
			out = append(out, i.id)
		}
	}
	return doc{"QueueUrls": out}, nil
}

func getQueueAttributes(c *call, in props) (doc, error) {
	names := in.texts("AttributeNames")
	for _, i := range c.items(queueType) {
		if i.id != in.text("QueueUrl") {
			continue
		}
		all := map[string]string{"QueueArn": c.arn("sqs", tail(i.id)), "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0", "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0", "MaximumMessageSize": "262144"}
		for _, k := range []string{"VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "ReceiveMessageWaitTimeSeconds", "MaximumMessageSize", "KmsMasterKeyId"} {
			if v := i.props.text(k); v != "" {
				all[k] = v
			}
		}
		if raw := i.props.raw("RedrivePolicy"); raw != nil {
			all["RedrivePolicy"] = string(raw)
		}
		out := map[string]string{}
		for k, v := range all {
			if slices.Contains(names, "All") || slices.Contains(names, k) {
				out[k] = v
			}
		}
		return doc{"Attributes": out}, nil
	}
	return nil, noQueue()
}

func budgetOperations() map[string]operation {
	return map[string]operation{"DescribeBudget": docReads(describeBudget), "DescribeBudgets": docReads(describeBudgets)}
}

func (c *call) budgets() []doc {
	out := []doc{}
	for _, i := range c.itemsEverywhere("AWS::Budgets::Budget") {
		b := i.props.sub("Budget")
		d := shape{"BudgetType": aText, "TimeUnit": aText, "BudgetLimit": shape{"Amount": aText, "Unit": aText}}.of(b)
		if d["BudgetName"] = b.text("BudgetName"); d["BudgetName"] == "" {
			d["BudgetName"] = i.id
		}
		d["CalculatedSpend"] = doc{"ActualSpend": doc{"Amount": "0", "Unit": "USD"}}
		out = append(out, d)
	}
	return out
}

func describeBudget(c *call, in props) (doc, error) {
	for _, d := range c.budgets() {
		if d["BudgetName"] == in.text("BudgetName") {
			return doc{"Budget": d}, nil
		}
	}
	return nil, fail("NotFoundException", "Unable to get budget: %.100s - the budget doesn't exist.", in.text("BudgetName"))
}

func describeBudgets(c *call, _ props) (doc, error) { return doc{"Budgets": c.budgets()}, nil }
