package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// IAM is one for all regions. It shows the roles, policies and profiles that
// stacks deployed; OIDC providers can also be made by hand, as bootstrap finds them.

const (
	roleType     = "AWS::IAM::Role"
	policyType   = "AWS::IAM::ManagedPolicy"
	inlineType   = "AWS::IAM::Policy"
	profileType  = "AWS::IAM::InstanceProfile"
	providerType = "AWS::IAM::OIDCProvider"
)

func iamOperations() map[string]operation {
	return map[string]operation{
		"GetRole":                  docReads(getRole),
		"ListRoles":                docReads(listRoles),
		"GetRolePolicy":            docReads(getRolePolicy),
		"ListRolePolicies":         docReads(listRolePolicies),
		"ListAttachedRolePolicies": docReads(listAttachedRolePolicies),
		"ListRoleTags":             docReads(listRoleTags),
		"GetPolicy":                docReads(getPolicy),
		"GetPolicyVersion":         docReads(getPolicyVersion),
		"GetInstanceProfile":       docReads(getInstanceProfile),

		"ListOpenIDConnectProviders":            docReads(listProviders),
		"GetOpenIDConnectProvider":              docReads(getProvider),
		"CreateOpenIDConnectProvider":           docWrites(createProvider),
		"DeleteOpenIDConnectProvider":           docWrites(deleteProvider),
		"AddClientIDToOpenIDConnectProvider":    docWrites(addClientID),
		"UpdateOpenIDConnectProviderThumbprint": docWrites(updateThumbprint),
	}
}

func noEntity(format string, args ...any) *Fail {
	f := fail("NoSuchEntity", format, args...)
	f.Status = http.StatusNotFound
	return f
}

func (c *call) role(name string) (networkItem, error) {
	for _, i := range c.itemsEverywhere(roleType) {
		if i.id == name {
			return i, nil
		}
	}
	return networkItem{}, noEntity("The role with name %s cannot be found.", name)
}

// document is a policy as IAM returns it: JSON, percent-encoded.
func document(p props, name string) string {
	if s, ok := p[name].(string); ok {
		return url.PathEscape(s)
	}
	return url.PathEscape(string(p.raw(name)))
}

func pathOf(p props) string {
	if s := p.text("Path"); s != "" {
		return s
	}
	return "/"
}

func (c *call) roleDoc(i networkItem) doc {
	seconds, ok := i.props.number("MaxSessionDuration")
	if !ok {
		seconds = 3600
	}
	out := doc{
		"Path": pathOf(i.props), "RoleName": i.id, "RoleId": i.attribute("RoleId"), "Arn": "arn:aws:iam::" + c.account.ID + ":role" + pathOf(i.props) + i.id, "CreateDate": i.created,
		"AssumeRolePolicyDocument": document(i.props, "AssumeRolePolicyDocument"), "Description": opt(i.props.text("Description")), "MaxSessionDuration": seconds,
		"Tags": tagDocs(i.tags()),
	}
	if b := i.props.text("PermissionsBoundary"); b != "" {
		out["PermissionsBoundary"] = doc{"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": b}
	}
	return out
}

func getRole(c *call, in props) (doc, error) {
	i, err := c.role(in.text("RoleName"))
	if err != nil {
		return nil, err
	}
	return doc{"Role": c.roleDoc(i)}, nil
}

// listRoles leaves out tags and boundary, as IAM does.
func listRoles(c *call, in props) (doc, error) {
	all := slices.DeleteFunc(c.itemsEverywhere(roleType), func(i networkItem) bool { return !strings.HasPrefix(pathOf(i.props), in.text("PathPrefix")) })
	list, next, err := pageOf(in, "Marker", "MaxItems", 100, 1000, all, func(i networkItem) string { return i.id })
	out := []doc{}
	for _, i := range list {
		d := c.roleDoc(i)
		delete(d, "Tags")
		delete(d, "PermissionsBoundary")
		out = append(out, d)
	}
	return doc{"Roles": out, "IsTruncated": next != nil, "Marker": next}, err
}

// inline are a role's inline policies: its own and those of policy resources.
func (c *call) inline(role networkItem) map[string]props {
	out := map[string]props{}
	for _, p := range role.props.list("Policies") {
		out[p.text("PolicyName")] = p
	}
	for _, i := range c.itemsEverywhere(inlineType) {
		if slices.Contains(i.props.texts("Roles"), role.id) {
			out[i.props.text("PolicyName")] = i.props
		}
	}
	return out
}

