package permission_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/pkg/permission"
)

func place() permission.Place {
	return permission.Place{
		Partition: "aws", Region: "us-east-1", Account: "123456789012", Platform: "bp", Bucket: "bp-reconcile-123456789012",
		Exec: "arn:aws:iam::123456789012:role/bp-reconcile-exec", Stacks: []string{"bp-*", "queue"},
	}
}

// The table holds exactly what pkg/cloud calls: a call without a row would be
// refused by AWS, a row without a call would allow what nobody needs.
func TestTableIsWhatIsCalled(t *testing.T) {
	called := calledOperations(t)
	if len(called) < 30 {
		t.Fatalf("found only %d calls in pkg/cloud", len(called))
	}
	listed := map[string]bool{}
	for _, c := range permission.Calls() {
		listed[c.Service+" "+c.Operation] = true
	}
	for name, where := range called {
		if !listed[name] {
			t.Errorf("%s calls %s, which is not in Calls: add it with its IAM actions and the commands that make it", where, name)
		}
	}
	for name := range listed {
		if called[name] == "" {
			t.Errorf("Calls allows for %s, which pkg/cloud never calls", name)
		}
	}
}

// calledOperations reads the source of pkg/cloud: calls through a field that
// holds a client of the SDK, and those by our own signed requests, whose
// operation is a text.
func calledOperations(t *testing.T) map[string]string {
	t.Helper()
	services := map[string]string{
		"acm": "ACM", "autoscaling": "Auto Scaling", "cloudformation": "CloudFormation", "cloudwatch": "CloudWatch", "cloudwatchlogs": "CloudWatch Logs",
		"ecr": "ECR", "ecs": "ECS", "s3": "S3", "secretsmanager": "Secrets Manager", "ssm": "SSM", "sts": "STS",
	}
	files, err := filepath.Glob("../cloud/*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var parsed []*ast.File
	clients := map[string]string{} // name of a field → service
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
		imports := map[string]string{}
		for _, i := range f.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			if strings.Contains(p, "aws-sdk-go-v2/service/") {
				imports[path.Base(p)] = path.Base(p)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok {
				return true
			}
			star, ok := field.Type.(*ast.StarExpr)
			if !ok {
				return true
			}
			sel, ok := star.X.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Client" {
				return true
			}
			pkg := fmt.Sprint(sel.X)
			if imports[pkg] == "" {
				return true
			}
			if services[pkg] == "" {
				t.Errorf("%s: the service of package %s is not known to this test", name, pkg)
			}
			for _, n := range field.Names {
				clients[n.Name] = services[pkg]
			}
			return true
		})
	}
	endpoints := endpointServices(t, parsed)
	asking := map[string]bool{"ask": true, "askJSON": true, "askPages": true, "askJSONPages": true}
	called := map[string]string{}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			at := set.Position(call.Pos()).String()
			if own := map[string]string{"ec2": "EC2", "iam": "IAM"}[sel.Sel.Name]; own != "" && len(call.Args) > 1 {
				if lit, ok := call.Args[1].(*ast.BasicLit); ok {
					operation, _ := strconv.Unquote(lit.Value)
					called[own+" "+operation] = at
				}
				return true
			}
			if asking[sel.Sel.Name] && len(call.Args) > 2 {
				if _, passed := call.Args[1].(*ast.Ident); passed {
					return true // one of these in another, which says nothing of its own
				}
				service, operation := endpoints[calledName(call.Args[1])], stringOf(call.Args[2])
				if service == "" || operation == "" {
					t.Errorf("%s: this test cannot read which operation of which service is called", at)
				}
				called[service+" "+operation] = at
				return true
			}
			if client, ok := sel.X.(*ast.SelectorExpr); ok && clients[client.Sel.Name] != "" && ast.IsExported(sel.Sel.Name) && sel.Sel.Name != "Options" {
				called[clients[client.Sel.Name]+" "+sel.Sel.Name] = at
			}
			return true
		})
	}
	return called
}

