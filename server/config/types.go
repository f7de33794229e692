package config

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// datatype is what a value may be. check gives the reason why a value is not
// acceptable, or nothing.
type datatype struct {
	name  string
	check func(value string) string
}

var (
	flagType     = enum("on", "off")
	integer      = datatype{"integer", checkInteger}
	intInfinity  = datatype{"integer or infinity", orWord("infinity", checkInteger)}
	stringType   = datatype{"string", accept}
	atomType     = datatype{"word", accept}
	connections  = datatype{"integer, at least 1, or infinity", checkConnectionLimit}
	sendBuffer   = datatype{"bytes", checkSendBuffer}
	bytesType    = datatype{"bytes", checkBytes}
	bytesOrInf   = datatype{"bytes or infinity", orWord("infinity", checkBytes)}
	bytesOrOff   = datatype{"bytes or off", orWord("off", checkBytes)}
	durationOff  = datatype{"duration or off", orWord("off", checkDuration)}
	expiry       = datatype{"never or a number with one of s, h, d, w, m, y", orWord("never", checkExpiry)}
	willDelay    = datatype{"client or a number with one of s, h, d, w, m, y", orWord("client", checkExpiry)}
	percent      = datatype{"percent", checkPercent}
	wordList     = datatype{"list of words", accept}
	httpModules  = datatype{"list of HTTP modules", checkModules}
	address      = datatype{"ADDRESS:PORT", checkAddress}
	addressUnix  = datatype{"ADDRESS:PORT or local:PATH:0", checkAddressUnix}
	hostPort     = datatype{"HOST:PORT", checkHostPort}
	fileType     = datatype{"file", accept}
	keepCount    = datatype{"integer, at least 0, or current", orWord("current", atLeast(0).check)}
	rotationTime = datatype{"time as $D0, $W0D23 or $M1D0", checkRotation}
	dirType      = datatype{"directory", accept}
	nodeName     = datatype{"NAME@HOST", checkNodeName}
	bufferSizes  = datatype{"three integers", checkBufferSizes}
	addresses    = datatype{"list of addresses with ; between them", checkAddresses}
	frameSize    = datatype{"bytes, at least 1, or infinity", orWord("infinity", atLeast(1).check)}
	// -1 stands for the default
	millisecondsInf = datatype{"milliseconds or infinity", orWord("infinity", orWord("-1", atLeast(1).check))}
	versions        = datatype{"list of 3, 4, 5, 131, 132", checkVersions}
)

var rotationPattern = regexp.MustCompile(`^(\$(W[0-6])?D([01]?[0-9]|2[0-3])|\$M([1-9]|[12][0-9]|3[01])D([01]?[0-9]|2[0-3]))?$`)

func checkRotation(v string) string {
	if !rotationPattern.MatchString(v) {
		return fmt.Sprintf("%q is not a time of rotation, as $D0, $W0D23 or $M1D0", v)
	}
	return ""
}

func accept(string) string { return "" }

// enum is a choice of words.
func enum(words ...string) datatype {
	return datatype{"one of " + strings.Join(words, ", "), func(v string) string {
		for _, w := range words {
			if v == w {
				return ""
			}
		}
		return fmt.Sprintf("%q is not a valid enum value, acceptable values are: %s", v, strings.Join(words, ", "))
	}}
}

// between is an integer with limits.
func between(low, high int) datatype {
	return datatype{fmt.Sprintf("integer from %d to %d", low, high), func(v string) string {
		if why := checkInteger(v); why != "" {
			return why
		}
		if n := number(v); n < low || n > high {
			return fmt.Sprintf("value must be an integer between %d and %d", low, high)
		}
		return ""
	}}
}

// atLeast is an integer with a lower limit.
func atLeast(low int) datatype {
	return datatype{fmt.Sprintf("integer, at least %d", low), func(v string) string {
		if why := checkInteger(v); why != "" {
			return why
		}
		if number(v) < low {
			if low == 0 {
				return "must be a non-negative integer"
			}
			return fmt.Sprintf("must be at least %d", low)
		}
		if number(v) > largest {
			return fmt.Sprintf("must be at most %d", largest)
		}
		return ""
	}}
}

