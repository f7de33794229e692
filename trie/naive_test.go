package trie

import (
	"fmt"
	"slices"
	"strings"
)

// naiveMatch is the oracle: does filter match topic, straight from the rules of MQTT 4.7?
func naiveMatch(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (filter[:1] == "+" || filter[:1] == "#") {
		return false
	}
	return naiveLevels(strings.Split(filter, "/"), strings.Split(topic, "/"))
}

func naiveLevels(filter, topic []string) bool {
	if len(filter) == 0 {
		return len(topic) == 0
	}
	if filter[0] == "#" {
		return true
	}
	if len(topic) == 0 || filter[0] != "+" && filter[0] != topic[0] {
		return false
	}
	return naiveLevels(filter[1:], topic[1:])
}

// place is a filter or topic under its mountpoint.
type place struct{ mountpoint, topic string }

func (p place) String() string { return fmt.Sprintf("%q:%q", p.mountpoint, p.topic) }

func comparePlaces(a, b place) int {
	if c := strings.Compare(a.mountpoint, b.mountpoint); c != 0 {
		return c
	}
	return strings.Compare(a.topic, b.topic)
}

func placeOf[V any](n *Node[V]) place { return place{n.Mountpoint(), n.Filter()} }

// places returns the filters of nodes, sorted.
func places[V any](nodes []*Node[V]) []place {
	out := make([]place, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, placeOf(n))
	}
	slices.SortFunc(out, comparePlaces)
	return out
}

// matched returns the filters that x matches to a topic, sorted.
func matched[V any](x *Index[V], mountpoint, topic string) []string {
	filters := []string{}
	for _, n := range x.Match(mountpoint, []byte(topic), nil) {
		filters = append(filters, n.Filter())
	}
	slices.Sort(filters)
	return filters
}