func listRolePolicies(c *call, in props) (doc, error) {
	i, err := c.role(in.text("RoleName"))
	if err != nil {
		return nil, err
	}
	return doc{"PolicyNames": sortedKeys(c.inline(i)), "IsTruncated": false}, nil
}

func getRolePolicy(c *call, in props) (doc, error) {
	i, err := c.role(in.text("RoleName"))
	if err != nil {
		return nil, err
	}
	name := in.text("PolicyName")
	p, ok := c.inline(i)[name]
	if !ok {
		return nil, noEntity("The role policy with name %s cannot be found.", name)
	}
	return doc{"RoleName": i.id, "PolicyName": name, "PolicyDocument": document(p, "PolicyDocument")}, nil
}

func listAttachedRolePolicies(c *call, in props) (doc, error) {
	i, err := c.role(in.text("RoleName"))
	if err != nil {
		return nil, err
	}
	arns := i.props.texts("ManagedPolicyArns")
	for _, p := range c.itemsEverywhere(policyType) {
		if slices.Contains(p.props.texts("Roles"), i.id) {
			arns = append(arns, p.id)
		}
	}
	slices.Sort(arns)
	out := []doc{}
	for _, arn := range slices.Compact(arns) {
		out = append(out, doc{"PolicyName": tail(arn), "PolicyArn": arn})
	}
	return doc{"AttachedPolicies": out, "IsTruncated": false}, nil
}

func listRoleTags(c *call, in props) (doc, error) {
	i, err := c.role(in.text("RoleName"))
	if err != nil {
		return nil, err
	}
	return doc{"Tags": tagDocs(i.tags()), "IsTruncated": false}, nil
}

func (c *call) policy(arn string) (networkItem, error) {
	for _, i := range c.itemsEverywhere(policyType) {
		if i.id == arn {
			return i, nil
		}
	}
	return networkItem{}, noEntity("Policy %s was not found.", arn)
}

func getPolicy(c *call, in props) (doc, error) {
	i, err := c.policy(in.text("PolicyArn"))
	if err != nil {
		return nil, err
	}
	attached := len(i.props.texts("Roles"))
	for _, r := range c.itemsEverywhere(roleType) {
		if slices.Contains(r.props.texts("ManagedPolicyArns"), i.id) {
			attached++
		}
	}
	return doc{"Policy": doc{
		"PolicyName": tail(i.id), "PolicyId": opt(i.attribute("PolicyId")), "Arn": i.id, "Path": pathOf(i.props), "DefaultVersionId": "v1", "AttachmentCount": attached,
		"IsAttachable": true, "Description": opt(i.props.text("Description")), "CreateDate": i.created, "UpdateDate": i.created,
	}}, nil
}

func getPolicyVersion(c *call, in props) (doc, error) {
	i, err := c.policy(in.text("PolicyArn"))
	if err != nil {
		return nil, err
	}
	if v := in.text("VersionId"); v != "v1" {
		return nil, noEntity("Policy %s version %s does not exist or is not attachable.", i.id, v)
	}
	return doc{"PolicyVersion": doc{"Document": document(i.props, "PolicyDocument"), "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": i.created}}, nil
}

func getInstanceProfile(c *call, in props) (doc, error) {
	name := in.text("InstanceProfileName")
	for _, i := range c.itemsEverywhere(profileType) {
		if i.id != name {
			continue
		}
		roles := []doc{}
		for _, r := range i.props.texts("Roles") {
			if role, err := c.role(r); err == nil {
				roles = append(roles, c.roleDoc(role))
			}
		}
		return doc{"InstanceProfile": doc{
			"Path": pathOf(i.props), "InstanceProfileName": i.id, "InstanceProfileId": "AIPA" + strings.ToUpper(c.account.hash("profile", i.id)[:17]),
			"Arn": "arn:aws:iam::" + c.account.ID + ":instance-profile" + pathOf(i.props) + i.id, "CreateDate": i.created, "Roles": roles,
		}}, nil
	}
	return nil, noEntity("Instance Profile %s cannot be found.", name)
}

