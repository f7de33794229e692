package trace

import (
	"fmt"
	"net/netip"
	"strings"

	"vernemq/codec"
)

// The functions below show calls of hooks that decide about a client. Each gives
// one line, or several of which the further ones are indented. pid names the
// connection.

// Register shows a call of auth_on_register or auth_on_register_m5.
func Register(pid, hook string, peer netip.AddrPort, mountpoint, id, user string, clean bool) string {
	return fmt.Sprintf("%s Calling %s({{%s},%d},%s,%s,pw_no_print,%t)", pid, hook, addressTerm(peer.Addr()), peer.Port(), client(mountpoint, id), name(user), clean)
}

// Auth shows a call of on_auth_m5. What the client says to authenticate itself is
// not shown.
func Auth(pid, hook, mountpoint, id, user, method string) string {
	return fmt.Sprintf("%s Calling %s(%s,%s) with method:\n    %s", pid, hook, name(user), client(mountpoint, id), text([]byte(method)))
}

// Publish shows a call of auth_on_publish or auth_on_publish_m5, with so many
// bytes of the payload.
func Publish(pid, hook, mountpoint, id, user string, qos byte, topic string, retain bool, p []byte, limit int, ps codec.Properties) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s Calling %s(%s,%s,%d,%s,%t) with payload:\n", pid, hook, name(user), client(mountpoint, id), qos, text([]byte(topic)), retain)
	payload(&b, p, limit)
	(&writer{Builder: &b}).properties(ps)
	return strings.TrimSuffix(b.String(), "\n")
}

// Subscribe shows a call of auth_on_subscribe or auth_on_subscribe_m5.
func Subscribe(pid, hook, mountpoint, id, user string, topics []codec.Filter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s Calling %s(%s,%s) with topics:\n", pid, hook, name(user), client(mountpoint, id))
	for i := range topics {
		b.WriteString(filter(&topics[i], strings.HasSuffix(hook, "_m5")))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Returned shows what a hook returned: ok, with or without modifiers, or a
// reason.
func Returned(pid, result string, modifiers ...string) string {
	s := pid + " Hook returned "
	if result != "ok" {
		return s + text([]byte(result))
	}
	s += `"ok"`
	if len(modifiers) > 0 {
		s += " with modifiers:"
	}
	for _, m := range modifiers {
		s += "\n    " + text([]byte(m))
	}
	return s
}

// addressTerm is an address as Erlang's tuple has it, without its brackets.
func addressTerm(a netip.Addr) string {
	var parts []string
	if a.Is4() {
		for _, b := range a.As4() {
			parts = append(parts, fmt.Sprint(b))
		}
		return strings.Join(parts, ",")
	}
	b := a.As16()
	for i := 0; i < len(b); i += 2 {
		parts = append(parts, fmt.Sprint(int(b[i])<<8|int(b[i+1])))
	}
	return strings.Join(parts, ",")
}

// client is a client's name as Erlang's tuple.
func client(mountpoint, id string) string {
	m := "[]"
	if mountpoint != "" {
		m = fmt.Sprintf("%q", text([]byte(mountpoint)))
	}
	return "{" + m + "," + binaryTerm([]byte(id)) + "}"
}

// name is a user name, which need not be there.
func name(user string) string {
	if user == "" {
		return "undefined"
	}
	return text([]byte(user))
}
