package webhooks

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"vernemq/server/hooks"
)

// What follows appends all that an answer depends on: the endpoint, the hook,
// and the request without its payload and the peer's port. Each part has its
// length in front, so that no two requests look the same.

func appendPart[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFlag(b []byte, f bool) []byte {
	if f {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendClient(b []byte, c *hooks.Client) []byte {
	b = appendPart(appendPart(b, c.Mountpoint), c.ID)
	return appendPart(appendFlag(b, c.HasUsername), c.Username)
}

func registerKey(b []byte, r *hooks.Register) []byte {
	b = appendClient(b, &r.Client)
	addr := r.Peer.Addr().As16()
	b = append(b, addr[:]...)
	b = appendPart(appendFlag(b, r.HasPassword), r.Password)
	b = appendPart(appendFlag(b, r.CleanStart), r.Properties)
	if c := r.Connection; c != nil {
		b = appendPart(appendPart(appendPart(b, c.ClientCert), c.ListenerAddr), c.ListenerType)
		b = binary.AppendUvarint(b, uint64(c.ListenerPort))
	}
	return b
}

func publishKey(b []byte, r *hooks.Message) []byte {
	b = appendPart(appendClient(b, &r.Client), r.Topic)
	return appendPart(append(appendFlag(b, r.Retain), r.QoS), r.Properties)
}

func subscribeKey(b []byte, r *hooks.Subscribe) []byte {
	b = appendPart(appendClient(b, &r.Client), r.Properties)
	for i := range r.Topics {
		t := &r.Topics[i]
		b = append(appendPart(b, t.Filter.Filter), t.QoS, t.RetainHandling)
		b = appendFlag(appendFlag(b, t.NoLocal), t.RetainAsPublished)
	}
	return b
}

// keySpace is where the parts of keys are put together.
var keySpace = sync.Pool{New: func() any { return new(make([]byte, 0, 512)) }}

// keyOf is the key of a request to an endpoint.
func keyOf[R any](e *endpoint, r *R, part func([]byte, *R) []byte) hooks.CacheKey {
	b := keySpace.Get().(*[]byte)
	*b = part(appendPart(append((*b)[:0], byte(e.Hook)), e.URL), r)
	k := sha256.Sum256(*b)
	clear(*b) // there may be a password in it
	keySpace.Put(b)
	return k
}
