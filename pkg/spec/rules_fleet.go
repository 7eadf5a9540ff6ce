package spec

import (
	"fmt"
	"regexp"
	"slices"
)

func (l *loader) ruleFleets(set *Set, _ *Platform) {
	var bundles []string
	for _, b := range set.Bundles {
		bundles = append(bundles, b.Name)
	}
	first := map[string]Source{}
	for i := range set.Fleets {
		f := &set.Fleets[i]
		if at, again := first[f.ID()]; again {
			l.issues.add(f.At("metadata.name"), "metadata.name", "unique-fleet", fmt.Sprintf("fleet %s is declared already, at %s", f.ID(), lineOf(at)))
			continue
		}
		first[f.ID()] = f.At("metadata.name")
		if f.Name == "fleet-secret" {
			l.issues.add(f.At("metadata.name"), "metadata.name", "fleet-name", `"fleet-secret" is the name of the stage's secret beside its fleets`)
		}
		if f.Bundle != "" && !slices.Contains(bundles, f.Bundle) {
			l.issues.suggest(f.At("spec.bundle"), "spec.bundle", "bundle-reference", fmt.Sprintf("there is no Bundle %s", quote(f.Bundle)), orList(didYouMean(f.Bundle, bundles), "bundles", bundles))
		}
		l.checkInstanceTypes(set, f)
	}
}

// armFamily matches families with Graviton processors: a g after the number.
var armFamily = regexp.MustCompile(`^[a-z]+[0-9]+[a-z]*g[a-z]*\.`)

func (l *loader) checkInstanceTypes(set *Set, f *Fleet) {
	if len(set.Templates) == 0 {
		return // ruleFleetTemplates says so
	}
	t, ok := set.Template(f.Template)
	if !ok {
		var slugs []string
		for _, t := range set.Templates {
			slugs = append(slugs, t.Slug)
		}
		l.issues.suggest(f.At("spec.template"), "spec.template", "fleet-template", fmt.Sprintf("there is no fleet template %s in %s", quote(f.Template), fleetTemplates), orList(didYouMean(f.Template, slugs), "templates", slugs))
		return
	}
	for i, it := range f.InstanceTypes {
		path := fmt.Sprintf("spec.instanceTypes[%d]", i)
		switch {
		case !slices.Contains(t.AllowedInstanceTypes, it):
			l.issues.suggest(f.At(path), path, "instance-type", fmt.Sprintf("%s is not in the allow-list of fleet template %s", quote(it), t.Slug),
				orList(didYouMean(it, t.AllowedInstanceTypes), "allowed", t.AllowedInstanceTypes))
		case armFamily.MatchString(it):
			l.issues.add(f.At(path), path, "instance-architecture", fmt.Sprintf("%s has an Arm processor; the workers' images are for x86", quote(it)))
		}
	}
}

// orList is the suggestion, or without one the list of what there is.
func orList(suggestion, what string, names []string) string {
	switch {
	case suggestion != "":
		return suggestion
	case len(names) == 0:
		return "there are no " + what
	}
	return what + ": " + list(names)
}

func (l *loader) ruleFleetTemplates(set *Set, _ *Platform) {
	if len(set.Templates) == 0 && len(set.Fleets) > 0 {
		f := set.Fleets[0]
		l.issues.suggest(f.At("spec.template"), "spec.template", "fleet-template", "there is no "+l.shown(fleetTemplates)+" to take the template from", "copy the backend's file there")
	}
	first := map[string]Source{}
	for i, t := range set.Templates {
		path := fmt.Sprintf("[%d].template_slug", i)
		if at, again := first[t.Slug]; again {
			l.issues.add(t.Source, path, "unique-template", fmt.Sprintf("template %s is declared already, at %s", quote(t.Slug), lineOf(at)))
			continue
		}
		first[t.Slug] = t.Source
	}
}
