package apply

import (
	"fmt"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// imports tells whether the step takes existing things into the stack. Its
// template is used to the letter: AWS refuses an import that changes anything
// else, outputs and tags included.
func (s *stackStep) imports() bool { return s.step.Action == plan.ActionImport }

// asPlanned takes the template of an import, which has no open reference and
// carries its mark already.
func (s *stackStep) asPlanned(then func()) {
	m, ok := cfn.ParseMarker(s.body.Template.Description)
	if !ok || m.Owner != s.body.Owner || len(s.open()) > 0 {
		s.fail(fmt.Sprintf("stack %s: the plan's import is not complete", s.body.Name))
		return
	}
	s.parameters = make(map[string]string, len(s.body.Parameters))
	for name, v := range s.body.Parameters {
		text, ok := v.(string)
		if !ok {
			s.fail(fmt.Sprintf("stack %s: the value of template parameter %s is no text", s.body.Name, name))
			return
		}
		s.parameters[name] = text
	}
	s.template, s.digest = *s.body.Template, m.Digest
	then()
}

// notImported lists what the plan imports and CloudFormation does not.
func (s *stackStep) notImported() []string {
	announced := map[string]bool{}
	for _, c := range s.set.Changes {
		if c.Action == "Import" {
			announced[c.Resource] = true
		}
	}
	var out []string
	for _, i := range s.body.Imports {
		if !announced[i.Resource] {
			out = append(out, fmt.Sprintf("does not import %s (%s)", i.Resource, i.Type))
		}
	}
	return out
}
