package dev

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"
)

//go:embed userdata.sh
var userData string

// UserData is the script that an instance runs at its first boot: it stops the
// instance after so many hours, at this boot and every later one, lets ComfyUI
// listen to the network and keeps the worker from taking jobs.
func UserData(hours int) (string, error) {
	if hours < 1 || hours > MaxHours {
		return "", &Refusal{fmt.Sprintf("--hours %d: a dev instance runs for 1 to %d hours", hours, MaxHours), fmt.Sprintf("--hours %d", DefaultHours)}
	}
	wait := time.Duration(hours)*time.Hour - Warning
	return strings.ReplaceAll(userData, "@MINUTES@", strconv.Itoa(int(wait.Minutes()))), nil
}
