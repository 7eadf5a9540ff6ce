package stacks

import (
	"strconv"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

const imagesKept = 10

// cicdStack holds the container registries. Their images can be built again,
// so deleting the stack deletes them.
func (p *platform) cicdStack() plan.Stack {
	s := p.stack(p.cicd(), "cicd", "ECR repositories with lifecycle policies")
	// The backend's repository holds two image families, each with a moving tag:
	// counted together, ten builds of one would expire the other.
	p.repository(s, "Backend", p.backendName(),
		keepTagged("nginx-"), keepTagged("php-"), keepUntagged())
	p.repository(s, "Frontend", p.frontendName(), keepAny())
	return s.finish()
}

// keep counts rather than days: a service that nobody deployed for a month
// still has to pull its image for a new task.
func keepTagged(prefix string) props {
	return props{
		"description": "Keep last " + strconv.Itoa(imagesKept) + " " + prefix + "* images",
		"selection": props{
			"tagStatus": "tagged", "tagPrefixList": list{prefix}, "countType": "imageCountMoreThan", "countNumber": imagesKept,
		},
	}
}

func keepUntagged() props {
	return props{
		"description": "Keep last " + strconv.Itoa(imagesKept) + " untagged images",
		"selection":   props{"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": imagesKept},
	}
}

func keepAny() props {
	return props{
		"description": "Keep last " + strconv.Itoa(imagesKept) + " images",
		"selection":   props{"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": imagesKept},
	}
}

func (p *platform) repository(s *stack, id, name string, rules ...props) {
	ordered := make(list, len(rules))
	for i, r := range rules {
		r["rulePriority"] = i + 1
		r["action"] = props{"type": "expire"}
		ordered[i] = r
	}
	properties := props{
		"RepositoryName": name,
		"EmptyOnDelete":  true,
		// CI pushes nginx-latest, php-latest and latest anew with every build.
		"ImageTagMutability": "MUTABLE",
		"LifecyclePolicy":    props{"LifecyclePolicyText": jsonText(props{"rules": ordered})},
	}
	if p.wants(s, RuleScanOnPush, id+"Repository.Properties.ImageScanningConfiguration") {
		properties["ImageScanningConfiguration"] = props{"ScanOnPush": true}
	}
	s.add(id+"Repository", cfn.Resource{
		Type: "AWS::ECR::Repository", DeletionPolicy: "Delete", UpdateReplacePolicy: "Delete", Properties: properties,
	})
	s.output(id+"RepoUri", "Repository of the "+name+" images", cfn.GetAtt(id+"Repository", "RepositoryUri"))
}
