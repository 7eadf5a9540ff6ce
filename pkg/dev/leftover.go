package dev

import (
	"fmt"
	"slices"
	"strings"
)

// Leftover is what stop has to remove.
type Leftover struct {
	Instances []Instance `json:"instances"`
	Groups    []Group    `json:"-"`
}

// Of keeps what belongs to a fleet.
func (l Leftover) Of(f Fleet) Leftover {
	return Leftover{
		slices.DeleteFunc(slices.Clone(l.Instances), func(i Instance) bool { return i.Fleet.ID() != f.ID() }),
		slices.DeleteFunc(slices.Clone(l.Groups), func(g Group) bool { return g.Fleet.ID() != f.ID() }),
	}
}

// Unused are the groups of fleets that have no instance.
func (l Leftover) Unused() []Group {
	return slices.DeleteFunc(slices.Clone(l.Groups), func(g Group) bool { return len(l.Of(g.Fleet).Instances) > 0 })
}

// Usable is the instance that a fleet has already, nil if there is none. Two of
// them, or a time limit that is another than the one asked for, are refused.
func (l Leftover) Usable(hours int, asked bool) (*Instance, error) {
	var live []Instance
	for _, i := range l.Instances {
		if !i.Gone() {
			live = append(live, i)
		}
	}
	if len(live) == 0 {
		return nil, nil
	}
	i := live[0]
	if len(live) > 1 {
		return nil, &Refusal{fmt.Sprintf("fleet %s has %d dev instances, %s and %s among them", i.Fleet.ID(), len(live), i.ID, live[1].ID),
			"reconcile dev stop INSTANCE, for each that nobody needs"}
	}
	if asked && i.Hours != 0 && i.Hours != hours {
		return nil, &Refusal{fmt.Sprintf("%s of fleet %s stops itself %d h after each boot; that was set when it was made, and is not %d now", i.ID, i.Fleet.ID(), i.Hours, hours),
			fmt.Sprintf("leave --hours out; or reconcile dev stop %s, which deletes its disk, then start again", i.Fleet.ID())}
	}
	return &i, nil
}

// Named keeps what stop is asked to remove: everything of a fleet, or one
// instance, and the groups of its fleet if it is the fleet's last.
func (l Leftover) Named(platform, name string) (Leftover, error) {
	if !strings.HasPrefix(name, "i-") {
		f, err := ParseFleet(platform, name)
		if err != nil {
			return Leftover{}, err
		}
		return l.Of(f), nil
	}
	for _, i := range l.Instances {
		if i.ID != name {
			continue
		}
		of := l.Of(i.Fleet)
		if len(of.Instances) > 1 {
			of.Groups = nil
		}
		of.Instances = []Instance{i}
		return of, nil
	}
	return Leftover{}, &Refusal{fmt.Sprintf("%s is no dev instance of this account, or it is terminated already", name), "reconcile dev list"}
}

// Empty tells that there is nothing to remove.
func (l Leftover) Empty() bool { return len(l.Instances) == 0 && len(l.Groups) == 0 }

// Running is the one instance that a name means, which must run.
func (l Leftover) Running(name string) (Instance, error) {
	i, err := l.Usable(0, false)
	if err != nil {
		return Instance{}, err
	}
	if i == nil {
		return Instance{}, &Refusal{"there is no dev instance " + name, "reconcile dev list"}
	}
	if i.State != "running" {
		return Instance{}, &Refusal{fmt.Sprintf("%s is %s", i.ID, i.State), "reconcile dev start " + i.Fleet.ID() + " with your --cidr boots it"}
	}
	return *i, nil
}
