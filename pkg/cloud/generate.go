package cloud

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// generate makes the value of a secret. It exists in memory only, between
// here and the write.
func generate(generator string) (string, error) {
	switch generator {
	case "hex48":
		return hex.EncodeToString(random(48)), nil
	case "laravel-key":
		return "base64:" + base64.StdEncoding.EncodeToString(random(32)), nil
	case "oauth-empty":
		b, err := json.Marshal(map[string]string{
			"google_client_id": "", "google_client_secret": "",
			"tiktok_client_id": "", "tiktok_client_secret": "",
			"apple_client_id": "", "apple_client_secret": "",
			"apple_key_id": "", "apple_team_id": "", "apple_private_key_p8_b64": "",
		})
		return string(b), err
	}
	return "", fmt.Errorf("unknown generator %q", generator)
}

// random returns n bytes from the system. It never returns short: crypto/rand
// ends the program when the system has no randomness.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