// largest is the largest number that may count something or measure a time.
const largest = 1<<31 - 1

// checkConnectionLimit checks a number of connections. A 0 would be a limit that lets
// nobody in, or none: nobody can mean it.
func checkConnectionLimit(v string) string {
	if v == "infinity" || v == "-1" {
		return ""
	}
	return atLeast(1).check(v)
}

// smallestSendBuffer is the least that a connection may have to send, in
// bytes.
const smallestSendBuffer = 4096

func checkSendBuffer(v string) string {
	n, ok := parseBytes(v)
	if !ok {
		return checkBytes(v)
	}
	if n < smallestSendBuffer || n > largest {
		return fmt.Sprintf("must be from %d bytes to %d", smallestSendBuffer, largest)
	}
	return ""
}

func orWord(word string, check func(string) string) func(string) string {
	return func(v string) string {
		if v == word {
			return ""
		}
		return check(v)
	}
}

func checkInteger(v string) string {
	if _, err := strconv.ParseInt(v, 10, 64); err != nil {
		return fmt.Sprintf("%q cannot be converted to a(n) integer", v)
	}
	return ""
}

// number is the value of a checked integer.
func number(v string) int {
	n, _ := strconv.Atoi(v)
	return n
}

var units = []struct {
	suffix string
	factor float64
}{{"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"", 1}}

func checkBytes(v string) string {
	if _, ok := parseBytes(v); !ok {
		return fmt.Sprintf("%q cannot be converted to a(n) bytesize", v)
	}
	return ""
}

func parseBytes(v string) (n int64, ok bool) {
	for _, u := range units {
		digits, found := strings.CutSuffix(v, u.suffix)
		if !found {
			continue
		}
		if u.suffix == "" {
			n, err := strconv.ParseInt(digits, 10, 64)
			return n, err == nil && n >= 0
		}
		f, err := strconv.ParseFloat(digits, 64)
		ok := err == nil && f >= 0 && f*u.factor < 1<<62 && strings.Trim(digits, "0123456789.") == ""
		if !ok {
			return 0, false
		}
		return int64(f * u.factor), true
	}
	return 0, false
}

// The units of a duration. m means minutes here; in an expiry it means four
// weeks.
var durationUnits = []struct {
	suffix string
	unit   time.Duration
}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"f", 14 * 24 * time.Hour}}

func checkDuration(v string) string {
	if _, ok := parseDuration(v); !ok {
		return fmt.Sprintf("%q cannot be converted to a(n) duration", v)
	}
	return ""
}

func parseDuration(v string) (d time.Duration, ok bool) {
	for rest := v; rest != ""; {
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end <= 0 {
			return 0, false
		}
		n, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, false
		}
		rest = rest[end:]
		found := false
		for _, u := range durationUnits {
			if after, has := strings.CutPrefix(rest, u.suffix); has {
				rest, found = after, true
				d += time.Duration(n * float64(u.unit))
				break
			}
		}
		if !found || d < 0 {
			return 0, false
		}
	}
	return d, v != ""
}

