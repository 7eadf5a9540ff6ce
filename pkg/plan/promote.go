package plan

import "fmt"

// DataTypeImage is the data type of a parameter that names an AMI: AWS looks at
// the image after it has answered.
const DataTypeImage = "aws:ec2:image"

// DataTypeError says that a fleet's AMI parameter is of another type, which AWS
// does not change in place (failure-modes E11).
type DataTypeError struct{ Parameter, Type, DataType string }

func (e *DataTypeError) Error() string {
	return fmt.Sprintf("parameter %s is a %s of data type %s, not a String of %s, and AWS does not change that in place: it must be deleted first", e.Parameter, e.Type, dataType(e.DataType), DataTypeImage)
}

// Hint is the command to run next.
func (e *DataTypeError) Hint() string { return "aws ssm delete-parameter --name " + e.Parameter }

// Promote is the plan of one step that makes a fleet's AMI parameter name an
// image; without a step when it does already. live is the parameter, nil when
// there is none. It launches nothing: the next plan of the fleet shows what the
// new value changes. The error may be a *DataTypeError.
func Promote(t Target, tool string, f Fleet, live *LiveParameter, image string) (Plan, error) {
	out := Plan{FormatVersion: FormatVersion, Tool: tool, Target: t}
	if live != nil && (live.Type != "String" || live.DataType != DataTypeImage) {
		return out, &DataTypeError{f.AMIParameter, live.Type, live.DataType}
	}
	if live == nil || live.Value != image {
		step := Step{
			ID: ID(KindParameter, f.AMIParameter), Kind: KindParameter, Target: f.AMIParameter, Action: ActionCreate, Base: FingerprintParameter(live), Source: f.Source,
			Body: Body{Parameter: &ParameterBody{
				Name: f.AMIParameter, Type: "String", DataType: DataTypeImage, Value: image, Owner: t.Platform, Describe: "AMI of fleet " + f.ID,
			}},
			Changes:  []Change{{Resource: f.AMIParameter, Type: "AWS::SSM::Parameter", Action: ActionCreate, After: image, Source: f.Source}},
			Reason:   "the parameter does not exist",
			Rollback: "delete the parameter",
		}
		if live != nil {
			step.Action, step.Body.Parameter.Version, step.Reason = ActionUpdate, live.Version, "it is to name another image"
			step.Rollback = fmt.Sprintf("reconcile ami use %s %s", f.ID, live.Value)
			ch := &step.Changes[0]
			ch.Action, ch.Path, ch.Before = ActionUpdate, "Value", live.Value
		}
		out.Steps = []Step{step}
	}
	out.Summary = summarize(out)
	d, err := out.digest()
	out.Digest = d
	return out, err
}
