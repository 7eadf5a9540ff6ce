package sandbox

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"math/bits"
	"strconv"
	"strings"
)

// checksums are S3's algorithms, by the end of their header's name.
func checksums() []string { return []string{"Crc32", "Crc32c", "Crc64nvme", "Sha1", "Sha256"} }

// nvme is CRC-64/NVME's polynomial, reflected, as hash/crc64 wants it.
const nvme = 0x9a6c9329ac4bc9b5

func newChecksum(name string) hash.Hash {
	switch name {
	case "Crc32":
		return crc32.NewIEEE()
	case "Crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "Crc64nvme":
		return crc64.New(crc64.MakeTable(nvme))
	case "Sha1":
		return sha1.New()
	}
	return sha256.New()
}

// algorithmOf finds an algorithm by the name that requests use: "CRC64NVME".
func algorithmOf(name string) string {
	for _, a := range checksums() {
		if strings.EqualFold(a, name) {
			return a
		}
	}
	return ""
}

func checksumHeader(algorithm string) string { return "X-Amz-Checksum-" + algorithm }

// composite is the checksum of a multipart object made of its parts' checksums.
func composite(algorithm string, parts []string) (string, bool) {
	h := newChecksum(algorithm)
	for _, p := range parts {
		b, err := base64.StdEncoding.DecodeString(p)
		if err != nil || len(b) == 0 {
			return "", false
		}
		_, _ = h.Write(b) // a hash never fails
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts)), true
}

// fullObject is the CRC of the whole object, from those of its parts; ok is
// false for an algorithm that is no CRC.
func fullObject(algorithm string, parts []string, sizes []int64) (string, bool) {
	width, poly := 4, uint64(bits.Reverse32(0x04c11db7))
	switch algorithm {
	case "Crc32":
	case "Crc32c":
		poly = uint64(crc32.Castagnoli)
	case "Crc64nvme":
		width, poly = 8, nvme
	default:
		return "", false
	}
	var sum uint64
	for i, p := range parts {
		b, err := base64.StdEncoding.DecodeString(p)
		if err != nil || len(b) != width {
			return "", false
		}
		n := binary.BigEndian.Uint64(append(make([]byte, 8-width), b...))
		if i == 0 {
			sum = n
		} else {
			sum = shiftCRC(sum, poly, sizes[i]) ^ n
		}
	}
	out := binary.BigEndian.AppendUint64(nil, sum)
	return base64.StdEncoding.EncodeToString(out[8-width:]), true
}

// shiftCRC is the reflected CRC of what sum is of, with n zero bytes after it,
// less the bytes' own part: sum times x^(8n) modulo the polynomial.
func shiftCRC(sum, poly uint64, n int64) uint64 {
	top := uint64(1) << 31
	if poly > 1<<32 {
		top = 1 << 63
	}
	multiply := func(a, b uint64) uint64 {
		var out uint64
		for m := top; m != 0; m >>= 1 {
			if a&m != 0 {
				out ^= b
			}
			carry := b & 1
			b >>= 1
			if carry != 0 {
				b ^= poly
			}
		}
		return out
	}
	power, factor := top>>8, top // x^8 and x^0: the highest bit is x^0
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			factor = multiply(factor, power)
		}
		power = multiply(power, power)
	}
	return multiply(factor, sum)
}
