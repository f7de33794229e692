package server

import (
	"net"
	"strconv"

	"vernemq/reactor"
)

// Status of a listener, in VerneMQ's words.
const (
	Running   = "running"
	Suspended = "suspended"
)

// ListenerState is a listener as an operator sees it.
type ListenerState struct {
	Name, Type     string // Type in VerneMQ's words: mqtt, mqtts, mqttws, mqttwss
	Status         string
	Host           string
	Port           int // 0 for a unix socket
	Mountpoint     string
	MaxConnections int // 0 = no limit
	Active         int64
	Total          uint64
}

// listenerTypes are VerneMQ's words for transports.
var listenerTypes = map[string]string{"tcp": "mqtt", "ssl": "mqtts", "ws": "mqttws", "wss": "mqttwss"}

// ListenerStates are the MQTT listeners. Any goroutine.
func (b *Broker) ListenerStates() (out []ListenerState) {
	for _, l := range b.Listeners() {
		out = append(out, stateOf(l))
	}
	return out
}

func stateOf(l *reactor.Listener) ListenerState {
	c := l.Options().Tag.(*listener).config
	s := ListenerState{Name: c.Name, Type: listenerTypes[c.Transport], Status: Running, Mountpoint: c.Mountpoint,
		MaxConnections: max(c.MaxConnections, 0), Active: l.Active(), Total: l.Total()}
	if l.Suspended() {
		s.Status = Suspended
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil { // a unix socket
		s.Host = l.Addr().String()
		return s
	}
	s.Host = host
	s.Port, _ = strconv.Atoi(port)
	return s
}
