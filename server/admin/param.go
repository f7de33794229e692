package admin

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"vernemq/server/config"
)

// Param is a key or a flag of a command.
type Param struct {
	Name  string
	Short byte   // of a flag, 0 if it has none
	Value string // what stands behind it in a usage; empty for a flag without value
	About string
	Type  Type
	// Refuse is how a bad value is refused.
	Refuse refusalStyle
}

// Type is what a value may be.
type Type struct {
	name   string
	check  func(string) bool
	choice []string
	bare   bool // may stand without a value
	only   bool // never has a value
	path   bool // starts from the node's base directory
}

type refusalStyle uint8

const (
	byName  refusalStyle = iota // Invalid arguments: k=v, or Invalid value: "v" for flag: k
	byValue                     // Invalid value: "v"
	asTerm                      // Invalid flag: {k,"v"}
	byTerm                      // {error,invalid_k}
)

var (
	textType     = Type{name: "text"}
	bareType     = Type{name: "alone", only: true, bare: true}
	switchType   = Type{name: "true or false", check: isSwitch, bare: true, choice: []string{"true", "false"}}
	boolType     = Type{name: "true or false", check: isSwitch, choice: []string{"true", "false"}}
	fieldType    = Type{name: "value", bare: true}
	integerType  = Type{name: "integer", check: isInteger}
	countType    = Type{name: "integer, at least 0", check: func(v string) bool { return isInteger(v) && atoi(v) >= 0 }}
	positiveType = Type{name: "integer, at least 1", check: func(v string) bool { return isInteger(v) && atoi(v) > 0 }}
	infinityType = Type{name: "integer or infinity", check: func(v string) bool { return v == "infinity" || isInteger(v) && atoi(v) >= 0 }}
	portType     = Type{name: "port", check: func(v string) bool { return isInteger(v) && atoi(v) >= 0 && atoi(v) <= 65535 }}
	addressType  = Type{name: "numeric IP address or local:PATH", check: isAddress}
	fileType     = Type{name: "file", check: isFile, path: true}
	dirType      = Type{name: "directory", check: isDir, path: true}
	dateType     = Type{name: "date", check: isDate}
	urlType      = Type{name: "URL", check: func(v string) bool { return strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://") }}
	tlsType      = Type{name: "list of TLS versions", check: isTLSVersions}
	versionsType = Type{name: "list of 3, 4, 5, 131, 132", check: isVersions}
)

// oneOf is a choice of words.
func oneOf(words ...string) Type {
	return Type{name: strings.Join(words, "|"), choice: words, check: func(v string) bool { return slices.Contains(words, v) }}
}

func isSwitch(v string) bool { return v == "true" || v == "false" }

func isInteger(v string) bool {
	_, err := strconv.ParseInt(v, 10, 32)
	return err == nil
}

func atoi(v string) int {
	n, _ := strconv.Atoi(v)
	return n
}

func isAddress(v string) bool {
	if path, ok := strings.CutPrefix(v, "local:"); ok {
		return path != ""
	}
	_, err := netip.ParseAddr(v)
	return err == nil
}

func isFile(v string) bool {
	st, err := os.Stat(v)
	return err == nil && !st.IsDir()
}

func isDir(v string) bool {
	st, err := os.Stat(v)
	return err == nil && st.IsDir()
}

// dateLayout is how a time is given on a command line, in local time.
const dateLayout = "2006-01-02T15:04:05"

func isDate(v string) bool {
	_, err := time.ParseInLocation(dateLayout, v, time.Local)
	return err == nil
}

// settingType is the type of a key of vernemq.conf.
func settingType(key string) Type {
	return Type{name: "text", check: func(v string) bool { return config.Check(key, v) == "" }}
}

func isTLSVersions(v string) bool {
	for w := range strings.SplitSeq(strings.Trim(v, "[]"), ",") {
		if !slices.Contains([]string{"tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"}, strings.TrimSpace(w)) {
			return false
		}
	}
	return true
}

func isVersions(v string) bool {
	for w := range strings.SplitSeq(strings.Trim(v, "[]"), ",") {
		if !slices.Contains([]string{"3", "4", "5", "131", "132"}, strings.TrimSpace(w)) {
			return false
		}
	}
	return true
}

func (p *Param) takes(value string) bool { return p.Type.check == nil || p.Type.check(value) }

// refuseKey is the error of a bad value of KEY=VALUE.
func (p *Param) refuseKey(value string) *Refusal {
	switch p.Refuse {
	case byValue:
		return unreadable("Invalid value: %q", value)
	case byTerm:
		return &Refusal{Text: "{error," + termOf(p.Name) + "}", Answer: true}
	}
	return unreadable("Invalid arguments: %s=%s ", p.Name, value)
}

func termOf(key string) string {
	if key == "expires" {
		return "invalid_expiry_date"
	}
	return "invalid_" + key
}

// refuseFlag is the error of a bad value of a flag.
func (p *Param) refuseFlag(value string) *Refusal {
	switch p.Refuse {
	case byValue:
		return unreadable("Invalid value: %q", value)
	case asTerm:
		return unreadable("Invalid flag: {%s,%q}", strings.ReplaceAll(p.Name, "-", "_"), value)
	}
	return unreadable("Invalid value: %q for flag: %s", value, quoteAtom(p.Name))
}

// quoteAtom puts quotes around a name that is not a plain word.
func quoteAtom(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	if name != "" && strings.IndexByte(letters, name[0]) >= 0 && strings.Trim(strings.ToLower(name), letters+"0123456789_@") == "" {
		return name
	}
	return "'" + name + "'"
}

// sign is the flag in a usage.
func (p *Param) sign() string {
	s := "--" + p.Name
	if p.Value != "" {
		s += "=" + p.Value
	}
	if p.Short != 0 {
		s += fmt.Sprintf(", -%c", p.Short)
	}
	return s
}

func find(params []Param, name string) *Param {
	for i := range params {
		if params[i].Name == name {
			return &params[i]
		}
	}
	return nil
}

func findShort(params []Param, c byte) *Param {
	for i := range params {
		if params[i].Short == c {
			return &params[i]
		}
	}
	return nil
}
