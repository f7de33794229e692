package admin

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
)

// ListenerOptions are those of `listener start`. Options has what was given
// beside the fields, by the name of the flag.
type ListenerOptions struct {
	Transport      string // mqtt, mqtts, mqttws, mqttwss, http, https
	Address        string // numeric, or local:PATH
	Port           int
	Mountpoint     *string // nil is that of the configuration
	MaxConnections int     // 0 = no limit
	Versions       []byte
	Options        map[string]string
}

// Settings are the options as they would stand in the file: a name, the place,
// and the options by their keys.
func (o *ListenerOptions) Settings() (name, place string, options map[string]string) {
	place = net.JoinHostPort(o.Address, strconv.Itoa(o.Port))
	if strings.HasPrefix(o.Address, "local:") {
		place = o.Address + ":0" // a path has no port
	}
	name = strings.NewReplacer(".", "_", ":", "_", "/", "_", "[", "", "]", "").Replace(place)
	options = maps.Clone(o.Options)
	for k, v := range options {
		if on, ok := map[string]string{"true": "on", "false": "off"}[v]; ok {
			options[k] = on
		}
	}
	if o.Mountpoint != nil {
		options["mountpoint"] = *o.Mountpoint
	}
	options["max_connections"] = "infinity"
	if o.MaxConnections > 0 {
		options["max_connections"] = strconv.Itoa(o.MaxConnections)
	}
	var versions []string
	for _, v := range o.Versions {
		versions = append(versions, strconv.Itoa(int(v)))
	}
	options["allowed_protocol_versions"] = strings.Join(versions, ",")
	return name, place, options
}

// AlreadyStarted is the error of a listener that is there already.
func AlreadyStarted(port int) error {
	return errors.New(fmt.Sprint("{already_started,", PID{0, uint32(port), 0}, "}"))
}
