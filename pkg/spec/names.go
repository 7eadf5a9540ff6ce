package spec

import "fmt"

// ReservedStacks are the names of the stacks that a platform owns beside its
// fleets' and users' stacks, in the order of their dependencies.
func ReservedStacks(platform string) []string {
	var names []string
	for _, suffix := range []string{"reconcile", "cicd", "network", "data", "compute", "monitoring", "gpu-shared"} {
		names = append(names, platform+"-"+suffix)
	}
	return names
}

// FleetStack is the name of a fleet's stack.
func FleetStack(platform, stage, slug string) string {
	return fmt.Sprintf("%s-gpu-fleet-%s-%s", platform, stage, slug)
}

// The longest names that the definitions allow. With them every derived name
// fits: a fleet's stack takes 22 characters more (128 are allowed), the image
// name PLATFORM-comfyui-SLUG-TIMESTAMP 24 more (128), a bucket
// PLATFORM-access-logs-ACCOUNT 25 more than the platform's (63).
const (
	MaxPlatformName = 20
	MaxSlug         = 80
)

// AssetFolder is the folder below /opt/comfyui where files of a bundle's kind
// belong, with a slash at its end.
func AssetFolder(kind string) string {
	switch kind {
	case "checkpoint":
		return "models/checkpoints/"
	case "lora":
		return "models/loras/"
	case "vae":
		return "models/vae/"
	case "embedding":
		return "models/embeddings/"
	case "controlnet":
		return "models/controlnet/"
	case "custom_node":
		return "custom_nodes/"
	}
	return "models/other/"
}

// assetKinds in the order of the contract.
func assetKinds() []string {
	return []string{"checkpoint", "lora", "vae", "embedding", "controlnet", "custom_node", "other"}
}
