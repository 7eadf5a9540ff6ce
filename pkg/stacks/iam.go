package stacks

import "reconcile/pkg/cfn"

// allow is an IAM statement; resource is a string, an intrinsic or a list.
func allow(resource any, actions ...string) props {
	return statement("Allow", resource, actions...)
}

func deny(resource any, actions ...string) props {
	return statement("Deny", resource, actions...)
}

func statement(effect string, resource any, actions ...string) props {
	s := props{"Effect": effect, "Resource": resource}
	if len(actions) == 1 {
		s["Action"] = actions[0]
	} else {
		s["Action"] = texts(actions...)
	}
	return s
}

// on adds a condition to a statement.
func on(s props, operator, key string, value any) props {
	conditions, ok := s["Condition"].(props)
	if !ok {
		conditions = props{}
		s["Condition"] = conditions
	}
	keys, ok := conditions[operator].(props)
	if !ok {
		keys = props{}
		conditions[operator] = keys
	}
	keys[key] = value
	return s
}

// by names the principal of a resource policy's statement.
func by(s props, kind string, principal any) props {
	s["Principal"] = props{kind: principal}
	return s
}

func policy(statements ...any) props {
	return props{"Version": "2012-10-17", "Statement": statements}
}

// tlsOnly refuses requests that are not encrypted in transit.
func tlsOnly(actions string, resources ...any) props {
	s := on(deny(resources, actions), "Bool", "aws:SecureTransport", "false")
	s["Principal"] = "*"
	s["Sid"] = "TLSOnly"
	return s
}

// role is an IAM role without a name of its own that an AWS service assumes;
// its one inline policy is deleted with it.
func role(service, description string, statements ...any) cfn.Resource {
	p := props{
		"AssumeRolePolicyDocument": policy(props{
			"Effect": "Allow", "Principal": props{"Service": service}, "Action": "sts:AssumeRole",
		}),
		"Description": description,
	}
	if len(statements) > 0 {
		p["Policies"] = list{props{"PolicyName": "own", "PolicyDocument": policy(statements...)}}
	}
	return cfn.Resource{Type: "AWS::IAM::Role", Properties: p}
}
