package server

import (
	"fmt"
	"testing"
	"time"

	"vernemq/codec"
)

// TestSharedMembersLeave gives a shared subscription members that take their
// messages, acknowledge none and leave. The one that stays gets them all.
func TestSharedMembersLeave(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			b := startBroker(t, testConfig(loops))
			const members, messages = 8, 200
			var lazy []*peer
			for i := range members {
				m := connect(t, b, fmt.Sprintf("lazy-%d", i))
				m.subscribe("$share/g/jobs/#", 1)
				lazy = append(lazy, m)
			}
			stays := connect(t, b, "stays")
			pub := connect(t, b, "publisher")
			for i := range messages {
				pub.publish("jobs/x", fmt.Sprint(i), 1, uint16(i+1))
				pub.next()
			}
			stays.subscribe("$share/g/jobs/#", 1)
			for _, m := range lazy {
				m.conn.Close()
			}
			seen := map[string]int{}
			for _, s := range stays.payloads(messages) {
				seen[s]++
			}
			if len(seen) != messages {
				t.Errorf("%d of %d messages came", len(seen), messages)
			}
			pub.publish("jobs/last", "last", 1, 1)
			if got := stays.payloads(1); got[0] != "last" {
				t.Errorf("%q came twice", got[0])
			}
		})
	}
}

// TestSharedFairness looks at how the messages of a group are spread over
// members that all keep up.
func TestSharedFairness(t *testing.T) {
	b := startBroker(t, testConfig(4))
	const members, messages = 8, 4000
	counts := make([]int, members)
	done := make(chan int, messages)
	for i := range members {
		m := connect(t, b, fmt.Sprintf("member-%d", i))
		m.subscribe("$share/g/jobs", 0)
		go func() {
			for {
				if f, err := m.read(); err != nil {
					return
				} else if f.Type() == codec.PUBLISH {
					done <- i
				}
			}
		}()
	}
	pub := connect(t, b, "publisher")
	for range messages {
		pub.publish("jobs", "x", 0, 0)
	}
	for range messages {
		select {
		case i := <-done:
			counts[i]++
		case <-time.After(10 * time.Second):
			t.Fatalf("not all messages came: %v", counts)
		}
	}
	for i, n := range counts {
		if n < messages/members*7/10 || n > messages/members*13/10 {
			t.Errorf("member %d got %d of %d messages: %v", i, n, messages, counts)
			break
		}
	}
}
