package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// A stocked account is one in which somebody has already built the images:
// every container image tag that is asked for exists, and so does every fleet
// AMI parameter, with an AMI that EC2 knows. Nothing of this is stored; it is
// computed from the name, so that asking changes nothing.

// fleetAMIName matches /<prefix>/ami/fleets/<stage>/<slug>.
var fleetAMIName = regexp.MustCompile(`^/[^/]+/ami/fleets/[^/]+/[^/]+$`)

// stockedAMI is the AMI that a stocked fleet parameter names. Its last six
// digits prove that it is one, see isStockedAMI.
func stockedAMI(parameterName string) string {
	body := hexOf("ami", parameterName)[:11]
	return "ami-" + body + hexOf("check", body)[:6]
}

// isStockedAMI recognizes an id that stockedAMI made.
func isStockedAMI(id string) bool {
	digits, ok := strings.CutPrefix(id, "ami-")
	return ok && len(digits) == 17 && hexOf("check", digits[:11])[:6] == digits[11:]
}

// hexOf is a hash without the account's seed: AMI ids are the same in every
// sandbox, so that a saved plan can be read anywhere.
func hexOf(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\n")))
	return hex.EncodeToString(sum[:])
}