func checkExpiry(v string) string {
	if _, ok := parseExpiry(v); !ok {
		return fmt.Sprintf("%q is not a number with one of the units s, h, d, w, m (4 weeks), y (48 weeks)", v)
	}
	return ""
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// parseExpiry reads an integer with one unit. A month has four weeks and a
// year 48, as ever in this file.
func parseExpiry(v string) (time.Duration, bool) {
	unit := map[byte]time.Duration{'s': time.Second, 'h': time.Hour, 'd': day, 'w': week, 'm': 4 * week, 'y': 48 * week}
	if len(v) < 2 || unit[v[len(v)-1]] == 0 {
		return 0, false
	}
	u := unit[v[len(v)-1]]
	n, err := strconv.ParseInt(v[:len(v)-1], 10, 64)
	if err != nil || n < 0 || n > int64(1<<62/u) {
		return 0, false
	}
	return time.Duration(n) * u, true
}

func checkPercent(v string) string {
	digits, ok := strings.CutSuffix(v, "%")
	if n, err := strconv.Atoi(digits); !ok || err != nil || n < 0 || n > 100 {
		return fmt.Sprintf("%q is not a percentage from 0%% to 100%%", v)
	}
	return ""
}

// list takes a list apart, with or without brackets.
func list(v string) (words []string) {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "[") && strings.HasSuffix(v, "]") {
		v = v[1 : len(v)-1]
	}
	for _, w := range strings.Split(v, ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	return words
}

func checkIntList(v string) string {
	words := list(v)
	if len(words) == 0 {
		return "list is empty"
	}
	for _, w := range words {
		if why := checkInteger(w); why != "" {
			return why
		}
	}
	return ""
}

func checkVersions(v string) string {
	if why := checkIntList(v); why != "" {
		return why
	}
	for _, w := range list(v) {
		switch w {
		case "3", "4", "5", "131", "132":
		default:
			return fmt.Sprintf("%q is not a protocol version, acceptable values are: 3, 4, 5, 131, 132", w)
		}
	}
	return ""
}

func checkBufferSizes(v string) string {
	words := list(v)
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 0 {
			words = nil
			break
		}
		if n > math.MaxInt32 { // what the kernel takes
			return fmt.Sprintf("a buffer of %d bytes is larger than %d", n, math.MaxInt32)
		}
	}
	if len(words) != 3 {
		return "value must be three comma-separated, positive integers"
	}
	return ""
}

func checkAddress(v string) string {
	if _, err := parseAddress(v); err != nil {
		return err.Error()
	}
	return ""
}

// parseAddress reads ADDRESS:PORT, split at the last colon, so that IPv6 needs
// no brackets; with brackets it is accepted too.
func parseAddress(v string) (netip.AddrPort, error) {
	i := strings.LastIndexByte(v, ':')
	if i < 0 {
		return netip.AddrPort{}, fmt.Errorf("%q cannot be converted to a(n) IP address with a port", v)
	}
	host := strings.TrimSuffix(strings.TrimPrefix(v[:i], "["), "]")
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not a numeric IPv4 or IPv6 address", host)
	}
	port, err := strconv.ParseUint(v[i+1:], 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port from 0 to 65535", v[i+1:])
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

func checkAddresses(v string) string {
	_, why := parseAddresses(v)
	return why
}

// parseAddresses reads addresses with ; between them.
func parseAddresses(v string) (all []netip.Addr, why string) {
	for _, s := range strings.Split(v, ";") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Sprintf("%q is not a numeric IPv4 or IPv6 address", s)
		}
		all = append(all, a.Unmap())
	}
	return all, ""
}

func checkAddressUnix(v string) string {
	if rest, ok := strings.CutPrefix(v, "local:"); ok {
		if path, ok := strings.CutSuffix(rest, ":0"); !ok || path == "" {
			return fmt.Sprintf("%q is not of the form local:PATH:0", v)
		}
		return ""
	}
	return checkAddress(v)
}

func checkHostPort(v string) string {
	i := strings.LastIndexByte(v, ':')
	if i <= 0 {
		return fmt.Sprintf("%q is not of the form HOST:PORT", v)
	}
	if p, err := strconv.Atoi(v[i+1:]); err != nil || p < 1 || p > 65535 {
		return fmt.Sprintf("%q is not a port from 1 to 65535", v[i+1:])
	}
	return ""
}

func checkNodeName(v string) string {
	if name, host, ok := strings.Cut(v, "@"); !ok || name == "" || host == "" {
		return fmt.Sprintf("%q is not of the form NAME@HOST", v)
	}
	return ""
}
