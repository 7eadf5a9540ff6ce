package sandbox

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// groupInstance is an instance of a group and the moments of its life (Auto
// Scaling user guide, "Instance lifecycle").
type groupInstance struct {
	ID       string      `json:"id"`
	Zone     string      `json:"zone"`
	Type     string      `json:"type,omitempty"`
	Image    string      `json:"image,omitempty"`
	Template templateRef `json:"template"`
	Launched time.Time   `json:"launched"`
	Ready    time.Time   `json:"ready"`            // Pending before
	Standby  time.Time   `json:"standby,omitzero"` // in standby from then on
	Ending   time.Time   `json:"ending,omitzero"`  // Terminating from then on
	Shut     time.Time   `json:"shut,omitzero"`    // when EC2 was told
	Gone     time.Time   `json:"gone,omitzero"`
	Waits    []action    `json:"waits,omitempty"`    // lifecycle actions under way
	Hooked   bool        `json:"hooked,omitempty"`   // they are complete
	OnDemand bool        `json:"onDemand,omitempty"` // else Spot
	Protect  bool        `json:"protect,omitempty"`
	Bad      bool        `json:"unhealthy,omitempty"`
}

func (i *groupInstance) active() bool { return i.Ending.IsZero() }

// counts tells whether the instance is part of the group's capacity.
func (i *groupInstance) counts() bool { return i.active() && i.Standby.IsZero() }

// serves tells whether it is in service.
func (i *groupInstance) serves(now time.Time) bool {
	return i.state(now) == types.LifecycleStateInService
}

// state is the life-cycle state at a moment; "" when the instance is gone.
func (i *groupInstance) state(now time.Time) types.LifecycleState {
	switch {
	case !i.active() && len(i.Waits) > 0:
		return types.LifecycleStateTerminatingWait
	case !i.active() && !now.Before(i.Gone):
		return ""
	case !i.active() && i.Hooked:
		return types.LifecycleStateTerminatingProceed
	case !i.active():
		return types.LifecycleStateTerminating
	case !i.Standby.IsZero() && now.Before(i.Standby):
		return types.LifecycleStateEnteringStandby
	case !i.Standby.IsZero():
		return types.LifecycleStateStandby
	case len(i.Waits) > 0 && !now.Before(i.Waits[0].Since):
		return types.LifecycleStatePendingWait
	case len(i.Waits) > 0:
		return types.LifecycleStatePending
	case now.Before(i.Ready) && i.Hooked:
		return types.LifecycleStatePendingProceed
	case now.Before(i.Ready):
		return types.LifecycleStatePending
	}
	return types.LifecycleStateInService
}

// shut terminates the instance in EC2.
func (i *groupInstance) shut(c *call) {
	i.Shut, i.Gone = c.now, c.now.Add(c.takes(terminateSeconds))
	c.undeliverable(i.ID)
}

func (i *groupInstance) health() string {
	if i.Bad {
		return "Unhealthy"
	}
	return "Healthy"
}

func (i *groupInstance) out(c *call) (types.Instance, bool) {
	state := i.state(c.now)
	return types.Instance{
		InstanceId: &i.ID, AvailabilityZone: &i.Zone, InstanceType: text(i.Type), ImageId: text(i.Image), LifecycleState: state,
		HealthStatus: aws.String(i.health()), ProtectedFromScaleIn: &i.Protect, LaunchTemplate: i.Template.spec(c),
	}, state != ""
}
