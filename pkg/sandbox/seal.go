package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// Every line of the state file is a JSON object whose last member is its seal:
// a CRC-32C over the line before it and over the seal of the line above. So a
// changed byte, and a line that is missing, doubled or moved, is seen. It is no
// protection against somebody who means to deceive.

const (
	sealStart = `,"crc":"`
	sealBytes = len(sealStart) + 8 + len(`"}`)
)

var errDamaged = errors.New("this line was changed after it was written: its checksum does not match")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal marshals a value, which must be an object with a member or more, as a
// line with its newline. above is the checksum of the line before, 0 for the first.
func seal(v any, above uint32) (line []byte, sum uint32, err error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, 0, err
	}
	b = bytes.TrimSuffix(b, []byte("}"))
	sum = crc32.Update(above, castagnoli, b)
	return fmt.Appendf(b, "%s%08x\"}\n", sealStart, sum), sum, nil
}

// unseal reads a line, without its newline, into v.
func unseal(line []byte, above uint32, v any) (sum uint32, err error) {
	if len(line) < sealBytes {
		return 0, errDamaged
	}
	body, end := line[:len(line)-sealBytes], line[len(line)-sealBytes:]
	sum = crc32.Update(above, castagnoli, body)
	if want := fmt.Sprintf("%s%08x\"}", sealStart, sum); want != string(end) {
		return 0, errDamaged
	}
	return sum, json.Unmarshal(line, v)
}