// endpointServices are the services of the functions that give an endpoint, by
// the function's name.
func endpointServices(t *testing.T, files []*ast.File) map[string]string {
	t.Helper()
	constants, out := map[string]string{}, map[string]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
				for i, name := range v.Names {
					constants[name.Name] = stringOf(v.Values[i])
				}
			}
			return true
		})
	}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || fn.Type.Results == nil || fmt.Sprint(fn.Type.Results.List[0].Type) != "endpoint" {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if kv, ok := n.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == "id" {
					out[fn.Name.Name] = stringOf(kv.Value)
					if name, ok := kv.Value.(*ast.Ident); ok {
						out[fn.Name.Name] = constants[name.Name]
					}
				}
				return true
			})
		}
	}
	if len(out) < 5 {
		t.Fatalf("found only %d endpoints in pkg/cloud: %v", len(out), out)
	}
	return out
}

func calledName(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return ""
	}
	return fmt.Sprint(call.Fun)
}

func stringOf(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

// What a role must never be able to do, whatever the tables say.
func TestRolesNever(t *testing.T) {
	secrets := []string{"kms:Decrypt", "secretsmanager:GetSecretValue", "ssm:GetParametersByPath", "sts:AssumeRole", "iam:CreateRole", "iam:PutRolePolicy", "iam:CreatePolicyVersion", "organizations:LeaveOrganization", "cloudtrail:StopLogging", "cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:SetStackPolicy"}
	writes := append([]string{"iam:PassRole", "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet", "cloudformation:DeleteStack", "ssm:PutParameter", "secretsmanager:PutSecretValue", "logs:CreateLogGroup", "s3:PutObject"}, secrets...)
	for role, never := range map[permission.Role][]string{permission.RolePlan: writes, permission.RoleDrift: writes, permission.RoleApply: secrets} {
		for _, action := range never {
			if permission.Allows(permission.Of(role, place()), action) {
				t.Errorf("role %s may %s", role, action)
			}
		}
	}
	for _, s := range permission.Of(permission.RoleApply, place()) {
		for _, a := range s.Actions {
			if strings.Contains(a, "*") {
				t.Errorf("role apply may %s: an action of a call has no pattern", a)
			}
			if a == "iam:PassRole" && (!slices.Equal(s.Resources, []string{place().Exec}) || s.Conditions["StringEquals"]["iam:PassedToService"] != "cloudformation.amazonaws.com") {
				t.Errorf("iam:PassRole on %v for %v", s.Resources, s.Conditions)
			}
		}
	}
}

// CloudFormation may make roles with the boundary alone, and whatever a
// user's template holds, nothing else of IAM.
func TestExecMakesBoundedRolesOnly(t *testing.T) {
	const boundary = "arn:aws:iam::123456789012:policy/bp-reconcile-boundary"
	var own []string
	for _, r := range permission.Resources() {
		own = append(own, r.Type)
	}
	users := []string{"AWS::IAM::User", "AWS::IAM::Role", "AWS::SQS::Queue", "Custom::Thing", "AWS::EFS::FileSystem"}
	statements := permission.Exec(own, users, boundary, place())
	for _, action := range []string{"iam:CreateUser", "iam:CreatePolicy", "iam:DeleteRolePermissionsBoundary", "iam:CreateAccessKey", "organizations:*", "cloudtrail:StopLogging"} {
		if permission.Allows(statements, action) {
			t.Errorf("CloudFormation may %s", action)
		}
	}
	for _, action := range []string{"sqs:CreateQueue", "elasticfilesystem:CreateFileSystem", "lambda:InvokeFunction"} {
		if !permission.Allows(statements, action) {
			t.Errorf("CloudFormation may not %s, which a user's template needs", action)
		}
	}
	for _, s := range statements {
		for _, a := range s.Actions {
			if permission.Matches(a, "iam:CreateRole") && s.Conditions["StringEquals"]["iam:PermissionsBoundary"] != boundary {
				t.Errorf("%s without the boundary: %v", a, s)
			}
		}
	}
	for _, d := range permission.Denied(place()) {
		if len(d.Resources) == 0 || len(d.Actions) == 0 || d.Sid == "" {
			t.Errorf("empty denial %v", d)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"s3:*", "s3:GetObject", true},
		{"s3:*Bucket*", "s3:DeleteBucketPolicy", true},
		{"s3:*Bucket", "s3:DeleteBucketPolicy", false},
		{"s3:Get", "s3:GetObject", false},
		{"ec2:*Route", "ec2:CreateRouteTable", false},
		{"a*b*b", "ab", false},
	} {
		if got := permission.Matches(c.pattern, c.text); got != c.want {
			t.Errorf("Matches(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}