// providers are the OIDC providers of the account, by ARN.
func (c *call) providers() map[string]networkItem {
	out := map[string]networkItem{}
	for _, i := range c.itemsEverywhere(providerType) {
		arn := i.id
		if !strings.HasPrefix(arn, "arn:") {
			arn = c.providerARN(i.props.text("Url"))
		}
		out[arn] = i
	}
	return out
}

func (c *call) providerARN(address string) string {
	return "arn:aws:iam::" + c.account.ID + ":oidc-provider/" + strings.TrimSuffix(strings.TrimPrefix(address, "https://"), "/")
}

func listProviders(c *call, _ props) (doc, error) {
	out := []doc{}
	for _, arn := range sortedKeys(c.providers()) {
		out = append(out, doc{"Arn": arn})
	}
	return doc{"OpenIDConnectProviderList": out}, nil
}

func (c *call) provider(arn string) (networkItem, error) {
	if i, ok := c.providers()[arn]; ok {
		return i, nil
	}
	return networkItem{}, noEntity("OpenIDConnect Provider not found for arn %s", arn)
}

func getProvider(c *call, in props) (doc, error) {
	i, err := c.provider(in.text("OpenIDConnectProviderArn"))
	if err != nil {
		return nil, err
	}
	return doc{
		"Url": strings.TrimPrefix(i.props.text("Url"), "https://"), "ClientIDList": append([]string{}, i.props.texts("ClientIdList")...),
		"ThumbprintList": append([]string{}, i.props.texts("ThumbprintList")...), "CreateDate": i.created, "Tags": tagDocs(i.tags()),
	}, nil
}

// createProvider: there is one per account and address.
func createProvider(c *call, in props) (doc, error) {
	address := in.text("Url")
	if !strings.HasPrefix(address, "https://") {
		return nil, fail("ValidationError", "Invalid Open ID Connect Provider URL")
	}
	arn := c.providerARN(address)
	if _, ok := c.providers()[arn]; ok {
		f := fail("EntityAlreadyExists", "Provider with url %s already exists.", address)
		f.Status = http.StatusConflict
		return nil, f
	}
	p := props{"Url": address, "ClientIdList": in["ClientIDList"], "ThumbprintList": in["ThumbprintList"], "Tags": in["Tags"]}
	c.home().put(providerType, arn, p, nil)
	return doc{"OpenIDConnectProviderArn": arn, "Tags": tagDocs(p.tags("Tags"))}, nil
}

// home is the call in the region in which global things are kept.
func (c *call) home() *call {
	h := *c
	h.region, h.engine = c.sandbox.regionFor(c.account.Region, true)
	return &h
}

// holder finds the region that keeps a provider.
func (c *call) holder(i networkItem) *call {
	for _, name := range sortedKeys(c.account.Regions) {
		h := *c
		h.region, h.engine = c.sandbox.regionFor(name, true)
		if _, ok := h.thing(providerType, i.id); ok {
			return &h
		}
	}
	return c.home()
}

// deleteProvider succeeds for one that does not exist, as IAM's does.
func deleteProvider(c *call, in props) (doc, error) {
	if i, err := c.provider(in.text("OpenIDConnectProviderArn")); err == nil {
		c.holder(i).drop(providerType, i.id)
	}
	return doc{}, nil
}

func addClientID(c *call, in props) (doc, error) {
	i, err := c.provider(in.text("OpenIDConnectProviderArn"))
	if err != nil {
		return nil, err
	}
	ids := i.props.texts("ClientIdList")
	if id := in.text("ClientID"); !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	return doc{}, c.reprovide(i, "ClientIdList", ids)
}

func updateThumbprint(c *call, in props) (doc, error) {
	i, err := c.provider(in.text("OpenIDConnectProviderArn"))
	if err != nil {
		return nil, err
	}
	return doc{}, c.reprovide(i, "ThumbprintList", in.texts("ThumbprintList"))
}

func (c *call) reprovide(i networkItem, name string, list []string) error {
	raw, err := json.Marshal(i.props)
	if err != nil {
		return err
	}
	p := decodeProps(raw)
	p[name] = anyList(list)
	c.holder(i).put(providerType, i.id, p, nil)
	return nil
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for k, s := range list {
		out[k] = s
	}
	return out
}
